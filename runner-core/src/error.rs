//! What can go wrong: a kind exists only if someone acts on it.

use std::fmt;

/// The result of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who acts on a failure, and how: the `error.kind` of logs and callbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The configuration is invalid; every problem is listed.
    Config,
    /// The database or the store refused the login or a privilege.
    Denied,
    /// The database cannot be reached, or was lost midway.
    Unreachable,
    /// A client program is missing, too old, or failed.
    Tool,
    /// The target, server or backup is not fit for what was asked.
    Unfit,
    /// The store failed after its own retries.
    Store,
    /// There is no such backup, database or object.
    NotFound,
    /// Bytes are not what the manifest says they are.
    Integrity,
    /// A signal ended the job.
    Interrupted,
    /// The runner itself is wrong.
    Bug,
}

impl Kind {
    /// The name users see in logs and callbacks.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Denied => "denied",
            Self::Unreachable => "unreachable",
            Self::Tool => "tool",
            Self::Unfit => "unfit",
            Self::Store => "store",
            Self::NotFound => "not_found",
            Self::Integrity => "integrity",
            Self::Interrupted => "interrupted",
            Self::Bug => "bug",
        }
    }

    /// The process's exit code; a signal's own code is `run`'s business.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Unreachable | Self::Store => 75,
            Self::Interrupted => 143,
            _ => 1,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure: its kind, what was being done, and what caused it.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    what: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// `what` names the thing and the way out; no full stop, no "failed to".
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            source: None,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Puts what was being done in front; the kind stays.
    #[must_use]
    pub fn while_doing(self, what: impl Into<String>) -> Self {
        Self {
            kind: self.kind,
            what: what.into(),
            source: Some(Box::new(self)),
        }
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }
}

/// The whole chain on one line: `put manifest.json: connection refused`.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut said = self.what.clone();
        let mut source = self.source.as_deref().map(|e| e as &dyn std::error::Error);
        while let Some(cause) = source {
            let text = cause.to_string();
            // Many libraries repeat their source in their own text.
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
            if cause.is::<Error>() {
                break; // its Display has already told the rest of the chain
            }
            source = cause.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

/// Takes the `Error` back out of an `io::Error` that carried it through a `Read` or `Write`.
pub fn from_io(error: std::io::Error, kind: Kind, what: impl Into<String>) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::new(kind, what).because(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_tells_the_whole_chain_once() {
        let io = std::io::Error::other("connection refused");
        let error = Error::new(Kind::Store, "put a")
            .because(io)
            .while_doing("back up \"shop\"");
        assert_eq!(
            error.to_string(),
            "back up \"shop\": put a: connection refused"
        );
        assert_eq!(error.kind(), Kind::Store);
    }

    #[test]
    fn an_error_survives_a_trip_through_io() {
        let io: std::io::Error = Error::new(Kind::Integrity, "cut").into();
        assert_eq!(from_io(io, Kind::Bug, "read").kind(), Kind::Integrity);
    }
}

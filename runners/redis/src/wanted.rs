//! Which keys are wanted: of which database, with what names.

use runner_core::patterns::Patterns;

/// What is taken out of all that a server, or a backup, holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// `None` for every database.
    pub(crate) database: Option<u64>,
    /// Empty for every key.
    pub(crate) include: Patterns,
    pub(crate) exclude: Patterns,
    pub(crate) functions: bool,
}

impl Wanted {
    /// Whether nothing would be left out.
    pub(crate) fn is_everything(&self) -> bool {
        self.database.is_none() && self.takes_every_name() && self.functions
    }

    pub(crate) fn takes_every_name(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    pub(crate) fn takes_database(&self, database: u64) -> bool {
        self.database.is_none_or(|wanted| wanted == database)
    }

    pub(crate) fn takes(&self, database: u64, name: &[u8]) -> bool {
        if !self.takes_database(database) {
            return false;
        }
        if self.takes_every_name() {
            return true;
        }
        // Bytes that are no text match `*` and `?` only.
        let name = String::from_utf8_lossy(name);
        let included = self.include.is_empty() || self.include.matches_whole(&name);
        included && !self.exclude.matches_whole(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_wanted_by_its_database_and_its_name() {
        let wanted = Wanted {
            database: Some(3),
            include: Patterns::parse("user:*").unwrap(),
            exclude: Patterns::parse("*:tmp").unwrap(),
            functions: false,
        };
        assert!(wanted.takes(3, b"user:1.5"));
        assert!(wanted.takes(3, b"user:\xff"));
        assert!(!wanted.takes(3, b"user:1:tmp"));
        assert!(!wanted.takes(3, b"x.user:1"));
        assert!(!wanted.takes(0, b"user:1"));
    }
}

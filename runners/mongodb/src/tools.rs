//! `mongodump` and `mongorestore`: where they are, which version they have, how they log in.

use std::path::PathBuf;

use runner_core::error::{Error, Kind, Result};
use runner_core::tool::{MemoryFile, Tool};
use tokio_util::sync::CancellationToken;

use crate::server::Server;

/// How much garbage the tools may keep, as a percentage of what they need: they hold large buffers, and a third less
/// memory costs them a twentieth of their time.
const GARBAGE: &str = "25";
/// How the tools' driver tells that it has lost the server, or that the server has other things to do.
const LOST: [&str; 8] = [
    "connection(",
    "connection pool for",
    "server selection error",
    "(InterruptedAtShutdown)",
    "(InterruptedDueToReplStateChange)",
    "(NotWritablePrimary)",
    "(PrimarySteppedDown)",
    "(ShutdownInProgress)",
];

/// The tools of one installation.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    bin: Option<PathBuf>,
}

impl Tools {
    pub(crate) fn new(bin: Option<PathBuf>) -> Self {
        Self { bin }
    }

    /// A tool that logs in as the job does: the connection string is in a file that only memory holds.
    pub(crate) fn tool(&self, program: &str, server: &Server) -> Result<Tool> {
        // JSON is YAML, and its strings need no more care than this.
        let uri = serde_json::Value::from(server.uri.reveal());
        let config = format!("uri: {uri}\n");
        let file = MemoryFile::of_bytes("the connection string", config.as_bytes())?;
        let mut tool = self.bare(program).arg("--config").memory_file(&file);
        tool = tool.masked(&server.uri);
        if let Some(password) = &server.address.password {
            tool = tool.masked(password);
        }
        Ok(tool)
    }

    fn bare(&self, program: &str) -> Tool {
        let path = self.bin.as_ref().map(|bin| bin.join(program));
        Tool::new(path.unwrap_or_else(|| program.into()))
            .env("GOGC", GARBAGE)
            .way_out("install the MongoDB Database Tools or set MONGO_BIN")
    }

    /// A tool's version, such as `100.10.0`.
    pub(crate) async fn version(&self, program: &str) -> Result<String> {
        let output = self
            .bare(program)
            .arg("--version")
            .run(&CancellationToken::new())
            .await?;
        parse_version(&output.stdout).ok_or_else(|| {
            let said = output.stdout.lines().next().unwrap_or_default();
            Error::new(Kind::Tool, format!("{program} --version says {said:?}"))
        })
    }
}

/// What a tool's end means: one that lost the server may fare better another time.
pub(crate) fn judge(err: Error) -> Error {
    let said = err.to_string();
    if err.kind() == Kind::Tool && said.contains("(Unauthorized)") {
        let what = "the login may not do all that this takes; give it more roles";
        return Error::new(Kind::Denied, what).because(err);
    }
    let is_lost = err.kind() == Kind::Tool && LOST.iter().any(|words| said.contains(words));
    match is_lost && !said.contains("auth error") {
        true => Error::new(Kind::Unreachable, "the server was lost").because(err),
        false => err,
    }
}

/// `mongodump version: 100.10.0`, and more lines.
fn parse_version(text: &str) -> Option<String> {
    let (_, version) = text.lines().next()?.split_once("version: ")?;
    let version = version.trim();
    let is_version = version.starts_with(|c: char| c.is_ascii_digit());
    is_version.then(|| version.to_owned())
}

/// A pattern of `mongorestore` that matches this name and no other.
pub(crate) fn literal(name: &str) -> String {
    name.chars().fold(String::new(), |mut escaped, c| {
        if matches!(c, '*' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_says_its_version_in_its_first_line() {
        let says = "mongodump version: 100.10.0\ngit version: x\nGo version: go1.26\n";
        assert_eq!(parse_version(says).as_deref(), Some("100.10.0"));
        assert_eq!(parse_version("mongodump version: built-without"), None);
    }

    #[test]
    fn a_server_that_was_lost_is_told_from_a_tool_that_failed() {
        let kind = |said: &str| judge(Error::new(Kind::Tool, said)).kind();
        for lost in [
            "error reading collection: connection(127.0.0.1:1[-3]) incomplete read of full message: unexpected EOF",
            "could not connect to server: server selection error: server selection timeout",
            "(InterruptedAtShutdown) interrupted at shutdown",
        ] {
            assert_eq!(kind(lost), Kind::Unreachable, "{lost}");
        }
        for failed in [
            "connection() error occurred during connection handshake: auth error: sasl conversation error",
            "(DuplicateKey) E11000 duplicate key error collection: a.b index: c",
        ] {
            assert_eq!(kind(failed), Kind::Tool, "{failed}");
        }
        let refused = "error counting a.b: (Unauthorized) not authorized on a to execute command";
        assert_eq!(kind(refused), Kind::Denied);
        let damaged = Error::new(Kind::Integrity, "connection(x)");
        assert_eq!(judge(damaged).kind(), Kind::Integrity);
    }

    #[test]
    fn a_name_is_no_pattern() {
        assert_eq!(literal(r"a*b\c$d"), r"a\*b\\c$d");
    }
}

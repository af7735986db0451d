//! `mongodump` and `mongorestore`: where they are, which version they have, how they log in.

use std::path::PathBuf;

use runner_core::error::{Error, Kind, Result};
use runner_core::tool::{MemoryFile, Tool};
use tokio_util::sync::CancellationToken;

use crate::server::Server;

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
    fn a_name_is_no_pattern() {
        assert_eq!(literal(r"a*b\c$d"), r"a\*b\\c$d");
    }
}

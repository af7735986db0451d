//! The schema: `pg_restore` over the small archive, held in a memory file so that it can seek in it.

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use runner_core::error::{Error, Kind, Result};
use runner_core::progress::Progress;
use runner_core::stream::ByteStream;
use runner_core::tool::{MemoryFile, Tool};

use super::Context;

/// More definitions than this are not a schema but a mistake, and would not fit a small container.
const MAX_SCHEMA_BYTES: u64 = 512 << 20;

/// The archive, and which of its entries are wanted.
pub(super) struct Schema {
    archive: MemoryFile,
    list: Option<MemoryFile>,
}

impl Schema {
    /// Reads it from the backup; `None` when the backup has none.
    pub(super) async fn read(context: &Context<'_>) -> Result<Option<Self>> {
        let path = format!("{}schema.dump", context.database.prefix);
        let manifest = context.backup.manifest();
        let mut artifacts = context.backup.of_kind("schema");
        let Some(artifact) = artifacts.find(|artifact| manifest.name(artifact).starts_with(&path))
        else {
            return match context.database.has_schema {
                true => Err(Error::new(
                    Kind::Integrity,
                    format!("the manifest names no {path}"),
                )),
                false => Ok(None),
            };
        };
        let body = context.backup.open(artifact, Progress::default());
        let archive = MemoryFile::of_stream("schema.dump", body, MAX_SCHEMA_BYTES).await?;
        let mut schema = Self {
            archive,
            list: None,
        };
        let unwanted = unwanted(context);
        if !unwanted.is_empty() {
            schema.list = Some(schema.wanted_list(context, unwanted).await?);
        }
        Ok(Some(schema))
    }

    /// Restores one section.
    pub(super) async fn restore(
        &self,
        context: &Context<'_>,
        database: &str,
        section: &str,
    ) -> Result<()> {
        tracing::info!(database, section, "schema");
        let (_, client) = context.server.tools.version("pg_restore").await?;
        let sends_unknown = client >= 17 && !context.server.has_transaction_timeout;
        let doing = format!("restore the schema ({section})");
        let cancel = &context.target.cancel;
        if !sends_unknown {
            let tool = self
                .tool(context, database, section)
                .arg(format!("--dbname={}", conninfo(database)))
                .arg("--exit-on-error");
            let tool = match section {
                "post-data" => tool.arg(format!("--jobs={}", context.target.parallelism)),
                _ => tool,
            };
            return tool
                .run(cancel)
                .await
                .map(drop)
                .map_err(|err| err.while_doing(doing));
        }
        // This client's first statement is one that the server does not know; as text, it can be left out.
        let script = self
            .tool(context, database, section)
            .arg("--file=-")
            .read(cancel)
            .await?;
        let psql = context.server.tools.tool("psql", database).args(PSQL);
        psql.write(without_unknown_settings(script), cancel)
            .await
            .map(drop)
            .map_err(|err| err.while_doing(doing))
    }

    fn tool(&self, context: &Context<'_>, database: &str, section: &str) -> Tool {
        let options = context.options;
        let mut tool = context
            .server
            .tools
            .tool("pg_restore", database)
            .args(["--format=custom", "--no-password"])
            .arg(format!("--section={section}"));
        if options.no_owner || options.owner.is_some() {
            tool = tool.arg("--no-owner");
        }
        if let Some(owner) = &options.owner {
            tool = tool.arg(format!("--role={owner}"));
        }
        if options.no_privileges {
            tool = tool.arg("--no-privileges");
        }
        if context.lacks_tablespaces() {
            tool = tool.arg("--no-tablespaces");
        }
        if let Some(list) = &self.list {
            tool = tool.arg(format!("--use-list={}", list.path_for_child().display()));
        }
        tool.arg(self.archive.path_for_child())
    }

    /// The archive's table of contents without the unwanted entries.
    async fn wanted_list(
        &self,
        context: &Context<'_>,
        unwanted: Vec<String>,
    ) -> Result<MemoryFile> {
        let list = context
            .server
            .tools
            .tool("pg_restore", "")
            .arg("--list")
            .arg(self.archive.path_for_child())
            .read(&context.target.cancel)
            .await?;
        let wanted = lines(list, move |line| {
            let line = String::from_utf8_lossy(line);
            !unwanted.iter().any(|entry| line.contains(entry.as_str()))
        });
        MemoryFile::of_stream("schema.list", wanted, MAX_SCHEMA_BYTES).await
    }
}

/// Neither a user's `.psqlrc` nor a failed statement may pass unnoticed.
pub(crate) const PSQL: [&str; 5] = [
    "--no-psqlrc",
    "--quiet",
    "--no-password",
    "--set=ON_ERROR_STOP=1",
    "--output=/dev/null",
];

/// A database's name for `--dbname`, which would take a name such as `a=b` for a connection string.
fn conninfo(database: &str) -> String {
    format!(
        "dbname='{}'",
        database.replace('\\', "\\\\").replace('\'', "\\'")
    )
}

/// What stands in the table of contents for entries that must be left out.
fn unwanted(context: &Context<'_>) -> Vec<String> {
    let mut unwanted = Vec::new();
    for extension in &context.options.skip_extensions {
        unwanted.push(format!(" EXTENSION - {extension} "));
        unwanted.push(format!(" COMMENT - EXTENSION {extension} "));
    }
    if context.is_partial() {
        let restored: Vec<String> = context.tables().map(|table| table.display_name()).collect();
        for key in &context.database.foreign_keys {
            let is_empty = context.database.has_no_rows(&key.table, &restored);
            if is_empty || key.references.iter().all(|table| restored.contains(table)) {
                continue;
            }
            let (schema, table) = key.table.split_once('.').unwrap_or_default();
            let name = &key.name;
            tracing::warn!(
                table = key.table,
                constraint = name,
                "left out: it points to a table that is restored without its rows"
            );
            unwanted.push(format!(
                " FK CONSTRAINT {} {} {name} ",
                bare(schema),
                bare(table)
            ));
        }
    }
    unwanted
}

fn bare(name: &str) -> String {
    name.trim_matches('"').replace("\"\"", "\"")
}

/// A script without the settings that newer clients write and older servers refuse.
pub(crate) fn without_unknown_settings(script: ByteStream) -> ByteStream {
    let mut seen = false;
    lines(script, move |line| {
        // Clients write it once, at the top; further on it would be somebody's own text.
        let unknown = !seen && line == b"SET transaction_timeout = 0;\n";
        seen |= unknown;
        !unknown
    })
}

/// Keeps the lines that `keep` says; a line longer than a block passes unseen, for none of ours is.
fn lines(input: ByteStream, keep: impl FnMut(&[u8]) -> bool + Send + 'static) -> ByteStream {
    struct State<K> {
        input: ByteStream,
        held: BytesMut,
        keep: K,
        ended: bool,
    }
    let state = State {
        input,
        held: BytesMut::new(),
        keep,
        ended: false,
    };
    stream::try_unfold(state, |mut state| async move {
        while !state.ended {
            match state.input.next().await {
                Some(block) => state.held.extend_from_slice(&block?),
                None => state.ended = true,
            }
            let whole = match (
                state.ended,
                state.held.iter().rposition(|byte| *byte == b'\n'),
            ) {
                (true, _) => state.held.len(),
                (false, Some(at)) => at + 1,
                (false, None) if state.held.len() > MAX_LINE_BYTES => state.held.len(),
                (false, None) => continue,
            };
            let block = state.held.split_to(whole);
            let kept: Vec<u8> = block
                .split_inclusive(|byte| *byte == b'\n')
                .filter(|line| (state.keep)(line))
                .flatten()
                .copied()
                .collect();
            if !kept.is_empty() {
                return Ok(Some((Bytes::from(kept), state)));
            }
        }
        Ok(None)
    })
    .boxed()
}

const MAX_LINE_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_clients_own_unknown_setting_is_left_out() {
        let script = "SET lock_timeout = 0;\nSET transaction_timeout = 0;\nCREATE FUNCTION f() AS '\nSET transaction_timeout = 0;\n';";
        for step in [1, 5, 1000] {
            let blocks: Vec<_> = script
                .as_bytes()
                .chunks(step)
                .map(|block| Ok(Bytes::copy_from_slice(block)))
                .collect();
            let mut out = Vec::new();
            let mut kept = without_unknown_settings(stream::iter(blocks).boxed());
            while let Some(block) = kept.next().await {
                out.extend_from_slice(&block.unwrap());
            }
            let expected =
                "SET lock_timeout = 0;\nCREATE FUNCTION f() AS '\nSET transaction_timeout = 0;\n';";
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn a_database_may_be_called_anything() {
        assert_eq!(conninfo("a=b 'c\\"), r"dbname='a=b \'c\\'");
    }
}

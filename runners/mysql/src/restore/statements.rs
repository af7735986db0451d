//! The scripts of a backup, statement by statement, and what their order demands.

use futures::StreamExt;
use runner_core::error::{Error, Kind, Result};
use runner_core::manifest::Artifact;
use runner_core::progress::Progress;
use runner_core::source::Backup;
use runner_core::stream::ByteStream;

use super::Context;
use crate::schema::{HEADER, Header};
use crate::script::{Splitter, without_comments};
use crate::session::Pool;
use crate::sql;

/// A statement of a script, and what its header says it is about.
pub(super) struct Statement {
    pub(super) header: Header,
    pub(super) text: Vec<u8>,
}

impl Context<'_> {
    /// The statements of this database's script of one kind, as they come.
    pub(super) fn statements(&self, kind: &str) -> Option<Statements> {
        let prefix = self.database.prefix.trim_end_matches('/');
        let mut artifacts = self.backup.of_kind(kind);
        let artifact = artifacts.find(|artifact| {
            let name = self.backup.manifest().name(artifact);
            let directory = name.rsplit_once('/').map(|(directory, _)| directory);
            directory.unwrap_or_default() == prefix
        })?;
        Some(Statements::of(self.backup, artifact))
    }
}

pub(super) struct Statements {
    body: ByteStream,
    splitter: Splitter,
    header: Header,
    ended: bool,
}

impl Statements {
    pub(super) fn of(backup: &Backup, artifact: &Artifact) -> Self {
        Self {
            body: backup.open(artifact, Progress::default()),
            splitter: Splitter::default(),
            header: Header::default(),
            ended: false,
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Statement>> {
        loop {
            if let Some(statement) = self.splitter.next_statement()? {
                if let Some(header) = header(&statement)? {
                    self.header = header;
                }
                return Ok(Some(Statement {
                    header: self.header.clone(),
                    text: without_comments(&statement).to_vec(),
                }));
            }
            if self.ended {
                return Ok(None);
            }
            match self.body.next().await {
                Some(block) => self.splitter.feed(&block?),
                None => {
                    self.ended = true;
                    self.splitter.end();
                }
            }
        }
    }
}

/// The header among the comments in front of a statement.
fn header(statement: &[u8]) -> Result<Option<Header>> {
    let code = without_comments(statement);
    let comments = statement
        .get(..statement.len() - code.len())
        .unwrap_or_default();
    let comments = String::from_utf8_lossy(comments);
    let line = comments.lines().find_map(|line| line.strip_prefix(HEADER));
    line.map(|json| {
        serde_json::from_str(json).map_err(|err| {
            Error::new(Kind::Integrity, "a script with a broken header").because(err)
        })
    })
    .transpose()
}

/// Runs a script in one session.
pub(super) async fn script(
    context: &Context<'_>,
    pool: &Pool,
    kind: &str,
    working: &str,
) -> Result<()> {
    let Some(mut statements) = context.statements(kind) else {
        return Ok(());
    };
    tracing::info!(database = context.database.name, "create tables");
    let mut connection = pool.take().await?;
    while let Some(statement) = statements.next().await? {
        let text = rename(&statement.text, &context.database.name, working);
        connection
            .execute(&text)
            .await
            .map_err(|err| doing(err, &statement.header))?;
    }
    connection.execute(sql::RAW_RESULTS).await?;
    pool.give(connection);
    Ok(())
}

pub(super) fn doing(err: Error, header: &Header) -> Error {
    err.while_doing(format!("create the {} {:?}", header.kind, header.name))
}

/// Puts another database's name where a definition names its own, as MariaDB's `nextval(…)` and some views do.
pub(super) fn rename(text: &[u8], from: &str, to: &str) -> Vec<u8> {
    if from == to {
        return text.to_vec();
    }
    let (old, new) = (
        format!("{}.`", sql::ident(from)),
        format!("{}.`", sql::ident(to)),
    );
    let (old, new) = (old.as_bytes(), new.as_bytes());
    let mut renamed = Vec::with_capacity(text.len());
    let mut quote = None;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        if quote.is_none() && rest.starts_with(old) {
            renamed.extend_from_slice(new);
            at += old.len();
            quote = Some(b'`');
            continue;
        }
        match (quote, byte) {
            (None, b'\'' | b'"' | b'`') => quote = Some(*byte),
            (Some(b'\'' | b'"'), b'\\') => {
                renamed.push(*byte);
                at += 1;
            }
            // A doubled quote is one of the text's own.
            (Some(open), _) if *byte == open && rest.get(1) == Some(&open) => {
                renamed.push(*byte);
                at += 1;
            }
            (Some(open), _) if *byte == open => quote = None,
            _ => {}
        }
        renamed.extend(text.get(at));
        at += 1;
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_renamed_where_it_is_named_and_not_where_it_is_text() {
        let text = b"select `shop`.`t`.`a`, 'it''s `shop`.`t`', `x``shop`.`y` from `shop`.`t` where \"\\\"`shop`.`z`\"";
        let renamed = rename(text, "shop", "new");
        assert_eq!(
            String::from_utf8(renamed).unwrap(),
            "select `new`.`t`.`a`, 'it''s `shop`.`t`', `x``shop`.`y` from `new`.`t` where \"\\\"`shop`.`z`\""
        );
    }

    #[test]
    fn a_header_is_found_among_comments() {
        let statement =
            b"-- hello\n\n-- planb: {\"kind\":\"view\",\"name\":\"a\\nb\"}\nCREATE VIEW x";
        let header = header(statement).unwrap().unwrap();
        assert_eq!(
            (header.kind.as_str(), header.name.as_str()),
            ("view", "a\nb")
        );
        assert!(super::header(b"SELECT 1").unwrap().is_none());
    }
}

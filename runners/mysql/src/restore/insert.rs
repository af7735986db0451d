//! Lines into multi-row `INSERT`s, for servers that take no `LOAD DATA LOCAL`.
//!
//! Within a line, what is escaped for `LOAD DATA` is escaped for a string as well; only quotes are to be added.

use bytes::BytesMut;
use futures::StreamExt;
use runner_core::error::{Error, Kind, Result};
use runner_core::stream::ByteStream;

use crate::details::{Table, Travel};
use crate::sql::ident;
use crate::wire::{Connection, Loaded};

/// A statement is sent when it reaches this size, or half of what the server takes.
const STATEMENT_BYTES: usize = 1 << 20;

pub(super) fn statement_bytes(max_packet_bytes: u64) -> usize {
    STATEMENT_BYTES.min(usize::try_from(max_packet_bytes / 2).unwrap_or(STATEMENT_BYTES))
}

/// Inserts every line of `body`, as one transaction.
pub(super) async fn load(
    connection: &mut Connection,
    table: &Table,
    mut body: ByteStream,
    statement_bytes: usize,
) -> Result<Loaded> {
    let travels: Vec<Travel> = table.columns.iter().map(|column| column.travel).collect();
    let columns: Vec<String> = table.columns.iter().map(|it| ident(&it.name)).collect();
    let head = format!(
        "INSERT INTO {} ({}) VALUES ",
        ident(&table.name),
        columns.join(", ")
    );
    let mut statement = head.clone().into_bytes();
    let mut loaded = Loaded::default();
    let mut held = BytesMut::new();
    let mut seen = 0;
    // Bytes of no character set, as in LOAD DATA … CHARACTER SET binary.
    connection
        .execute("SET SESSION character_set_client = binary, character_set_connection = binary")
        .await?;
    connection.execute("START TRANSACTION").await?;
    while let Some(block) = body.next().await {
        held.extend_from_slice(&block?);
        while let Some(at) = held
            .get(seen..)
            .and_then(|new| new.iter().position(|it| *it == b'\n'))
        {
            let line = held.split_to(seen + at + 1);
            seen = 0;
            add_row(
                &mut statement,
                line.get(..line.len() - 1).unwrap_or_default(),
                &travels,
                head.len(),
            );
            if statement.len() >= statement_bytes {
                send(connection, &mut statement, head.len(), &mut loaded).await?;
            }
        }
        seen = held.len();
    }
    if !held.is_empty() {
        return Err(Error::new(Kind::Integrity, "the last line has no end"));
    }
    if statement.len() > head.len() {
        send(connection, &mut statement, head.len(), &mut loaded).await?;
    }
    connection.execute("COMMIT").await?;
    connection.execute("SET NAMES utf8mb4").await?;
    connection.execute(crate::sql::RAW_RESULTS).await?;
    Ok(loaded)
}

async fn send(
    connection: &mut Connection,
    statement: &mut Vec<u8>,
    head_bytes: usize,
    loaded: &mut Loaded,
) -> Result<()> {
    let answer = connection.query(&statement).await?;
    loaded.rows += answer.affected;
    loaded.warnings = loaded.warnings.saturating_add(answer.warnings);
    statement.truncate(head_bytes);
    Ok(())
}

/// Adds a line as a row of literals.
fn add_row(statement: &mut Vec<u8>, line: &[u8], travels: &[Travel], head_bytes: usize) {
    statement.extend_from_slice(if statement.len() > head_bytes {
        b",("
    } else {
        b"("
    });
    for (n, (field, travel)) in line.split(|byte| *byte == b'\t').zip(travels).enumerate() {
        if n > 0 {
            statement.push(b',');
        }
        if field == b"\\N" {
            statement.extend_from_slice(b"NULL");
            continue;
        }
        let (before, after): (&[u8], &[u8]) = match travel {
            Travel::Text | Travel::Json => (b"CONVERT('", b"' USING utf8mb4)"),
            Travel::AsIs | Travel::Shape | Travel::Double => (b"'", b"'"),
        };
        statement.extend_from_slice(before);
        for part in field.split_inclusive(|byte| *byte == b'\'') {
            statement.extend_from_slice(part);
            if part.ends_with(b"'") {
                statement.push(b'\'');
            }
        }
        statement.extend_from_slice(after);
    }
    statement.push(b')');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_literals_with_its_escapes_kept() {
        let mut statement = Vec::new();
        let travels = [Travel::AsIs, Travel::Text, Travel::AsIs];
        add_row(&mut statement, b"it's \\\\\\t\\0\t{}\t\\N", &travels, 0);
        add_row(&mut statement, b"\t''\t\xff", &travels, 0);
        assert_eq!(
            statement,
            b"('it''s \\\\\\t\\0',CONVERT('{}' USING utf8mb4),NULL),('',CONVERT('''''' USING utf8mb4),'\xff')"
        );
        assert_eq!(statement_bytes(u64::MAX), STATEMENT_BYTES);
        assert_eq!(statement_bytes(4096), 2048);
    }
}

//! MariaDB's sequences. A backup reads their values after its snapshot: they must be no older than the rows that used them.

use runner_core::error::Result;

use super::{PROLOGUE, Scripts, add, text};
use crate::sql::{ident, literal};
use crate::wire::Connection;

/// The sequences of a database, as a part of its script of tables.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    script: Vec<u8>,
    pub(crate) n: u64,
}

impl Scripts {
    /// The script of tables, whose defaults may ask sequences.
    pub(crate) fn tables_after(&mut self, sequences: &Sequences) -> Vec<u8> {
        let tables = std::mem::take(&mut self.tables);
        [PROLOGUE.as_bytes(), &sequences.script, &tables].concat()
    }
}

/// Reads definitions and values; `catalog` becomes a session in that database.
pub(crate) async fn sequences(catalog: &mut Connection, database: &str) -> Result<Sequences> {
    let mut sequences = Sequences::default();
    catalog.execute(format!("USE {}", ident(database))).await?;
    let names = catalog
        .query(format!(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_TYPE = 'SEQUENCE' ORDER BY 1",
            literal(database)
        ))
        .await?;
    for row in &names.rows {
        let name = row.text(0);
        let answer = catalog
            .query(format!("SHOW CREATE SEQUENCE {}", ident(&name)))
            .await?;
        let create = text(&answer, "Create Table", &name)?;
        let state = catalog
            .query(format!(
                "SELECT next_not_cached_value, cycle_count FROM {}",
                ident(&name)
            ))
            .await?;
        let row = state.rows.first();
        let at = |n: usize| row.map(|row| row.text(n)).unwrap_or_default();
        let set = format!("DO SETVAL({}, {}, 0, {})", ident(&name), at(0), at(1));
        add(&mut sequences.script, "sequence", &name, &[create, set]);
        sequences.n += 1;
    }
    Ok(sequences)
}

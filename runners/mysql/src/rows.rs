//! Rows out of a pool's sessions.

use bytes::Bytes;
use runner_core::error::Result;
use runner_core::fingerprint::Tally;
use runner_core::rows::{Job, RowSource, Rows};
use runner_core::store::layout::safe_component;

use crate::details::{DatabaseDetails, Table};
use crate::session::Pool;
use crate::wire::RowsOut;

/// What the members of a tar end in.
pub(crate) const SUFFIX: &str = ".tsv";

/// A statement whose rows are lines of an artifact.
#[derive(Clone, Debug)]
pub(crate) struct Select {
    pub(crate) sql: String,
    /// Whether the session is in a transaction, which must not keep the table's definition locked.
    pub(crate) in_snapshot: bool,
}

/// A running statement, and where its session goes back to.
pub(crate) struct Reading {
    rows: RowsOut,
    pool: Pool,
    in_snapshot: bool,
    is_released: bool,
}

/// The reading of a table or a range, from the snapshot or (to prove a restore) from what stands there now.
pub(crate) fn job(
    database: &DatabaseDetails,
    table: &Table,
    from: &str,
    range: Option<&str>,
    in_snapshot: bool,
) -> Job<Select> {
    Job {
        data_name: database.data_name(table),
        member: component(&table.name),
        query: Select {
            sql: table.select_sql(from, range),
            in_snapshot,
        },
    }
}

/// A name in paths.
pub(crate) fn component(name: &str) -> String {
    safe_component(name).replace('.', "%2E")
}

impl RowSource for Pool {
    type Query = Select;
    type Rows = Reading;

    async fn start(&self, query: &Select) -> Result<Reading> {
        let mut connection = self.take().await?;
        if query.in_snapshot {
            connection.execute("SAVEPOINT planb").await?;
        }
        Ok(Reading {
            rows: RowsOut::start(connection, &query.sql).await?,
            pool: self.clone(),
            in_snapshot: query.in_snapshot,
            is_released: false,
        })
    }
}

impl Rows for Reading {
    async fn next_block(&mut self) -> Result<Option<Bytes>> {
        let block = self.rows.next_block().await?;
        if block.is_none() && self.in_snapshot && !self.is_released {
            self.is_released = true;
            // Lets the table's definition go, so that a statement that changes it does not wait for the whole dump,
            // and everybody else behind it.
            self.rows.execute("ROLLBACK TO SAVEPOINT planb").await?;
        }
        Ok(block)
    }

    fn tally(&self) -> Tally {
        self.rows.tally()
    }

    fn finish(self) -> Result<Tally> {
        let (connection, tally) = self.rows.finish()?;
        self.pool.give(connection);
        Ok(tally)
    }
}

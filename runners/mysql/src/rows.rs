//! Rows out of a pool's sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use runner_core::error::Result;
use runner_core::fingerprint::Tally;
use runner_core::rows::{Job, RowSource, Rows};
use runner_core::store::layout::safe_component;

use crate::details::{DatabaseDetails, Table, Travel};
use crate::session::Pool;
use crate::snapshot::Sessions;
use crate::wire::{Connection, RowsOut};

/// What the members of a tar end in.
pub(crate) const SUFFIX: &str = ".tsv";

/// A statement whose rows are lines of an artifact.
#[derive(Clone, Debug)]
pub(crate) struct Select {
    pub(crate) sql: String,
    /// For each column, whether it is JSON of the kind that does not come back to the last digit.
    pub(crate) json: Arc<[bool]>,
    /// Of a table that no snapshot covers.
    pub(crate) is_loose: bool,
}

/// A running statement, and where its session goes back to.
pub(crate) struct Reading {
    rows: RowsOut,
    pool: Pool,
    /// What to run on the session once the rows have ended.
    epilogue: Epilogue,
}

enum Epilogue {
    Nothing,
    /// Lets the table's definition go, so that a statement that changes it does not wait for the whole dump, and
    /// everybody else behind it.
    Rollback,
    /// Lets tables without transactions go when this was the last of them to be read.
    Unlock(Arc<AtomicUsize>),
}

/// The reading of a table or a range, from a dump's sessions or (to prove a restore) any.
pub(crate) fn job(
    database: &DatabaseDetails,
    table: &Table,
    from: &str,
    range: Option<&str>,
    is_loose: bool,
) -> Job<Select> {
    Job {
        data_name: database.data_name(table),
        member: component(&table.name),
        query: Select {
            sql: table.select_sql(from, range),
            json: table
                .columns
                .iter()
                .map(|it| it.travel == Travel::Json)
                .collect(),
            is_loose,
        },
    }
}

/// A name in paths.
pub(crate) fn component(name: &str) -> String {
    safe_component(name).replace('.', "%2E")
}

impl RowSource for Sessions {
    type Query = Select;
    type Rows = Reading;

    async fn start(&self, query: &Select) -> Result<Reading> {
        if query.is_loose {
            let epilogue = Epilogue::Unlock(Arc::clone(&self.n_loose));
            return Reading::start(&self.loose, query, epilogue).await;
        }
        let mut connection = self.snapshot.take().await?;
        connection.execute("SAVEPOINT planb").await?;
        Reading::on(connection, &self.snapshot, query, Epilogue::Rollback).await
    }
}

impl RowSource for Pool {
    type Query = Select;
    type Rows = Reading;

    async fn start(&self, query: &Select) -> Result<Reading> {
        Reading::start(self, query, Epilogue::Nothing).await
    }
}

impl Reading {
    async fn start(pool: &Pool, query: &Select, epilogue: Epilogue) -> Result<Self> {
        Self::on(pool.take().await?, pool, query, epilogue).await
    }

    async fn on(
        connection: Connection,
        pool: &Pool,
        query: &Select,
        epilogue: Epilogue,
    ) -> Result<Self> {
        Ok(Self {
            rows: RowsOut::start(connection, &query.sql, &query.json).await?,
            pool: pool.clone(),
            epilogue,
        })
    }
}

impl Rows for Reading {
    async fn next_block(&mut self) -> Result<Option<Bytes>> {
        let block = self.rows.next_block().await?;
        if block.is_none() {
            match std::mem::replace(&mut self.epilogue, Epilogue::Nothing) {
                Epilogue::Rollback => self.rows.execute("ROLLBACK TO SAVEPOINT planb").await?,
                Epilogue::Unlock(n_loose) if n_loose.fetch_sub(1, Ordering::Relaxed) == 1 => {
                    self.rows.execute("UNLOCK TABLES").await?;
                }
                Epilogue::Unlock(_) | Epilogue::Nothing => {}
            }
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

//! Keeps autovacuum away from tables while they are filled.
//!
//! A freshly filled table is due for it at once. It would read and write the table beside our own sessions, and the
//! first index would wait for it to give way.

use std::collections::BTreeSet;

use runner_core::manifest::Artifact;

use super::Context;
use crate::session::Pool;
use crate::sql::ident;
use crate::wire::Connection;

/// The largest tables; the server's table of locks is finite.
const MAX_TABLES: usize = 200;

/// A session whose open transaction holds the lock that autovacuum would have to take.
pub(super) struct Guard(Option<Connection>);

impl Guard {
    /// Holds the tables whose rows fill `artifacts`, largest first. Without the right to lock them it does nothing:
    /// only speed is lost.
    pub(super) async fn hold(context: &Context<'_>, pool: &Pool, artifacts: &[Artifact]) -> Self {
        let data = artifacts.iter().filter(|artifact| artifact.kind == "rows");
        let names: BTreeSet<&str> = data
            .flat_map(|artifact| artifact.data.iter().map(|data| data.table.as_str()))
            .take(MAX_TABLES)
            .collect();
        let tables: Vec<String> = context
            .tables()
            .filter(|table| names.contains(context.database.data_name(table).as_str()))
            .map(|table| format!("ONLY {}.{}", ident(&table.schema), ident(&table.name)))
            .collect();
        if tables.is_empty() {
            return Self(None);
        }
        let statement = format!(
            "BEGIN; LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE NOWAIT",
            tables.join(", ")
        );
        let Ok(mut connection) = pool.take().await else {
            return Self(None);
        };
        match connection.execute(&statement).await {
            Ok(()) => Self(Some(connection)),
            Err(err) => {
                tracing::debug!(reason = %err, "autovacuum may come between");
                if connection.execute("ROLLBACK").await.is_ok() {
                    pool.give(connection);
                }
                Self(None)
            }
        }
    }

    /// Lets go, so that indexes can be built.
    pub(super) async fn release(self, pool: &Pool) {
        if let Some(mut connection) = self.0
            && connection.execute("COMMIT").await.is_ok()
        {
            pool.give(connection);
        }
    }
}

//! Sessions: connecting with patience, and a pool whose members share one snapshot.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runner_core::error::{Error, Kind, Result};
use runner_core::socket::with_patience;

use crate::sql::{self, PIN_SESSION};
use crate::wire::{Connection, Endpoint};

/// Connects and pins the session's settings. Until `patience` is over an unreachable server is tried again;
/// a refusal is final at once.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    database: &str,
    patience: Duration,
) -> Result<Connection> {
    with_patience(patience, || async {
        let mut connection = Connection::open(endpoint, database).await?;
        connection.execute(PIN_SESSION).await?;
        Ok(connection)
    })
    .await
}

/// Sessions of one database in one snapshot, or (without a snapshot) merely in the same encoding.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    database: String,
    patience: Duration,
    /// Run on each new session.
    prologue: Mutex<String>,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    /// Sessions that see what the exporter of `snapshot` sees.
    pub(crate) fn in_snapshot(
        endpoint: &Endpoint,
        database: &str,
        patience: Duration,
        encoding: &str,
        snapshot: &str,
    ) -> Self {
        let prologue = format!(
            "SET client_encoding = {}; {}; SET TRANSACTION SNAPSHOT {}",
            sql::literal(encoding),
            sql::BEGIN_SNAPSHOT,
            sql::literal(snapshot)
        );
        Self::with_prologue(endpoint, database, patience, prologue)
    }

    /// Sessions for loading and reading back, each statement its own transaction.
    pub(crate) fn plain(
        endpoint: &Endpoint,
        database: &str,
        patience: Duration,
        encoding: &str,
    ) -> Self {
        // What these sessions write is made durable by the commit that ends a restore.
        let prologue = format!(
            "SET client_encoding = {}; SET synchronous_commit = off",
            sql::literal(encoding)
        );
        Self::with_prologue(endpoint, database, patience, prologue)
    }

    fn with_prologue(
        endpoint: &Endpoint,
        database: &str,
        patience: Duration,
        prologue: String,
    ) -> Self {
        Self(Arc::new(Inner {
            endpoint: endpoint.clone(),
            database: database.to_owned(),
            patience,
            prologue: Mutex::new(prologue),
            idle: Mutex::default(),
        }))
    }

    /// An idle session, or a new one.
    pub(crate) async fn take(&self) -> Result<Connection> {
        let idle = self
            .0
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let inner = &self.0;
        let mut connection = connect(&inner.endpoint, &inner.database, inner.patience).await?;
        let prologue = inner
            .prologue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        connection.execute(&prologue).await.map_err(snapshot_gone)?;
        Ok(connection)
    }

    /// Adds a statement that sessions to come begin with.
    pub(crate) fn add_prologue(&self, statement: &str) {
        let mut prologue = self
            .0
            .prologue
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        prologue.push_str("; ");
        prologue.push_str(statement);
    }

    /// Gives a session back; one that broke is let go.
    pub(crate) fn give(&self, connection: Connection) {
        if connection.is_idle() {
            self.0
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
        }
    }

    /// Ends the idle sessions in good order.
    pub(crate) async fn close(&self) {
        let idle = std::mem::take(&mut *self.0.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for connection in idle {
            connection.close().await;
        }
    }
}

/// A snapshot lives as long as the session that exported it; a retry of the whole job may help.
fn snapshot_gone(err: Error) -> Error {
    if err.to_string().contains("snapshot") {
        Error::new(
            Kind::Unreachable,
            "the session that holds the snapshot was lost",
        )
        .because(err)
    } else {
        err
    }
}

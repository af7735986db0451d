//! Sessions: connecting with patience, and pools of them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runner_core::error::{Error, Kind, Result};
use runner_core::socket::with_patience;
use tokio::sync::Semaphore;

use crate::sql::PIN_SESSION;
use crate::wire::{Connection, Endpoint};

/// Connects and pins the session's settings. Until `patience` is over an unreachable server is tried again;
/// a refusal is final at once.
pub(crate) async fn connect(endpoint: &Endpoint, patience: Duration) -> Result<Connection> {
    with_patience(patience, || async {
        let mut connection = Connection::open(endpoint).await?;
        for statement in PIN_SESSION {
            connection.execute(statement).await?;
        }
        Ok(connection)
    })
    .await
}

/// Sessions to be shared: the very ones that were made at one moment, or as many as are asked for.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    idle: Mutex<Vec<Connection>>,
    /// For sessions that cannot be made anew: how many are idle.
    fixed: Option<Semaphore>,
    recipe: Option<Recipe>,
}

struct Recipe {
    endpoint: Endpoint,
    patience: Duration,
    prologue: Vec<String>,
}

impl Pool {
    /// Only these sessions; whoever finds none waits for one to be given back.
    pub(crate) fn fixed(sessions: Vec<Connection>) -> Self {
        Self(Arc::new(Inner {
            fixed: Some(Semaphore::new(sessions.len())),
            idle: Mutex::new(sessions),
            recipe: None,
        }))
    }

    /// Sessions that begin with these statements, as many as are asked for.
    pub(crate) fn growing(endpoint: &Endpoint, patience: Duration, prologue: Vec<String>) -> Self {
        Self(Arc::new(Inner {
            fixed: None,
            idle: Mutex::default(),
            recipe: Some(Recipe {
                endpoint: endpoint.clone(),
                patience,
                prologue,
            }),
        }))
    }

    /// An idle session, or a new one.
    pub(crate) async fn take(&self) -> Result<Connection> {
        if let Some(fixed) = &self.0.fixed {
            let permit = fixed.acquire().await;
            permit
                .map_err(|_| Error::new(Kind::Unreachable, "the snapshot's sessions are closed"))?
                .forget();
        }
        let idle = self.idle().pop();
        match (idle, &self.0.recipe) {
            (Some(connection), _) => Ok(connection),
            (None, Some(recipe)) => recipe.make().await,
            (None, None) => Err(Error::new(Kind::Bug, "a pool without sessions")),
        }
    }

    /// Gives a session back; one that broke is let go.
    pub(crate) fn give(&self, connection: Connection) {
        if connection.is_idle() {
            self.idle().push(connection);
            if let Some(fixed) = &self.0.fixed {
                fixed.add_permits(1);
            }
        }
    }

    /// Ends the idle sessions in good order; how many there were.
    pub(crate) async fn close(&self) -> usize {
        let idle = std::mem::take(&mut *self.idle());
        let n = idle.len();
        for connection in idle {
            connection.close().await;
        }
        n
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recipe {
    async fn make(&self) -> Result<Connection> {
        let mut connection = connect(&self.endpoint, self.patience).await?;
        for statement in &self.prologue {
            connection.execute(statement).await?;
        }
        Ok(connection)
    }
}

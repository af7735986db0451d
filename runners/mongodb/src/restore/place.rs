//! The database that is filled: refused unless empty, or emptied when told to; emptied again when the restore fails.

use std::time::Duration;

use runner_core::engine::{Target, Verify};
use runner_core::error::{Error, Kind, Result};
use runner_core::socket;
use tokio_util::sync::CancellationToken;

use super::check_name;
use crate::server::{Job, Server};

/// How long tidying up may take, all in all: where a primary was lost, another is elected within some ten seconds.
const TIDY: Duration = Duration::from_secs(30);
/// How long it may still take after a signal, which leaves little time.
const TIDY_INTERRUPTED: Duration = Duration::from_secs(5);
/// How many collections an error names.
const SHOWN: usize = 5;

/// One target.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) name: String,
    /// What a restore brings.
    wanted: Vec<String>,
    /// What it replaces.
    replaced: Vec<String>,
    /// Whether other collections stay beside it.
    keeps_others: bool,
}

impl Place {
    /// Refuses a target that is not fit.
    pub(crate) async fn find(
        server: &Server,
        name: &str,
        wanted: Vec<String>,
        has_series: bool,
        target: &Target,
    ) -> Result<Self> {
        check_name(name)?;
        let job = match target.verify {
            Verify::None => Job::RestoreUnproven,
            _ => Job::Restore,
        };
        server.demand(job, name, has_series).await?;
        let there = server.collections(name).await?;
        let at = &server.address.shown;
        if there.is_empty() && !target.create_database {
            let what = format!(
                "there is no database {name:?} on {at}, and RESTORE_CREATE_DATABASE is false"
            );
            return Err(Error::new(Kind::NotFound, what));
        }
        if !there.is_empty() && !target.drop_existing {
            let shown: Vec<_> = there.iter().take(SHOWN).map(String::as_str).collect();
            let more = match there.len().saturating_sub(SHOWN) {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            return Err(Error::new(
                Kind::Unfit,
                format!(
                    "database {name:?} on {at} is not empty: it holds {}{more}; restore under another DB_NAME, or set RESTORE_DROP_EXISTING=true to replace it",
                    shown.join(", ")
                ),
            ));
        }
        let keeps_others = !target.tables.is_empty();
        let replaced = there
            .into_iter()
            .filter(|it| !keeps_others || wanted.contains(it));
        Ok(Self {
            name: name.to_owned(),
            replaced: replaced.collect(),
            wanted,
            keeps_others,
        })
    }

    /// Removes what is to be replaced.
    pub(crate) async fn clear(&self, server: &Server) -> Result<()> {
        if self.replaced.is_empty() {
            return Ok(());
        }
        tracing::info!(
            database = self.name,
            collections = self.replaced.len(),
            "drop what is replaced"
        );
        self.remove(server, &self.replaced).await
    }

    async fn remove(&self, server: &Server, collections: &[String]) -> Result<()> {
        if !self.keeps_others {
            return server.drop_database(&self.name).await;
        }
        for collection in collections {
            server.drop_collection(&self.name, collection).await?;
        }
        Ok(())
    }

    pub(crate) fn summary(&self) -> String {
        match self.replaced.is_empty() {
            true => format!("database {:?} is restored", self.name),
            false => format!(
                "database {:?} is restored in place of what was there",
                self.name
            ),
        }
    }

    fn lost(&self) -> &'static str {
        match self.replaced.is_empty() {
            true => "",
            false => ", and what it held before is gone",
        }
    }
}

/// Removes what a failed restore has left, and says so.
pub(crate) async fn give_up(
    server: &Server,
    places: &[Place],
    err: Error,
    cancel: &CancellationToken,
) -> Error {
    let over = async {
        let interrupted = async {
            cancel.cancelled().await;
            tokio::time::sleep(TIDY_INTERRUPTED).await;
        };
        let _ = tokio::time::timeout(TIDY, interrupted).await;
    };
    tokio::pin!(over);
    let mut is_over = false;
    let mut states = Vec::new();
    for place in places {
        let remove = socket::with_patience(TIDY, || place.remove(server, &place.wanted));
        let is_empty = !is_over
            && tokio::select! {
                removed = remove => removed.is_ok(),
                () = &mut over => { is_over = true; false }
            };
        let state = match is_empty {
            true => "is empty again",
            false => "may hold a part of the backup",
        };
        states.push(format!("database {:?} {state}{}", place.name, place.lost()));
    }
    match states.is_empty() {
        true => err,
        false => err.while_doing(states.join("; ")),
    }
}

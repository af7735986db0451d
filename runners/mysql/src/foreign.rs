//! Dumps that stock tools made: `.sql` of `mysqldump` or `mariadb-dump`, streamed statement by statement, and directories
//! of mydumper.
//!
//! There is nothing to prove such a dump by but its own ends and the server's answers. It runs in the target database and
//! in no other: what would reach beyond it is left out where a restore can do without, and refused where it cannot.

mod ends;
mod feed;
mod mydumper;
mod order;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runner_core::engine::{Foreign, Restored, Target};
use runner_core::error::{Error, Kind, Result};
use runner_core::foreign::ForeignDirectory;
use runner_core::workers::unless_cancelled;

use crate::details::DatabaseDetails;
use crate::engine::Site;
use crate::options::Options;
use crate::restore::Place;
use crate::server::Server;
use crate::wire::Connection;
use feed::Feed;
use mydumper::Mydumper;
pub(crate) use mydumper::is_directory;

/// Restores a script into a new or empty database, or in place of what the database holds.
pub(crate) async fn run(site: &Site, foreign: Foreign, target: &Target) -> Result<Restored> {
    if !foreign.name.ends_with(".sql") {
        return Err(Error::new(
            Kind::Unfit,
            format!(
                "{:?} is neither a backup of ours nor a .sql of mysqldump or mariadb-dump",
                foreign.name
            ),
        ));
    }
    check(target)?;
    into_place(site, target, Dump::Script(foreign)).await
}

/// Restores a directory of mydumper likewise.
pub(crate) async fn run_directory(
    site: &Site,
    directory: ForeignDirectory,
    target: &Target,
) -> Result<Restored> {
    check(target)?;
    let dump = Mydumper::of(directory, &target.database).await?;
    into_place(site, target, Dump::Directory(dump)).await
}

/// What is to be restored.
enum Dump {
    Script(Foreign),
    Directory(Mydumper),
}

impl Dump {
    /// How many rows there were.
    async fn restore(self, fill: &Arc<Fill>) -> Result<u64> {
        match self {
            Self::Script(foreign) => {
                let mut feed = Feed::start(fill).await?;
                feed.script(foreign).await?;
                Ok(feed.end().await)
            }
            Self::Directory(dump) => dump.restore(fill).await,
        }
    }
}

/// Refuses what no foreign dump can do, before anything is touched.
fn check(target: &Target) -> Result<()> {
    if target.database == "*" {
        return Err(Error::new(
            Kind::Config,
            "DB_NAME: a foreign dump is restored into one database; name it",
        ));
    }
    if !target.tables.is_empty() {
        return Err(Error::new(
            Kind::Config,
            "RESTORE_TABLES: a foreign dump is restored whole or not at all",
        ));
    }
    Ok(())
}

/// The database that is filled, and the sessions that fill it.
struct Fill {
    server: Server,
    options: Options,
    target: Target,
    /// The name of the database.
    database: String,
    sessions: Mutex<Vec<u32>>,
}

impl Fill {
    /// A session that is ended, should the restore fail.
    async fn connect(&self) -> Result<Connection> {
        let connection = self.server.connect().await?;
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.push(connection.id);
        Ok(connection)
    }

    /// A session that still runs a statement holds locks, behind which the unfinished database could not be dropped.
    async fn end_sessions(&self) {
        let ids =
            std::mem::take(&mut *self.sessions.lock().unwrap_or_else(PoisonError::into_inner));
        let ended = async {
            let mut connection = self.server.connect().await?;
            for id in ids {
                // It mostly has ended by itself.
                let _ = connection.execute(format!("KILL {id}")).await;
            }
            connection.close().await;
            Ok::<_, Error>(())
        };
        // A server that is away has ended them all.
        let _ = tokio::time::timeout(Duration::from_secs(1), ended).await;
    }
}

/// Makes room, fills it, and cleans up after a failure.
async fn into_place(site: &Site, target: &Target, dump: Dump) -> Result<Restored> {
    let server = site.server().await?;
    let details = DatabaseDetails {
        has_schema: true,
        ..DatabaseDetails::default()
    };
    // Triggers, views and routines cannot be moved from one database to another: there is nothing to rename into place.
    let target = Target {
        staging: false,
        ..target.clone()
    };
    let mut place = Place::find(&server, &target.database, &details, &target).await?;
    place.open(&server).await?;
    let fill = Arc::new(Fill {
        server: server.clone(),
        options: site.options.clone(),
        database: place.working_name().to_owned(),
        target,
        sessions: Mutex::default(),
    });
    match unless_cancelled(&fill.target.cancel, dump.restore(&fill)).await {
        Ok(rows) => Ok(Restored {
            n_verified: 0,
            rows,
            summary: place.summary(),
        }),
        Err(err) => {
            fill.end_sessions().await;
            Err(place.give_up(&server, err).await)
        }
    }
}

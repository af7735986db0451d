//! One master's keys into one artifact: its own snapshot, or what a scan finds.

use std::sync::OnceLock;

use bytes::Bytes;
use runner_core::engine::{Opened, Piece};
use runner_core::error::{Error, Kind, Result};
use runner_core::progress::Progress;
use runner_core::stream::ByteStream;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{RDB, RDB_KIND};
use crate::cluster::Master;
use crate::options::Mode;
use crate::rdb::Version;
use crate::replication::{self, Asked, Begun};
use crate::scan::Scan;
use crate::server::Server;
use crate::walk::{self, Seen};
use crate::wanted::Wanted;
use crate::wire::{Connection, Reply, is_forbidden};

/// How every master is read.
pub(super) struct Reading {
    pub(super) mode: Mode,
    pub(super) wanted: Wanted,
    pub(super) parallelism: usize,
    /// When the backup was begun, by the clock of the server that was asked first.
    pub(super) since: u64,
    pub(super) progress: Progress,
    pub(super) cancel: CancellationToken,
}

/// One master, and what was learnt of it once it is read.
pub(super) struct Part {
    pub(super) master: Master,
    pub(super) seen: Seen,
    consistency: OnceLock<Value>,
}

impl Part {
    pub(super) fn new(master: Master) -> Self {
        Self {
            master,
            seen: Seen::default(),
            consistency: OnceLock::new(),
        }
    }

    /// The artifact's name.
    pub(super) fn name(&self) -> String {
        match &self.master.shard {
            Some(shard) => format!("{}.rdb", shard.name()),
            None => RDB.to_owned(),
        }
    }

    pub(super) fn piece(&self) -> Piece {
        Piece {
            name: self.name(),
            kind: RDB_KIND,
            estimated_bytes: self.master.server.data_bytes(),
        }
    }

    /// The point in the server's history that its artifact shows.
    pub(super) fn consistency(&self) -> Value {
        self.consistency.get().cloned().unwrap_or_default()
    }

    /// Asks for the snapshot; the moment that it shows is that of this answer.
    pub(super) async fn open(&self, reading: &Reading) -> Result<Opened> {
        let server = &self.master.server;
        let (since, seen) = (reading.since, self.seen.clone());
        let (wanted, progress) = (reading.wanted.clone(), reading.progress.clone());
        let (consistency, body) = match snapshot(server, reading.mode).await? {
            Some(begun) => {
                let consistency = begun.consistency();
                let rdb = begun.connection.snapshot();
                let body = match wanted.is_everything() {
                    true => walk::whole(rdb, since, progress, seen),
                    false => walk::part(rdb, since, wanted, progress, seen),
                };
                (consistency, body)
            }
            None => {
                tracing::warn!(
                    "this backup will not be of one moment: each key is read at a moment of its own"
                );
                let body = scanned(server, reading, seen).await?;
                (json!({"mode": "scan", "point_in_time": false}), body)
            }
        };
        let opened = Opened {
            body,
            proof: self.seen.proof.clone(),
        };
        match self.consistency.set(consistency) {
            Ok(()) => Ok(opened),
            Err(_) => Err(Error::new(Kind::Bug, "a snapshot is read only once")),
        }
    }
}

/// The server's own snapshot; `None` where it has to be read key by key.
async fn snapshot(server: &Server, mode: Mode) -> Result<Option<Box<Begun>>> {
    if mode == Mode::Scan {
        return Ok(None);
    }
    match replication::ask(server).await? {
        Asked::Begun(begun) => Ok(Some(begun)),
        Asked::Refused(why) if mode == Mode::Auto => {
            tracing::warn!(
                reason = why,
                "the server does not let us be its replica: going on key by key"
            );
            Ok(None)
        }
        Asked::Refused(why) => Err(refused(server, &why)),
    }
}

fn refused(server: &Server, why: &str) -> Error {
    Error::new(
        Kind::Denied,
        format!(
            "{} does not let us be its replica: {why}; allow +psync +replconf, or set REDIS_BACKUP_MODE=scan",
            server.endpoint.address()
        ),
    )
}

/// An RDB of what a scan finds.
async fn scanned(server: &Server, reading: &Reading, seen: Seen) -> Result<ByteStream> {
    let mut connection = server.connect().await?;
    let version = Version {
        family: server.family,
        number: server.rdb_version(&mut connection).await?,
    };
    let wanted = &reading.wanted;
    let functions = match wanted.functions {
        true => functions(&mut connection).await?,
        false => Vec::new(),
    };
    let records = scan(server, wanted, reading.parallelism, &reading.cancel).records();
    let progress = reading.progress.clone();
    Ok(walk::written(
        records,
        version,
        reading.since,
        functions,
        progress,
        seen,
    ))
}

/// A scan of every database that is wanted and holds keys.
pub(crate) fn scan(
    server: &Server,
    wanted: &Wanted,
    parallelism: usize,
    cancel: &CancellationToken,
) -> Scan {
    let databases = server.databases().into_keys();
    Scan {
        databases: databases.filter(|it| wanted.takes_database(*it)).collect(),
        server: server.clone(),
        wanted: wanted.clone(),
        parallelism,
        cancel: cancel.clone(),
    }
}

/// The code of each library of functions; none where the server has no such thing.
pub(crate) async fn functions(connection: &mut Connection) -> Result<Vec<Bytes>> {
    let words: [&[u8]; 3] = [b"FUNCTION", b"LIST", b"WITHCODE"];
    let libraries = match connection.ask(&words).await? {
        Reply::Error(text) if text.starts_with("NOPERM") => {
            return Err(connection.refusal(&text, &words));
        }
        Reply::Error(text) if is_forbidden(&text) => return Ok(Vec::new()),
        reply => connection.good(reply, &words)?.items(),
    };
    let mut codes = Vec::new();
    for library in libraries {
        let mut fields = library.items().into_iter();
        while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
            if name.text().as_deref() == Some("library_code") {
                codes.extend(value.bulk());
            }
        }
    }
    Ok(codes)
}

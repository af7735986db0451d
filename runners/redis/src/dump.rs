//! A backup: one RDB, from the server as a replica gets it, or put together from what a scan finds.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use runner_core::engine::{Content, Dump, Finished, Opened, Piece, Proof, Scope};
use runner_core::error::{Error, Kind, Result};
use runner_core::stream::ByteStream;
use serde_json::{Value, json};

use crate::acl;
use crate::details::Details;
use crate::engine::Site;
use crate::options::Mode;
use crate::rdb::Version;
use crate::replication::{self, Asked, Begun};
use crate::scan::Scan;
use crate::server::{self, Server, now_ms};
use crate::walk::{self, Seen};
use crate::wanted::Wanted;
use crate::wire::{Connection, Reply, is_forbidden};

/// The artifact that holds all keys.
pub(crate) const RDB: &str = "dump.rdb";
/// Users and their rights.
pub(crate) const ACL: &str = "acl.txt";

/// What `begin` makes.
pub struct RedisDump {
    server: Server,
    pieces: Vec<Piece>,
    /// Read once.
    source: Mutex<Option<ByteStream>>,
    acl: Option<Bytes>,
    seen: Seen,
    wanted: Wanted,
    consistency: Value,
}

impl RedisDump {
    /// Asks for the snapshot; the moment that it shows is that of this answer.
    pub(crate) async fn begin(server: Server, site: &Site, scope: &Scope) -> Result<Self> {
        let wanted = wanted(site, scope)?;
        let mut connection = server.connect().await?;
        let since = now_ms(&mut connection).await?;
        let seen = Seen::default();
        let acl = match site.options.acl && site.database.is_none() {
            true => Some(acl::read(&mut connection).await?),
            false => None,
        };
        let snapshot = snapshot(&server, site.options.mode).await?;
        let progress = scope.progress.clone();
        let (consistency, source) = match snapshot {
            Some(begun) => {
                let consistency = begun.consistency();
                let rdb = begun.connection.snapshot();
                let (wanted, seen) = (wanted.clone(), seen.clone());
                let source = match wanted.is_everything() {
                    true => walk::whole(rdb, since, progress, seen),
                    false => walk::part(rdb, since, wanted, progress, seen),
                };
                (consistency, source)
            }
            None => {
                tracing::warn!(
                    "this backup will not be of one moment: each key is read at a moment of its own"
                );
                let source = scanned(
                    &server,
                    &mut connection,
                    &wanted,
                    scope,
                    since,
                    seen.clone(),
                )
                .await?;
                (json!({"mode": "scan", "point_in_time": false}), source)
            }
        };
        Ok(Self {
            pieces: pieces(&server, acl.as_ref()),
            source: Mutex::new(Some(source)),
            acl,
            seen,
            wanted,
            consistency,
            server,
        })
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

fn wanted(site: &Site, scope: &Scope) -> Result<Wanted> {
    if scope.content == Content::SchemaOnly {
        return Err(Error::new(
            Kind::Config,
            "SCHEMA_ONLY: Redis has no schema to back up; leave it out",
        ));
    }
    Ok(Wanted {
        database: site.database,
        include: scope.include.clone(),
        exclude: scope.exclude.clone(),
        functions: site.database.is_none() && scope.content == Content::All,
    })
}

fn pieces(server: &Server, acl: Option<&Bytes>) -> Vec<Piece> {
    let mut pieces = vec![Piece {
        name: RDB.to_owned(),
        kind: "rdb",
        estimated_bytes: server.data_bytes(),
    }];
    pieces.extend(acl.map(|acl| Piece {
        name: ACL.to_owned(),
        kind: "acl",
        estimated_bytes: acl.len() as u64,
    }));
    pieces
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
async fn scanned(
    server: &Server,
    connection: &mut Connection,
    wanted: &Wanted,
    scope: &Scope,
    since: u64,
    seen: Seen,
) -> Result<ByteStream> {
    let version = Version {
        family: server.family,
        number: server.rdb_version(connection).await?,
    };
    let functions = match wanted.functions {
        true => functions(connection).await?,
        false => Vec::new(),
    };
    let records = scan(server, wanted, scope.parallelism, &scope.cancel).records();
    let progress = scope.progress.clone();
    Ok(walk::written(
        records, version, since, functions, progress, seen,
    ))
}

/// A scan of every database that is wanted and holds keys.
pub(crate) fn scan(
    server: &Server,
    wanted: &Wanted,
    parallelism: usize,
    cancel: &tokio_util::sync::CancellationToken,
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

impl Dump for RedisDump {
    fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    async fn open(&self, piece: &Piece) -> Result<Opened> {
        if piece.name == ACL {
            let acl = self.acl.clone().unwrap_or_default();
            return Ok(Opened {
                body: stream::iter([Ok(acl)]).boxed(),
                proof: Proof::default(),
            });
        }
        let source = self.source.lock();
        let source = source.unwrap_or_else(PoisonError::into_inner).take();
        let source = source.ok_or_else(|| Error::new(Kind::Bug, "a snapshot is read only once"))?;
        Ok(Opened {
            body: source,
            proof: self.seen.proof.clone(),
        })
    }

    async fn finish(self) -> Result<Finished> {
        let (version, census) = self.seen.get()?;
        if !self.wanted.include.is_empty() && census.n_keys() == 0 {
            return Err(Error::new(
                Kind::Config,
                "INCLUDE_TABLES: no key matches, so there is nothing to back up",
            ));
        }
        let details = Details {
            family: server::name(self.server.family).to_owned(),
            server_version: self.server.version.clone(),
            rdb_version: version.number,
            point_in_time: self.consistency["point_in_time"] == true,
            partial: !self.wanted.takes_every_name(),
            n_functions: census.n_functions(),
            acl: self.acl.is_some(),
        };
        Ok(Finished {
            consistency: self.consistency,
            details: details.value()?,
        })
    }
}

//! A backup: an RDB of the server, or of each master of its cluster, as a replica gets it or as a scan finds it.

mod part;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use runner_core::engine::{Content, Dump, Finished, Opened, Piece, Proof, Scope};
use runner_core::error::{Error, Kind, Result};
use serde_json::{Value, json};

pub(crate) use part::{functions, scan};

use crate::acl;
use crate::cluster::masters;
use crate::details::{Details, Shard};
use crate::engine::Site;
use crate::server::{self, Server, now_ms};
use crate::wanted::Wanted;
use part::{Part, Reading};

/// The artifact that holds all keys of a server that is of no cluster.
pub(crate) const RDB: &str = "dump.rdb";
/// What every artifact of keys is, in the manifest.
pub(crate) const RDB_KIND: &str = "rdb";
/// Users and their rights.
pub(crate) const ACL: &str = "acl.txt";

/// What `begin` makes.
pub struct RedisDump {
    /// The server that was asked.
    server: Server,
    parts: Vec<Part>,
    pieces: Vec<Piece>,
    reading: Reading,
    acl: Option<Bytes>,
}

impl RedisDump {
    /// Finds the masters; each makes its snapshot when its piece is opened.
    pub(crate) async fn begin(server: Server, site: &Site, scope: &Scope) -> Result<Self> {
        let wanted = wanted(site, scope)?;
        let masters = masters(&server).await?;
        let mut connection = server.connect().await?;
        let since = now_ms(&mut connection).await?;
        let acl = match site.options.acl && site.database.is_none() {
            true => Some(acl::read(&mut connection).await?),
            false => None,
        };
        if masters.len() > 1 {
            tracing::warn!(
                shards = masters.len(),
                "each shard of this backup will be of one moment, but not all of them of the same"
            );
        }
        let parts: Vec<Part> = masters.into_iter().map(Part::new).collect();
        Ok(Self {
            pieces: pieces(&parts, acl.as_ref()),
            parts,
            reading: Reading {
                mode: site.options.mode,
                wanted,
                parallelism: scope.parallelism,
                since,
                progress: scope.progress.clone(),
                cancel: scope.cancel.clone(),
            },
            acl,
            server,
        })
    }

    /// What was true of slots and masters when the shards were read has to be true still: keys of a slot that moved
    /// meanwhile may be in two shards, or in none.
    async fn check_nothing_moved(&self) -> Result<()> {
        if self.parts.iter().all(|part| part.master.shard.is_none()) {
            return Ok(());
        }
        let doing = "ask again which slots each master has";
        let now = masters(&self.server).await;
        let now = now.map_err(|err| err.while_doing(doing))?;
        let before = self.parts.iter().map(|part| &part.master.shard);
        match before.eq(now.iter().map(|master| &master.shard)) {
            true => Ok(()),
            false => Err(Error::new(
                Kind::Unreachable,
                format!(
                    "slots of the cluster of {} moved, or a master was replaced, while it was read; back up again",
                    self.server.endpoint.address()
                ),
            )),
        }
    }

    fn consistency(&self) -> Value {
        let [only] = self.parts.as_slice() else {
            let shards: Vec<Value> = self.parts.iter().map(shard_consistency).collect();
            let is_scan = shards.iter().any(|shard| shard["mode"] == "scan");
            let mode = if is_scan { "scan" } else { "replication" };
            return json!({"mode": mode, "point_in_time": false, "shards": shards});
        };
        only.consistency()
    }

    fn details(&self) -> Result<Details> {
        let mut details = Details {
            family: server::name(self.server.family).to_owned(),
            server_version: self.server.version.clone(),
            point_in_time: self.consistency()["point_in_time"] == true,
            partial: !self.reading.wanted.takes_every_name(),
            acl: self.acl.is_some(),
            ..Details::default()
        };
        let mut functions = None;
        for part in &self.parts {
            let (version, census) = part.seen.get()?;
            details.rdb_version = details.rdb_version.max(version.number);
            details.n_functions = census.n_functions();
            details.functions_differ |=
                *functions.get_or_insert(census.functions()) != census.functions();
            details
                .shards
                .extend(part.master.shard.iter().map(|shard| Shard {
                    artifact: part.name(),
                    slots: shard.slots.to_string(),
                }));
        }
        if details.functions_differ {
            tracing::warn!(
                "the masters hold different libraries of functions: a restore will insist on leaving them out"
            );
        }
        Ok(details)
    }
}

fn shard_consistency(part: &Part) -> Value {
    let mut consistency = part.consistency();
    if let Some(shard) = &part.master.shard {
        consistency["slots"] = shard.slots.to_string().into();
        consistency["node"] = shard.node.as_str().into();
        consistency["address"] = part.master.server.endpoint.address().into();
    }
    consistency
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

fn pieces(parts: &[Part], acl: Option<&Bytes>) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = parts.iter().map(Part::piece).collect();
    pieces.extend(acl.map(|acl| Piece {
        name: ACL.to_owned(),
        kind: "acl",
        estimated_bytes: acl.len() as u64,
    }));
    pieces
}

impl Dump for RedisDump {
    fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    async fn open(&self, piece: &Piece) -> Result<Opened> {
        if let Some(part) = self.parts.iter().find(|part| part.name() == piece.name) {
            let opened = part.open(&self.reading).await;
            return opened.map_err(|err| err.while_doing(format!("read {}", piece.name)));
        }
        let acl = self.acl.clone().unwrap_or_default();
        Ok(Opened {
            body: stream::iter([Ok(acl)]).boxed(),
            proof: Proof::default(),
        })
    }

    async fn finish(self) -> Result<Finished> {
        self.check_nothing_moved().await?;
        let mut n_keys = 0;
        for part in &self.parts {
            n_keys += part.seen.get()?.1.n_keys();
        }
        if !self.reading.wanted.include.is_empty() && n_keys == 0 {
            return Err(Error::new(
                Kind::Config,
                "INCLUDE_TABLES: no key matches, so there is nothing to back up",
            ));
        }
        Ok(Finished {
            details: self.details()?.value()?,
            consistency: self.consistency(),
        })
    }
}

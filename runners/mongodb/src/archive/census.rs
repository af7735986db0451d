//! What an archive holds: every collection's definition, its documents counted and hashed, and whether it is complete.

use std::collections::HashMap;

use crc_fast::{CrcAlgorithm, Digest};
use mongodb::bson;
use runner_core::error::{Error, Kind, Result};
use runner_core::fingerprint::{LongRow, Tally};
use serde::Deserialize;

use super::definition::Definition;
use super::frames::{Frame, Frames};
use super::operations::Operations;

/// In the prelude and in headers; the oplog's has no database.
pub(super) const OPLOG: (&str, &str) = ("", "oplog");
/// Where a time-series collection keeps its documents.
pub(crate) const BUCKETS: &str = "system.buckets.";
/// How many collections an error names.
const SHOWN: usize = 5;

/// Walks an archive as it passes.
#[derive(Default)]
pub(crate) struct Census {
    frames: Frames,
    counts: Counts,
}

/// An archive that was walked to its good end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Archive {
    /// As `mongodump` saw the server.
    pub(crate) server_version: String,
    pub(crate) namespaces: Vec<Namespace>,
    /// What its oplog does.
    pub(crate) operations: Operations,
}

/// One collection in an archive.
#[derive(Clone, Debug, Default)]
pub(crate) struct Namespace {
    pub(crate) database: String,
    pub(crate) collection: String,
    /// `collection`, `view` or `timeseries`; empty for what is none of them.
    pub(crate) kind: String,
    /// Its options and indexes, as extended JSON; empty where it has none to tell.
    pub(crate) metadata: String,
    pub(crate) tally: Tally,
    is_complete: bool,
}

impl Namespace {
    /// A collection as its users know it: not the oplog, and nothing that the server keeps for itself.
    pub(crate) fn is_users(&self) -> bool {
        !self.database.is_empty()
            && self.database != "admin"
            && self.database != "config"
            && !self.collection.starts_with('$')
    }

    pub(crate) fn is_oplog(&self) -> bool {
        self.place() == OPLOG
    }

    /// Its database's name, and its own.
    pub(crate) fn place(&self) -> (&str, &str) {
        (&self.database, &self.collection)
    }

    pub(crate) fn definition(&self) -> Result<Definition> {
        let definition = Definition::parse(&self.metadata);
        definition.map_err(|err| err.while_doing(format!("{}.{}", self.database, self.collection)))
    }
}

#[derive(Default)]
struct Counts {
    archive: Archive,
    places: HashMap<(String, String), usize>,
    sums: Vec<Sum>,
    /// Whose block this is.
    open: Option<usize>,
    long: Option<LongRow>,
    /// An operation of the oplog that came in parts.
    operation: Vec<u8>,
    n_documents: u64,
    /// An end was seen, and no document may follow in its block.
    at_end: bool,
}

struct Sum(Digest);

impl Default for Sum {
    fn default() -> Self {
        Self(Digest::new(CrcAlgorithm::Crc64Xz))
    }
}

#[derive(Deserialize)]
struct Prelude {
    #[serde(default)]
    server_version: String,
}

#[derive(Deserialize)]
struct Metadata {
    db: String,
    collection: String,
    #[serde(default)]
    metadata: String,
    #[serde(default, rename = "type")]
    kind: String,
}

/// Whose documents follow, or that there are no more of them.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) db: String,
    pub(super) collection: String,
    #[serde(rename = "EOF", default)]
    pub(super) is_end: bool,
    #[serde(rename = "CRC", default)]
    crc: i64,
}

impl Census {
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        let counts = &mut self.counts;
        self.frames.feed(bytes, &mut |frame| counts.see(frame))
    }

    /// Documents seen so far.
    pub(crate) fn n_documents(&self) -> u64 {
        self.counts.n_documents
    }

    /// Whether the list of collections has passed.
    pub(crate) fn has_list(&self) -> bool {
        self.frames.is_past_prelude()
    }

    /// What is known so far: the list, once it has passed.
    pub(crate) fn listed(self) -> Archive {
        self.counts.archive
    }

    /// What there was, if that was all of it.
    pub(crate) fn finish(self) -> Result<Archive> {
        self.frames.finish()?;
        let archive = self.counts.archive;
        let missing: Vec<_> = archive
            .namespaces
            .iter()
            .filter(|it| !it.is_complete)
            .map(|it| format!("{}.{}", it.database, it.collection))
            .collect();
        if missing.is_empty() {
            return Ok(archive);
        }
        let n_more = missing.len().saturating_sub(SHOWN);
        let shown: Vec<_> = missing.into_iter().take(SHOWN).collect();
        let more = match n_more {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        Err(Error::new(
            Kind::Integrity,
            format!(
                "the archive was cut: it lacks the end of {}{more}",
                shown.join(", ")
            ),
        ))
    }
}

impl Counts {
    fn see(&mut self, frame: Frame<'_>) -> Result<()> {
        match frame {
            Frame::Prelude(document) => {
                let prelude: Prelude = decode(document)?;
                self.archive.server_version = prelude.server_version;
            }
            Frame::Metadata(document) => self.add(decode(document)?)?,
            Frame::Header(document) => self.header(&decode(document)?)?,
            Frame::Document(document) => {
                self.sum(document)?;
                self.n_documents += 1;
                let namespace = self.namespace()?;
                namespace.tally.add_row(document);
                if namespace.is_oplog() {
                    self.archive.operations.add(document)?;
                }
            }
            Frame::Part(part, is_last) => self.part(part, is_last)?,
            Frame::End => {
                self.open = None;
                self.at_end = false;
            }
        }
        Ok(())
    }

    fn part(&mut self, part: &[u8], is_last: bool) -> Result<()> {
        self.sum(part)?;
        let mut long = self.long.take().unwrap_or_default();
        long.update(part);
        let is_oplog = self.namespace()?.is_oplog();
        if is_oplog {
            self.operation.extend_from_slice(part);
        }
        if !is_last {
            self.long = Some(long);
            return Ok(());
        }
        self.n_documents += 1;
        self.namespace()?.tally.add_long_row(long);
        let operation = std::mem::take(&mut self.operation);
        match is_oplog {
            true => self.archive.operations.add(&operation),
            false => Ok(()),
        }
    }

    fn add(&mut self, metadata: Metadata) -> Result<()> {
        let place = (metadata.db.clone(), metadata.collection.clone());
        let n = self.archive.namespaces.len();
        if self.places.insert(place, n).is_some() {
            let what = format!("{}.{} is there twice", metadata.db, metadata.collection);
            return Err(damage(&what));
        }
        self.sums.push(Sum::default());
        self.archive.namespaces.push(Namespace {
            database: metadata.db,
            collection: metadata.collection,
            kind: metadata.kind,
            metadata: metadata.metadata,
            ..Namespace::default()
        });
        Ok(())
    }

    fn header(&mut self, header: &Header) -> Result<()> {
        // A time-series collection's documents come under the name of where it keeps them.
        let of = |collection: &str| {
            let place = (header.db.clone(), collection.to_owned());
            self.places.get(&place).copied()
        };
        let plain = header.collection.strip_prefix(BUCKETS).and_then(of);
        let name = || format!("{}.{}", header.db, header.collection);
        let Some(n) = of(&header.collection).or(plain) else {
            return Err(damage(&format!("{} is not in its list", name())));
        };
        self.open = Some(n);
        let Some(namespace) = self.archive.namespaces.get_mut(n) else {
            return Ok(());
        };
        if namespace.is_complete {
            return Err(damage(&format!("{} goes on behind its end", name())));
        }
        if header.is_end {
            namespace.is_complete = true;
            self.at_end = true;
            let crc = self.sums.get(n).map(|sum| sum.0.finalize());
            if crc != Some(header.crc.cast_unsigned()) {
                return Err(damage(&format!("{} does not match its checksum", name())));
            }
        }
        Ok(())
    }

    fn sum(&mut self, part: &[u8]) -> Result<()> {
        if self.at_end {
            return Err(damage("a document behind its collection's end"));
        }
        match self.open.and_then(|n| self.sums.get_mut(n)) {
            Some(sum) => {
                sum.0.update(part);
                Ok(())
            }
            None => Err(damage("a document of no collection")),
        }
    }

    fn namespace(&mut self) -> Result<&mut Namespace> {
        let open = self.open;
        let namespace = open.and_then(|n| self.archive.namespaces.get_mut(n));
        namespace.ok_or_else(|| damage("a document of no collection"))
    }
}

/// Reads a document of the archive's own.
pub(super) fn decode<'de, T: Deserialize<'de>>(document: &'de [u8]) -> Result<T> {
    bson::deserialize_from_slice(document)
        .map_err(|err| damage("a document of its own cannot be read").because(err))
}

fn damage(what: &str) -> Error {
    Error::new(Kind::Integrity, format!("the archive is damaged: {what}"))
}

//! The operations of an oplog: whose they are, and what they define anew.

use std::collections::BTreeSet;

use mongodb::bson::raw::{RawArray, RawBsonRef, RawDocument};
use mongodb::bson::{Document, Timestamp};
use runner_core::error::{Error, Kind, Result};

use crate::server::OWN_DATABASES;

/// Where a transaction's operations stand, whatever their databases.
const TRANSACTIONS: &str = "admin.$cmd";
/// Commands whose first value names the collection that they define anew.
const DEFINING: [&str; 13] = [
    "create",
    "drop",
    "convertToCapped",
    "emptycapped",
    "collMod",
    "createIndexes",
    "startIndexBuild",
    "abortIndexBuild",
    "commitIndexBuild",
    "dropIndexes",
    "dropIndex",
    "deleteIndexes",
    "deleteIndex",
];

/// What the operations of an oplog were done to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Operations {
    /// The moment of the last one: seconds, and their counter.
    pub(crate) last: Option<(u32, u32)>,
    /// User databases that were written to.
    pub(crate) databases: BTreeSet<String>,
    /// Collections that were made, dropped or defined anew, with their database's name before a dot.
    redefined: BTreeSet<String>,
    /// Databases that were dropped.
    dropped: BTreeSet<String>,
}

impl Operations {
    pub(crate) fn add(&mut self, operation: &[u8]) -> Result<()> {
        let operation = read(operation)?;
        let Timestamp { time, increment } = operation.get_timestamp("ts").map_err(unreadable)?;
        self.last = Some((time, increment));
        self.visit(operation)
    }

    /// Whether a collection's definition may be another after these.
    pub(crate) fn redefine(&self, database: &str, collection: &str) -> bool {
        let name = format!("{database}.{collection}");
        self.dropped.contains(database) || self.redefined.contains(&name)
    }

    fn visit(&mut self, operation: &RawDocument) -> Result<()> {
        let ns = operation.get_str("ns").unwrap_or_default();
        if let Some(nested) = nested(operation) {
            for operation in nested {
                if let RawBsonRef::Document(operation) = operation.map_err(unreadable)? {
                    self.visit(operation)?;
                }
            }
            return Ok(());
        }
        if is_servers(ns) {
            return Ok(());
        }
        let database = database(ns);
        if database.is_empty() {
            return Ok(()); // nothing was done, and that was noted
        }
        self.databases.insert(database.to_owned());
        let first = command(operation).and_then(|command| command.iter().next());
        let Some(Ok((name, value))) = first else {
            return Ok(());
        };
        if name.as_str() == "dropDatabase" {
            self.dropped.insert(database.to_owned());
        } else if DEFINING.contains(&name.as_str())
            && let RawBsonRef::String(collection) = value
        {
            let plain = collection.strip_prefix(super::census::BUCKETS);
            let collection = plain.unwrap_or(collection);
            self.redefined.insert(format!("{database}.{collection}"));
        }
        Ok(())
    }
}

/// An operation as it is to be replayed: `None` for one on what is the server's own, such as its users and sessions.
pub(super) fn replayable(operation: &[u8]) -> Result<Option<Vec<u8>>> {
    let raw = read(operation)?;
    let ns = raw.get_str("ns").unwrap_or_default();
    if nested(raw).is_none() {
        let ends_transaction = ns == TRANSACTIONS
            && command(raw).is_some_and(|command| {
                let ends = ["commitTransaction", "abortTransaction"];
                ends.iter()
                    .any(|name| matches!(command.get(name), Ok(Some(_))))
            });
        let is_kept = ends_transaction || !is_servers(ns);
        return Ok(is_kept.then(|| operation.to_vec()));
    }
    let mut document = Document::try_from(raw).map_err(unreadable)?;
    let nested = document
        .get_document_mut("o")
        .and_then(|command| command.get_array_mut("applyOps"));
    if let Ok(nested) = nested {
        nested.retain(|operation| {
            let ns = operation.as_document().and_then(|it| it.get_str("ns").ok());
            !is_servers(ns.unwrap_or_default())
        });
    }
    document.to_vec().map(Some).map_err(unreadable)
}

/// The operations within one, of a transaction or of a batch.
fn nested(operation: &RawDocument) -> Option<&RawArray> {
    command(operation)?.get_array("applyOps").ok()
}

/// What a command says; of other operations, a document of a user's.
fn command(operation: &RawDocument) -> Option<&RawDocument> {
    let is_command = operation.get_str("op").is_ok_and(|op| op == "c");
    operation.get_document("o").ok().filter(|_| is_command)
}

fn is_servers(ns: &str) -> bool {
    OWN_DATABASES.contains(&database(ns))
}

fn database(ns: &str) -> &str {
    ns.split('.').next().unwrap_or(ns)
}

fn read(operation: &[u8]) -> Result<&RawDocument> {
    RawDocument::from_bytes(operation).map_err(unreadable)
}

fn unreadable(err: impl std::error::Error + Send + Sync + 'static) -> Error {
    let what = "the archive is damaged: an operation of its oplog cannot be read";
    Error::new(Kind::Integrity, what).because(err)
}

#[cfg(test)]
mod tests;

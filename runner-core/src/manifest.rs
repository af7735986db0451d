//! `manifest.json`: the record of one backup, written last.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::{Error, Kind, Result};
use crate::fingerprint::{Fingerprint, Tally};

/// The name of the manifest under a backup's prefix.
pub const MANIFEST: &str = "manifest.json";
/// The name of the by-hand instructions under a backup's prefix.
pub const RESTORE_MD: &str = "RESTORE.md";
/// The format that this release writes, and the newest that it reads.
pub const FORMAT: &str = "planb/1";

/// The field that holds the SHA-256 of all others: of the compact JSON without it, keys sorted.
const OWN_SUM: &str = "manifest_sha256";

/// One committed backup. The fields' JSON names are part of the public contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`FORMAT`]; a reader refuses a number that it does not know.
    pub format: String,
    /// A UUIDv7.
    pub backup_id: String,
    pub job_id: String,
    pub runner_version: String,
    pub engine: String,
    /// The server's, such as `17.2`.
    pub engine_version: String,
    /// Client programs that took part and their versions.
    #[serde(default)]
    pub tools: BTreeMap<String, String>,
    pub host: String,
    /// `*` for every user database.
    pub database: String,
    /// `full`; an incremental names its parent.
    pub backup_type: String,
    pub parent: Option<String>,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    /// The point in the database's history that the data show: LSN, GTID set, … by engine.
    pub consistency: Value,
    /// As in `COMPRESSION`: `zstd:1`, `gzip:6`, `lz4`, `none`.
    pub compression: String,
    /// Never a secret.
    pub encryption: Option<Encryption>,
    /// Sum over the artifacts, in bytes before compression.
    pub logical_bytes: u64,
    /// Sum over the artifacts, in bytes as stored.
    pub stored_bytes: u64,
    pub artifacts: Vec<Artifact>,
    /// What `RESTORE.md` holds; older backups do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_md: Option<Document>,
    /// What this engine's restore needs to know, opaque to all others.
    #[serde(default)]
    pub details: Value,
}

/// How artifacts are encrypted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Encryption {
    /// `age`.
    pub format: String,
    /// The public recipients, or empty for a passphrase.
    #[serde(default)]
    pub recipients: Vec<String>,
}

/// A small object that is stored as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    pub stored_bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
}

impl Document {
    /// What the manifest says of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            stored_bytes: bytes.len() as u64,
            sha256: hex_sha256(bytes),
        }
    }
}

/// One named stream of a backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Artifact {
    /// Under the backup's prefix, such as `<backup id>/data/public.orders/00003.copy.zst.age`.
    pub path: String,
    /// The engine's word for what it holds: `schema`, `data`, `tar`, …
    pub kind: String,
    pub logical_bytes: u64,
    pub stored_bytes: u64,
    /// Of the stored bytes, all segments in order, in hexadecimal.
    pub sha256: String,
    /// The objects that hold it, in order, when one was not enough for its parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<Segment>,
    /// The tables (collections, key spaces) whose rows it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<Data>,
}

/// One object of an artifact that is too long for one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    pub path: String,
    pub stored_bytes: u64,
}

/// Rows of one table within one artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// The engine's full name of the table, such as `public.orders`.
    pub table: String,
    pub rows: u64,
    pub fingerprint: Fingerprint,
    /// Its name inside a tar artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
}

impl Artifact {
    /// The objects that hold this artifact, in order, with their stored sizes in bytes.
    pub fn objects(&self) -> Vec<Segment> {
        if self.segments.is_empty() {
            vec![Segment {
                path: self.path.clone(),
                stored_bytes: self.stored_bytes,
            }]
        } else {
            self.segments.clone()
        }
    }
}

impl Manifest {
    /// Reads a manifest; a newer format is refused by name, anything else unreadable is damage.
    pub fn parse(json: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
        }
        let damaged = |err: serde_json::Error| {
            Error::new(Kind::Integrity, "manifest.json is not a manifest").because(err)
        };
        let mut value: Value = serde_json::from_slice(json).map_err(damaged)?;
        let head = Head::deserialize(&value).map_err(damaged)?;
        if head.format != FORMAT {
            return Err(Error::new(
                Kind::Unfit,
                format!(
                    "the backup has format {:?} and this runner reads {FORMAT:?}; use a newer runner",
                    head.format
                ),
            ));
        }
        let told = value.as_object_mut().and_then(|it| it.remove(OWN_SUM));
        // A manifest from before it had a sum of its own is taken as it is.
        if told.is_some_and(|told| told != sum(&mut value)) {
            return Err(Error::new(
                Kind::Integrity,
                format!(
                    "manifest.json was changed after it was written: its {OWN_SUM} does not match"
                ),
            ));
        }
        serde_json::from_value(value).map_err(damaged)
    }

    /// An artifact's name as the engine gave it: its path without the directory of this run.
    pub fn name<'a>(&self, artifact: &'a Artifact) -> &'a str {
        let own = artifact.path.strip_prefix(self.backup_id.as_str());
        own.and_then(|name| name.strip_prefix('/'))
            .unwrap_or(&artifact.path)
    }

    /// As it is stored: with a sum of its own, as no other object could vouch for it.
    pub fn render(&self) -> Result<Vec<u8>> {
        #[derive(Serialize)]
        struct Sealed<'a> {
            #[serde(flatten)]
            manifest: &'a Manifest,
            manifest_sha256: String,
        }
        let failed = |err| Error::new(Kind::Bug, "render manifest.json").because(err);
        let mut value = serde_json::to_value(self).map_err(failed)?;
        let sealed = Sealed {
            manifest: self,
            manifest_sha256: sum(&mut value),
        };
        serde_json::to_vec_pretty(&sealed).map_err(failed)
    }

    /// Rows and fingerprint of each table, its artifacts added up.
    pub fn tallies(&self) -> BTreeMap<String, Tally> {
        let mut tallies = BTreeMap::<String, Tally>::new();
        for data in self.artifacts.iter().flat_map(|artifact| &artifact.data) {
            *tallies.entry(data.table.clone()).or_default() += Tally {
                rows: data.rows,
                fingerprint: data.fingerprint,
            };
        }
        tallies
    }
}

fn sum(value: &mut Value) -> String {
    value.sort_all_objects();
    hex_sha256(value.to_string().as_bytes())
}

fn hex_sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

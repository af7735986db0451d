//! What the manifest says of a backup, for its restore.

use runner_core::error::{Error, Kind, Result};
use runner_core::manifest::Manifest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::census;
use crate::engine::database_of;
use crate::rdb::{Family, Version};
use crate::server;

/// The manifest's `details`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Details {
    /// `redis` or `valkey`.
    pub(crate) family: String,
    pub(crate) server_version: String,
    /// Of the RDB: what a target must understand.
    pub(crate) rdb_version: u32,
    /// Whether the keys are of one moment.
    pub(crate) point_in_time: bool,
    /// Whether patterns left keys out.
    pub(crate) partial: bool,
    pub(crate) n_functions: u64,
    pub(crate) acl: bool,
    /// Of a cluster; a server that is of none has no shards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) shards: Vec<Shard>,
    /// Whether the masters did not all hold the same functions.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) functions_differ: bool,
}

/// One master's part of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Shard {
    /// Without the suffixes of the codec.
    pub(crate) artifact: String,
    /// Such as `0-5460, 6000`.
    pub(crate) slots: String,
}

impl Details {
    pub(crate) fn of(manifest: &Manifest) -> Result<Self> {
        serde_json::from_value(manifest.details.clone()).map_err(|err| {
            Error::new(
                Kind::Integrity,
                "manifest.json: details are not of this engine",
            )
            .because(err)
        })
    }

    pub(crate) fn value(&self) -> Result<Value> {
        let rendered = serde_json::to_value(self);
        rendered.map_err(|err| Error::new(Kind::Bug, "render details").because(err))
    }

    pub(crate) fn version(&self) -> Version {
        let family = match self.family == server::name(Family::Valkey) {
            true => Family::Valkey,
            false => Family::Redis,
        };
        Version {
            family,
            number: self.rdb_version,
        }
    }
}

/// The database that a backup is of, where it is of one.
pub(crate) fn only_database(manifest: &Manifest) -> Result<Option<u64>> {
    database_of(Some(&manifest.database))
}

/// The highest number of a database that holds keys in a backup.
pub(crate) fn highest_database(manifest: &Manifest) -> Option<u64> {
    let tables = manifest.tallies().into_keys();
    let numbers = tables.filter_map(|table| {
        let number = table.strip_prefix("db")?;
        number.split('/').next()?.parse::<u64>().ok()
    });
    debug_assert_eq!(census::table(1), "db1");
    numbers.max()
}

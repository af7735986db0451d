//! What the server is and can do, asked once.

use std::collections::BTreeMap;
use std::time::Duration;

use runner_core::error::{Error, Kind, Result};

use crate::rdb::Family;
use crate::wire::{Connection, Endpoint, Reply};

/// The server, and what everything else asks about it.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) endpoint: Endpoint,
    pub(crate) patience: Duration,
    pub(crate) family: Family,
    /// Such as `7.2.4`.
    pub(crate) version: String,
    /// `INFO`.
    facts: BTreeMap<String, String>,
}

/// The oldest major version that is served.
const OLDEST_MAJOR: u32 = 6;
/// A server whose data are larger than this is asked for a stream, however long it waits for more replicas before it begins.
const SMALL_BYTES: u64 = 1 << 30;

/// As in `DB_ENGINE`.
pub(crate) fn name(family: Family) -> &'static str {
    match family {
        Family::Redis => "redis",
        Family::Valkey => "valkey",
    }
}

pub(crate) fn title(family: Family) -> &'static str {
    match family {
        Family::Redis => "Redis",
        Family::Valkey => "Valkey",
    }
}

impl Server {
    /// Waits for the server and learns what it is.
    pub(crate) async fn find(endpoint: &Endpoint, patience: Duration) -> Result<Self> {
        let mut connection = endpoint.connect(patience).await?;
        let reply = connection.call(&[b"INFO"]).await?;
        let facts = facts(&reply.text().unwrap_or_default());
        let family = match facts.contains_key("valkey_version") {
            true => Family::Valkey,
            false => Family::Redis,
        };
        let version = facts.get("valkey_version").or(facts.get("redis_version"));
        let version = version.cloned().unwrap_or_default();
        let server = Self {
            endpoint: endpoint.clone(),
            patience,
            family,
            version,
            facts,
        };
        match server.major() {
            Some(major) if major < OLDEST_MAJOR => Err(Error::new(
                Kind::Unfit,
                format!(
                    "{} is {} {}; {OLDEST_MAJOR}.0 and later are served",
                    endpoint.address(),
                    title(family),
                    server.version
                ),
            )),
            _ => Ok(server),
        }
    }

    pub(crate) async fn connect(&self) -> Result<Connection> {
        self.endpoint.connect(self.patience).await
    }

    fn major(&self) -> Option<u32> {
        self.version.split('.').next()?.parse().ok()
    }

    /// The version that a replica of this server should be of. Valkey cuts its snapshot down to what such a replica
    /// understands: without a word to what Valkey 8 does, and with its own version to nothing, so that what came after
    /// 9.1 would be more than is known here.
    pub(crate) fn replica_version(&self) -> &str {
        let mut numbers = self.version.split('.').map(|it| it.parse().unwrap_or(0));
        match (self.family, numbers.next(), numbers.next()) {
            (Family::Valkey, Some(9), Some(2..)) | (Family::Valkey, Some(10..), _) => "9.1.0",
            _ => &self.version,
        }
    }

    pub(crate) fn fact(&self, name: &str) -> &str {
        self.facts.get(name).map_or("", String::as_str)
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.fact("redis_mode") == "cluster" || self.fact("server_mode") == "cluster"
    }

    /// What its data take in memory, in bytes.
    pub(crate) fn data_bytes(&self) -> u64 {
        self.fact("used_memory_dataset").parse().unwrap_or(0)
    }

    /// How many keys each database holds; those that hold none are not named.
    pub(crate) fn databases(&self) -> BTreeMap<u64, u64> {
        let counted = self.facts.iter().filter_map(|(name, value)| {
            let database = name.strip_prefix("db")?.parse().ok()?;
            let keys = value.split(',').find_map(|it| it.strip_prefix("keys="))?;
            Some((database, keys.parse().ok()?))
        });
        counted.collect()
    }

    /// Whether the snapshot should come as a file. Its making then begins at once, where a stream has to wait for more
    /// replicas (`repl-diskless-sync-delay`, 5 s). It is right for a server that writes the very file now and then
    /// anyway: for any other it would leave a file behind that is loaded at the next start.
    pub(crate) async fn prefers_file(&self, connection: &mut Connection) -> Result<bool> {
        if self.data_bytes() > SMALL_BYTES || self.fact("rdb_last_bgsave_status") != "ok" {
            return Ok(false);
        }
        let reply = connection.ask(&[b"CONFIG", b"GET", b"save"]).await?;
        let points = reply.items().get(1).and_then(Reply::text);
        Ok(points.is_some_and(|points| !points.trim().is_empty()))
    }

    /// The newest RDB version whose values this server takes. Asked of the server where that changes nothing there.
    pub(crate) async fn rdb_version(&self, connection: &mut Connection) -> Result<u32> {
        let reply = connection.ask(&[b"FUNCTION", b"DUMP"]).await?;
        if let Reply::Bulk(payload) = &reply
            && let Some(footer) = payload.len().checked_sub(10).map(|at| &payload[at..])
        {
            return Ok(u32::from(u16::from_le_bytes([footer[0], footer[1]])));
        }
        let mut numbers = self.version.split('.').map(|it| it.parse().unwrap_or(0));
        let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        Ok(match (self.family, major, minor) {
            (Family::Valkey, 9.., _) => 80,
            (Family::Valkey, ..) => 11,
            (Family::Redis, 9.., _) | (Family::Redis, 8, 6..) => 13,
            (Family::Redis, 8, _) | (Family::Redis, 7, 4..) => 12,
            (Family::Redis, 7, 2..) => 11,
            (Family::Redis, 7, _) => 10,
            (Family::Redis, ..) => 9,
        })
    }
}

/// The server's clock, in milliseconds since 1970: what keys expire by.
pub(crate) async fn now_ms(connection: &mut Connection) -> Result<u64> {
    let reply = connection.call(&[b"TIME"]).await?;
    let numbers: Vec<u64> = reply
        .items()
        .iter()
        .filter_map(|it| it.integer().and_then(|n| u64::try_from(n).ok()))
        .collect();
    match numbers.as_slice() {
        [seconds, micros] => Ok(seconds * 1000 + micros / 1000),
        _ => Err(Error::new(Kind::Bug, "TIME without two numbers")),
    }
}

/// The lines of `INFO`.
fn facts(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(family: Family, version: &str) -> Server {
        Server {
            endpoint: Endpoint::of("db", 6379),
            patience: Duration::ZERO,
            family,
            version: version.to_owned(),
            facts: BTreeMap::new(),
        }
    }

    #[test]
    fn a_valkey_newer_than_what_is_known_is_asked_for_what_is_known() {
        for (family, version, expected) in [
            (Family::Valkey, "8.1.3", "8.1.3"),
            (Family::Valkey, "9.1.2", "9.1.2"),
            (Family::Valkey, "9.2.0", "9.1.0"),
            (Family::Valkey, "10.0.0", "9.1.0"),
            (Family::Redis, "10.0.0", "10.0.0"),
        ] {
            assert_eq!(server(family, version).replica_version(), expected);
        }
    }
}

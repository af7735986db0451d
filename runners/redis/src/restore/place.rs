//! Where a restore goes: which databases of which server, and whether they are free.

use runner_core::engine::Target;
use runner_core::error::{Error, Kind, Result};

use crate::cluster::{Master, masters};
use crate::dump::functions;
use crate::engine::database_of;
use crate::rdb::{Family, Version};
use crate::scan::select;
use crate::server::{Server, title};
use crate::wanted::Wanted;
use crate::wire::Reply;

/// The target, and how a backup's databases become its.
#[derive(Clone)]
pub(crate) struct Place {
    /// The server that was asked.
    pub(crate) server: Server,
    /// Where keys go: that server, or the masters of its cluster.
    pub(crate) masters: Vec<Master>,
    /// The newest RDB whose values each master takes.
    versions: Vec<Version>,
    /// What of the backup is restored.
    pub(crate) wanted: Wanted,
    /// The only database that is filled, whatever its number in the backup was.
    pub(crate) into: Option<u64>,
    drop_existing: bool,
}

/// From where on a number is none of Redis' but of Valkey 9 and later, which begins anew at 80.
const OWN_NUMBERS_OF_VALKEY: u32 = 80;
/// The last number that both families mean the same by.
const LAST_SHARED: u32 = 11;

impl Place {
    /// Learns what the target is; touches nothing.
    pub(crate) async fn find(server: Server, only: Option<u64>, target: &Target) -> Result<Self> {
        if !server.is_cluster() && server.fact("role") == "slave" {
            return Err(Error::new(
                Kind::Unfit,
                format!(
                    "{} is a replica of {}:{}; restore into its master",
                    server.endpoint.address(),
                    server.fact("master_host"),
                    server.fact("master_port"),
                ),
            ));
        }
        let masters = masters(&server).await?;
        let mut versions = Vec::new();
        for Master { server, .. } in &masters {
            let mut connection = server.connect().await?;
            versions.push(Version {
                family: server.family,
                number: server.rdb_version(&mut connection).await?,
            });
        }
        // A backup of one database goes into the one that is named; of a backup of all, that one is taken.
        let named = database_of(Some(&target.database))?;
        let into = named.or(only);
        Ok(Self {
            server,
            masters,
            versions,
            wanted: Wanted {
                database: only.or(named),
                include: target.tables.clone(),
                functions: into.is_none(),
                ..Wanted::default()
            },
            into,
            drop_existing: target.drop_existing,
        })
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.into.is_none()
    }

    /// For messages.
    pub(crate) fn title(&self) -> String {
        let address = self.server.endpoint.address();
        let whole = match self.server.is_cluster() {
            true => format!("the cluster of {address}"),
            false => address,
        };
        match self.into {
            Some(number) => format!("database {number} of {whole}"),
            None => whole,
        }
    }

    /// Refuses an RDB whose values the target would not understand.
    pub(crate) fn check_version(&self, rdb: Version) -> Result<()> {
        let each = self.masters.iter().zip(&self.versions);
        for (Master { server, .. }, version) in each {
            if !takes(*version, rdb) {
                return Err(too_old(server, *version, rdb));
            }
        }
        Ok(())
    }

    /// Refuses a server that has not as many databases as the backup.
    pub(crate) async fn check_reach(&self, highest: Option<u64>) -> Result<()> {
        let Some(highest) = self.into.or(highest) else {
            return Ok(());
        };
        for Master { server, .. } in &self.masters {
            let mut connection = server.connect().await?;
            select(&mut connection, highest).await.map_err(|err| {
                err.while_doing(format!(
                    "{} has no database {highest}, nothing was changed",
                    server.endpoint.address()
                ))
            })?;
        }
        Ok(())
    }

    /// Refuses a target that holds anything where something would go, unless it is to be replaced.
    pub(crate) async fn check_empty(&self, brings_functions: bool) -> Result<()> {
        if self.drop_existing {
            return Ok(());
        }
        let there: Vec<String> = self
            .masters
            .iter()
            .flat_map(|it| self.keys_of(it))
            .collect();
        if !there.is_empty() {
            return Err(self.not_empty(&there.join(", ")));
        }
        if brings_functions && self.wanted.functions {
            for Master { server, .. } in &self.masters {
                let mut connection = server.connect().await?;
                let n_libraries = functions(&mut connection).await?.len();
                if n_libraries > 0 {
                    return Err(self.not_empty(&format!("{n_libraries} libraries of functions")));
                }
            }
        }
        Ok(())
    }

    /// What a master holds where something would go.
    fn keys_of(&self, master: &Master) -> Vec<String> {
        let at = match &master.shard {
            Some(_) => format!(" of {}", master.server.endpoint.address()),
            None => String::new(),
        };
        let databases = master.server.databases().into_iter();
        databases
            .filter(|(number, n_keys)| *n_keys > 0 && self.into.is_none_or(|it| it == *number))
            .map(|(number, n_keys)| format!("{n_keys} keys in database {number}{at}"))
            .collect()
    }

    fn not_empty(&self, what: &str) -> Error {
        Error::new(
            Kind::Unfit,
            format!(
                "{} is not empty: {what}; choose another target, or set RESTORE_DROP_EXISTING=true to replace what is there",
                self.title()
            ),
        )
    }

    /// Makes room, where that is allowed; all checks are over by now.
    pub(crate) async fn clear(&self) -> Result<()> {
        if !self.drop_existing {
            return Ok(());
        }
        for Master { server, .. } in &self.masters {
            self.clear_one(server).await?;
        }
        tracing::info!("what {} held is dropped", self.title());
        Ok(())
    }

    async fn clear_one(&self, server: &Server) -> Result<()> {
        let mut connection = server.connect().await?;
        match self.into {
            Some(number) => {
                select(&mut connection, number).await?;
                connection.call(&[b"FLUSHDB"]).await?;
            }
            None => {
                connection.call(&[b"FLUSHALL"]).await?;
            }
        }
        if self.wanted.functions
            && let Reply::Error(text) = connection.ask(&[b"FUNCTION", b"FLUSH"]).await?
            && text.starts_with("NOPERM")
        {
            return Err(connection.refusal(&text, &[b"FUNCTION FLUSH"]));
        }
        Ok(())
    }
}

fn too_old(server: &Server, newest: Version, rdb: Version) -> Error {
    Error::new(
        Kind::Unfit,
        format!(
            "the backup is in RDB version {} of {} and {} ({} {}) reads up to version {} of its own; restore into a server at least as new as the source and of its family, nothing was changed",
            rdb.number,
            title(rdb.family),
            server.endpoint.address(),
            title(server.family),
            server.version,
            newest.number,
        ),
    )
}

/// Whether a server of that version takes values of an RDB of this one.
fn takes(server: Version, rdb: Version) -> bool {
    if server.family == rdb.family {
        // Valkey 9 left the numbers that Redis has used since.
        let is_redis_own = (LAST_SHARED + 1..OWN_NUMBERS_OF_VALKEY).contains(&rdb.number);
        return rdb.number <= server.number && !(server.family == Family::Valkey && is_redis_own);
    }
    rdb.number <= server.number.min(LAST_SHARED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_go_up_within_a_family_and_part_after_eleven() {
        let redis = |number| Version {
            family: Family::Redis,
            number,
        };
        let valkey = |number| Version {
            family: Family::Valkey,
            number,
        };
        assert!(takes(redis(12), redis(9)) && !takes(redis(9), redis(10)));
        assert!(takes(valkey(80), valkey(11)) && !takes(valkey(11), valkey(80)));
        assert!(takes(valkey(80), redis(11)) && !takes(valkey(80), redis(12)));
        assert!(takes(redis(12), valkey(11)) && !takes(redis(99), valkey(80)));
    }
}

//! The engine seam, implemented once for both families.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use runner_core::engine::{Database, Engine, Foreign, Probe, Restored, Scope, Target};
use runner_core::error::{Error, Kind, Result};
use runner_core::manifest::Manifest;
use runner_core::source::Backup;

use crate::cluster::masters;
use crate::dump::RedisDump;
use crate::options::Options;
use crate::server::{self, Server};
use crate::wire::Endpoint;
use crate::{by_hand, restore};

/// Redis, 6.0 and later.
pub type Redis = Runner<IsRedis>;
/// Valkey, 7.2 and later.
pub type Valkey = Runner<IsValkey>;

/// What a family fixes at compile time: its name. All else is asked of the server.
pub trait Brand: Send + Sync + 'static {
    const NAME: &'static str;
}

/// The brand of [`Redis`].
#[derive(Debug)]
pub struct IsRedis;

/// The brand of [`Valkey`].
#[derive(Debug)]
pub struct IsValkey;

impl Brand for IsRedis {
    const NAME: &'static str = "redis";
}

impl Brand for IsValkey {
    const NAME: &'static str = "valkey";
}

/// A runner under one of the two names.
pub struct Runner<B> {
    site: Site,
    brand: PhantomData<fn() -> B>,
}

/// Where the server is, and what was set for it.
pub(crate) struct Site {
    endpoint: Endpoint,
    port: Option<u16>,
    /// `None` for every database.
    pub(crate) database: Option<u64>,
    pub(crate) options: Options,
    patience: Duration,
}

/// The database that `DB_NAME` names: a number, or every one.
pub(crate) fn database_of(name: Option<&str>) -> Result<Option<u64>> {
    match name.unwrap_or_default() {
        "" | "*" => Ok(None),
        number => number.parse().map(Some).map_err(|_| {
            Error::new(
                Kind::Config,
                format!("DB_NAME {number:?}: expected the number of a database, or * for all"),
            )
        }),
    }
}

impl Site {
    pub(crate) async fn server(&self) -> Result<Server> {
        match &self.options.sentinel {
            Some(sentinel) => {
                let found = sentinel.find(&self.endpoint, self.port, self.patience);
                Server::find(&found.await?, self.patience).await
            }
            None => Server::find(&self.endpoint, self.patience).await,
        }
    }

    /// The server as a backup sees it: of the family whose name the backup will carry.
    async fn source(&self, brand: &str) -> Result<Server> {
        let server = self.server().await?;
        let name = server::name(server.family);
        if name != brand {
            return Err(Error::new(
                Kind::Unfit,
                format!(
                    "{} is {}; use plan-b-backup-{name}",
                    server.endpoint.address(),
                    server::title(server.family),
                ),
            ));
        }
        Ok(server)
    }
}

impl<B: Brand> Engine for Runner<B> {
    const NAME: &'static str = B::NAME;
    const DEFAULT_PORT: u16 = 6379;
    const HAS_DATABASES: bool = false;
    type Options = Options;
    type Dump = RedisDump;

    fn new(database: Database, options: Options) -> Result<Self> {
        let short_id: String = database.job_id.chars().take(36).collect();
        let named: String = short_id.chars().filter(char::is_ascii_graphic).collect();
        Ok(Self {
            site: Site {
                database: database_of(database.name.as_deref())?,
                endpoint: Endpoint {
                    port: database.port.unwrap_or(Self::DEFAULT_PORT),
                    user: database.username,
                    host: database.host,
                    password: database.password,
                    tls: database.tls,
                    without_tls: Arc::default(),
                    client_name: format!("planb-{named}"),
                    attempt_timeout: database
                        .connect_timeout
                        .clamp(Duration::from_secs(1), Duration::from_secs(20)),
                },
                port: database.port,
                options,
                patience: database.connect_timeout,
            },
            brand: PhantomData,
        })
    }

    async fn probe(&self) -> Result<Probe> {
        let server = self.site.source(B::NAME).await?;
        let masters = masters(&server).await?;
        let each = masters.iter().map(|it| &it.server);
        let keys: u64 = each
            .clone()
            .flat_map(|it| it.databases().into_values())
            .sum();
        let mut facts = vec![
            ("family", server::title(server.family).to_owned()),
            ("keys", keys.to_string()),
            ("role", server.fact("role").to_owned()),
        ];
        match server.is_cluster() {
            true => facts.push(("shards", masters.len().to_string())),
            false => facts.push(("databases", server.databases().len().to_string())),
        }
        Ok(Probe {
            size_bytes: each.map(Server::data_bytes).sum(),
            engine_version: server.version,
            tools: BTreeMap::new(),
            facts: facts
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        })
    }

    async fn begin(&self, scope: &Scope) -> Result<RedisDump> {
        let server = self.site.source(B::NAME).await?;
        RedisDump::begin(server, &self.site, scope).await
    }

    async fn check_target(&self, manifest: &Manifest, target: &Target) -> Result<()> {
        restore::check(&self.site, manifest, target).await
    }

    async fn restore(&self, backup: &Backup, target: &Target) -> Result<Restored> {
        restore::ours(&self.site, backup, target).await
    }

    async fn check_foreign(&self, foreign: Foreign, target: &Target) -> Result<()> {
        restore::check_foreign(&self.site, foreign, target).await
    }

    async fn restore_foreign(&self, foreign: Foreign, target: &Target) -> Result<Restored> {
        restore::foreign(&self.site, foreign, target).await
    }

    fn restore_by_hand(&self, manifest: &Manifest) -> String {
        by_hand::render(manifest)
    }
}

//! The engine seam, implemented for MongoDB.

use std::collections::BTreeMap;
use std::time::Duration;

use runner_core::engine::{Database, Engine, Foreign, Probe, Restored, Scope, Target};
use runner_core::error::Result;
use runner_core::manifest::Manifest;
use runner_core::source::Backup;

use crate::address::{Address, DEFAULT_PORT};
use crate::dump::MongoDump;
use crate::options::Options;
use crate::server::Server;
use crate::tools::Tools;
use crate::{by_hand, foreign, restore};

/// MongoDB, 4.4 and later.
pub(crate) struct Mongo {
    address: Address,
    name: String,
    options: Options,
    patience: Duration,
}

impl Mongo {
    pub(crate) async fn server(&self) -> Result<Server> {
        Server::find(&self.address, self.patience).await
    }

    pub(crate) fn tools(&self) -> Tools {
        Tools::new(self.options.bin.clone())
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }
}

impl Engine for Mongo {
    const NAME: &'static str = "mongodb";
    const DEFAULT_PORT: u16 = DEFAULT_PORT;
    const HAS_DATABASES: bool = true;
    type Options = Options;
    type Dump = MongoDump;

    fn new(database: Database, options: Options) -> Result<Self> {
        Ok(Self {
            address: Address::new(&database, &options)?,
            name: database.name.unwrap_or_default(),
            options,
            patience: database.connect_timeout,
        })
    }

    async fn probe(&self) -> Result<Probe> {
        let server = self.server().await?;
        let version = self.tools().version("mongodump").await?;
        let size_bytes = match self.name.as_str() {
            // Each database is asked when its archive is planned.
            "*" => 0,
            name => server.data_bytes(name).await,
        };
        let login = server.address.user.clone();
        let mut facts = vec![
            ("login", login.unwrap_or_else(|| "none".to_owned())),
            ("topology", server.topology.as_str().to_owned()),
        ];
        facts.extend(server.imitator.clone().map(|name| ("server", name)));
        Ok(Probe {
            engine_version: server.version,
            tools: BTreeMap::from([("mongodump".to_owned(), version)]),
            size_bytes,
            facts: facts
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        })
    }

    async fn begin(&self, scope: &Scope) -> Result<MongoDump> {
        let server = self.server().await?;
        MongoDump::begin(server, self.tools(), &self.options, scope, &self.name).await
    }

    async fn check_target(&self, manifest: &Manifest, target: &Target) -> Result<()> {
        restore::check(self, manifest, target).await
    }

    async fn restore(&self, backup: &Backup, target: &Target) -> Result<Restored> {
        restore::run(self, backup, target).await
    }

    async fn check_foreign(&self, foreign: Foreign, target: &Target) -> Result<()> {
        foreign::check(foreign, target).await
    }

    async fn restore_foreign(&self, foreign: Foreign, target: &Target) -> Result<Restored> {
        foreign::run(self, foreign, target).await
    }

    fn restore_by_hand(&self, manifest: &Manifest) -> String {
        by_hand::render(manifest)
    }
}

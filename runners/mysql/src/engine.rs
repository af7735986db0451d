//! The engine seam, implemented once for both families.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use runner_core::engine::{Database, Engine, Foreign, Probe, Restored, Scope, Target};
use runner_core::error::{Error, Kind, Result};
use runner_core::foreign::ForeignDirectory;
use runner_core::manifest::Manifest;
use runner_core::source::Backup;

use crate::dump::MyDump;
use crate::options::Options;
use crate::server::Server;
use crate::wire::Endpoint;
use crate::{by_hand, foreign, restore, sql};

/// MySQL, 5.7 and later.
pub type MySql = Runner<IsMySql>;
/// MariaDB, 10.5 and later.
pub type MariaDb = Runner<IsMariaDb>;

/// What a family fixes at compile time: its name. All else is asked of the server.
pub trait Brand: Send + Sync + 'static {
    const NAME: &'static str;
}

/// The brand of [`MySql`].
#[derive(Debug)]
pub struct IsMySql;

/// The brand of [`MariaDb`].
#[derive(Debug)]
pub struct IsMariaDb;

impl Brand for IsMySql {
    const NAME: &'static str = "mysql";
}

impl Brand for IsMariaDb {
    const NAME: &'static str = "mariadb";
}

/// A runner under one of the two names.
pub struct Runner<B> {
    site: Site,
    brand: PhantomData<fn() -> B>,
}

/// Where the database is, and what was set for it.
pub(crate) struct Site {
    endpoint: Endpoint,
    pub(crate) name: Option<String>,
    pub(crate) options: Options,
    patience: Duration,
}

impl Site {
    pub(crate) async fn server(&self) -> Result<Server> {
        Server::find(&self.endpoint, self.patience).await
    }

    pub(crate) fn wants_all(&self) -> bool {
        self.name.as_deref() == Some("*")
    }

    /// The server as a backup sees it: of the family whose name the backup will carry.
    async fn source(&self, brand: &str) -> Result<Server> {
        let server = self.server().await?;
        let family = server.family;
        if family.name() != brand {
            return Err(Error::new(
                Kind::Unfit,
                format!(
                    "{} is {}; use plan-b-backup-{}",
                    server.endpoint.address(),
                    family.title(),
                    family.name()
                ),
            ));
        }
        Ok(server)
    }
}

impl<B: Brand> Engine for Runner<B> {
    const NAME: &'static str = B::NAME;
    const DEFAULT_PORT: u16 = 3306;
    const HAS_DATABASES: bool = true;
    type Options = Options;
    type Dump = MyDump;

    fn new(database: Database, options: Options) -> Result<Self> {
        let short_id: String = database.job_id.chars().take(36).collect();
        Ok(Self {
            site: Site {
                endpoint: Endpoint {
                    port: database.port.unwrap_or(Self::DEFAULT_PORT),
                    user: database.username.unwrap_or_else(|| "root".to_owned()),
                    host: database.host,
                    password: database.password,
                    tls: database.tls,
                    without_tls: Arc::default(),
                    program_name: format!("planb {short_id}"),
                    attempt_timeout: database
                        .connect_timeout
                        .clamp(Duration::from_secs(1), Duration::from_secs(20)),
                },
                name: database.name,
                options,
                patience: database.connect_timeout,
            },
            brand: PhantomData,
        })
    }

    async fn probe(&self) -> Result<Probe> {
        let server = self.site.source(B::NAME).await?;
        let mut connection = server.connect().await?;
        let scope = match self.site.name.as_deref() {
            Some(name) if !self.site.wants_all() => format!("= {}", sql::literal(name)),
            _ => "NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')".to_owned(),
        };
        let size = connection
            .query_one(format!(
                "SELECT CAST(sum(DATA_LENGTH) AS UNSIGNED) FROM information_schema.TABLES WHERE TABLE_SCHEMA {scope}"
            ))
            .await?;
        connection.close().await;
        let facts = [
            ("family", server.family.title().to_owned()),
            ("login", server.endpoint.user.clone()),
            ("binlog", server.has_binlog.to_string()),
            ("read_only", server.read_only.to_string()),
        ];
        Ok(Probe {
            engine_version: server.version,
            tools: BTreeMap::new(),
            size_bytes: size.and_then(|n| n.parse().ok()).unwrap_or(0),
            facts: facts
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        })
    }

    async fn begin(&self, scope: &Scope) -> Result<MyDump> {
        let server = self.site.source(B::NAME).await?;
        let all = self.site.wants_all();
        let names = match &self.site.name {
            Some(name) if !all => vec![name.clone()],
            _ => server.databases().await?,
        };
        MyDump::begin(&server, &self.site.options, scope, names, all).await
    }

    async fn check_target(&self, manifest: &Manifest, target: &Target) -> Result<()> {
        restore::check(&self.site, manifest, target).await
    }

    async fn restore(&self, backup: &Backup, target: &Target) -> Result<Restored> {
        restore::run(&self.site, backup, target).await
    }

    async fn restore_foreign(&self, foreign: Foreign, target: &Target) -> Result<Restored> {
        foreign::run(&self.site, foreign, target).await
    }

    fn is_foreign_directory(directory: &ForeignDirectory) -> bool {
        foreign::is_directory(directory)
    }

    async fn restore_foreign_directory(
        &self,
        directory: ForeignDirectory,
        target: &Target,
    ) -> Result<Restored> {
        foreign::run_directory(&self.site, directory, target).await
    }

    fn restore_by_hand(&self, manifest: &Manifest) -> String {
        by_hand::render(manifest)
    }
}

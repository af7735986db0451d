//! The engine seam, implemented for PostgreSQL.

use std::collections::BTreeMap;
use std::time::Duration;

use runner_core::engine::{Database, Engine, Foreign, Probe, Restored, Scope, Target};
use runner_core::error::{Error, Kind, Result};
use runner_core::manifest::Manifest;
use runner_core::source::Backup;

use crate::dump::PgDump;
use crate::options::Options;
use crate::session;
use crate::tools::{Tools, check_not_older};
use crate::wire::{Connection, CopyFormat, Endpoint};
use crate::{by_hand, foreign, restore};

/// PostgreSQL, 12 and later.
pub(crate) struct Postgres {
    endpoint: Endpoint,
    name: Option<String>,
    options: Options,
    patience: Duration,
}

/// What a look at the server told, once: the capabilities that everything else asks about.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) endpoint: Endpoint,
    pub(crate) patience: Duration,
    pub(crate) tools: Tools,
    pub(crate) copy_format: Option<CopyFormat>,
    /// A database that is there to log in to while others are created or renamed.
    pub(crate) maintenance: String,
    pub(crate) version: String,
    /// As in `server_version_num`.
    pub(crate) version_num: u32,
    pub(crate) is_superuser: bool,
    pub(crate) may_create_databases: bool,
    pub(crate) in_recovery: bool,
    /// A condition on `ctid` reads only its own pages (14).
    pub(crate) has_tid_range_scan: bool,
    /// `DROP DATABASE … WITH (FORCE)` (13).
    pub(crate) has_forced_drop: bool,
    /// `CREATE DATABASE … LOCALE_PROVIDER` (15).
    pub(crate) has_locale_provider: bool,
    /// `SET transaction_timeout` (17), which clients since then send unasked.
    pub(crate) has_transaction_timeout: bool,
}

const FACTS: &str = r"
SELECT pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_version_num'),
       r.rolsuper, r.rolcreatedb OR r.rolsuper, pg_catalog.pg_is_in_recovery()
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user";

impl Server {
    pub(crate) fn major(&self) -> u32 {
        self.version_num / 10_000
    }

    pub(crate) async fn connect(&self, database: &str) -> Result<Connection> {
        session::connect(&self.endpoint, database, self.patience).await
    }

    /// User databases, the maintenance database `postgres` among them.
    pub(crate) async fn databases(&self) -> Result<Vec<String>> {
        let mut connection = self.connect(&self.maintenance).await?;
        let statement = "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1";
        let rows = connection.query(statement).await?;
        connection.close().await;
        Ok(rows
            .into_iter()
            .filter_map(|row| row.into_iter().next().flatten())
            .collect())
    }
}

impl Postgres {
    /// Waits for the server and learns what it is, through the first of `databases` that lets us in.
    pub(crate) async fn server(&self, databases: &[&str]) -> Result<Server> {
        let mut refusal = None;
        for database in databases {
            match session::connect(&self.endpoint, database, self.patience).await {
                Ok(connection) => return self.learn(connection, database).await,
                // Another database may let us in; a wrong password is wrong for all.
                Err(err)
                    if matches!(err.kind(), Kind::NotFound | Kind::Denied)
                        && !err.to_string().contains("28P01") =>
                {
                    refusal.get_or_insert(err);
                }
                Err(err) => return Err(err),
            }
        }
        Err(refusal.unwrap_or_else(|| Error::new(Kind::Bug, "no database to log in to")))
    }

    async fn learn(&self, mut connection: Connection, database: &str) -> Result<Server> {
        let row = connection.query(FACTS).await?.pop().unwrap_or_default();
        let text = |i: usize| row.get(i).cloned().flatten().unwrap_or_default();
        let version_num: u32 = text(1).parse().unwrap_or(0);
        connection.close().await;
        if version_num < 120_000 {
            return Err(Error::new(
                Kind::Unfit,
                format!("PostgreSQL {} is not served; 12 and later are", text(0)),
            ));
        }
        let version = text(0)
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned();
        Ok(Server {
            endpoint: self.endpoint.clone(),
            patience: self.patience,
            tools: Tools::new(
                self.options.bin.clone(),
                self.endpoint.clone(),
                self.patience,
            )?,
            copy_format: self.options.copy_format,
            maintenance: database.to_owned(),
            version,
            version_num,
            is_superuser: text(2) == "t",
            may_create_databases: text(3) == "t",
            in_recovery: text(4) == "t",
            has_tid_range_scan: version_num >= 140_000,
            has_forced_drop: version_num >= 130_000,
            has_locale_provider: version_num >= 150_000,
            has_transaction_timeout: version_num >= 170_000,
        })
    }

    fn wants_all(&self) -> bool {
        self.name.as_deref() == Some("*")
    }

    /// The server as a backup sees it: through the database that is backed up, if it is one.
    async fn source(&self) -> Result<Server> {
        match self.name.as_deref() {
            Some(name) if name != "*" => self.server(&[name]).await,
            _ => self.server(&["postgres", "template1"]).await,
        }
    }
}

impl Engine for Postgres {
    const NAME: &'static str = "postgresql";
    const DEFAULT_PORT: u16 = 5432;
    const HAS_DATABASES: bool = true;
    type Options = Options;
    type Dump = PgDump;

    fn new(database: Database, options: Options) -> Result<Self> {
        let short_id: String = database.job_id.chars().take(36).collect();
        Ok(Self {
            endpoint: Endpoint {
                port: database.port.unwrap_or(Self::DEFAULT_PORT),
                user: database.username.unwrap_or_else(|| "postgres".to_owned()),
                host: database.host,
                password: database.password,
                tls: database.tls,
                application_name: format!("planb {short_id}"),
                attempt_timeout: database
                    .connect_timeout
                    .clamp(Duration::from_secs(1), Duration::from_secs(20)),
            },
            name: database.name,
            options,
            patience: database.connect_timeout,
        })
    }

    async fn probe(&self) -> Result<Probe> {
        let server = self.source().await?;
        let (pg_dump, major) = server.tools.version("pg_dump").await?;
        check_not_older("pg_dump", major, server.major())?;
        let mut connection = server.connect(&server.maintenance).await?;
        let size = match self.wants_all() {
            true => {
                "SELECT sum(pg_catalog.pg_database_size(oid)) FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate"
            }
            false => "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())",
        };
        // A login without CONNECT on some database may not ask its size; the backup itself will say so.
        let size_bytes = connection
            .query_one(size)
            .await
            .ok()
            .flatten()
            .and_then(|n| n.parse().ok());
        connection.close().await;
        let role = if server.is_superuser {
            "superuser"
        } else {
            "ordinary role"
        };
        let facts = [
            ("login", format!("{} ({role})", server.endpoint.user)),
            ("standby", server.in_recovery.to_string()),
            (
                "ranges",
                if server.has_tid_range_scan {
                    "ctid"
                } else {
                    "key"
                }
                .to_owned(),
            ),
        ];
        Ok(Probe {
            engine_version: server.version,
            tools: BTreeMap::from([("pg_dump".to_owned(), pg_dump)]),
            size_bytes: size_bytes.unwrap_or(0),
            facts: facts
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        })
    }

    async fn begin(&self, scope: &Scope) -> Result<PgDump> {
        let server = self.source().await?;
        let all = self.wants_all();
        let names = match &self.name {
            Some(name) if !all => vec![name.clone()],
            _ => server.databases().await?,
        };
        PgDump::begin(&server, scope, names, all).await
    }

    async fn check_target(&self, manifest: &Manifest, target: &Target) -> Result<()> {
        restore::check(self, manifest, target).await
    }

    async fn restore(&self, backup: &Backup, target: &Target) -> Result<Restored> {
        restore::run(self, backup, target).await
    }

    async fn restore_foreign(&self, foreign: Foreign, target: &Target) -> Result<Restored> {
        foreign::run(self, foreign, target).await
    }

    fn restore_by_hand(&self, manifest: &Manifest) -> String {
        by_hand::render(manifest)
    }
}

impl Postgres {
    pub(crate) fn options(&self) -> &Options {
        &self.options
    }
}

//! The server: reached with patience, asked once what it is and can do, and what it holds.

mod hello;
mod prefer;
mod rights;

use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};
use mongodb::error::{Error as DriverError, ErrorKind};
use mongodb::options::ClientOptions;
use mongodb::{Client, Database};
use runner_core::error::{Error, Kind, Result};
use runner_core::secret::Secret;
use runner_core::socket;

use crate::address::Address;
use hello::Hello;
pub(crate) use hello::Topology;
use prefer::speaks_tls;
pub(crate) use rights::Job;

/// Codes by which a server says that it cannot be written to now, and another may be; see "state change errors" in
/// <https://github.com/mongodb/specifications/blob/master/source/server-discovery-and-monitoring/server-discovery-and-monitoring.md>.
const NO_PRIMARY: [i32; 7] = [91, 189, 10_107, 11_600, 11_602, 13_435, 13_436];

/// What the server keeps for itself.
pub(crate) const OWN_DATABASES: [&str; 3] = ["admin", "config", "local"];

/// What a look at the server told.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) address: Address,
    client: Client,
    /// For the tools: as it led here.
    pub(crate) uri: Secret,
    pub(crate) version: String,
    /// The name of another program that speaks MongoDB's protocol.
    pub(crate) imitator: Option<String>,
    pub(crate) topology: Topology,
    pub(crate) is_writable: bool,
}

impl Server {
    /// Waits for the server until `patience` is over.
    pub(crate) async fn find(address: &Address, patience: Duration) -> Result<Self> {
        let attempt = patience.clamp(Duration::from_secs(1), Duration::from_secs(5));
        socket::with_patience(patience, || Self::attempt(address, attempt)).await
    }

    async fn attempt(address: &Address, limit: Duration) -> Result<Self> {
        let asked = address.database.as_deref();
        let uri = address.uri(speaks_tls(address, limit).await?);
        let options = ClientOptions::parse(uri.reveal()).await;
        let mut options = options.map_err(|err| explain(address, asked, "connect", err))?;
        options.server_selection_timeout = Some(limit);
        options.connect_timeout = Some(limit);
        let client = Client::with_options(options);
        let client = client.map_err(|err| explain(address, asked, "connect", err))?;
        let admin = client.database("admin");
        let ask = async |what: &str| {
            let answer = admin.run_command(doc! { what: 1 }).await;
            answer.map_err(|err| explain(address, asked, "log in", err))
        };
        let hello = match ask("hello").await {
            // Servers before 5.0 know only its old name until 4.4.2.
            Err(err) if err.kind() == Kind::Unfit => ask("isMaster").await?,
            hello => hello?,
        };
        let build = ask("buildInfo").await?;
        let version = build.get_str("version").unwrap_or("unknown").to_owned();
        let Hello {
            topology,
            is_writable,
            is_served,
        } = Hello::read(&hello);
        if !is_served {
            let what = format!("MongoDB {version} is not served; 4.4 and later are");
            return Err(Error::new(Kind::Unfit, what));
        }
        Ok(Self {
            address: address.clone(),
            client,
            uri,
            version,
            imitator: imitator(&build),
            topology,
            is_writable,
        })
    }

    /// Every user database there is, in the order of their names.
    pub(crate) async fn databases(&self) -> Result<Vec<String>> {
        let names = self.client.list_database_names().await;
        let mut names = names.map_err(|err| {
            let doing = "list the databases; the role backup may";
            explain(&self.address, None, doing, err)
        })?;
        names.retain(|name| !OWN_DATABASES.contains(&name.as_str()));
        names.sort();
        Ok(names)
    }

    /// The collections and views of a database that are its users'.
    pub(crate) async fn collections(&self, database: &str) -> Result<Vec<String>> {
        let names = self.database(database).list_collection_names().await;
        let mut names = names.map_err(|err| self.explain(database, "list the collections", err))?;
        names.retain(|name| !name.starts_with("system.") || name == "system.js");
        names.sort();
        Ok(names)
    }

    /// Whether a database has time series, whose documents the server keeps in collections of its own.
    pub(crate) async fn has_series(&self, database: &str) -> Result<bool> {
        let handle = self.database(database);
        let mut series = handle
            .list_collections()
            .filter(doc! { "type": "timeseries" })
            .await
            .map_err(|err| self.explain(database, "list the collections", err))?;
        let first = series.advance().await;
        first.map_err(|err| self.explain(database, "list the collections", err))
    }

    /// Bytes of the documents of a database; 0 when the login may not ask.
    pub(crate) async fn data_bytes(&self, database: &str) -> u64 {
        let database = self.database(database);
        let stats = database
            .run_command(doc! { "dbStats": 1, "scale": 1 })
            .await;
        match stats.unwrap_or_default().get("dataSize") {
            Some(Bson::Double(size)) => *size as u64,
            Some(Bson::Int64(size)) => size.cast_unsigned(),
            Some(Bson::Int32(size)) => u64::from(size.cast_unsigned()),
            _ => 0,
        }
    }

    /// Documents in a collection, counted one by one.
    pub(crate) async fn count(&self, database: &str, collection: &str) -> Result<u64> {
        let collection = self.database(database).collection::<Document>(collection);
        let count = collection.count_documents(doc! {}).await;
        count.map_err(|err| self.explain(database, "count documents", err))
    }

    /// Whether there is an oplog, and the login may read it.
    pub(crate) async fn has_oplog(&self) -> Result<bool> {
        let oplog = self.database("local").collection::<Document>("oplog.rs");
        let last = oplog.find_one(doc! {}).await;
        let last =
            last.map_err(|err| self.explain("local", "read the oplog; the role backup may", err))?;
        Ok(last.is_some())
    }

    pub(crate) async fn drop_database(&self, database: &str) -> Result<()> {
        let dropped = self.database(database).drop().await;
        let dropped = dropped.map_err(|err| self.explain(database, "drop the database", err));
        match dropped {
            // The role `restore` may drop all that is in it.
            Err(err) if err.kind() == Kind::Denied => {
                for collection in self.collections(database).await? {
                    self.drop_collection(database, &collection).await?;
                }
                Ok(())
            }
            dropped => dropped,
        }
    }

    pub(crate) async fn drop_collection(&self, database: &str, collection: &str) -> Result<()> {
        let collection = self.database(database).collection::<Document>(collection);
        let dropped = collection.drop().await;
        dropped.map_err(|err| self.explain(database, "drop a collection", err))
    }

    fn database(&self, name: &str) -> Database {
        self.client.database(name)
    }

    fn explain(&self, database: &str, doing: &str, err: DriverError) -> Error {
        explain(&self.address, Some(database), doing, err)
    }
}

/// FerretDB says so in a field of its own.
fn imitator(build: &Document) -> Option<String> {
    let ferret = build.get_document("ferretdb").ok()?;
    let version = ferret.get_str("version").unwrap_or("of unknown version");
    Some(format!("FerretDB {version}"))
}

/// Says who refused what, and whether another attempt may help.
fn explain(address: &Address, database: Option<&str>, doing: &str, err: DriverError) -> Error {
    let at = &address.shown;
    let user = address.user.as_deref().unwrap_or_default();
    let place = match database {
        Some(database) => format!("database {database:?} on {at}"),
        None => at.clone(),
    };
    let code = match err.kind.as_ref() {
        ErrorKind::Command(err) => err.code,
        _ => 0,
    };
    let (kind, what) = match err.kind.as_ref() {
        ErrorKind::Authentication { .. } => (
            Kind::Denied,
            format!(
                "{place} refused the password for {user:?}; check DB_PASSWORD and DB_AUTH_SOURCE"
            ),
        ),
        ErrorKind::Command(_) if code == 18 => (
            Kind::Denied,
            format!(
                "{place} refused the password for {user:?}; check DB_PASSWORD and DB_AUTH_SOURCE"
            ),
        ),
        ErrorKind::Command(_) if code == 13 => (
            Kind::Denied,
            format!("{place} does not let {user:?} {doing}"),
        ),
        ErrorKind::Command(_) if NO_PRIMARY.contains(&code) => (
            Kind::Unreachable,
            format!("{place} is not the primary any more: {doing}"),
        ),
        ErrorKind::Command(_) => (Kind::Unfit, format!("{place}: {doing}")),
        ErrorKind::InvalidArgument { .. } | ErrorKind::InvalidTlsConfig { .. } => {
            (Kind::Config, format!("connect to {place}"))
        }
        ErrorKind::IncompatibleServer { .. } => (Kind::Unfit, format!("{place}: {doing}")),
        ErrorKind::ServerSelection { message, .. }
            if message.contains("invalid peer certificate") =>
        {
            (
                Kind::Denied,
                format!("TLS with {place}; check DB_TLS_CA_FILE, DB_HOST and DB_TLS_MODE"),
            )
        }
        _ => (Kind::Unreachable, format!("{place}: {doing}")),
    };
    // The driver's own text is for its developers; what it holds says it in a few words.
    Error::new(kind, what).because(err.kind.to_string())
}

//! A backup: archives by `mongodump`, each walked on its way into the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, TryStreamExt};
use runner_core::engine::{Content, Dump, Finished, Opened, Piece, Proof, Scope};
use runner_core::error::{Error, Kind, Result};
use runner_core::manifest::Data;
use runner_core::progress::Progress;
use runner_core::store::layout::safe_component;
use runner_core::tool::Tool;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::archive::{Archive, Namespace, ahead, watch};
use crate::details::{DatabaseDetails, Details, matches};
use crate::options::{Oplog, Options, Users};
use crate::server::{Job, Server, Topology};
use crate::tools::{Tools, judge};

/// The artifact that holds everything, where the oplog makes it one moment's.
const ALL: &str = "all.archive";
/// The artifact that holds users and roles, where every database has an archive of its own.
const USERS: &str = "admin.archive";

/// What one backup reads.
pub(crate) struct MongoDump {
    server: Server,
    tools: Tools,
    pieces: Vec<Piece>,
    /// In the order of the pieces.
    args: Vec<Vec<String>>,
    databases: Vec<String>,
    /// Why the backup is not of one moment; `None` if it is.
    torn: Option<String>,
    /// By piece: what its archive turned out to hold.
    found: Arc<Mutex<BTreeMap<String, Archive>>>,
    progress: Progress,
    cancel: CancellationToken,
}

impl MongoDump {
    pub(crate) async fn begin(
        server: Server,
        tools: Tools,
        options: &Options,
        scope: &Scope,
        name: &str,
    ) -> Result<Self> {
        refuse_halves(scope)?;
        let all = name == "*";
        let databases = match all {
            true => server.databases().await?,
            false => vec![name.to_owned()],
        };
        let torn = torn(&server, options, scope, all).await?;
        if let Some(why) = &torn {
            tracing::warn!("the backup is not consistent under writes: {why}");
        }
        let mut dump = Self {
            server,
            tools,
            pieces: Vec::new(),
            args: Vec::new(),
            databases,
            torn,
            found: Arc::default(),
            progress: scope.progress.clone(),
            cancel: scope.cancel.clone(),
        };
        dump.plan(options, scope, all).await?;
        Ok(dump)
    }

    async fn plan(&mut self, options: &Options, scope: &Scope, all: bool) -> Result<()> {
        let mut seen = Vec::new();
        let mut excluded = BTreeMap::new();
        let mut n_bytes = BTreeMap::new();
        for database in self.databases.clone() {
            self.server.demand(Job::Backup, &database, false).await?;
            let collections = self.server.collections(&database).await?;
            if self.server.has_series(&database).await? {
                self.server.demand(Job::Backup, &database, true).await?;
            }
            if collections.is_empty() && !all {
                return Err(self.no_such(&database).await);
            }
            let is_wanted = |name: &String| {
                let listed = scope.include.is_empty() || matches(&scope.include, &database, name);
                listed && !matches(&scope.exclude, &database, name)
            };
            let names = collections.iter().map(|name| format!("{database}.{name}"));
            seen.extend(names.chain(collections.iter().cloned()));
            let out = collections.iter().filter(|it| !is_wanted(it)).cloned();
            excluded.insert(database.clone(), out.collect());
            n_bytes.insert(database.clone(), self.server.data_bytes(&database).await);
        }
        scope.refuse_unmatched(&seen, "collection")?;
        if self.torn.is_none() {
            let parallel = parallel(scope.parallelism);
            let total = n_bytes.values().sum();
            self.add(ALL, total, options, vec!["--oplog".to_owned(), parallel]);
            return Ok(());
        }
        let share = scope.parallelism / self.databases.len().clamp(1, scope.parallelism.max(1));
        for (database, excluded) in excluded {
            let users = options.backup_users == Users::Always && !all;
            let args = database_args(&database, share, excluded, users);
            let size = n_bytes.get(&database).copied().unwrap_or(0);
            self.add(&archive_name(&database), size, options, args);
        }
        if all && options.backup_users != Users::Never {
            self.add(USERS, 0, options, vec!["--db=admin".to_owned()]);
        }
        Ok(())
    }

    fn add(&mut self, name: &str, size: u64, options: &Options, mut args: Vec<String>) {
        args.push("--archive".to_owned());
        let preference = options.read_preference.as_ref();
        args.extend(preference.map(|mode| format!("--readPreference={mode}")));
        self.args.push(args);
        self.pieces.push(Piece {
            name: name.to_owned(),
            kind: match name {
                USERS => "users",
                _ => "archive",
            },
            estimated_bytes: size,
        });
    }

    async fn no_such(&self, database: &str) -> Error {
        let there = self.server.databases().await.unwrap_or_default();
        let there = match there.is_empty() {
            true => String::new(),
            false => format!("; there are {}", there.join(", ")),
        };
        let at = &self.server.address.shown;
        let what = format!("there is no database {database:?} with collections on {at}{there}");
        Error::new(Kind::NotFound, what)
    }

    fn tool(&self, piece: &Piece) -> Result<Tool> {
        let at = self.pieces.iter().position(|it| it.name == piece.name);
        let args = at.and_then(|at| self.args.get(at)).cloned();
        Ok(self
            .tools
            .tool("mongodump", &self.server)?
            .args(args.unwrap_or_default()))
    }
}

impl Dump for MongoDump {
    fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    async fn open(&self, piece: &Piece) -> Result<Opened> {
        let body = self.tool(piece)?.read(&self.cancel).await?;
        let body = ahead(body.map_err(judge).boxed());
        let proof = Proof::default();
        let (name, told) = (piece.name.clone(), proof.clone());
        let found = Arc::clone(&self.found);
        let body = watch(body, self.progress.clone(), move |archive| {
            told.set(data(&archive.namespaces));
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.insert(name, archive);
            Ok(())
        });
        Ok(Opened { body, proof })
    }

    async fn finish(self) -> Result<Finished> {
        let found = self
            .found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let details = details(&found, self.torn.is_none())?;
        let end = found.values().find_map(|it| it.operations.last);
        let consistency = match &self.torn {
            Some(why) => json!({
                "consistent": false,
                "note": format!("not consistent under writes: {why}"),
                "topology": self.server.topology.as_str(),
            }),
            None => json!({
                "consistent": true,
                "topology": self.server.topology.as_str(),
                "operations": details.n_operations,
                "oplog_end": end.map(|(time, n)| format!("{time}:{n}")),
            }),
        };
        let details = serde_json::to_value(details)
            .map_err(|err| Error::new(Kind::Bug, "render the details").because(err))?;
        Ok(Finished {
            consistency,
            details: without_nulls(details),
        })
    }
}

/// What the manifest says of the databases in these archives.
fn details(found: &BTreeMap<String, Archive>, oplog: bool) -> Result<Details> {
    let mut details = Details {
        oplog,
        ..Details::default()
    };
    for (name, archive) in found {
        if name == USERS || (name == ALL && has_users(archive)) {
            details.users = Some(name.clone());
        }
        let oplog = archive.namespaces.iter().filter(|it| it.is_oplog());
        details.n_operations += oplog.map(|it| it.tally.rows).sum::<u64>();
        let users = archive.namespaces.iter().filter(|it| it.is_users());
        let mut databases: BTreeSet<_> = users.map(|it| it.database.as_str()).collect();
        // One that was made meanwhile comes by the oplog alone.
        let operations = &archive.operations;
        databases.extend(operations.databases.iter().map(String::as_str));
        for database in databases {
            let mut database = DatabaseDetails::new(database, name, &archive.namespaces)?;
            for collection in &mut database.collections {
                collection.redefined = operations.redefine(&database.name, &collection.name);
            }
            details.databases.push(database);
        }
    }
    Ok(details)
}

/// What the manifest says of the collections in an archive; a view has no documents of its own.
fn data(namespaces: &[Namespace]) -> Vec<Data> {
    let users = namespaces
        .iter()
        .filter(|it| it.is_users() && it.kind != "view");
    users
        .map(|it| Data {
            table: format!("{}.{}", it.database, it.collection),
            rows: it.tally.rows,
            fingerprint: it.tally.fingerprint,
            member: None,
        })
        .collect()
}

fn has_users(archive: &Archive) -> bool {
    let users = ["system.users", "system.roles"];
    archive
        .namespaces
        .iter()
        .any(|it| it.database == "admin" && users.contains(&it.collection.as_str()))
}

fn without_nulls(mut details: Value) -> Value {
    if let Some(details) = details.as_object_mut() {
        details.retain(|_, value| !value.is_null());
    }
    details
}

/// What the tool is told of one database.
fn database_args(
    database: &str,
    parallelism: usize,
    excluded: Vec<String>,
    users: bool,
) -> Vec<String> {
    let mut args = vec![format!("--db={database}"), parallel(parallelism)];
    let excluded = excluded.iter();
    args.extend(excluded.map(|name| format!("--excludeCollection={name}")));
    if users {
        args.push("--dumpDbUsersAndRoles".to_owned());
    }
    args
}

fn parallel(n: usize) -> String {
    format!("--numParallelCollections={}", n.max(1))
}

/// A database's archive; `all` and `admin` are names of ours.
fn archive_name(database: &str) -> String {
    format!("databases/{}.archive", safe_component(database))
}

/// Why what is backed up will not be of one moment, if it will not.
async fn torn(
    server: &Server,
    options: &Options,
    scope: &Scope,
    all: bool,
) -> Result<Option<String>> {
    let partial = !scope.include.is_empty() || !scope.exclude.is_empty();
    let why = match without_oplog(server.topology, options, all, partial) {
        Some(why) => why.to_owned(),
        None => match server.has_oplog().await {
            Ok(true) => return Ok(None),
            Ok(false) => "the server keeps no oplog".to_owned(),
            Err(err) => err.to_string(),
        },
    };
    match options.oplog {
        Oplog::Required => Err(Error::new(
            Kind::Unfit,
            format!("BACKUP_OPLOG=required cannot be met: {why}"),
        )),
        _ => Ok(Some(why)),
    }
}

/// Why the oplog cannot be taken along, as far as that is known before it is looked for.
fn without_oplog(
    topology: Topology,
    options: &Options,
    all: bool,
    partial: bool,
) -> Option<&'static str> {
    match topology {
        _ if options.oplog == Oplog::Off => Some("BACKUP_OPLOG=off"),
        Topology::Standalone => Some("a standalone server has no oplog"),
        Topology::Sharded => Some("a sharded cluster has no oplog of its own"),
        Topology::ReplicaSet if !all => Some("mongodump takes the oplog along only with DB_NAME=*"),
        Topology::ReplicaSet if partial => {
            Some("mongodump takes the oplog along only with all collections")
        }
        Topology::ReplicaSet if options.backup_users == Users::Never => Some(
            "mongodump takes the oplog along only with users and roles, and BACKUP_USERS=false",
        ),
        Topology::ReplicaSet => None,
    }
}

fn refuse_halves(scope: &Scope) -> Result<()> {
    let key = match scope.content {
        Content::All => return Ok(()),
        Content::SchemaOnly => "SCHEMA_ONLY",
        Content::DataOnly => "DATA_ONLY",
    };
    Err(Error::new(
        Kind::Config,
        format!(
            "{key}: an archive of mongodump holds definitions and documents together; leave it out"
        ),
    ))
}

#[cfg(test)]
mod tests;

//! Rows, sequences and large objects into the new database, in parallel.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use runner_core::engine::Target;
use runner_core::error::{Error, Kind, Result};
use runner_core::manifest::Artifact;
use runner_core::source::Backup;
use runner_core::stream::ByteStream;
use runner_core::tar_in::Tables;
use runner_core::workers::{each, unless_cancelled};
use tokio_util::sync::CancellationToken;

use super::Context;
use super::guard::Guard;
use crate::details::{DatabaseDetails, Table};
use crate::engine::Server;
use crate::options::Options;
use crate::session::Pool;
use crate::{largeobjects, sql};

/// What a worker needs to load one artifact.
struct Loader {
    backup: Backup,
    pool: Pool,
    /// By their names in the manifest.
    tables: BTreeMap<String, Table>,
    progress: runner_core::progress::Progress,
}

/// Loads all wanted rows, largest artifacts first, and checks that the server took as many as the manifest
/// counts.
pub(super) async fn rows(context: &Context<'_>, pool: &Pool) -> Result<u64> {
    let tables: BTreeMap<String, Table> = context
        .tables()
        .map(|table| (context.database.data_name(table), table.clone()))
        .collect();
    let mut artifacts: Vec<Artifact> = context
        .backup
        .artifacts()
        .iter()
        .filter(|artifact| matches!(artifact.kind.as_str(), "rows" | "small"))
        .filter(|artifact| {
            artifact
                .data
                .iter()
                .any(|data| tables.contains_key(&data.table))
        })
        .cloned()
        .collect();
    artifacts.sort_by_key(|artifact| std::cmp::Reverse(artifact.logical_bytes));
    context.target.progress.begin(
        "load rows",
        artifacts
            .iter()
            .map(|artifact| artifact.logical_bytes)
            .sum(),
    );
    tracing::info!(
        database = context.database.name,
        tables = tables.len(),
        "load rows"
    );
    let loader = Arc::new(Loader {
        backup: context.backup.clone(),
        pool: pool.clone(),
        tables,
        progress: context.target.progress.clone(),
    });
    let guard = Guard::hold(context, pool, &artifacts).await;
    let cancel = &context.target.cancel;
    let done = each(
        artifacts,
        context.target.parallelism,
        cancel,
        |artifact, stop| {
            let loader = Arc::clone(&loader);
            async move { unless_cancelled(&stop, loader.load(&artifact)).await }
        },
    );
    let done = done.await?;
    guard.release(pool).await;
    Ok(done.into_iter().sum())
}

impl Loader {
    async fn load(&self, artifact: &Artifact) -> Result<u64> {
        let body = self.backup.open(artifact, self.progress.clone());
        match artifact.kind.as_str() {
            "small" => self.load_tar(artifact, body).await,
            _ => match artifact.data.as_slice() {
                [data] => self.load_table(&data.table, data.rows, body).await,
                _ => Err(Error::new(
                    Kind::Integrity,
                    format!("{} holds no one table", artifact.path),
                )),
            },
        }
    }

    async fn load_table(&self, name: &str, expected: u64, body: ByteStream) -> Result<u64> {
        let Some(table) = self.tables.get(name) else {
            return Ok(0);
        };
        let mut connection = self.pool.take().await?;
        let taken = connection.copy_in(&table.copy_in_sql(), body).await;
        let rows = taken.map_err(|err| err.while_doing(format!("load {name}")))?;
        self.pool.give(connection);
        self.progress.add_rows(rows);
        if rows == expected {
            return Ok(rows);
        }
        Err(Error::new(
            Kind::Integrity,
            format!(
                "{name}: the server took {rows} rows of {expected}; a rule or trigger may have changed them"
            ),
        ))
    }

    /// One table after the other, each a copy of its own.
    async fn load_tar(&self, artifact: &Artifact, body: ByteStream) -> Result<u64> {
        let mut tables = Tables::new(artifact, body);
        let mut rows = 0;
        while let Some((data, mut body)) = tables.next().await? {
            if self.tables.contains_key(&data.table) {
                rows += self.load_table(&data.table, data.rows, body).await?;
                continue;
            }
            while let Some(block) = body.next().await {
                block?;
            }
        }
        Ok(rows)
    }
}

/// Sequence values, then large objects; gives the rows that the manifest counts in these.
pub(super) async fn scripts(context: &Context<'_>, pool: &Pool) -> Result<u64> {
    let options = context.options;
    let owners = !options.no_owner && options.owner.is_none();
    let privileges = !options.no_privileges;
    let mut rows = 0;
    for kind in ["sequences", "large_objects"] {
        let prefix = &context.database.prefix;
        let artifacts = context.backup.of_kind(kind).filter(|artifact| {
            let name = context.backup.manifest().name(artifact);
            let directory = name
                .rsplit_once('/')
                .map(|(directory, _)| directory)
                .unwrap_or_default();
            directory == prefix.trim_end_matches('/')
        });
        for artifact in artifacts {
            tracing::info!(database = context.database.name, what = kind, "restore");
            let body = context
                .backup
                .open(artifact, context.target.progress.clone());
            let role = options.owner.as_deref().filter(|_| kind == "large_objects");
            let run = run_lines(pool, body, role, move |line| {
                largeobjects::is_wanted(line, owners, privileges)
            });
            unless_cancelled(&context.target.cancel, run)
                .await
                .map_err(|err| err.while_doing(format!("restore {kind}")))?;
            rows += artifact.data.iter().map(|data| data.rows).sum::<u64>();
        }
    }
    Ok(rows)
}

/// Statements sent together; a large object that is created or granted holds a lock until the end of them.
const BATCH_LINES: usize = 100;
const BATCH_BYTES: usize = 1 << 20;

/// Runs a script of one statement a line, as `role` if there is one.
async fn run_lines(
    pool: &Pool,
    mut body: ByteStream,
    role: Option<&str>,
    wanted: impl Fn(&str) -> bool,
) -> Result<()> {
    let mut connection = pool.take().await?;
    if let Some(role) = role {
        let statement = format!("SET ROLE {}", sql::ident(role));
        connection.execute(&statement).await?;
    }
    let mut held = BytesMut::new();
    let (mut batch, mut n_lines) = (String::new(), 0);
    loop {
        let block: Option<Bytes> = body.next().await.transpose()?;
        let ended = block.is_none();
        held.extend_from_slice(&block.unwrap_or_default());
        while let Some(at) = held.iter().position(|byte| *byte == b'\n') {
            let line = held.split_to(at + 1);
            let line = std::str::from_utf8(&line).map_err(|err| {
                Error::new(Kind::Integrity, "a script that is not UTF-8").because(err)
            })?;
            if wanted(line) {
                batch.push_str(line);
                n_lines += 1;
            }
            if n_lines >= BATCH_LINES || batch.len() >= BATCH_BYTES {
                connection.execute(&std::mem::take(&mut batch)).await?;
                n_lines = 0;
            }
        }
        if ended {
            break;
        }
    }
    if n_lines > 0 {
        connection.execute(&batch).await?;
    }
    if role.is_some() {
        connection.execute("RESET ROLE").await?;
    }
    pool.give(connection);
    Ok(())
}

/// For a backup without a schema: the tables must be there and empty, or may be emptied. Nothing is touched.
pub(super) async fn refuse_filled(
    server: &Server,
    database: &DatabaseDetails,
    name: &str,
    target: &Target,
    options: &Options,
) -> Result<()> {
    let mut connection = server.connect(name).await?;
    let filled = |what: String, full: Option<String>| match full.as_deref() {
        Some("t") if !target.drop_existing => Err(Error::new(
            Kind::Unfit,
            format!(
                "{what} in {name:?} is not empty and nothing was changed; set RESTORE_DROP_EXISTING=true to replace it"
            ),
        )),
        _ => Ok(()),
    };
    for table in super::tables_of(database, target, options) {
        let statement = format!("SELECT EXISTS (SELECT FROM ONLY {})", own_rows(table));
        let full = connection.query_one(&statement).await.map_err(|err| {
            err.while_doing(format!(
                "look into {}: a DATA_ONLY backup restores into tables that are there",
                table.display_name()
            ))
        })?;
        filled(format!("the table {}", table.display_name()), full)?;
    }
    if database.n_large_objects > 0 {
        let statement = "SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)";
        let full = connection.query_one(statement).await?;
        filled("the set of large objects".to_owned(), full)?;
    }
    connection.close().await;
    Ok(())
}

/// A table and the condition that tells a user's rows in it.
fn own_rows(table: &Table) -> String {
    let condition = table.condition.as_deref().unwrap_or_default();
    format!("{} {condition}", table.sql_name())
}

/// For a backup without a schema: removes the rows that are to be replaced. Foreign keys and triggers are switched
/// off for the load where the login may do that.
pub(super) async fn make_room(context: &Context<'_>, pool: &Pool) -> Result<()> {
    let mut connection = pool.take().await?;
    if context.target.drop_existing {
        tracing::warn!("the rows that are there are removed");
        // Of an extension's table some rows are not ours.
        let (part, whole): (Vec<&Table>, Vec<&Table>) = context
            .tables()
            .partition(|table| table.condition.is_some());
        let whole: Vec<String> = whole.into_iter().map(Table::sql_name).collect();
        if !whole.is_empty() {
            let statement = format!("TRUNCATE ONLY {}", whole.join(", ONLY "));
            connection.execute(&statement).await?;
        }
        for table in part {
            let statement = format!("DELETE FROM ONLY {}", own_rows(table));
            connection.execute(&statement).await?;
        }
    }
    if context.target.drop_existing && context.database.n_large_objects > 0 {
        tracing::warn!("the large objects that are there are removed");
        let statement = "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata";
        connection.execute(statement).await?;
    }
    if context.server.is_superuser {
        tracing::debug!("triggers and foreign keys do not fire during the load");
        pool.add_prologue("SET session_replication_role = replica");
        connection
            .execute("SET session_replication_role = replica")
            .await?;
    }
    pool.give(connection);
    Ok(())
}

impl Context<'_> {
    /// Whether the backup's tablespaces are unknown here, so that everything goes to the default one.
    pub(super) fn lacks_tablespaces(&self) -> bool {
        !self.database.tablespaces.is_empty()
    }

    /// The sessions' cancellation.
    pub(super) fn cancel(&self) -> &CancellationToken {
        &self.target.cancel
    }

    /// The statement that counts a table's rows that the backup holds.
    pub(super) fn count_sql(table: &Table) -> String {
        format!("SELECT pg_catalog.count(*) FROM ONLY {}", own_rows(table))
    }
}

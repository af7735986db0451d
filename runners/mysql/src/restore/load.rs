//! Tables, rows and indexes into the database that is filled.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, stream};
use runner_core::error::{Error, Kind, Result};
use runner_core::manifest::Artifact;
use runner_core::progress::Progress;
use runner_core::source::Backup;
use runner_core::stream::ByteStream;
use runner_core::tar_in::Tables;
use runner_core::workers::{each, unless_cancelled};

use super::{Context, insert};
use crate::details::Table;
use crate::session::Pool;
use crate::sql;
use crate::wire::has_code;

/// What a worker needs to load one artifact.
struct Loader {
    backup: Backup,
    pool: Pool,
    /// By their names in the manifest.
    tables: BTreeMap<String, Table>,
    progress: Progress,
    has_local_infile: bool,
    /// `LOAD DATA` fills shapes that may not be NULL.
    loads_shapes: bool,
    insert_bytes: usize,
}

/// Loads all wanted rows, largest artifacts first, and checks that the server took as many as the manifest
/// counts.
pub(super) async fn rows(context: &Context<'_>, pool: &Pool) -> Result<u64> {
    let tables: BTreeMap<String, Table> = context
        .tables()
        .map(|table| (context.database.data_name(table), table.clone()))
        .collect();
    let is_wanted = |artifact: &&Artifact| {
        let is_rows = matches!(artifact.kind.as_str(), "rows" | "small");
        is_rows
            && artifact
                .data
                .iter()
                .any(|it| tables.contains_key(&it.table))
    };
    let artifacts = context.backup.artifacts().iter().filter(is_wanted);
    let mut artifacts: Vec<Artifact> = artifacts.cloned().collect();
    artifacts.sort_by_key(|artifact| std::cmp::Reverse(artifact.logical_bytes));
    let n_bytes = artifacts
        .iter()
        .map(|artifact| artifact.logical_bytes)
        .sum();
    context.target.progress.begin("load rows", n_bytes);
    let server = context.server;
    tracing::info!(
        database = context.database.name,
        tables = tables.len(),
        by = if server.has_local_infile {
            "LOAD DATA LOCAL"
        } else {
            "INSERT, as local_infile is off"
        },
        "load rows"
    );
    let has_shapes = tables.values().any(Table::has_shapes);
    let loads_shapes = match server.has_local_infile && has_shapes {
        true => loads_shapes(pool).await?,
        false => true,
    };
    let loader = Arc::new(Loader {
        loads_shapes,
        backup: context.backup.clone(),
        pool: pool.clone(),
        tables,
        progress: context.target.progress.clone(),
        has_local_infile: server.has_local_infile,
        insert_bytes: insert::statement_bytes(server.max_packet_bytes),
    });
    let (parallelism, cancel) = (context.target.parallelism, &context.target.cancel);
    let done = each(artifacts, parallelism, cancel, |artifact, stop| {
        let loader = Arc::clone(&loader);
        async move { unless_cancelled(&stop, loader.load(&artifact)).await }
    });
    Ok(done.await?.into_iter().sum())
}

/// Tries it: MySQL 8.0.15 says that such a column has no default, though the file fills it.
async fn loads_shapes(pool: &Pool) -> Result<bool> {
    let mut connection = pool.take().await?;
    connection
        .execute("CREATE TEMPORARY TABLE planb_shape (id int PRIMARY KEY AUTO_INCREMENT, g geometry NOT NULL)")
        .await?;
    // POINT(1 1), as it is stored.
    let mut line = vec![0, 0, 0, 0, 1, 1, 0, 0, 0];
    line.extend_from_slice(&[1_f64.to_le_bytes(), 1_f64.to_le_bytes()].concat());
    let line: Vec<u8> = line
        .iter()
        .flat_map(|byte| match byte {
            0 => b"\\0".to_vec(),
            byte => vec![*byte],
        })
        .chain([b'\n'])
        .collect();
    let file = "LOAD DATA LOCAL INFILE 'planb' INTO TABLE planb_shape CHARACTER SET binary (g)";
    let body = stream::once(async move { Ok(line.into()) }).boxed();
    let loaded = connection.load(file, body).await;
    connection
        .execute("DROP TEMPORARY TABLE planb_shape")
        .await?;
    pool.give(connection);
    match loaded {
        Ok(_) => Ok(true),
        Err(err) if has_code(&err, 1364) => {
            tracing::info!(reason = %err, "tables with shapes are filled by INSERT");
            Ok(false)
        }
        Err(err) => Err(err.while_doing("try to load a shape")),
    }
}

impl Loader {
    async fn load(&self, artifact: &Artifact) -> Result<u64> {
        let body = self.backup.open(artifact, self.progress.clone());
        if artifact.kind == "small" {
            return self.load_tar(artifact, body).await;
        }
        match artifact.data.as_slice() {
            [data] => self.load_table(&data.table, data.rows, body).await,
            _ => Err(Error::new(
                Kind::Integrity,
                format!("{} holds no one table", artifact.path),
            )),
        }
    }

    async fn load_table(&self, name: &str, expected: u64, body: ByteStream) -> Result<u64> {
        let Some(table) = self.tables.get(name) else {
            return Ok(0);
        };
        let mut connection = self.pool.take().await?;
        let by_file = self.has_local_infile && (self.loads_shapes || !table.has_shapes());
        let taken = match by_file {
            true => connection.load(&table.load_sql(None, "planb"), body).await,
            false => insert::load(&mut connection, table, body, self.insert_bytes).await,
        };
        let loaded = taken.map_err(|err| explain(err, name))?;
        self.pool.give(connection);
        self.progress.add_rows(loaded.rows);
        if loaded.warnings > 0 {
            tracing::warn!(
                table = name,
                warnings = loaded.warnings,
                "the server had to adapt values; the proof will tell"
            );
        }
        match loaded.rows == expected {
            true => Ok(loaded.rows),
            false => Err(Error::new(
                Kind::Integrity,
                format!("{name}: the server took {} rows of {expected}", loaded.rows),
            )),
        }
    }

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

fn explain(err: Error, name: &str) -> Error {
    let doing = format!("load {name}");
    match has_code(&err, 1153) || has_code(&err, 1197) {
        true => err.while_doing(format!("{doing}; raise max_allowed_packet of the server")),
        false => err.while_doing(doing),
    }
}

/// For a backup without a schema: removes the rows that are to be replaced.
pub(super) async fn make_room(context: &Context<'_>, pool: &Pool) -> Result<()> {
    if !context.target.drop_existing {
        return Ok(());
    }
    tracing::warn!("the rows that are there are removed");
    let mut connection = pool.take().await?;
    for table in context.tables() {
        // Not TRUNCATE, which a foreign key from another table forbids.
        let statement = format!("DELETE FROM {}", sql::ident(&table.name));
        connection.execute(&statement).await?;
    }
    pool.give(connection);
    Ok(())
}

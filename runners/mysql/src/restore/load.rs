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
use crate::schema::{HEADER, Header};
use crate::script::{Splitter, without_comments};
use crate::session::Pool;
use crate::sql;
use crate::wire::has_code;

/// A statement of a script, and what its header says it is about.
pub(super) struct Statement {
    pub(super) header: Header,
    pub(super) text: Vec<u8>,
}

impl Context<'_> {
    /// The statements of this database's script of one kind, as they come.
    pub(super) fn statements(&self, kind: &str) -> Option<Statements> {
        let prefix = self.database.prefix.trim_end_matches('/');
        let mut artifacts = self.backup.of_kind(kind);
        let artifact = artifacts.find(|artifact| {
            let name = self.backup.manifest().name(artifact);
            let directory = name.rsplit_once('/').map(|(directory, _)| directory);
            directory.unwrap_or_default() == prefix
        })?;
        Some(Statements::of(self.backup, artifact))
    }
}

pub(super) struct Statements {
    body: ByteStream,
    splitter: Splitter,
    header: Header,
    ended: bool,
}

impl Statements {
    pub(super) fn of(backup: &Backup, artifact: &Artifact) -> Self {
        Self {
            body: backup.open(artifact, Progress::default()),
            splitter: Splitter::default(),
            header: Header::default(),
            ended: false,
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Statement>> {
        loop {
            if let Some(statement) = self.splitter.next_statement()? {
                if let Some(header) = header(&statement)? {
                    self.header = header;
                }
                return Ok(Some(Statement {
                    header: self.header.clone(),
                    text: without_comments(&statement).to_vec(),
                }));
            }
            if self.ended {
                return Ok(None);
            }
            match self.body.next().await {
                Some(block) => self.splitter.feed(&block?),
                None => {
                    self.ended = true;
                    self.splitter.end();
                }
            }
        }
    }
}

/// The header among the comments in front of a statement.
fn header(statement: &[u8]) -> Result<Option<Header>> {
    let code = without_comments(statement);
    let comments = statement
        .get(..statement.len() - code.len())
        .unwrap_or_default();
    let comments = String::from_utf8_lossy(comments);
    let line = comments.lines().find_map(|line| line.strip_prefix(HEADER));
    line.map(|json| {
        serde_json::from_str(json).map_err(|err| {
            Error::new(Kind::Integrity, "a script with a broken header").because(err)
        })
    })
    .transpose()
}

/// Runs a script in one session.
pub(super) async fn script(
    context: &Context<'_>,
    pool: &Pool,
    kind: &str,
    working: &str,
) -> Result<()> {
    let Some(mut statements) = context.statements(kind) else {
        return Ok(());
    };
    tracing::info!(database = context.database.name, "create tables");
    let mut connection = pool.take().await?;
    while let Some(statement) = statements.next().await? {
        let text = rename(&statement.text, &context.database.name, working);
        connection
            .execute(&text)
            .await
            .map_err(|err| doing(err, &statement.header))?;
    }
    connection.execute(sql::RAW_RESULTS).await?;
    pool.give(connection);
    Ok(())
}

pub(super) fn doing(err: Error, header: &Header) -> Error {
    err.while_doing(format!("create the {} {:?}", header.kind, header.name))
}

/// Puts another database's name where a definition names its own, as MariaDB's `nextval(…)` and some views do.
pub(super) fn rename(text: &[u8], from: &str, to: &str) -> Vec<u8> {
    if from == to {
        return text.to_vec();
    }
    let (old, new) = (
        format!("{}.`", sql::ident(from)),
        format!("{}.`", sql::ident(to)),
    );
    let (old, new) = (old.as_bytes(), new.as_bytes());
    let mut renamed = Vec::with_capacity(text.len());
    let mut quote = None;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        if quote.is_none() && rest.starts_with(old) {
            renamed.extend_from_slice(new);
            at += old.len();
            quote = Some(b'`');
            continue;
        }
        match (quote, byte) {
            (None, b'\'' | b'"' | b'`') => quote = Some(*byte),
            (Some(b'\'' | b'"'), b'\\') => {
                renamed.push(*byte);
                at += 1;
            }
            // A doubled quote is one of the text's own.
            (Some(open), _) if *byte == open && rest.get(1) == Some(&open) => {
                renamed.push(*byte);
                at += 1;
            }
            (Some(open), _) if *byte == open => quote = None,
            _ => {}
        }
        renamed.extend(text.get(at));
        at += 1;
    }
    renamed
}

/// Adds secondary indexes in parallel, then foreign keys one after the other.
pub(super) async fn indexes(context: &Context<'_>, pool: &Pool) -> Result<()> {
    let Some(mut statements) = context.statements("indexes") else {
        return Ok(());
    };
    let (mut by_table, mut foreign_keys) = (BTreeMap::<String, Vec<Statement>>::new(), Vec::new());
    while let Some(statement) = statements.next().await? {
        match statement.header.kind.as_str() {
            "indexes" => by_table
                .entry(statement.header.name.clone())
                .or_default()
                .push(statement),
            "foreign keys" => foreign_keys.push(statement),
            // Settings, which every session of the pool has anyway.
            _ => {}
        }
    }
    tracing::info!(
        database = context.database.name,
        tables = by_table.len(),
        "add indexes"
    );
    let (parallelism, cancel) = (context.target.parallelism, &context.target.cancel);
    let tables: Vec<Vec<Statement>> = by_table.into_values().collect();
    each(tables, parallelism, cancel, |statements, stop| {
        let pool = pool.clone();
        async move { unless_cancelled(&stop, run_all(&pool, statements)).await }
    })
    .await?;
    // Two that point to one table would wait for each other.
    run_all(pool, foreign_keys).await
}

async fn run_all(pool: &Pool, statements: Vec<Statement>) -> Result<()> {
    let mut connection = pool.take().await?;
    for statement in statements {
        let run = connection.execute(&statement.text).await;
        run.map_err(|err| {
            let Header { kind, name } = &statement.header;
            err.while_doing(format!("add the {kind} of {name:?}"))
        })?;
    }
    pool.give(connection);
    Ok(())
}

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
        .execute("CREATE TEMPORARY TABLE planb_shape (g geometry NOT NULL)")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_renamed_where_it_is_named_and_not_where_it_is_text() {
        let text = b"select `shop`.`t`.`a`, 'it''s `shop`.`t`', `x``shop`.`y` from `shop`.`t` where \"\\\"`shop`.`z`\"";
        let renamed = rename(text, "shop", "new");
        assert_eq!(
            String::from_utf8(renamed).unwrap(),
            "select `new`.`t`.`a`, 'it''s `shop`.`t`', `x``shop`.`y` from `new`.`t` where \"\\\"`shop`.`z`\""
        );
    }

    #[test]
    fn a_header_is_found_among_comments() {
        let statement =
            b"-- hello\n\n-- planb: {\"kind\":\"view\",\"name\":\"a\\nb\"}\nCREATE VIEW x";
        let header = header(statement).unwrap().unwrap();
        assert_eq!(
            (header.kind.as_str(), header.name.as_str()),
            ("view", "a\nb")
        );
        assert!(super::header(b"SELECT 1").unwrap().is_none());
    }
}

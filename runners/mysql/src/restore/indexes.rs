//! Secondary indexes and foreign keys: which are there while rows come in, and which follow.

use std::collections::BTreeMap;

use runner_core::error::Result;
use runner_core::workers::{each, unless_cancelled};

use super::Context;
use super::statements::Statement;
use crate::details::Table;
use crate::schema::Header;
use crate::server::{Family, numbers};
use crate::session::Pool;

/// From here on MySQL has `innodb_ddl_threads`, says its manual; versions around it were not measured.
const PARALLEL_SORTING: [u32; 3] = [8, 0, 27];

/// What a backup's script of indexes says, by when it is done.
#[derive(Default)]
pub(super) struct Indexes {
    /// By table: before its rows.
    early: Vec<Vec<Statement>>,
    /// By table: after its rows.
    late: Vec<Vec<Statement>>,
    foreign_keys: Vec<Statement>,
}

impl Indexes {
    /// Reads the script. MySQL 5.7.22 and 8.0.15 were seen to write the pages of an index that they build by sorting one
    /// at a time and to wait for the disk at each, so that an index which fits into memory is made faster while the rows
    /// come in. On 9.7.4 and MariaDB it is the other way round.
    pub(super) async fn read(context: &Context<'_>) -> Result<Self> {
        let mut indexes = Self::default();
        let Some(mut statements) = context.statements("indexes") else {
            return Ok(indexes);
        };
        let mut by_table = BTreeMap::<String, Vec<Statement>>::new();
        while let Some(statement) = statements.next().await? {
            match statement.header.kind.as_str() {
                "indexes" => by_table
                    .entry(statement.header.name.clone())
                    .or_default()
                    .push(statement),
                "foreign keys" => indexes.foreign_keys.push(statement),
                // Settings, which every session of the pool has anyway.
                _ => {}
            }
        }
        // Half of the memory for pages, shared by the tables that are filled at one time.
        let server = context.server;
        let limit = match server.family {
            Family::MySql if numbers(&server.version) < PARALLEL_SORTING => {
                server.buffer_pool_bytes / 2 / context.target.parallelism.max(1) as u64
            }
            _ => 0,
        };
        let (sizes, tables) = (sizes(context), by_name(context));
        for (name, statements) in by_table {
            let bytes = tables.get(name.as_str()).map(|table| {
                let size = sizes.get(&context.database.data_name(table));
                estimate(&statements, table, size.copied().unwrap_or(0))
            });
            match bytes.flatten().is_some_and(|bytes| bytes < limit) {
                true => indexes.early.push(statements),
                false => indexes.late.push(statements),
            }
        }
        Ok(indexes)
    }

    /// To be called when the tables are empty.
    pub(super) async fn add_early(&mut self, pool: &Pool) -> Result<()> {
        for statements in std::mem::take(&mut self.early) {
            run_all(pool, statements).await?;
        }
        Ok(())
    }

    /// To be called when the tables are full: secondary indexes in parallel, then foreign keys one after the other.
    pub(super) async fn add_late(self, context: &Context<'_>, pool: &Pool) -> Result<()> {
        tracing::info!(
            database = context.database.name,
            tables = self.late.len(),
            "add indexes"
        );
        let (parallelism, cancel) = (context.target.parallelism, &context.target.cancel);
        each(self.late, parallelism, cancel, |statements, stop| {
            let pool = pool.clone();
            async move { unless_cancelled(&stop, run_all(&pool, statements)).await }
        })
        .await?;
        // Two that point to one table would wait for each other.
        run_all(pool, self.foreign_keys).await
    }
}

/// Bytes of rows that each table is going to get; tables that share an artifact are too small to be told apart.
fn sizes(context: &Context<'_>) -> BTreeMap<String, u64> {
    let mut sizes = BTreeMap::new();
    for artifact in context.backup.of_kind("rows") {
        for data in &artifact.data {
            *sizes.entry(data.table.clone()).or_default() += artifact.logical_bytes;
        }
    }
    sizes
}

fn by_name<'a>(context: &'a Context<'_>) -> BTreeMap<&'a str, &'a Table> {
    let tables = context.database.tables.iter();
    tables.map(|table| (table.name.as_str(), table)).collect()
}

/// About how many bytes these indexes will have, if all columns are of one size; `None` for kinds that are not trees.
fn estimate(statements: &[Statement], table: &Table, row_bytes: u64) -> Option<u64> {
    let mut n_columns = 0;
    for statement in statements {
        let text = String::from_utf8_lossy(&statement.text);
        if text.contains("FULLTEXT KEY") || text.contains("SPATIAL KEY") {
            return None;
        }
        // Beside the table's name: the indexes' names, which stand for the primary key in each, and their columns.
        n_columns += (text.matches('`').count() as u64 / 2).saturating_sub(1);
    }
    Some(row_bytes / table.columns.len().max(1) as u64 * n_columns)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::details::Column;

    #[test]
    fn indexes_are_estimated_by_their_share_of_the_columns() {
        let columns = ["id", "a", "b", "c"].map(|name| Column {
            name: name.to_owned(),
            ..Column::default()
        });
        let table = Table {
            name: "t".to_owned(),
            columns: columns.to_vec(),
            ..Table::default()
        };
        let estimate = |text: &str| {
            let statement = Statement {
                header: Header::default(),
                text: text.into(),
            };
            estimate(&[statement], &table, 4000)
        };
        assert_eq!(estimate("ALTER TABLE `t` ADD KEY `k` (`a`)"), Some(2000));
        assert_eq!(
            estimate("ALTER TABLE `t` ADD UNIQUE KEY `u` (`a`,`b`), ADD KEY `k` (`c`(10))"),
            Some(5000)
        );
        assert_eq!(estimate("ALTER TABLE `t` ADD FULLTEXT KEY `f` (`a`)"), None);
    }
}

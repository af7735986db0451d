//! The proof: what stands in the new database is what the dump's own snapshot held.

use std::collections::BTreeMap;
use std::sync::Arc;

use runner_core::engine::Verify;
use runner_core::error::{Error, Kind, Result};
use runner_core::fingerprint::{Tally, compare};
use runner_core::plan::{self, Unit};
use runner_core::rows as bodies;
use runner_core::workers::{each, unless_cancelled};

use super::Context;
use crate::cut;
use crate::dump;
use crate::largeobjects;
use crate::rows::{self, Job};
use crate::session::Pool;
use crate::tables::{self, Source};
use crate::wire::CopyFormat;

/// Compares every restored table with the manifest; how many were compared.
pub(super) async fn check(context: &Context<'_>, pool: &Pool, verify: Verify) -> Result<u64> {
    let expected = expected(context);
    tracing::info!(
        database = context.database.name,
        tables = expected.len(),
        "prove"
    );
    let actual = match verify {
        Verify::Counts => counts(context, pool).await?,
        _ => fingerprints(context, pool).await?,
    };
    compare(&expected, &actual, verify)?;
    Ok(expected.len() as u64)
}

/// The manifest's word on what this restore was to bring.
fn expected(context: &Context<'_>) -> BTreeMap<String, Tally> {
    let prefix = &context.database.prefix;
    let mut tallies = context.backup.manifest().tallies();
    let mut wanted: Vec<String> = context
        .tables()
        .map(|table| context.database.data_name(table))
        .collect();
    if context.database.n_large_objects > 0 {
        wanted.extend(
            [largeobjects::OBJECTS, largeobjects::CONTENT].map(|name| format!("{prefix}{name}")),
        );
    }
    wanted
        .into_iter()
        .map(|name| (name.clone(), tallies.remove(&name).unwrap_or_default()))
        .collect()
}

async fn counts(context: &Context<'_>, pool: &Pool) -> Result<BTreeMap<String, Tally>> {
    let mut connection = pool.take().await?;
    let mut actual = BTreeMap::new();
    for table in context.tables() {
        let statement = Context::count_sql(table);
        let rows = unless_cancelled(context.cancel(), connection.query_one(&statement)).await?;
        let rows = rows.and_then(|rows| rows.parse().ok()).unwrap_or(0);
        actual.insert(
            context.database.data_name(table),
            Tally {
                rows,
                ..Tally::default()
            },
        );
    }
    pool.give(connection);
    if context.database.n_large_objects > 0 {
        for job in large_object_jobs(context) {
            actual.insert(
                job.data_name.clone(),
                bodies::tally(pool, &job, &context.target.progress).await?,
            );
        }
    }
    Ok(actual)
}

async fn fingerprints(context: &Context<'_>, pool: &Pool) -> Result<BTreeMap<String, Tally>> {
    let jobs = jobs(context, pool).await?;
    let progress = context.target.progress.clone();
    let manifest = context.backup.manifest();
    progress.begin("prove", manifest.logical_bytes);
    let pool = Arc::new(pool.clone());
    let tallies = each(
        jobs,
        context.target.parallelism,
        context.cancel(),
        |job, stop| {
            let (pool, progress) = (Arc::clone(&pool), progress.clone());
            async move {
                let tally =
                    unless_cancelled(&stop, bodies::tally(pool.as_ref(), &job, &progress)).await?;
                Ok((job.data_name, tally))
            }
        },
    );
    let mut actual = BTreeMap::<String, Tally>::new();
    for (name, tally) in tallies.await? {
        *actual.entry(name).or_default() += tally;
    }
    Ok(actual)
}

/// The tables as they stand here, cut into ranges as a backup would, read in the backup's columns and format.
async fn jobs(context: &Context<'_>, pool: &Pool) -> Result<Vec<Job>> {
    let mut connection = pool.take().await?;
    let here = tables::read(&mut connection, None).await?;
    pool.give(connection);
    let here: BTreeMap<String, Source> = here
        .into_iter()
        .map(|source| (source.table.plain_name(), source))
        .collect();
    let mut sources = Vec::new();
    for table in context.tables() {
        let found = here.get(&table.plain_name()).ok_or_else(|| {
            Error::new(
                Kind::Integrity,
                format!(
                    "the table {} is not in the restored database",
                    table.display_name()
                ),
            )
        })?;
        sources.push(Source {
            table: table.clone(),
            ..found.clone()
        });
    }
    let prefix = &context.database.prefix;
    let mut jobs = Vec::new();
    let (parallelism, has_scan) = (
        context.target.parallelism,
        context.server.has_tid_range_scan,
    );
    let units = plan::units(sources.iter().map(|source| {
        (
            source.size_bytes,
            cut::ranges(source, parallelism, has_scan, None),
        )
    }));
    for (unit, _) in units {
        match unit {
            Unit::Rows { table, range, .. } => {
                jobs.extend(
                    sources
                        .get(table)
                        .map(|source| dump::job(prefix, &source.table, range.as_deref())),
                );
            }
            Unit::Small(tables) => {
                let sources = tables.iter().filter_map(|table| sources.get(*table));
                jobs.extend(sources.map(|source| dump::job(prefix, &source.table, None)));
            }
        }
    }
    if context.database.n_large_objects > 0 {
        jobs.extend(large_object_jobs(context));
    }
    Ok(jobs)
}

fn large_object_jobs(context: &Context<'_>) -> Vec<Job> {
    let prefix = &context.database.prefix;
    [largeobjects::OBJECTS, largeobjects::CONTENT]
        .into_iter()
        .filter_map(|name| {
            let sql = largeobjects::proof_sql(name)?;
            let data_name = format!("{prefix}{name}");
            Some(rows::job(data_name, sql, CopyFormat::Text, String::new()))
        })
        .collect()
}

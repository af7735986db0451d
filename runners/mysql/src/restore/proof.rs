//! The proof: what stands in the filled database is what the dump's snapshot held.

use std::collections::BTreeMap;
use std::sync::Arc;

use runner_core::engine::Verify;
use runner_core::error::Result;
use runner_core::fingerprint::{Tally, compare};
use runner_core::plan::{self, Unit};
use runner_core::rows::{self as bodies, Job};
use runner_core::workers::{each, unless_cancelled};

use super::Context;
use crate::rows::{self, Select};
use crate::session::Pool;
use crate::tables::{self, Source};
use crate::{cut, sql};

/// Compares every restored table with the manifest; how many were compared.
pub(super) async fn check(
    context: &Context<'_>,
    pool: &Pool,
    working: &str,
    verify: Verify,
) -> Result<u64> {
    let mut tallies = context.backup.manifest().tallies();
    let expected: BTreeMap<String, Tally> = context
        .tables()
        .map(|table| context.database.data_name(table))
        .map(|name| (name.clone(), tallies.remove(&name).unwrap_or_default()))
        .collect();
    tracing::info!(
        database = context.database.name,
        tables = expected.len(),
        "prove"
    );
    let actual = match verify {
        Verify::Counts => counts(context, pool, working).await?,
        _ => fingerprints(context, pool, working).await?,
    };
    compare(&expected, &actual, verify)?;
    Ok(expected.len() as u64)
}

async fn counts(
    context: &Context<'_>,
    pool: &Pool,
    working: &str,
) -> Result<BTreeMap<String, Tally>> {
    let mut connection = pool.take().await?;
    let mut actual = BTreeMap::new();
    for table in context.tables() {
        let name = sql::qualified(working, &table.name);
        let rows = connection
            .query_one(format!("SELECT count(*) FROM {name}"))
            .await?;
        let tally = Tally {
            rows: rows.and_then(|rows| rows.parse().ok()).unwrap_or(0),
            ..Tally::default()
        };
        actual.insert(context.database.data_name(table), tally);
    }
    pool.give(connection);
    Ok(actual)
}

async fn fingerprints(
    context: &Context<'_>,
    pool: &Pool,
    working: &str,
) -> Result<BTreeMap<String, Tally>> {
    let jobs = jobs(context, pool, working).await?;
    let progress = context.target.progress.clone();
    progress.begin("prove", context.backup.manifest().logical_bytes);
    let pool = Arc::new(pool.clone());
    let cancel = &context.target.cancel;
    let tallies = each(jobs, context.target.parallelism, cancel, |job, stop| {
        let (pool, progress) = (Arc::clone(&pool), progress.clone());
        async move {
            let read = bodies::tally(pool.as_ref(), &job, &progress);
            Ok((job.data_name.clone(), unless_cancelled(&stop, read).await?))
        }
    });
    let mut actual = BTreeMap::<String, Tally>::new();
    for (name, tally) in tallies.await? {
        *actual.entry(name).or_default() += tally;
    }
    Ok(actual)
}

/// The tables as they now stand, in ranges like those of a dump.
async fn jobs(context: &Context<'_>, pool: &Pool, working: &str) -> Result<Vec<Job<Select>>> {
    let mut connection = pool.take().await?;
    connection.execute(sql::TEXT_RESULTS).await?;
    let found = tables::read(&mut connection, working).await?;
    connection.execute(sql::RAW_RESULTS).await?;
    let mut found: BTreeMap<String, Source> = found
        .into_iter()
        .map(|source| (source.table.name.clone(), source))
        .collect();
    let mut sources = Vec::new();
    let mut ranges = Vec::new();
    for table in context.tables() {
        let mut source = found.remove(&table.name).unwrap_or_default();
        source.table = table.clone();
        let parallelism = context.target.parallelism;
        let cuts = cut::ranges(&mut connection, working, &source, parallelism).await?;
        ranges.push(cuts);
        sources.push(source);
    }
    pool.give(connection);
    let sizes = sources.iter().map(|source| source.size_bytes);
    let units = plan::units(sizes.zip(ranges));
    let mut jobs = Vec::new();
    for (unit, _) in units {
        let (tables, range) = match unit {
            Unit::Rows { table, range, .. } => (vec![table], range),
            Unit::Small(tables) => (tables, None),
        };
        for source in tables.iter().filter_map(|table| sources.get(*table)) {
            let range = range.as_deref();
            jobs.push(rows::job(
                context.database,
                &source.table,
                working,
                range,
                false,
            ));
        }
    }
    Ok(jobs)
}

//! How tables become pieces: pure arithmetic.

use std::ops::Range;

use crate::tables::Source;

/// Tables below this are read one after the other into shared tar artifacts.
const SMALL_BYTES: u64 = 4 << 20;
/// A tar is closed when its tables reach this size, or this number.
const TAR_BYTES: u64 = 64 << 20;
const TAR_TABLES: usize = 1000;
/// A range of a large table has about this size, so that the last worker to finish is not long alone and a
/// table of terabytes does not become too many objects.
const RANGE_BYTES: Range<u64> = (64 << 20)..(1 << 30);
/// Tables below this are never cut.
pub(crate) const SPLIT_BYTES: u64 = RANGE_BYTES.start;
/// Ranges per worker that a large table is cut into, size permitting.
const RANGES_PER_WORKER: u64 = 4;

/// One unit of reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A table, or the part of it that a `WHERE` condition selects; `n` of `of`.
    Rows {
        table: usize,
        range: Option<String>,
        n: usize,
        of: usize,
    },
    /// Tables that share a tar.
    Small(Vec<usize>),
}

/// Units with their estimated sizes in bytes, largest first.
pub(crate) fn plan(
    sources: &[Source],
    parallelism: usize,
    has_tid_range_scan: bool,
    key_bounds: &dyn Fn(usize) -> Option<(i64, i64)>,
) -> Vec<(Unit, u64)> {
    let mut units = Vec::new();
    let (mut tar, mut tar_bytes) = (Vec::new(), 0);
    for (table, source) in sources.iter().enumerate() {
        if source.size_bytes < SMALL_BYTES {
            tar.push(table);
            tar_bytes += source.size_bytes;
            if tar_bytes >= TAR_BYTES || tar.len() >= TAR_TABLES {
                units.push((Unit::Small(std::mem::take(&mut tar)), tar_bytes));
                tar_bytes = 0;
            }
            continue;
        }
        let ranges = ranges(source, table, parallelism, has_tid_range_scan, key_bounds);
        let (of, size_bytes) = (ranges.len(), source.size_bytes / ranges.len().max(1) as u64);
        units.extend(ranges.into_iter().enumerate().map(|(n, range)| {
            (
                Unit::Rows {
                    table,
                    range,
                    n,
                    of,
                },
                size_bytes,
            )
        }));
    }
    if !tar.is_empty() {
        units.push((Unit::Small(tar), tar_bytes));
    }
    units.sort_by_key(|(_, size_bytes)| std::cmp::Reverse(*size_bytes));
    units
}

/// The ranges of a large table; together they hold every row once, whatever the statistics say, because the
/// first and the last are open.
fn ranges(
    source: &Source,
    table: usize,
    parallelism: usize,
    has_tid_range_scan: bool,
    key_bounds: &dyn Fn(usize) -> Option<(i64, i64)>,
) -> Vec<Option<String>> {
    let wanted_bytes = (source.size_bytes / (parallelism as u64 * RANGES_PER_WORKER))
        .clamp(RANGE_BYTES.start, RANGE_BYTES.end);
    let n_ranges = source.size_bytes.div_ceil(wanted_bytes);
    if n_ranges < 2 {
        return vec![None];
    }
    if has_tid_range_scan && source.n_pages >= n_ranges {
        let bounds = cut(0, i128::from(source.n_pages), n_ranges);
        return between("ctid", &bounds, |page| {
            format!("'({page},0)'::pg_catalog.tid")
        });
    }
    match (&source.key, key_bounds(table)) {
        // On servers without TID range scans a ctid condition would read the whole table for every range.
        (Some(key), Some((min, max))) if !has_tid_range_scan => {
            let bounds = cut(i128::from(min), i128::from(max) + 1, n_ranges);
            between(&crate::sql::ident(key), &bounds, |key| key.to_string())
        }
        _ => vec![None],
    }
}

/// The inner bounds that cut `from..to` into `n` even parts.
fn cut(from: i128, to: i128, n: u64) -> Vec<i128> {
    let (span, n) = (to - from, i128::from(n));
    let mut bounds: Vec<i128> = (1..n).map(|i| from + span * i / n).collect();
    bounds.dedup();
    bounds
}

fn between(column: &str, bounds: &[i128], literal: impl Fn(i128) -> String) -> Vec<Option<String>> {
    let lower = std::iter::once(None).chain(bounds.iter().map(Some));
    let upper = bounds.iter().map(Some).chain(std::iter::once(None));
    lower
        .zip(upper)
        .map(|(lower, upper)| match (lower, upper) {
            (None, None) => None,
            (Some(lower), None) => Some(format!("{column} >= {}", literal(*lower))),
            (None, Some(upper)) => Some(format!("{column} < {}", literal(*upper))),
            (Some(lower), Some(upper)) => Some(format!(
                "{column} >= {} AND {column} < {}",
                literal(*lower),
                literal(*upper)
            )),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::details::Table;

    fn source(size_bytes: u64, key: Option<&str>) -> Source {
        Source {
            table: Table::default(),
            size_bytes,
            n_pages: size_bytes / 8192,
            key: key.map(str::to_owned),
            unreadable: None,
        }
    }

    #[test]
    fn a_huge_table_uses_every_worker_and_ends_are_open() {
        let units = plan(&[source(600 << 20, None)], 2, true, &|_| None);
        assert_eq!(units.len(), 8);
        let ranges: Vec<&str> = units
            .iter()
            .filter_map(|(unit, _)| match unit {
                Unit::Rows { range, .. } => range.as_deref(),
                Unit::Small(_) => None,
            })
            .collect();
        assert_eq!(ranges[0], "ctid < '(9600,0)'::pg_catalog.tid");
        assert_eq!(
            ranges[1],
            "ctid >= '(9600,0)'::pg_catalog.tid AND ctid < '(19200,0)'::pg_catalog.tid"
        );
        assert_eq!(ranges[7], "ctid >= '(67200,0)'::pg_catalog.tid");
    }

    #[test]
    fn without_tid_range_scans_a_key_cuts_the_table_or_nothing_does() {
        let bounds = |_| Some((-10, i64::MAX));
        let units = plan(&[source(300 << 20, Some("id"))], 1, false, &bounds);
        assert_eq!(units.len(), 4);
        assert!(matches!(&units[0].0, Unit::Rows { range: Some(range), .. }
            if range == "\"id\" < 2305843009213693944"));
        assert_eq!(plan(&[source(300 << 20, None)], 1, false, &bounds).len(), 1);
    }

    #[test]
    fn a_key_with_few_values_never_makes_a_range_twice() {
        let units = plan(&[source(1 << 30, Some("id"))], 2, false, &|_| Some((5, 6)));
        assert_eq!(units.len(), 3, "5.., 6.. and the open end: {units:?}");
    }

    #[test]
    fn ten_thousand_small_tables_share_a_few_tars() {
        let sources = vec![source(16384, None); 10_000];
        let units = plan(&sources, 2, true, &|_| None);
        assert_eq!(units.len(), 10);
        let n_tables: usize = units
            .iter()
            .map(|(unit, _)| match unit {
                Unit::Small(tables) => tables.len(),
                Unit::Rows { .. } => 0,
            })
            .sum();
        assert_eq!(n_tables, 10_000);
    }

    #[test]
    fn the_largest_come_first() {
        let units = plan(
            &[
                source(5 << 20, None),
                source(1, None),
                source(40 << 20, None),
            ],
            2,
            true,
            &|_| None,
        );
        let sizes: Vec<u64> = units.iter().map(|(_, size_bytes)| *size_bytes).collect();
        assert_eq!(sizes, [40 << 20, 5 << 20, 1]);
    }
}

//! How tables become pieces: pure arithmetic.

use std::ops::Range;

use crate::sql::ident;
use crate::tables::Source;

/// Tables below this are read one after the other into shared tar artifacts.
const SMALL_BYTES: u64 = 4 << 20;
/// A tar is closed when its tables reach this size, or this number.
const TAR_BYTES: u64 = 64 << 20;
const TAR_TABLES: usize = 1000;
/// A range of a large table has about this size, so that the last worker to finish is not long alone, and a load
/// is no transaction that a server chokes on.
const RANGE_BYTES: Range<u64> = (32 << 20)..(256 << 20);
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

/// How many ranges a table of this size is worth.
pub(crate) fn n_ranges(size_bytes: u64, parallelism: usize) -> u64 {
    let wanted_bytes = (size_bytes / (parallelism.max(1) as u64 * RANGES_PER_WORKER))
        .clamp(RANGE_BYTES.start, RANGE_BYTES.end);
    size_bytes.div_ceil(wanted_bytes).max(1)
}

/// Units with their estimated sizes in bytes, largest first; `bounds` gives the literals that cut a table.
pub(crate) fn plan(sources: &[Source], bounds: &dyn Fn(usize) -> Vec<String>) -> Vec<(Unit, u64)> {
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
        let ranges = match &source.key {
            Some(key) => between(&ident(&key.name), &bounds(table)),
            None => vec![None],
        };
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

/// Together the ranges hold every row once, whatever the bounds are, because the first and the last are open.
fn between(column: &str, bounds: &[String]) -> Vec<Option<String>> {
    let lower = std::iter::once(None).chain(bounds.iter().map(Some));
    let upper = bounds.iter().map(Some).chain(std::iter::once(None));
    lower
        .zip(upper)
        .map(|(lower, upper)| match (lower, upper) {
            (None, None) => None,
            (Some(lower), None) => Some(format!("{column} >= {lower}")),
            (None, Some(upper)) => Some(format!("{column} < {upper}")),
            (Some(lower), Some(upper)) => {
                Some(format!("{column} >= {lower} AND {column} < {upper}"))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::KeyColumn;

    fn source(size_bytes: u64) -> Source {
        Source {
            size_bytes,
            key: Some(KeyColumn {
                name: "id".into(),
                ..KeyColumn::default()
            }),
            ..Source::default()
        }
    }

    #[test]
    fn a_huge_table_uses_every_worker_and_ends_are_open() {
        assert_eq!(n_ranges(600 << 20, 2), 8);
        let units = plan(&[source(600 << 20)], &|_| vec!["-5".into(), "7".into()]);
        let ranges: Vec<&str> = units
            .iter()
            .filter_map(|(unit, _)| match unit {
                Unit::Rows { range, .. } => range.as_deref(),
                Unit::Small(_) => None,
            })
            .collect();
        assert_eq!(
            ranges,
            ["`id` < -5", "`id` >= -5 AND `id` < 7", "`id` >= 7"]
        );
    }

    #[test]
    fn small_tables_share_tars_and_middling_ones_stay_whole() {
        assert_eq!(n_ranges(5 << 20, 8), 1);
        assert_eq!(n_ranges(0, 0), 1);
        let units = plan(&vec![source(16384); 10_000], &|_| vec![]);
        assert_eq!(units.len(), 10);
        let units = plan(&[source(5 << 20), source(1), source(40 << 20)], &|_| vec![]);
        let sizes: Vec<u64> = units.iter().map(|(_, size_bytes)| *size_bytes).collect();
        assert_eq!(sizes, [40 << 20, 5 << 20, 1]);
    }
}

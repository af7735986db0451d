//! How tables become pieces: pure arithmetic.

use std::ops::Range;

/// Tables below this, in bytes, are read one after the other into shared tar artifacts.
const SMALL_BYTES: u64 = 4 << 20;
/// A tar is closed when its tables reach this size, or this number.
const TAR_BYTES: u64 = 64 << 20;
const TAR_TABLES: usize = 1000;
/// Ranges per worker that a large table is cut into, size permitting.
const RANGES_PER_WORKER: u64 = 4;

/// One unit of reading; tables are named by their index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
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

/// Units with their estimated sizes, largest first, of tables with theirs, all in bytes, and with the conditions that cut
/// one which is not small; `None` alone stands for all of it.
pub fn units(tables: impl IntoIterator<Item = (u64, Vec<Option<String>>)>) -> Vec<(Unit, u64)> {
    let mut units = Vec::new();
    let (mut tar, mut tar_bytes) = (Vec::new(), 0);
    for (table, (table_bytes, ranges)) in tables.into_iter().enumerate() {
        if table_bytes < SMALL_BYTES {
            tar.push(table);
            tar_bytes += table_bytes;
            if tar_bytes >= TAR_BYTES || tar.len() >= TAR_TABLES {
                units.push((Unit::Small(std::mem::take(&mut tar)), tar_bytes));
                tar_bytes = 0;
            }
            continue;
        }
        let (of, size_bytes) = (ranges.len(), table_bytes / ranges.len().max(1) as u64);
        units.extend(ranges.into_iter().enumerate().map(|(n, range)| {
            let rows = Unit::Rows {
                table,
                range,
                n,
                of,
            };
            (rows, size_bytes)
        }));
    }
    if !tar.is_empty() {
        units.push((Unit::Small(tar), tar_bytes));
    }
    units.sort_by_key(|(_, size_bytes)| std::cmp::Reverse(*size_bytes));
    units
}

/// How many ranges a table of this size is worth, each of a size within `range_bytes` where the table allows it.
pub fn n_ranges(size_bytes: u64, parallelism: usize, range_bytes: &Range<u64>) -> u64 {
    let wanted_bytes = (size_bytes / (parallelism.max(1) as u64 * RANGES_PER_WORKER))
        .clamp(range_bytes.start, range_bytes.end);
    size_bytes.div_ceil(wanted_bytes).max(1)
}

/// Conditions that cut a table at the literals `bounds` of `column`, in ascending order. Together they hold every row once, whatever the
/// bounds are, because the first and the last are open.
pub fn between(column: &str, bounds: &[String]) -> Vec<Option<String>> {
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

    const RANGE_BYTES: Range<u64> = (32 << 20)..(256 << 20);

    #[test]
    fn a_huge_table_uses_every_worker_and_ends_are_open() {
        assert_eq!(n_ranges(600 << 20, 2, &RANGE_BYTES), 8);
        let bounds = ["-5".to_owned(), "7".to_owned()];
        let units = units([(600 << 20, between("id", &bounds))]);
        let ranges: Vec<&str> = units
            .iter()
            .filter_map(|(unit, _)| match unit {
                Unit::Rows { range, .. } => range.as_deref(),
                Unit::Small(_) => None,
            })
            .collect();
        assert_eq!(ranges, ["id < -5", "id >= -5 AND id < 7", "id >= 7"]);
        assert_eq!(between("id", &[]), [None]);
    }

    #[test]
    fn ten_thousand_small_tables_share_a_few_tars_and_middling_ones_stay_whole() {
        assert_eq!(n_ranges(5 << 20, 8, &RANGE_BYTES), 1);
        assert_eq!(n_ranges(0, 0, &RANGE_BYTES), 1);
        let units = units(vec![(16384, vec![None]); 10_000]);
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
        let units = units([5 << 20, 1, 40 << 20].map(|size_bytes| (size_bytes, vec![None])));
        let sizes: Vec<u64> = units.iter().map(|(_, size_bytes)| *size_bytes).collect();
        assert_eq!(sizes, [40 << 20, 5 << 20, 1]);
    }
}

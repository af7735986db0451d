//! How a large table is cut into ranges: pure arithmetic.

use std::ops::Range;

use runner_core::plan;

use crate::sql::ident;
use crate::tables::Source;

/// A range of a large table has about this size, so that the last worker to finish is not long alone and a
/// table of terabytes does not become too many objects.
const RANGE_BYTES: Range<u64> = (64 << 20)..(1 << 30);
/// Tables below this are never cut.
pub(crate) const SPLIT_BYTES: u64 = RANGE_BYTES.start;

/// The ranges of a table, as conditions; `key_bounds` are the least and the greatest key, where they are known.
pub(crate) fn ranges(
    source: &Source,
    parallelism: usize,
    has_tid_range_scan: bool,
    key_bounds: Option<(i64, i64)>,
) -> Vec<Option<String>> {
    let n_ranges = plan::n_ranges(source.size_bytes, parallelism, &RANGE_BYTES);
    if n_ranges < 2 {
        return vec![None];
    }
    if has_tid_range_scan && source.n_pages >= n_ranges {
        let pages = cut(0, i128::from(source.n_pages), n_ranges);
        let bounds: Vec<String> = pages
            .iter()
            .map(|page| format!("'({page},0)'::pg_catalog.tid"))
            .collect();
        return plan::between("ctid", &bounds);
    }
    match (&source.key, key_bounds) {
        // On servers without TID range scans a ctid condition would read the whole table for every range.
        (Some(key), Some((min, max))) if !has_tid_range_scan => {
            let keys = cut(i128::from(min), i128::from(max) + 1, n_ranges);
            let bounds: Vec<String> = keys.iter().map(i128::to_string).collect();
            plan::between(&ident(key), &bounds)
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
    fn a_huge_table_uses_every_worker_and_is_cut_by_its_pages() {
        let ranges = ranges(&source(600 << 20, None), 2, true, None);
        assert_eq!(ranges.len(), 8);
        let ranges: Vec<&str> = ranges.iter().flatten().map(String::as_str).collect();
        assert_eq!(ranges[0], "ctid < '(9600,0)'::pg_catalog.tid");
        assert_eq!(
            ranges[1],
            "ctid >= '(9600,0)'::pg_catalog.tid AND ctid < '(19200,0)'::pg_catalog.tid"
        );
        assert_eq!(ranges[7], "ctid >= '(67200,0)'::pg_catalog.tid");
    }

    #[test]
    fn without_tid_range_scans_a_key_cuts_the_table_or_nothing_does() {
        let bounds = Some((-10, i64::MAX));
        let by_key = ranges(&source(300 << 20, Some("id")), 1, false, bounds);
        assert_eq!(by_key.len(), 4);
        assert_eq!(by_key[0].as_deref(), Some("\"id\" < 2305843009213693944"));
        let whole = ranges(&source(300 << 20, None), 1, false, bounds);
        assert_eq!(whole, [None]);
    }

    #[test]
    fn a_key_with_few_values_never_makes_a_range_twice() {
        let ranges = ranges(&source(1 << 30, Some("id")), 2, false, Some((5, 6)));
        assert_eq!(ranges.len(), 3, "5.., 6.. and the open end: {ranges:?}");
    }
}

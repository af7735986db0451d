//! Where to cut a large table: at keys with about as many rows between them.

use std::ops::Range;

use runner_core::error::Result;
use runner_core::plan;

use crate::sql::{self, ident};
use crate::tables::{KeyColumn, Order, Source};
use crate::wire::Connection;

/// Estimates asked for at most, for each range that is wanted.
const ESTIMATES_PER_RANGE: usize = 16;

/// A range of a large table has about this size, so that the last worker to finish is not long alone, and a load
/// is no transaction that a server chokes on.
const RANGE_BYTES: Range<u64> = (32 << 20)..(256 << 20);

/// The conditions of a table's ranges; one range for a table that is not worth more or has no key.
pub(crate) async fn ranges(
    connection: &mut Connection,
    database: &str,
    source: &Source,
    parallelism: usize,
) -> Result<Vec<Option<String>>> {
    let n_ranges = plan::n_ranges(source.size_bytes, parallelism, &RANGE_BYTES);
    let Some(key) = source.key.as_ref().filter(|_| n_ranges > 1) else {
        return Ok(vec![None]);
    };
    let from = format!(
        "{} FORCE INDEX ({})",
        sql::qualified(database, &source.table.name),
        ident(&key.index)
    );
    let bounds = match key.order {
        Order::Integer => by_estimates(connection, &from, key, n_ranges as usize).await?,
        _ => by_steps(connection, &from, key, source.n_rows, n_ranges).await?,
    };
    Ok(plan::between(&ident(&key.name), &bounds))
}

/// An interval of integer keys, and how many rows the server thinks are in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    from: i128,
    to: i128,
    n_rows: u64,
}

/// Halves the fullest interval, whose halves the optimizer then estimates, until none is too full: gaps and clusters
/// of keys are found without reading rows.
async fn by_estimates(
    connection: &mut Connection,
    from: &str,
    key: &KeyColumn,
    n_ranges: usize,
) -> Result<Vec<String>> {
    let column = ident(&key.name);
    let answer = connection
        .query(format!("SELECT min({column}), max({column}) FROM {from}"))
        .await?;
    let number = |at: usize| -> Option<i128> { answer.rows.first()?.opt(at)?.parse().ok() };
    let (Some(least), Some(greatest)) = (number(0), number(1)) else {
        return Ok(Vec::new());
    };
    let mut cells = vec![Cell {
        from: least,
        to: greatest + 1,
        n_rows: u64::MAX,
    }];
    for _ in 0..ESTIMATES_PER_RANGE * n_ranges {
        let total: u64 = cells
            .iter()
            .map(|cell| cell.n_rows)
            .fold(0, u64::saturating_add);
        let fullest = cells
            .iter()
            .enumerate()
            .filter(|(_, cell)| cell.to - cell.from > 1)
            .max_by_key(|(_, cell)| cell.n_rows);
        let Some((at, cell)) = fullest.map(|(at, cell)| (at, *cell)) else {
            break;
        };
        if cell.n_rows <= total / (4 * n_ranges as u64) {
            break;
        }
        let middle = cell.from + (cell.to - cell.from) / 2;
        let mut halves = Vec::new();
        for (from_key, to_key) in [(cell.from, middle), (middle, cell.to)] {
            let n_rows = estimate(connection, from, &column, from_key, to_key).await?;
            halves.push(Cell {
                from: from_key,
                to: to_key,
                n_rows,
            });
        }
        cells.splice(at..=at, halves);
    }
    Ok(merge(&cells, n_ranges)
        .into_iter()
        .map(|bound| bound.to_string())
        .collect())
}

async fn estimate(
    connection: &mut Connection,
    from: &str,
    column: &str,
    from_key: i128,
    to_key: i128,
) -> Result<u64> {
    // MySQL 9 draws a tree unless it is asked for a table.
    let answer = connection
        .query(format!(
            "EXPLAIN FORMAT=TRADITIONAL SELECT {column} FROM {from} WHERE {column} >= {from_key} AND {column} < {to_key}"
        ))
        .await?;
    Ok(answer
        .named("rows")
        .and_then(|n_rows| n_rows.parse().ok())
        .unwrap_or(0))
}

/// The inner bounds that make about `n` even ranges of neighbouring cells.
fn merge(cells: &[Cell], n: usize) -> Vec<i128> {
    let total: u64 = cells
        .iter()
        .map(|cell| cell.n_rows)
        .fold(0, u64::saturating_add);
    let share = (total / n.max(1) as u64).max(1);
    let mut bounds = Vec::new();
    let mut held = 0_u64;
    for pair in cells.windows(2) {
        let [cell, next] = pair else { continue };
        held = held.saturating_add(cell.n_rows);
        // Half of the next cell decides on which side it is nearer to even.
        if held.saturating_add(next.n_rows / 2) >= share {
            bounds.push(cell.to);
            held = 0;
        }
    }
    bounds
}

/// Every so many rows along the index: one pass over it, which the dump then finds in the cache.
async fn by_steps(
    connection: &mut Connection,
    from: &str,
    key: &KeyColumn,
    n_rows: u64,
    n_ranges: u64,
) -> Result<Vec<String>> {
    let column = ident(&key.name);
    let step = (n_rows / n_ranges).max(1);
    let mut bounds: Vec<String> = Vec::new();
    // The estimate of rows may be far too low.
    while (bounds.len() as u64) < 4 * n_ranges {
        let after = bounds
            .last()
            .map(|bound| format!(" WHERE {column} > {bound}"));
        let statement = format!(
            "SELECT {column} FROM {from}{} ORDER BY {column} LIMIT 1 OFFSET {step}",
            after.unwrap_or_default()
        );
        let answer = connection.query(statement).await?;
        let Some(value) = answer.rows.first().and_then(|row| row.bytes(0)) else {
            break;
        };
        bounds.push(literal(value, &key.order));
    }
    Ok(bounds)
}

fn literal(value: &[u8], order: &Order) -> String {
    match order {
        Order::Text(charset) => sql::hex_literal(value, Some(charset)),
        Order::Bytes => sql::hex_literal(value, None),
        Order::Integer | Order::Quoted => sql::literal(&String::from_utf8_lossy(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(n_rows: &[u64]) -> Vec<Cell> {
        let n_rows = n_rows.iter().enumerate();
        n_rows
            .map(|(at, n_rows)| Cell {
                from: at as i128 * 10,
                to: at as i128 * 10 + 10,
                n_rows: *n_rows,
            })
            .collect()
    }

    #[test]
    fn ranges_have_about_as_many_rows_each() {
        assert_eq!(merge(&cells(&[5, 5, 5, 5]), 2), [20]);
        assert_eq!(merge(&cells(&[0, 0, 10, 0, 0, 10]), 2), [30]);
        assert_eq!(merge(&cells(&[1, 100, 1, 1]), 2), [10, 20]);
        assert_eq!(merge(&cells(&[0, 0]), 4), [] as [i128; 0]);
        assert_eq!(merge(&cells(&[]), 4), [] as [i128; 0]);
    }

    #[test]
    fn bounds_are_written_in_the_columns_own_terms() {
        assert_eq!(
            literal(b"\xe9", &Order::Text("latin1".into())),
            "_latin1 X'E9'"
        );
        assert_eq!(literal(b"\0", &Order::Bytes), "X'00'");
        assert_eq!(literal(b"2024-01-01", &Order::Quoted), "'2024-01-01'");
    }
}

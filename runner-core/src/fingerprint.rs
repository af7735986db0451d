//! Order-independent proof of a table's rows.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::engine::Verify;
use crate::error::{Error, Kind, Result};

/// The sum modulo 2^128 of the XXH3-128 of each row's bytes: equal for equal multisets of rows, whatever
/// their order, so ranges and tables add up. It proves that nothing was lost or changed on the way; it is
/// not a signature (the manifest's SHA-256 sums and age encryption guard against tampering).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// Adds one row's bytes.
    #[inline]
    pub fn add_row(&mut self, row: &[u8]) {
        self.0 = self.0.wrapping_add(xxh3_128(row));
    }
}

impl AddAssign for Fingerprint {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16)
            .map(Self)
            .map_err(|_| de::Error::custom(format!("fingerprint {text:?} is not hexadecimal")))
    }
}

/// A row too long to hold, hashed as it passes; equal to hashing it whole.
#[derive(Clone, Default)]
pub struct LongRow(Box<Xxh3>);

impl LongRow {
    pub fn update(&mut self, part: &[u8]) {
        self.0.update(part);
    }
}

/// Rows seen and their fingerprint: what is compared after a restore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub rows: u64,
    pub fingerprint: Fingerprint,
}

impl Tally {
    #[inline]
    pub fn add_row(&mut self, row: &[u8]) {
        self.rows += 1;
        self.fingerprint.add_row(row);
    }

    pub fn add_long_row(&mut self, row: LongRow) {
        self.rows += 1;
        self.fingerprint += Fingerprint(row.0.digest128());
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.fingerprint += other.fingerprint;
    }
}

/// How many wrong tables an error names.
const SHOWN: usize = 10;

/// Holds restored tables to the manifest's: their counts of rows and, unless only those are asked for, their fingerprints.
pub fn compare(
    expected: &BTreeMap<String, Tally>,
    actual: &BTreeMap<String, Tally>,
    verify: Verify,
) -> Result<()> {
    let mut wrong = Vec::new();
    for (name, expected) in expected {
        let actual = actual.get(name).copied().unwrap_or_default();
        if actual.rows != expected.rows {
            wrong.push(format!(
                "{name} has {} rows instead of {}",
                actual.rows, expected.rows
            ));
        } else if verify == Verify::Full && actual.fingerprint != expected.fingerprint {
            wrong.push(format!(
                "{name} has other values in its {} rows",
                actual.rows
            ));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let more = match wrong.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    wrong.truncate(SHOWN);
    Err(Error::new(
        Kind::Integrity,
        format!(
            "the restored data are not the backed-up ones: {}{more}",
            wrong.join(", ")
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(rows: &[&str]) -> Tally {
        let mut tally = Tally::default();
        rows.iter().for_each(|row| tally.add_row(row.as_bytes()));
        tally
    }

    #[test]
    fn order_does_not_matter_but_every_row_does() {
        assert_eq!(tally(&["a", "b", "b"]), tally(&["b", "a", "b"]));
        assert_ne!(tally(&["a", "b", "b"]), tally(&["a", "a", "b"]));
        assert_ne!(tally(&["ab"]), tally(&["ba"]));
        let mut sum = tally(&["a"]);
        sum += tally(&["b", "b"]);
        assert_eq!(sum, tally(&["a", "b", "b"]));
    }

    #[test]
    fn a_table_that_differs_is_named() {
        let tables = |rows: &[&str]| BTreeMap::from([("shop.a".to_owned(), tally(rows))]);
        let verdict =
            |actual: &[&str], verify| compare(&tables(&["x", "y"]), &tables(actual), verify);
        assert!(verdict(&["y", "x"], Verify::Full).is_ok());
        assert!(verdict(&["y", "z"], Verify::Counts).is_ok());
        let error = verdict(&["y", "z"], Verify::Full).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("shop.a has other values in its 2 rows")
        );
        let error = compare(&tables(&["x"]), &BTreeMap::new(), Verify::Counts).unwrap_err();
        assert!(error.to_string().contains("shop.a has 0 rows instead of 1"));
    }

    #[test]
    fn a_fingerprint_survives_json() {
        let fingerprint = tally(&["x"]).fingerprint;
        let json = serde_json::to_string(&fingerprint).unwrap();
        assert_eq!(json.len(), 34);
        assert_eq!(
            serde_json::from_str::<Fingerprint>(&json).unwrap(),
            fingerprint
        );
    }
}

//! Counts and fingerprints of keys: those that stay, and those that expire, by when.

use std::collections::BTreeMap;

use runner_core::engine::Verify;
use runner_core::error::{Error, Kind, Result};
use runner_core::fingerprint::{Tally, compare};
use runner_core::manifest::Data;

use crate::rdb::Key;

/// What follows a database's name for its keys that expire.
const EXPIRING: &str = "/expiring";
/// The table of functions.
const FUNCTIONS: &str = "functions";

const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;
const DAY: u64 = 24 * HOUR;

/// What was seen. A key with an end is counted under a moment not after that end, so that what has to be there at some
/// later moment can still be told. There are a bounded number of such moments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Census {
    /// The moment that it was begun, in milliseconds since 1970.
    since: u64,
    databases: BTreeMap<u64, Database>,
    functions: Tally,
}

#[derive(Clone, Debug, Default)]
struct Database {
    lasting: Tally,
    expiring: BTreeMap<u64, Tally>,
}

impl Database {
    fn expiring_after(&self, moment: Option<u64>) -> Tally {
        let mut sum = Tally::default();
        for (at, tally) in &self.expiring {
            if moment.is_none_or(|moment| *at > moment) {
                sum += *tally;
            }
        }
        sum
    }
}

/// The name of a database in the manifest.
pub(crate) fn table(database: u64) -> String {
    format!("db{database}")
}

impl Census {
    pub(crate) fn new(since: u64) -> Self {
        Self {
            since,
            ..Self::default()
        }
    }

    pub(crate) fn add_key(&mut self, database: u64, key: &Key) {
        self.add(database, key.ends_at(), key.proof());
    }

    fn add(&mut self, database: u64, ends_at: Option<u64>, proof: u128) {
        let moment = ends_at.map(|at| self.moment(at));
        let database = self.databases.entry(database).or_default();
        let tally = match moment {
            Some(moment) => database.expiring.entry(moment).or_default(),
            None => &mut database.lasting,
        };
        tally.add_row(&proof.to_le_bytes());
    }

    pub(crate) fn add_function(&mut self, code: &[u8]) {
        self.functions.add_row(code);
    }

    /// All keys, whether they expire or not.
    pub(crate) fn n_keys(&self) -> u64 {
        let counts = self.databases.values();
        counts
            .map(|it| it.lasting.rows + it.expiring_after(None).rows)
            .sum()
    }

    /// The highest number of a database that holds keys.
    pub(crate) fn highest_database(&self) -> Option<u64> {
        self.databases.keys().next_back().copied()
    }

    pub(crate) fn n_functions(&self) -> u64 {
        self.functions.rows
    }

    pub(crate) fn functions(&self) -> Tally {
        self.functions
    }

    /// Adds what was seen elsewhere, begun at the same moment.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (number, theirs) in &other.databases {
            let database = self.databases.entry(*number).or_default();
            database.lasting += theirs.lasting;
            for (moment, tally) in &theirs.expiring {
                *database.expiring.entry(*moment).or_default() += *tally;
            }
        }
        self.functions += other.functions;
    }

    /// What the manifest says.
    pub(crate) fn data(&self) -> Vec<Data> {
        let tallies = self.tallies(None).into_iter();
        tallies
            .map(|(table, tally)| Data {
                table,
                rows: tally.rows,
                fingerprint: tally.fingerprint,
                member: None,
            })
            .collect()
    }

    /// By table; of the keys that expire, those that are still there after `moment` for certain.
    fn tallies(&self, moment: Option<u64>) -> BTreeMap<String, Tally> {
        let mut tallies = BTreeMap::new();
        for (n, database) in &self.databases {
            tallies.insert(table(*n), database.lasting);
            if !database.expiring.is_empty() {
                let tally = database.expiring_after(moment);
                tallies.insert(table(*n) + EXPIRING, tally);
            }
        }
        if self.functions.rows > 0 {
            tallies.insert(FUNCTIONS.to_owned(), self.functions);
        }
        tallies
    }

    /// Whether what came out of the backup is what went in.
    pub(crate) fn check_source(&self, expected: &BTreeMap<String, Tally>) -> Result<()> {
        let actual = self.tallies(None);
        compare(expected, &actual, Verify::Full)
            .and_then(|()| compare(&actual, expected, Verify::Full))
            .map_err(|err| err.while_doing("read the backup's own keys"))
    }

    /// Holds a server's keys, read by `moment`, to these. Keys whose time came by then may be missing; all others may not,
    /// and none may be there that is not among these. How many tables were compared.
    pub(crate) fn check(&self, actual: &Self, moment: u64, verify: Verify) -> Result<u64> {
        let expected = self.tallies(Some(moment));
        let found = actual.tallies(Some(moment));
        compare(&expected, &found, verify)?;
        for (n, theirs) in &actual.databases {
            let own = self.databases.get(n);
            let own = own.map_or(0, |it| it.lasting.rows + it.expiring_after(None).rows);
            let there = theirs.lasting.rows + theirs.expiring_after(None).rows;
            if there > own {
                return Err(Error::new(
                    Kind::Integrity,
                    format!(
                        "{} has {there} keys and the backup {own}: something else writes there",
                        table(*n)
                    ),
                ));
            }
        }
        Ok(expected.len() as u64)
    }

    /// How many keys had to be there no more by `moment`, or may not have been.
    pub(crate) fn n_ended(&self, moment: u64) -> u64 {
        let databases = self.databases.values();
        databases
            .map(|it| it.expiring_after(None).rows - it.expiring_after(Some(moment)).rows)
            .sum()
    }

    /// Seconds at first, then ten minutes, then days; what is further than ten years off is one.
    fn moment(&self, at: u64) -> u64 {
        let Some(left) = at.checked_sub(self.since) else {
            return 0;
        };
        let step = match left {
            left if left < 2 * HOUR => SECOND,
            left if left < 30 * DAY => HOUR / 6,
            _ => DAY,
        };
        let left = left.min(3650 * DAY);
        self.since + left / step * step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn census(keys: &[(u128, Option<u64>)]) -> Census {
        let mut census = Census::new(NOW);
        for (proof, ends_in) in keys {
            census.add(0, ends_in.map(|it| NOW + it), *proof);
        }
        census
    }

    fn verdict(expected: &Census, actual: &Census, moment: u64) -> Option<String> {
        let checked = expected.check(actual, NOW + moment, Verify::Full);
        checked.err().map(|err| err.to_string())
    }

    #[test]
    fn a_key_may_be_missing_only_when_its_time_has_come() {
        let before = census(&[(1, None), (2, Some(5 * SECOND)), (3, Some(DAY))]);
        let after = census(&[(1, None), (3, Some(DAY))]);
        assert_eq!(verdict(&before, &after, 6 * SECOND), None);
        let early = verdict(&before, &after, 2 * SECOND).unwrap();
        assert!(
            early.contains("db0/expiring has 1 rows instead of 2"),
            "{early}"
        );
        assert_eq!(before.n_ended(NOW + 6 * SECOND), 1);
    }

    #[test]
    fn a_key_may_not_change_and_none_may_come() {
        let before = census(&[(1, None), (2, Some(DAY))]);
        let other = census(&[(1, None), (9, Some(DAY))]);
        assert!(
            verdict(&before, &other, 0)
                .unwrap()
                .contains("other values")
        );
        let lasting = census(&[(1, None), (2, None)]);
        assert!(verdict(&before, &lasting, 0).is_some());
        let more = census(&[(1, None), (2, Some(DAY)), (7, Some(SECOND))]);
        let more = verdict(&before, &more, 2 * SECOND).unwrap();
        assert!(more.contains("something else writes there"), "{more}");
    }

    #[test]
    fn moments_are_never_after_the_end_and_there_are_few() {
        let census = Census::new(NOW);
        let mut moments = std::collections::BTreeSet::new();
        for n in 0..100_000u64 {
            let at = NOW + n * n * 37;
            let moment = census.moment(at);
            assert!(moment <= at);
            moments.insert(moment);
        }
        assert!(moments.len() < 16_000, "{}", moments.len());
        assert_eq!(census.moment(NOW - 1), 0);
        assert_eq!(census.moment(u64::MAX), census.moment(NOW + 4000 * DAY));
    }
}

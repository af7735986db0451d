//! Whole operations over stores in memory and engines of paper: what a backup promises, and what failures leave.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "in a test whatever goes wrong is a failure, and the clock is read here"
)]

mod backup;
mod catalog;
mod damage;
mod prune;
mod race;
mod restore;
mod world;

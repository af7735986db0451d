//! Backs up, restores and proves PostgreSQL databases.
//!
//! `engine.rs` implements the core's seam; what it calls, in the order of a job's life:
//!
//! | files | answer |
//! |---|---|
//! | `options.rs` | settings that only PostgreSQL has |
//! | `wire.rs`, `wire/` | the protocol: socket and TLS, login, queries, `COPY` both ways, rows hashed as they pass |
//! | `session.rs`, `sql.rs` | connecting with patience, pinned settings, pools in one snapshot; quoting |
//! | `tools.rs` | `pg_dump`, `pg_restore`, `psql`: where they are, how they log in, how old they may be |
//! | `dump.rs`, `dump/held.rs` | a backup: snapshots held open, the plan, what stands behind each piece |
//! | `describe.rs`, `details.rs` | what a database is beside its rows, and how the manifest says it |
//! | `tables.rs`, `types.rs`, `cut.rs` | which tables, binary or text, in which ranges |
//! | `rows.rs`, `sequences.rs`, `largeobjects.rs`, `roles.rs` | the bodies of artifacts |
//! | `by_hand.rs` | `RESTORE.md` |
//! | `restore.rs` | a restore: everything checked, then filled, proven, put into place |
//! | `restore/place.rs`, `restore/place/` | which database is filled, how it takes its name, what belongs to it as a whole |
//! | `restore/{globals,schema,load,proof}.rs` | roles; definitions; rows, sequences, large objects; the comparison |
//! | `foreign.rs` | dumps of stock tools |
//!
//! A backup: `probe` asks the server what it is and can do (`Server`, whose capabilities have names). `begin`
//! takes one snapshot for each database, reads the catalog in it, refuses what the login may not read, locks the
//! tables. Workers then open pieces: each takes a session of the pool, which joins the snapshot. `finish` commits the
//! holder, which fails if the snapshot died on the way.
//!
//! A restore: `check_target` makes the whole plan and touches nothing; `restore` makes it again and carries it out.

mod by_hand;
mod cut;
mod describe;
mod details;
mod dump;
mod engine;
mod foreign;
mod largeobjects;
mod options;
#[cfg(test)]
mod readme;
mod restore;
mod roles;
mod rows;
mod sequences;
mod session;
mod sql;
mod tables;
mod tools;
mod types;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    runner_core::main::<engine::Postgres>()
}

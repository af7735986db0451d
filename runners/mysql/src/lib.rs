//! Backs up, restores and proves MySQL and MariaDB databases, without a client tool.
//!
//! `engine.rs` implements the core's seam, once for both families; what it calls, in the order of a job's life:
//!
//! | files | answer |
//! |---|---|
//! | `options.rs` | settings that only these engines have |
//! | `wire.rs`, `wire/` | the protocol: socket and TLS, login, statements, rows out as lines, `LOAD DATA LOCAL` in |
//! | `session.rs`, `sql.rs` | connecting with patience, pinned settings, pools; quoting |
//! | `server.rs` | what the server is and can do, asked once |
//! | `privileges.rs` | whether the login would see all of a database |
//! | `snapshot.rs` | sessions that see one moment: which lock made them, and where in the binary log that is |
//! | `tables.rs`, `details.rs` | which tables and columns there are, how a column's values travel, how the manifest says it |
//! | `cut.rs` | where to cut a large table |
//! | `ddl.rs`, `schema.rs` | definitions: one table's, taken apart; a whole database's, as scripts for the stock client |
//! | `features.rs` | what only one of the families knows |
//! | `accounts.rs` | accounts and grants, where all databases are backed up |
//! | `rows.rs`, `dump.rs` | the bodies of artifacts; a backup |
//! | `script.rs` | SQL scripts, cut into statements |
//! | `restore.rs`, `restore/` | a restore: everything checked, then filled and proven |
//! | `by_hand.rs`, `foreign.rs`, `foreign/` | `RESTORE.md`; dumps of stock tools |
//!
//! A backup: `begin` asks the server what it can do, takes the shortest lock that it grants, starts every worker's
//! transaction under it, notes the place in the binary log and lets go. Workers then read ranges of tables in those
//! transactions. `finish` looks whether any definition has changed meanwhile, which a snapshot here does not cover.

mod accounts;
mod by_hand;
mod cut;
mod ddl;
mod details;
mod dump;
mod engine;
mod features;
mod foreign;
mod options;
mod privileges;
#[cfg(test)]
mod readme;
mod restore;
mod rows;
mod schema;
mod script;
mod server;
mod session;
mod snapshot;
mod sql;
mod tables;
mod wire;

pub use engine::{MariaDb, MySql};

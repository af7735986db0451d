//! Backs up, restores and proves MongoDB databases.
//!
//! `engine.rs` implements the core's seam; what it calls, in the order of a job's life:
//!
//! | files | answer |
//! |---|---|
//! | `options.rs` | settings that only MongoDB has |
//! | `address.rs` | one connection string, of `DB_URI` or of the parts, for the driver and the tools |
//! | `server.rs`, `server/` | what the server is and holds, and what the login may, by the official driver |
//! | `tools.rs` | `mongodump` and `mongorestore`: where they are, how they log in |
//! | `archive.rs`, `archive/` | the archive, walked as it passes: documents counted and hashed, ends and checksums held to; parts of it made anew |
//! | `dump.rs` | a backup: which archives, with the oplog or without |
//! | `details.rs` | what the manifest says of databases and collections |
//! | `restore.rs`, `restore/` | a restore: documents filled, read back, compared; then the oplog, and the indexes |
//! | `by_hand.rs`, `foreign.rs` | `RESTORE.md`; archives of stock tools |
//!
//! The tools carry the bytes, and are not believed: an archive without every collection's end and checksum is not one, and
//! what `mongorestore` has brought is read back through the same walk.

mod address;
mod archive;
mod by_hand;
mod details;
mod dump;
mod engine;
mod foreign;
mod options;
#[cfg(test)]
mod readme;
mod restore;
mod server;
mod tools;

use std::process::ExitCode;

fn main() -> ExitCode {
    runner_core::main::<engine::Mongo>()
}

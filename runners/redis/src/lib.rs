//! Backs up, restores and proves Redis and Valkey databases, without a client tool.
//!
//! `engine.rs` implements the core's seam, once for both families; what it calls, in the order of a job's life:
//!
//! | files | answer |
//! |---|---|
//! | `options.rs` | settings that only these engines have |
//! | `wire.rs`, `wire/` | the protocol: socket and TLS, login, Sentinel, commands, replies, a snapshot's bytes |
//! | `server.rs` | what the server is and can do, asked once |
//! | `cluster.rs`, `cluster/` | the masters that hold all keys between them, and which one a key belongs to |
//! | `wanted.rs` | which keys are asked for |
//! | `replication.rs` | a snapshot as replicas get it |
//! | `scan.rs` | key by key, where nobody may be a replica |
//! | `rdb.rs`, `rdb/` | RDB files and streams: read key by key, judged, and written |
//! | `census.rs` | counts and fingerprints of keys, and of those that expire by when |
//! | `walk.rs` | through an RDB on a thread: counted, passed on whole or in part |
//! | `dump.rs`, `dump/`, `acl.rs`, `details.rs` | a backup; users; what the manifest says of it |
//! | `restore.rs`, `restore/` | a restore: everything checked, then filled and proven |
//! | `by_hand.rs` | `RESTORE.md` |
//!
//! A backup: the server makes its own snapshot, as it does for a replica, and sends it as an RDB. That goes to the store as
//! it is, while every key in it is judged and counted on the way. A restore reads the RDB and replays each value as it is
//! by `RESTORE`: nothing is decoded, and no file on the server is touched. Then the target is read the same way.

mod acl;
mod by_hand;
mod census;
mod cluster;
mod details;
mod dump;
mod engine;
mod options;
pub mod rdb;
#[cfg(test)]
mod readme;
mod replication;
mod restore;
mod scan;
mod server;
mod walk;
mod wanted;
mod wire;

pub use engine::{Redis, Valkey};

//! Plan B Backup Runner's core: one job, from environment variables to an exit code.
//!
//! A pipe with a promise: bytes leave a database, are sealed, land in a store, and a manifest says so last. This page
//! is the architecture. Read `run.rs` first; every other file answers one question that it raises.
//!
//! # Data flow
//!
//! ```text
//! environment, flags, *_FILE ──> Job (all problems at once, or valid)
//!
//! backup
//!   Store::prepare ─> Engine::probe ─> Engine::begin: takes the snapshot, plans the pieces
//!   PARALLELISM pieces at a time, largest first:
//!     Dump::open(piece) ─> meter ─> compress ─> encrypt ─> meter, SHA-256 ─> Store::put
//!        │ rows and fingerprint                              │ sizes, hash      │ complete, or aborted
//!        └──────────────> an Artifact of the manifest <──────┴──────────────────┘
//!   Dump::finish: the snapshot lived to the end
//!   Store::commit(RESTORE.md), Store::commit(manifest.json) ─> it is a backup
//!
//! restore
//!   catalog ─> manifest ─> Engine::check_target ─> verify: every object, to its end ─> Engine::restore
//!   Backup::open(artifact): Store::get ─> length, SHA-256 ─> decrypt ─> decompress ─> the engine, in its own order
//!   the engine compares rows and fingerprints, and only then puts the new database into its place
//!   a stock tool's dump instead: Engine::check_foreign, which may read it to its end ─> Engine::restore_foreign
//!
//! any end
//!   Event ─> callback; the log's last line; the exit code
//! ```
//!
//! # Invariants, and what holds each
//!
//! 1. A [`stream::ByteStream`] that ends without an `Err` was produced whole. [`tool`] yields a program's exit status
//!    before the end; the codec adds its own ends (frame checksums, age's last chunk) and refuses what follows them.
//! 2. A backup exists exactly when its manifest does. [`backup`] writes it last and create-only, [`prune::delete`] removes
//!    it first. Two runs with one `BACKUP_PATH`: one commits.
//! 3. A `put` ends in a complete object or in none. After a first error [`workers::each`] cancels the siblings and awaits
//!    them; it never drops them, so that each aborts its own upload. `testing::conformance` runs against every store.
//! 4. Memory is bounded: `parallelism * (Store::put_memory_bytes + Codec::window_bytes)`, logged when a backup begins.
//!    Channels have a capacity and blocks one size ([`stream::BLOCK_BYTES`]); `clippy.toml` bans unbounded ones.
//! 5. No temporary disk. `clippy.toml` bans writes to files; programs that insist on a path get a [`tool::MemoryFile`].
//! 6. Encrypted bytes come out only after their chunk authenticates. A program's stdin closes only at a verified end;
//!    otherwise the program is killed, and a `COPY` is made to fail.
//! 7. Environment and clock are read in `run.rs` and passed down; `clippy.toml` bans both elsewhere.
//! 8. A secret cannot be printed: [`secret::Secret`] has no `Display`, and programs get it by environment, masked in
//!    whatever they say on stderr.
//! 9. Retry lives in the store's client (a request) or outside of us (the job, exit code 75). A dump cannot be replayed,
//!    so nothing else retries, except connecting to a database within `CONNECT_TIMEOUT`.
//! 10. What follows the commit (the callback) never turns a good backup into a failure.
//! 11. This crate names no engine, and an engine names no store.
//!
//! # Modules
//!
//! | module | answers |
//! |---|---|
//! | `run` | how a job runs from its environment to its exit code, signals included; it alone sees all the others |
//! | [`mod@env`], [`job`] | what is asked for: `KEYS`, flags over environment over files, one validation |
//! | [`engine`] | what an engine must do: [`engine::Engine`], [`engine::Dump`] |
//! | [`backup`], [`restore`], [`verify`], [`prune`] | one operation each: effects in order, no parsing |
//! | [`manifest`], [`catalog`], [`source`] | what a backup is, which there are, one open for reading |
//! | [`codec`] | the layers between an engine's bytes and stored bytes, on threads of their own |
//! | [`store`] | where bytes lie: the trait, S3, directories; artifacts longer than an object |
//! | [`fingerprint`] | the order-independent proof of a table's rows |
//! | [`plan`] | how tables become pieces |
//! | [`rows`], [`tar_in`] | artifacts made of rows: one table's, or many small tables' in a tar; and back |
//! | [`foreign`] | a stock tool's dump that is a directory of objects |
//! | [`tool`] | client programs as streams |
//! | [`mod@by_hand`] | words of `RESTORE.md` that every engine's has |
//! | [`socket`], [`tls`] | the byte stream under a session of an engine that speaks its protocol itself |
//! | [`workers`], [`progress`], [`stream`], [`patterns`], [`secret`], [`error`] | the words that all of them use |
//! | [`report`], [`telemetry`], [`show`] | what people and machines are told |
//! | `testing` | feature `testing`: conformance suite, scripted engine, faulty store, fake S3 |
//!
//! # What a change costs
//!
//! | change | touches |
//! |---|---|
//! | a setting | its `Key` in `job/*.rs` (or an engine's options) and the line that reads it; `--help`, `config` and the README follow |
//! | a compression | `codec/compress.rs`, `codec/decompress.rs`, its suffix in `codec.rs` |
//! | a store that OpenDAL speaks | a feature in `Cargo.toml`, an arm in `store/connect.rs` and in `job/store/place.rs`, its keys |
//! | another kind of store | one implementor of [`store::Store`] that passes `testing::conformance`, and the arm above |
//! | an engine | a crate in `runners/` that implements [`engine::Engine`]; a Dockerfile template; rows in `images/versions.toml`; its part of the proof in `xtask/src/hooks/`; tests in `tests/`: `cargo xtask new-engine` begins all of it. Nothing here |
//! | a version of an engine | one row in `images/versions.toml`, which `cargo xtask new-version` adds and renders |
//! | a field of the manifest | `manifest.rs`, with a default for the backups that lack it; a new meaning needs a new [`manifest::FORMAT`] |
//!
//! # Where it is not the obvious way, and why
//!
//! - Artifacts lie in a directory named by the run's UUIDv7, below `BACKUP_PATH`. So two runs with the same path never
//!   touch each other's objects, whoever commits, and `prune` can tell leftovers from everything else.
//! - The fingerprint of a table is the sum modulo 2^128 of the XXH3-128 of each row's `COPY` bytes. Sums do not depend on
//!   order, so ranges read by several workers add up. XOR would let equal rows cancel out; a cryptographic hash would
//!   cost more than reading does. Tampering is for SHA-256 and encryption to notice.
//! - PostgreSQL's wire protocol is spoken by the runner itself. A driver hands rows over one by one; here they are
//!   walked and hashed in the socket's buffer and passed on in blocks.
//! - Rows are read by our own `COPY`, definitions by the stock `pg_dump`: the one is where time goes, the other where
//!   twenty years of cases are known.
//! - Compression and encryption run on threads, one for each stream, not on the runtime: they are synchronous and would
//!   stall it.
//! - zstd level 1 is the default, by measurement: see [`codec::Compression`].
//! - Each artifact has an age header of its own, so that it can be opened by hand alone. With a passphrase that costs one
//!   scrypt for each.
//! - S3 parts have one size, as R2 insists; an artifact that would pass 10 000 parts continues in a next object instead of
//!   growing its parts.
//! - Retries and timeouts of S3 are ours, not the SDK's: one budget (`STORAGE_TIMEOUT`) for each chain
//!   of failures, which ends with the first progress.
//! - CRC checksums are off unless asked for: many services that speak S3 refuse them. SHA-256 is in the manifest anyway.
//! - Writes to a directory do not go through OpenDAL, whose create-only write can race; reads do.

pub mod backup;
pub mod by_hand;
pub mod catalog;
pub mod codec;
pub mod context;
pub mod engine;
pub mod env;
pub mod error;
pub mod fingerprint;
pub mod foreign;
pub mod job;
pub mod manifest;
pub mod patterns;
pub mod plan;
pub mod progress;
pub mod prune;
pub mod report;
pub mod restore;
pub mod rows;
mod run;
pub mod secret;
pub mod show;
pub mod socket;
pub mod source;
pub mod store;
pub mod stream;
pub mod tar_in;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tls;
pub mod tool;
pub mod verify;
pub mod workers;

pub use run::main;

/// This release.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

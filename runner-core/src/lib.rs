//! Plan B Backup Runner's core: one job, from environment variables to an exit code.

pub mod backup;
pub mod catalog;
pub mod codec;
pub mod context;
pub mod engine;
pub mod env;
pub mod error;
pub mod fingerprint;
pub mod job;
pub mod manifest;
pub mod patterns;
pub mod progress;
pub mod prune;
pub mod report;
pub mod restore;
mod run;
pub mod secret;
pub mod show;
pub mod source;
pub mod store;
pub mod stream;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tool;
pub mod verify;
pub mod workers;

pub use run::main;

/// This release.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

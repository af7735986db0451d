//! Plan B Backup Runner's core: one job, from environment variables to an exit code.

pub mod codec;
pub mod engine;
pub mod env;
pub mod error;
pub mod fingerprint;
pub mod job;
pub mod manifest;
pub mod patterns;
pub mod progress;
pub mod report;
pub mod secret;
pub mod source;
pub mod store;
pub mod stream;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tool;

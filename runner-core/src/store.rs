//! Where backups live: one small trait, two implementors.

pub mod connect;
pub mod layout;
pub mod operator;
pub mod s3;
pub mod segments;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::stream::ByteStream;

pub use connect::{StoreSettings, connect};

/// One object of a listing; `name` is relative to the store's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    pub stored_bytes: u64,
    pub modified: Option<Timestamp>,
}

/// What became of a create-only write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    Created,
    /// Another object has that name; it was left alone.
    Exists,
}

/// An object store below a root (`s3://bucket/prefix`, a directory). Names are relative, `/`-separated.
/// Requests are retried inside, for at most `STORAGE_TIMEOUT`; what comes out is final.
#[async_trait]
pub trait Store: Send + Sync {
    /// The root as a person would write it, such as `s3://planb-backups/prod`; never a secret.
    fn location(&self) -> String;

    /// The most bytes that one object may have; a longer artifact continues in a next object.
    fn max_object_bytes(&self) -> u64;

    /// The most bytes that one `put` holds in memory.
    fn put_memory_bytes(&self) -> u64;

    /// Makes sure that the store is there and may be written, before a database is touched; creates the
    /// bucket or directory if that is wanted.
    async fn prepare(&self) -> Result<()>;

    /// Writes `body` as one object, which appears whole or not at all: an `Err` from the body, a failed
    /// request or `cancel` aborts the upload before this returns. Replaces nothing that a manifest names.
    async fn put(&self, name: &str, body: ByteStream, cancel: &CancellationToken) -> Result<()>;

    /// The object's bytes from `offset` on; a broken connection is resumed at the byte where it broke, and
    /// a changed object is an `Integrity` error. `NotFound` when there is none.
    async fn get(&self, name: &str, offset: u64) -> Result<ByteStream>;

    /// Every object whose name starts with `prefix`, in name order where the store has one.
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Listed>>;

    /// The first level below `prefix` (which ends with `/` or is empty): names of "directories", with `/`.
    async fn list_dirs(&self, prefix: &str) -> Result<Vec<String>>;

    /// Absent is fine.
    async fn delete(&self, name: &str) -> Result<()>;

    /// Creates a small object in one request, unless one is there already.
    async fn commit(&self, name: &str, bytes: Bytes) -> Result<Commit>;

    /// Aborts uploads below `prefix` that were begun at least `age` before `now` and never ended; how many.
    async fn abort_stale(&self, prefix: &str, age: Duration, now: Timestamp) -> Result<u64>;
}

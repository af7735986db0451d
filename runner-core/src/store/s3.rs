//! S3 and everything that speaks it, on aws-sdk-s3.

mod bucket;
mod client;
mod commit;
mod download;
mod fault;
mod listing;
mod parts;
mod retry;
mod settings;
mod transport;
mod upload;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

pub use self::settings::{S3Settings, Sse};

use self::fault::{Fault, Op};
use self::parts::Buffers;
use crate::error::Result;
use crate::store::{Commit, Listed, Store, layout};
use crate::stream::ByteStream;

/// S3 counts parts from 1 to this.
const MAX_PARTS: u64 = 10_000;

/// A bucket, or a prefix in one.
#[derive(Clone)]
pub struct S3 {
    inner: Arc<Inner>,
}

struct Inner {
    client: aws_sdk_s3::Client,
    buffers: Buffers,
    settings: S3Settings,
    /// `STORAGE_PREFIX` with a trailing `/`, or empty.
    root: String,
}

impl S3 {
    /// Reads credentials and certificates; sends nothing to the store yet.
    pub async fn connect(settings: S3Settings) -> Result<Self> {
        let settings = settings.validated()?;
        let client = client::connect(&settings).await?;
        let root = match settings.prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                client,
                buffers: Buffers::new(settings.part_bytes),
                settings,
                root,
            }),
        })
    }
}

/// Without the client, whose own `Debug` shows the access key.
impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.settings.fmt(f)
    }
}

impl Inner {
    fn key(&self, name: &str) -> Result<String> {
        layout::check_name(name)?;
        Ok(format!("{}{name}", self.root))
    }

    fn key_prefix(&self, prefix: &str) -> Result<String> {
        layout::check_prefix(prefix)?;
        Ok(format!("{}{prefix}", self.root))
    }

    /// A key of a listing as the name that it has below the root.
    fn name<'a>(&self, key: &'a str) -> &'a str {
        key.strip_prefix(&self.root).unwrap_or(key)
    }

    /// Sends one operation on `key`, again and again while it fails for a passing reason.
    async fn send<T, E, F>(
        &self,
        op: Op,
        key: &str,
        call: impl FnMut() -> F,
    ) -> std::result::Result<T, Fault>
    where
        F: Future<Output = std::result::Result<T, fault::Sdk<E>>>,
        E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + 'static,
    {
        let target = format!("s3://{}/{key}", self.settings.bucket);
        retry::send(self.settings.timeout, op, &target, call).await
    }
}

#[async_trait]
impl Store for S3 {
    fn location(&self) -> String {
        self.inner.settings.location()
    }

    fn max_object_bytes(&self) -> u64 {
        self.inner.settings.part_bytes * MAX_PARTS
    }

    fn put_memory_bytes(&self) -> u64 {
        let settings = &self.inner.settings;
        settings.part_bytes * (settings.parts_in_flight as u64 + 1)
    }

    async fn prepare(&self) -> Result<()> {
        bucket::prepare(&self.inner).await
    }

    async fn put(&self, name: &str, body: ByteStream, cancel: &CancellationToken) -> Result<()> {
        upload::put(&self.inner, name, body, cancel).await
    }

    async fn get(&self, name: &str, offset: u64) -> Result<ByteStream> {
        download::get(&self.inner, name, offset).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Listed>> {
        listing::list(&self.inner, prefix)
    }

    async fn list_dirs(&self, prefix: &str) -> Result<Vec<String>> {
        listing::list_dirs(&self.inner, prefix).await
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let key = self.inner.key(name)?;
        let request = self.inner.client.delete_object();
        let request = request.bucket(&self.inner.settings.bucket).key(&key);
        let sent = self
            .inner
            .send(Op::DeleteObject, &key, || request.clone().send())
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(fault) if fault.is_missing_key() => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }

    async fn commit(&self, name: &str, bytes: Bytes) -> Result<Commit> {
        commit::commit(&self.inner, name, bytes).await
    }

    /// MinIO lists unfinished uploads only of an exact object name or of a whole bucket (and there only
    /// those begun since it started); both are asked. What it does not list it removes itself after a day.
    async fn abort_stale(&self, prefix: &str, age: Duration, now: Timestamp) -> Result<u64> {
        listing::abort_stale(&self.inner, prefix, age, now).await
    }
}

//! Every other store, on OpenDAL.

mod local;

#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use jiff::Timestamp;
use opendal::{EntryMode, ErrorKind, services};
use tokio_util::sync::CancellationToken;

use self::local::Local;
use crate::error::{Error, Kind, Result};
use crate::store::{Commit, Listed, Store, layout};
use crate::stream::ByteStream;

/// The most that a put to a `file` store buffers: tokio's, and the block on its way.
const LOCAL_PUT_BYTES: u64 = 4 << 20;
/// What OpenDAL collects before it writes to a service.
const CHUNK_BYTES: usize = 8 << 20;

/// A directory, or any service that OpenDAL speaks.
pub struct Operator {
    location: String,
    max_object_bytes: u64,
    /// Built when first used: building one for a directory creates the directory.
    operator: OnceLock<opendal::Operator>,
    /// Where OpenDAL's own writes do not do: they race at create-only ones, and files are for all to read.
    local: Option<Local>,
}

impl Operator {
    /// A `file` store: the directory `root`, which `prepare` creates.
    pub fn file(root: impl AsRef<Path>) -> Result<Self> {
        let local = Local::new(root.as_ref())?;
        Ok(Self {
            location: format!("file://{}", local.root().display()),
            max_object_bytes: i64::MAX as u64,
            operator: OnceLock::new(),
            local: Some(local),
        })
    }

    /// A store that lives as long as this value, for tests.
    pub fn memory() -> Result<Self> {
        let operator = opendal::Operator::new(services::Memory::default())
            .map_err(|error| failed("memory store", error))?;
        Ok(Self {
            location: "memory://".to_owned(),
            max_object_bytes: i64::MAX as u64,
            operator: OnceLock::from(operator),
            local: None,
        })
    }

    /// The same store with smaller objects.
    #[must_use]
    pub fn with_max_object_bytes(self, max_object_bytes: u64) -> Self {
        Self {
            max_object_bytes,
            ..self
        }
    }

    fn operator(&self) -> Result<&opendal::Operator> {
        if let Some(operator) = self.operator.get() {
            return Ok(operator);
        }
        let Some(local) = &self.local else {
            return Err(Error::new(Kind::Bug, "a store without an operator"));
        };
        let root = local.existing_root()?;
        let operator = opendal::Operator::new(services::Fs::default().root(&root))
            .map_err(|error| failed(&self.location, error))?;
        Ok(self.operator.get_or_init(|| operator))
    }

    fn what(&self, verb: &str, name: &str) -> String {
        format!("{verb} {}/{name}", self.location.trim_end_matches('/'))
    }

    async fn write(&self, name: &str, mut body: ByteStream, what: &str) -> Result<()> {
        let mut writer = self
            .operator()?
            .writer_with(name)
            .chunk(CHUNK_BYTES)
            .await
            .map_err(|error| failed(what, error))?;
        let written = async {
            while let Some(bytes) = body.try_next().await? {
                writer
                    .write(bytes)
                    .await
                    .map_err(|error| failed(what, error))?;
            }
            Ok(())
        }
        .await;
        if let Err(error) = written {
            if let Err(error) = writer.abort().await {
                tracing::debug!(%error, "nothing to abort");
            }
            return Err(error);
        }
        writer.close().await.map_err(|error| failed(what, error))?;
        Ok(())
    }
}

#[async_trait]
impl Store for Operator {
    fn location(&self) -> String {
        self.location.clone()
    }

    fn max_object_bytes(&self) -> u64 {
        self.max_object_bytes
    }

    fn put_memory_bytes(&self) -> u64 {
        match self.local {
            Some(_) => LOCAL_PUT_BYTES,
            None => 2 * CHUNK_BYTES as u64,
        }
    }

    async fn prepare(&self) -> Result<()> {
        if let Some(local) = &self.local {
            local.prepare().await?;
        }
        self.operator().map(drop)
    }

    async fn put(&self, name: &str, body: ByteStream, cancel: &CancellationToken) -> Result<()> {
        layout::check_name(name)?;
        let what = self.what("put", name);
        let put = async {
            match &self.local {
                Some(local) => local.put(name, body, &what).await,
                None => self.write(name, body, &what).await,
            }
        };
        tokio::select! {
            put = put => put,
            () = cancel.cancelled() => {
                Err(Error::new(Kind::Interrupted, format!("{what} was interrupted")))
            }
        }
    }

    async fn get(&self, name: &str, offset: u64) -> Result<ByteStream> {
        layout::check_name(name)?;
        let what = self.what("get", name);
        let failed = |error| failed(&what, error);
        let operator = self.operator()?;
        let metadata = operator.stat(name).await.map_err(failed)?;
        let size = metadata.content_length();
        if !metadata.is_file() || offset > size {
            return Err(match metadata.is_file() {
                false => Error::new(Kind::NotFound, format!("{what}: it is not a file")),
                true => Error::new(
                    Kind::Integrity,
                    format!("{what}: it has {size} bytes and was to be read from byte {offset}"),
                ),
            });
        }
        if offset == size {
            return Ok(stream::empty().boxed());
        }
        let reader = operator.reader(name).await.map_err(failed)?;
        let body = reader.into_bytes_stream(offset..).await.map_err(failed)?;
        Ok(checked(body, size - offset, what))
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Listed>> {
        let operator = self.operator().cloned();
        let what = self.what("list", prefix);
        let prefix = prefix.to_owned();
        stream::once(async move {
            layout::check_prefix(&prefix)?;
            let dir = prefix.rfind('/').map_or("/", |slash| &prefix[..=slash]);
            let lister = operator?
                .lister_with(dir)
                .recursive(true)
                .await
                .map_err(|error| failed(&what, error))?;
            Ok::<_, Error>(
                lister
                    .map(move |entry| entry.map_err(|error| failed(&what, error)))
                    .try_filter_map(move |entry| {
                        let wanted = entry.path().starts_with(&prefix) && is_object(&entry);
                        std::future::ready(Ok(wanted.then(|| listed(&entry))))
                    }),
            )
        })
        .try_flatten()
        .boxed()
    }

    async fn list_dirs(&self, prefix: &str) -> Result<Vec<String>> {
        layout::check_prefix(prefix)?;
        let what = self.what("list", prefix);
        let dir = if prefix.is_empty() { "/" } else { prefix };
        let entries = self.operator()?.list(dir).await;
        let entries = entries.map_err(|error| failed(&what, error))?;
        let mut dirs: Vec<String> = entries
            .into_iter()
            .map(|entry| entry.path().to_owned())
            .filter(|path| path.ends_with('/') && path != dir && !is_temporary(path))
            .collect();
        dirs.sort();
        Ok(dirs)
    }

    async fn delete(&self, name: &str) -> Result<()> {
        layout::check_name(name)?;
        match self.operator()?.delete(name).await {
            Ok(()) => {}
            Err(error) if is_absence(&error) => {}
            Err(error) => return Err(failed(&self.what("delete", name), error)),
        }
        if let Some(local) = &self.local {
            local.remove_empty_parents(name).await;
        }
        Ok(())
    }

    async fn commit(&self, name: &str, bytes: Bytes) -> Result<Commit> {
        layout::check_name(name)?;
        let what = self.what("commit", name);
        if let Some(local) = &self.local {
            return local.commit(name, bytes, &what).await;
        }
        let written = self
            .operator()?
            .write_with(name, bytes)
            .if_not_exists(true)
            .await;
        match written {
            Ok(_) => Ok(Commit::Created),
            Err(error) if error.kind() == ErrorKind::ConditionNotMatch => Ok(Commit::Exists),
            Err(error) => Err(failed(&what, error)),
        }
    }

    /// A directory's unfinished files are in one place, whatever they were to become: `prefix` is not asked.
    async fn abort_stale(&self, _prefix: &str, age: Duration, now: Timestamp) -> Result<u64> {
        match &self.local {
            Some(local) => local.abort_stale(age, now).await,
            None => Ok(0),
        }
    }
}

/// Ends well only after exactly `expected` bytes.
fn checked(
    body: impl futures::Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    expected: u64,
    what: String,
) -> ByteStream {
    let wrong = move |n_bytes: u64| {
        let what = format!("{what}: it was changed while it was read, at byte {n_bytes}");
        Error::new(Kind::Integrity, what)
    };
    stream::unfold(Some((body.boxed(), 0)), move |state| {
        let wrong = wrong.clone();
        async move {
            let (mut body, n_bytes) = state?;
            match body.next().await {
                None if n_bytes == expected => None,
                None => Some((Err(wrong(n_bytes)), None)),
                Some(Err(error)) => Some((Err(wrong(n_bytes).because(error)), None)),
                Some(Ok(bytes)) => {
                    let n_bytes = n_bytes + bytes.len() as u64;
                    match n_bytes > expected {
                        true => Some((Err(wrong(n_bytes)), None)),
                        false => Some((Ok(bytes), Some((body, n_bytes)))),
                    }
                }
            }
        }
    })
    .boxed()
}

fn is_object(entry: &opendal::Entry) -> bool {
    entry.metadata().mode() == EntryMode::FILE && !is_temporary(entry.path())
}

fn is_temporary(path: &str) -> bool {
    path.split('/').next() == Some(layout::TEMPORARY)
}

fn listed(entry: &opendal::Entry) -> Listed {
    Listed {
        name: entry.path().to_owned(),
        stored_bytes: entry.metadata().content_length(),
        modified: entry.metadata().last_modified().map(Timestamp::from),
    }
}

fn is_absence(error: &opendal::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// OpenDAL's error in our words; what the operating system said is told when it said something.
fn failed(what: &str, error: opendal::Error) -> Error {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return local::explain(what, io);
        }
        source = cause.source();
    }
    let kind = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Kind::NotFound,
        ErrorKind::PermissionDenied => Kind::Denied,
        ErrorKind::ConfigInvalid => Kind::Config,
        ErrorKind::Unsupported => Kind::Unfit,
        _ => Kind::Store,
    };
    Error::new(kind, what).because(error)
}

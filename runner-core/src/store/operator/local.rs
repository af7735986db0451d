//! Writes to a directory: whole or not at all, durable, for the owner's eyes only.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::error::{Error, Kind, Result};
use crate::store::{Commit, layout};
use crate::stream::ByteStream;

/// What tokio collects before it crosses to a blocking thread.
const BUFFER_BYTES: usize = 1 << 20;

#[derive(Clone, Debug)]
pub(super) struct Local {
    root: PathBuf,
}

impl Local {
    pub(super) fn new(root: &Path) -> Result<Self> {
        if !root.is_absolute() {
            let what = format!("STORAGE_PATH {root:?} must be absolute");
            return Err(Error::new(Kind::Config, what));
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn existing_root(&self) -> Result<String> {
        let what = format!("store {}", self.root.display());
        match fs::metadata(&self.root) {
            Ok(metadata) if metadata.is_dir() => Ok(self.root.to_string_lossy().into_owned()),
            Ok(_) => Err(Error::new(
                Kind::Config,
                format!("{what} is not a directory"),
            )),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::new(
                Kind::NotFound,
                format!("{what} does not exist; mount a volume there, or check STORAGE_PATH"),
            )),
            Err(error) => Err(explain(&what, &error)),
        }
    }

    /// Creates the directory and shows, with a file that it removes, that it can be written.
    pub(super) async fn prepare(&self) -> Result<()> {
        let local = self.clone();
        self.blocking("prepare", move || {
            let temporary = local.begin()?;
            fs::remove_file(&temporary.path)
        })
        .await
    }

    pub(super) async fn put(&self, name: &str, mut body: ByteStream, what: &str) -> Result<()> {
        let local = self.clone();
        let (temporary, file) = self
            .blocking(what, move || {
                let mut temporary = local.begin()?;
                let file = temporary.take_file()?;
                Ok((temporary, file))
            })
            .await?;
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(BUFFER_BYTES);
        let explain = |error: io::Error| explain(what, &error);
        while let Some(bytes) = body.try_next().await? {
            file.write_all(&bytes).await.map_err(explain)?;
        }
        file.flush().await.map_err(explain)?;
        file.sync_all().await.map_err(explain)?;
        let target = self.root.join(name);
        let local = self.clone();
        self.blocking(what, move || {
            local.publish(&target, |target| fs::rename(&temporary.path, target))?;
            temporary.placed();
            Ok(())
        })
        .await
    }

    /// A complete file is given its name by `link`, which fails when the name is taken.
    pub(super) async fn commit(&self, name: &str, bytes: Bytes, what: &str) -> Result<Commit> {
        let target = self.root.join(name);
        let local = self.clone();
        self.blocking(what, move || {
            let mut temporary = local.begin()?;
            let mut file = temporary.take_file()?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            let linked = local.publish(&target, |target| {
                match fs::hard_link(&temporary.path, target) {
                    // A file system without hard links, such as exFAT or some network shares.
                    Err(error) if lacks_links(&error) => create_new(target, &bytes),
                    linked => linked,
                }
            });
            match linked {
                Ok(()) => Ok(Commit::Created),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Commit::Exists),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Best effort: a directory that is not empty stays.
    pub(super) async fn remove_empty_parents(&self, name: &str) {
        let root = self.root.clone();
        let name = PathBuf::from(name);
        let removed = tokio::task::spawn_blocking(move || {
            for parent in name.ancestors().skip(1) {
                let is_root = parent.as_os_str().is_empty();
                if is_root || fs::remove_dir(root.join(parent)).is_err() {
                    return;
                }
            }
        });
        if let Err(error) = removed.await {
            tracing::debug!(%error, "an empty directory stays");
        }
    }

    pub(super) async fn abort_stale(&self, age: Duration, now: Timestamp) -> Result<u64> {
        let temporary = self.root.join(layout::TEMPORARY);
        self.blocking("remove unfinished files", move || {
            let mut n_removed = 0;
            let entries = match fs::read_dir(temporary) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                let Ok(modified) = entry.metadata().and_then(|metadata| metadata.modified()) else {
                    continue; // its writer has just finished
                };
                let modified = Timestamp::try_from(modified).unwrap_or(now);
                let is_stale = Duration::try_from(now.duration_since(modified))
                    .is_ok_and(|elapsed| elapsed >= age);
                if is_stale && fs::remove_file(entry.path()).is_ok() {
                    n_removed += 1;
                }
            }
            Ok(n_removed)
        })
        .await
    }

    /// A new file below the root, so that a rename into place crosses no file system.
    fn begin(&self) -> io::Result<Temporary> {
        let dir = self.root.join(layout::TEMPORARY);
        let path = dir.join(Uuid::now_v7().to_string());
        let open = || {
            create_dirs(&dir)?;
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
        };
        let file = open()?;
        Ok(Temporary {
            path,
            file: Some(file),
            is_there: true,
        })
    }

    /// Gives a file its place and makes that durable. A sibling's `delete` may take the directory away in
    /// between; then it is made again.
    fn publish(
        &self,
        target: &Path,
        mut place: impl FnMut(&Path) -> io::Result<()>,
    ) -> io::Result<()> {
        const ATTEMPTS: usize = 10;
        let parent = target.parent().unwrap_or(&self.root);
        let mut placed = Ok(());
        for _ in 0..ATTEMPTS {
            create_dirs(parent)?;
            placed = place(target);
            match &placed {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                _ => break,
            }
        }
        placed?;
        sync_dir(parent)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        what: &str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done.map_err(|error| {
                explain(&format!("{what} (store {})", self.root.display()), &error)
            }),
            Err(error) => Err(Error::new(Kind::Bug, what).because(error)),
        }
    }
}

/// A file that goes away unless it got its place.
struct Temporary {
    path: PathBuf,
    file: Option<fs::File>,
    is_there: bool,
}

impl Temporary {
    fn placed(mut self) {
        self.is_there = false;
    }

    fn take_file(&mut self) -> io::Result<fs::File> {
        self.file
            .take()
            .ok_or_else(|| io::Error::other("the file was taken already"))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.is_there {
            // What stays is removed by the next prune.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Every missing directory down to `dir`, for the owner only, each made durable in its parent.
fn create_dirs(dir: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => dir.parent().map_or(Ok(()), sync_dir),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let Some(parent) = dir.parent() else {
                return Err(error);
            };
            create_dirs(parent)?;
            match DirBuilder::new().mode(0o700).create(dir) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
                created => created.and_then(|()| sync_dir(parent)),
            }
        }
        Err(error) => Err(error),
    }
}

/// Some file systems cannot; they promise nothing about directories anyway.
fn sync_dir(dir: &Path) -> io::Result<()> {
    match fs::File::open(dir).and_then(|dir| dir.sync_all()) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

fn lacks_links(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::Unsupported
    )
}

/// Create-only too, but a crash in the middle leaves a file that is cut (and is refused as damaged).
fn create_new(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(target)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        fs::remove_file(target)?;
    }
    written
}

/// An operating system's error, and what a person can do about it.
pub(super) fn explain(what: &str, error: &io::Error) -> Error {
    let (kind, way_out) = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => (
            Kind::Store,
            "; free space, prune, or mount a larger volume".to_owned(),
        ),
        ErrorKind::PermissionDenied => (Kind::Denied, permission_way_out()),
        ErrorKind::ReadOnlyFilesystem => (
            Kind::Config,
            "; mount a writable volume there, or set STORAGE_PATH".to_owned(),
        ),
        ErrorKind::NotFound | ErrorKind::NotADirectory => (Kind::NotFound, String::new()),
        ErrorKind::CrossesDevices => (
            Kind::Config,
            "; the whole store must be on one file system".to_owned(),
        ),
        _ => (Kind::Store, String::new()),
    };
    Error::new(kind, format!("{what}: {error}{way_out}"))
}

fn permission_way_out() -> String {
    match fs::metadata("/proc/self") {
        Ok(metadata) => format!("; let uid {} in, or run as the owner", metadata.uid()),
        Err(_) => String::new(),
    }
}

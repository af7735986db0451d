//! The committed backups in a store: a prefix is one exactly when it has a manifest.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};

use crate::error::{Error, Kind, Result};
use crate::manifest::{MANIFEST, Manifest};
use crate::store::{Listed, Store};

/// A manifest longer than this is damage: 100 000 tables take about 30 MB.
const MAX_MANIFEST_BYTES: u64 = 256 << 20;
/// Manifests read at a time when all are wanted.
const READERS: usize = 8;

/// A committed backup.
#[derive(Clone, Debug)]
pub struct Committed {
    /// Its `BACKUP_PATH`.
    pub path: String,
    pub manifest: Manifest,
}

/// The name of a backup's manifest.
pub fn manifest_name(path: &str) -> String {
    format!("{path}/{MANIFEST}")
}

/// Reads the manifest at `path`; `NotFound` when there is no complete backup.
pub async fn read(store: &dyn Store, path: &str) -> Result<Manifest> {
    let bytes = read_small(store, &manifest_name(path))
        .await
        .map_err(|err| match err.kind() {
            Kind::NotFound => Error::new(
                Kind::NotFound,
                format!(
                    "there is no complete backup at {path} in {}",
                    store.location()
                ),
            ),
            _ => err,
        })?;
    Manifest::parse(&bytes).map_err(|err| err.while_doing(format!("read {}", manifest_name(path))))
}

/// A small object's bytes; one that is too long to be one is damage.
pub(crate) async fn read_small(store: &dyn Store, name: &str) -> Result<Bytes> {
    let mut body = store.get(name, 0).await?;
    let mut bytes = BytesMut::new();
    while let Some(block) = body.next().await {
        bytes.extend_from_slice(&block?);
        if bytes.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(Error::new(
                Kind::Integrity,
                format!("{name} is longer than anything of ours"),
            ));
        }
    }
    Ok(bytes.freeze())
}

/// Every manifest below `under`, the newest first, by the time it was committed.
async fn manifests(store: &dyn Store, under: &str) -> Result<Vec<Listed>> {
    let suffix = format!("/{MANIFEST}");
    let mut found: Vec<Listed> = store
        .list(under)
        .try_filter(|listed| {
            let is_manifest = listed.name.ends_with(&suffix);
            async move { is_manifest }
        })
        .try_collect()
        .await?;
    found.sort_by(|a, b| (b.modified, &b.name).cmp(&(a.modified, &a.name)));
    Ok(found)
}

fn path_of(manifest: &Listed) -> String {
    manifest
        .name
        .trim_end_matches(MANIFEST)
        .trim_end_matches('/')
        .to_owned()
}

/// All committed backups below `under`, the newest first; one that cannot be read is told and left out.
pub async fn list(store: Arc<dyn Store>, under: &str) -> Result<Vec<Committed>> {
    let found = manifests(store.as_ref(), under).await?;
    let read = stream::iter(found)
        .map(|listed| {
            let store = Arc::clone(&store);
            async move {
                let path = path_of(&listed);
                match read(store.as_ref(), &path).await {
                    Ok(manifest) => Ok(Some(Committed { path, manifest })),
                    Err(err) if matches!(err.kind(), Kind::Integrity | Kind::Unfit) => {
                        tracing::warn!(path, reason = %err, "not listed");
                        Ok(None)
                    }
                    Err(err) if err.kind() == Kind::NotFound => Ok(None), // deleted meanwhile
                    Err(err) => Err(err),
                }
            }
        })
        .buffered(READERS);
    let backups: Vec<Option<Committed>> = read.try_collect().await?;
    Ok(backups.into_iter().flatten().collect())
}

/// What `latest` means: the backup of this engine, host and database that was committed last.
pub async fn latest(
    store: &dyn Store,
    engine: &str,
    host: &str,
    database: Option<&str>,
) -> Result<Committed> {
    for listed in manifests(store, "").await? {
        let path = path_of(&listed);
        let manifest = match read(store, &path).await {
            Ok(manifest) => manifest,
            // Silently taking an older one instead could restore last week's data.
            Err(err) if err.kind() == Kind::Integrity => return Err(err),
            Err(err) if matches!(err.kind(), Kind::NotFound | Kind::Unfit) => continue,
            Err(err) => return Err(err),
        };
        let same_database = database.is_none_or(|database| manifest.database == database);
        if manifest.engine == engine && manifest.host == host && same_database {
            return Ok(Committed { path, manifest });
        }
    }
    let database = database
        .map(|database| format!(" database {database:?} on"))
        .unwrap_or_default();
    Err(Error::new(
        Kind::NotFound,
        format!(
            "there is no complete backup of{database} {host} in {}",
            store.location()
        ),
    ))
}

//! A committed backup, open for reading.

use std::sync::Arc;

use crate::catalog;
use crate::codec::{Compression, Keys, Layers, Sums};
use crate::error::{Error, Kind, Result};
use crate::manifest::{Artifact, Document, Manifest, RESTORE_MD};
use crate::progress::Progress;
use crate::store::Store;
use crate::store::segments::open_artifact;
use crate::stream::ByteStream;

/// A manifest and the means to read its artifacts.
#[derive(Clone)]
pub struct Backup(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    /// Where it lies in the store, without a trailing slash.
    path: String,
    manifest: Manifest,
    layers: Layers,
    keys: Keys,
}

impl Backup {
    /// Refuses a backup that the keys cannot open before a byte is read.
    pub fn new(
        store: Arc<dyn Store>,
        path: String,
        manifest: Manifest,
        keys: Keys,
    ) -> Result<Self> {
        let compression = Compression::parse(&manifest.compression).map_err(|problem| {
            Error::new(
                Kind::Unfit,
                format!("manifest.json: compression: {problem}"),
            )
        })?;
        let layers = Layers {
            compression,
            encrypted: manifest.encryption.is_some(),
        };
        if layers.encrypted && keys.is_empty() {
            return Err(Error::new(
                Kind::Config,
                format!(
                    "{path} is encrypted; set ENCRYPTION_IDENTITY, or ENCRYPTION_PASSPHRASE if it was sealed with one"
                ),
            ));
        }
        Ok(Self(Arc::new(Inner {
            store,
            path,
            manifest,
            layers,
            keys,
        })))
    }

    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// Where it lies in the store.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    pub fn artifacts(&self) -> &[Artifact] {
        &self.0.manifest.artifacts
    }

    /// The artifacts of one kind, in the manifest's order.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Artifact> {
        self.artifacts()
            .iter()
            .filter(move |artifact| artifact.kind == kind)
    }

    /// Reads `RESTORE.md`, which must be what the manifest says.
    pub async fn check_by_hand(&self) -> Result<()> {
        let inner = &self.0;
        let Some(expected) = &inner.manifest.restore_md else {
            return Ok(()); // of a release that did not say
        };
        let name = format!("{}/{RESTORE_MD}", inner.path);
        let wrong = |what: &str| {
            let hint = "RESTORE_PRECHECK=none restores without it";
            Error::new(Kind::Integrity, format!("{name} {what}; {hint}"))
        };
        match catalog::read_small(inner.store.as_ref(), &name).await {
            Ok(bytes) if Document::of(&bytes) == *expected => Ok(()),
            Ok(_) => Err(wrong("is not what the manifest says it is")),
            Err(err) if err.kind() == Kind::NotFound => Err(wrong("is missing")),
            Err(err) => Err(err),
        }
    }

    /// Decoded bytes, checked to the end: a good end means that they are the bytes that were sealed.
    pub fn open(&self, artifact: &Artifact, progress: Progress) -> ByteStream {
        let inner = &self.0;
        let stored = open_artifact(Arc::clone(&inner.store), &inner.path, artifact);
        let sums = Sums {
            logical_bytes: artifact.logical_bytes,
            stored_bytes: artifact.stored_bytes,
            sha256: artifact.sha256.clone(),
        };
        inner
            .layers
            .decode(stored, &inner.keys, Some(&sums), progress)
    }
}

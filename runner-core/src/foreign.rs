//! A stock tool's dump that is a directory of objects: listed, and opened one by one.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;

use crate::codec::{Keys, Layers};
use crate::error::{Error, Kind, Result};
use crate::progress::Progress;
use crate::store::Store;
use crate::stream::ByteStream;

/// The objects directly below a `BACKUP_PATH`, none of which is a manifest.
#[derive(Clone)]
pub struct ForeignDirectory {
    path: String,
    store: Arc<dyn Store>,
    keys: Keys,
    progress: Progress,
    /// By their names without compression or encryption suffixes.
    objects: BTreeMap<String, Object>,
}

#[derive(Clone)]
struct Object {
    name: String,
    layers: Layers,
    stored_bytes: u64,
}

impl ForeignDirectory {
    /// Lists them; `None` when there are none.
    pub async fn find(
        store: Arc<dyn Store>,
        path: &str,
        keys: Keys,
        progress: Progress,
    ) -> Result<Option<Self>> {
        let prefix = format!("{}/", path.trim_end_matches('/'));
        let mut listed = store.list(&prefix);
        let mut objects = BTreeMap::<String, Object>::new();
        while let Some(listed) = listed.next().await {
            let listed = listed?;
            let file = listed.name.get(prefix.len()..).unwrap_or_default();
            if file.is_empty() || file.contains('/') {
                continue;
            }
            let (layers, name) = Layers::of_name(file);
            let object = Object {
                layers,
                name: listed.name.clone(),
                stored_bytes: listed.stored_bytes,
            };
            if let Some(other) = objects.insert(name.to_owned(), object) {
                let text = format!(
                    "{} and {} would be one file; remove one of them",
                    other.name, listed.name
                );
                return Err(Error::new(Kind::Unfit, text));
            }
        }
        Ok(Some(Self {
            path: path.to_owned(),
            store,
            keys,
            progress,
            objects,
        })
        .filter(|directory| !directory.objects.is_empty()))
    }

    /// Its `BACKUP_PATH`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The objects' names without compression or encryption suffixes, such as `shop.orders.00000.sql`, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.objects.keys().map(String::as_str)
    }

    /// The size of an object in the store; 0 when there is none.
    pub fn stored_bytes(&self, name: &str) -> u64 {
        self.objects.get(name).map_or(0, |it| it.stored_bytes)
    }

    /// An object's bytes, decrypted and decompressed.
    pub async fn open(&self, name: &str) -> Result<ByteStream> {
        let Some(Object { name, layers, .. }) = self.objects.get(name) else {
            let text = format!("{name} is missing from {}", self.path);
            return Err(Error::new(Kind::Integrity, text));
        };
        need_keys(layers, &self.keys, name)?;
        let stored = self.store.get(name, 0).await?;
        Ok(layers.decode(stored, &self.keys, None, self.progress.clone()))
    }
}

/// Refuses an object that nothing can open.
pub(crate) fn need_keys(layers: &Layers, keys: &Keys, name: &str) -> Result<()> {
    if layers.encrypted && keys.is_empty() {
        return Err(Error::new(
            Kind::Config,
            format!("{name} is encrypted; set ENCRYPTION_IDENTITY or ENCRYPTION_PASSPHRASE"),
        ));
    }
    Ok(())
}

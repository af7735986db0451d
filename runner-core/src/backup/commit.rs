//! The end of a run: the instructions and the manifest, or nothing.

use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::{Run, refuse_existing, remove_all, taken};
use crate::catalog::{self, manifest_name};
use crate::context::Context;
use crate::engine::Engine;
use crate::error::{Kind, Result};
use crate::manifest::{Document, Manifest, RESTORE_MD};
use crate::store::{Commit, Store};
use crate::workers::interrupted;

impl Run {
    /// The instructions, then the manifest, which makes it a backup.
    pub(super) async fn commit<E: Engine>(
        &self,
        engine: &E,
        context: &Context<E::Options>,
        mut manifest: Manifest,
    ) -> Result<Manifest> {
        let store = context.store.as_ref();
        let by_hand = Bytes::from(engine.restore_by_hand(&manifest));
        manifest.restore_md = Some(Document::of(&by_hand));
        let _ = self.by_hand.set(by_hand.clone()); // a run commits once
        let restore_md = self.restore_md();
        if store.commit(&restore_md, by_hand.clone()).await? == Commit::Exists {
            // Of an attempt that was cut off before its manifest, unless a rival has just won.
            refuse_existing(store, &self.path).await?;
            let by_hand = by_hand.clone();
            let body = stream::once(async { Ok(by_hand) }).boxed();
            store
                .put(&restore_md, body, &CancellationToken::new())
                .await?;
        }
        if context.cancel.is_cancelled() {
            return Err(interrupted());
        }
        let json = Bytes::from(manifest.render()?);
        match store.commit(&manifest_name(&self.path), json).await {
            Ok(Commit::Created) => {}
            Ok(Commit::Exists) => {
                // Our instructions may have taken the place of the winner's.
                if let Ok(winner) = catalog::read(store, &self.path).await {
                    let by_hand = Bytes::from(engine.restore_by_hand(&winner));
                    // A winner of another release may have worded them otherwise, and sees to them itself.
                    if winner.restore_md == Some(Document::of(&by_hand)) {
                        self.settle(store, by_hand).await;
                    }
                }
                return Err(taken(store, &self.path, None));
            }
            Err(err) if self.is_committed(store).await.unwrap_or(false) => {
                tracing::warn!(reason = %err, "the store kept the manifest all the same");
            }
            Err(err) => return Err(err),
        }
        self.settle(store, by_hand).await;
        Ok(manifest)
    }

    /// Whether the manifest at our path is ours.
    async fn is_committed(&self, store: &dyn Store) -> Result<bool> {
        match catalog::read(store, &self.path).await {
            Ok(manifest) => Ok(manifest.backup_id == self.backup_id),
            Err(err) if matches!(err.kind(), Kind::NotFound | Kind::Integrity | Kind::Unfit) => {
                Ok(false)
            }
            Err(err) => Err(err),
        }
    }

    /// Beside a committed manifest stand its own instructions, whatever a rival for the same path wrote last.
    async fn settle(&self, store: &dyn Store, by_hand: Bytes) {
        let name = self.restore_md();
        if has(store, &name, &by_hand).await {
            return;
        }
        let body = stream::once(async { Ok(by_hand) }).boxed();
        if let Err(err) = store.put(&name, body, &CancellationToken::new()).await {
            tracing::warn!(name, reason = %err, "the backup is complete, but its instructions are not");
        }
    }

    fn restore_md(&self) -> String {
        format!("{}/{RESTORE_MD}", self.path)
    }

    /// Removes what this run uploaded; what cannot be removed is left to `prune`.
    pub(super) async fn clean_up(&self, store: &dyn Store) {
        let removed = async {
            if self.is_committed(store).await? {
                return Ok(()); // its commit was reported as lost, and was not
            }
            remove_all(store, &self.own).await?;
            // A rival's instructions stay.
            match self.by_hand.get() {
                Some(ours) if has(store, &self.restore_md(), ours).await => {
                    store.delete(&self.restore_md()).await
                }
                _ => Ok(()),
            }
        };
        if let Err(err) = removed.await {
            tracing::warn!(path = self.path, reason = %err, "what was uploaded could not be removed; `prune` will");
        }
    }
}

/// Whether a small object is there and holds these bytes.
async fn has(store: &dyn Store, name: &str, bytes: &Bytes) -> bool {
    let Ok(mut body) = store.get(name, 0).await else {
        return false;
    };
    let mut rest = bytes.clone();
    while let Some(block) = body.next().await {
        match block {
            Ok(block) if rest.starts_with(&block) => rest = rest.slice(block.len()..),
            _ => return false,
        }
    }
    rest.is_empty()
}

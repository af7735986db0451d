//! Reading a whole backup back: every object's hash, every layer, to the end.

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::manifest::Artifact;
use crate::progress::Progress;
use crate::source::Backup;
use crate::workers::{each, unless_cancelled};

/// Reads the instructions, and every artifact to its checked end; the first damage is the error.
pub async fn run(
    backup: &Backup,
    parallelism: usize,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<()> {
    progress.begin("check", backup.manifest().logical_bytes);
    unless_cancelled(cancel, backup.check_by_hand())
        .await
        .map_err(|err| err.while_doing(format!("check {}", backup.path())))?;
    let mut artifacts: Vec<Artifact> = backup.artifacts().to_vec();
    artifacts.sort_by_key(|artifact| std::cmp::Reverse(artifact.stored_bytes));
    each(artifacts, parallelism, cancel, |artifact, stop| {
        let (backup, progress) = (backup.clone(), progress.clone());
        async move { unless_cancelled(&stop, read(&backup, &artifact, progress)).await }
    })
    .await
    .map(drop)
    .map_err(|err| err.while_doing(format!("check {}", backup.path())))
}

async fn read(backup: &Backup, artifact: &Artifact, progress: Progress) -> Result<()> {
    let mut body = backup.open(artifact, progress.clone());
    while let Some(block) = body.next().await {
        block.map_err(|err| err.while_doing(artifact.path.clone()))?;
    }
    progress.add_rows(artifact.data.iter().map(|data| data.rows).sum());
    Ok(())
}

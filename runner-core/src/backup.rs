//! Backing up: pieces in parallel into the store, the manifest last.

mod commit;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::TryStreamExt;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::catalog;
use crate::codec::Codec;
use crate::context::Context;
use crate::engine::{Dump, Engine, Finished, Opened, Piece, Probe, Scope};
use crate::error::{Error, Kind, Result};
use crate::job::BackupPath;
use crate::manifest::{Artifact, FORMAT, Manifest};
use crate::progress::Progress;
use crate::store::segments::put_artifact;
use crate::store::{Store, layout};
use crate::workers::{each, unless_cancelled};

/// A committed backup and where it lies.
#[derive(Debug)]
pub struct Done {
    pub path: String,
    pub manifest: Manifest,
}

/// The path that this job writes to.
pub fn path<E: Engine>(context: &Context<E::Options>) -> Result<String> {
    match &context.job.backup_path {
        Some(BackupPath::Path(path)) => Ok(path.clone()),
        Some(BackupPath::Latest) => Err(Error::new(
            Kind::Config,
            "BACKUP_PATH: `latest` names a backup to read, not one to write",
        )),
        None => {
            let database = context.job.database.name.as_deref().unwrap_or_default();
            let host = &context.job.database.host;
            Ok(layout::backup_path(
                E::NAME,
                host,
                database,
                context.started_at,
                &context.job.job_id,
            ))
        }
    }
}

/// Makes one backup. On any failure there is no manifest, and what was uploaded is removed.
pub async fn run<E: Engine>(
    engine: &E,
    context: &Context<E::Options>,
    path: String,
) -> Result<Done> {
    let cancel = &context.cancel;
    unless_cancelled(cancel, context.store.prepare()).await?;
    refuse_existing(context.store.as_ref(), &path).await?;
    let probe = unless_cancelled(cancel, engine.probe()).await?;
    tracing::info!(
        engine_version = probe.engine_version,
        size_bytes = probe.size_bytes,
        "the server is ready: {}",
        said(&probe.facts)
    );
    let backup_id = Uuid::now_v7().to_string();
    let run = Run {
        path: path.clone(),
        own: format!("{path}/{backup_id}/"),
        backup_id,
        by_hand: OnceLock::new(),
    };
    match run.fill(engine, context, probe).await {
        Ok(manifest) => Ok(Done { path, manifest }),
        Err(err) => {
            run.clean_up(context.store.as_ref()).await;
            Err(err)
        }
    }
}

fn said(facts: &BTreeMap<String, String>) -> String {
    let facts: Vec<String> = facts
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    facts.join(", ")
}

async fn refuse_existing(store: &dyn Store, path: &str) -> Result<()> {
    match catalog::read(store, path).await {
        Err(err) if err.kind() == Kind::NotFound => Ok(()),
        Ok(manifest) => Err(taken(store, path, Some(&manifest))),
        Err(err) if matches!(err.kind(), Kind::Integrity | Kind::Unfit) => {
            Err(taken(store, path, None))
        }
        Err(err) => Err(err),
    }
}

fn taken(store: &dyn Store, path: &str, manifest: Option<&Manifest>) -> Error {
    let by =
        manifest.map(|manifest| format!(" (job {}, {})", manifest.job_id, manifest.started_at));
    Error::new(
        Kind::Unfit,
        format!(
            "{path} in {} already holds a backup{}; choose another BACKUP_PATH, or leave it out for a new path each time",
            store.location(),
            by.unwrap_or_default()
        ),
    )
}

/// One attempt. Its artifacts lie in a directory named by its own id, so that two runs with the same
/// `BACKUP_PATH` never touch each other's objects, whoever commits.
struct Run {
    path: String,
    /// With a trailing slash.
    own: String,
    backup_id: String,
    /// The instructions, once they were written.
    by_hand: OnceLock<Bytes>,
}

impl Run {
    async fn fill<E: Engine>(
        &self,
        engine: &E,
        context: &Context<E::Options>,
        probe: Probe,
    ) -> Result<Manifest> {
        let job = &context.job;
        let scope = Scope {
            parallelism: job.parallelism,
            content: job.content,
            include: job.include.clone(),
            exclude: job.exclude.clone(),
            progress: context.progress.clone(),
            cancel: context.cancel.clone(),
        };
        let dump = Arc::new(unless_cancelled(&context.cancel, engine.begin(&scope)).await?);
        let pieces = dump.pieces().to_vec();
        context.progress.begin(
            "back up",
            pieces.iter().map(|piece| piece.estimated_bytes).sum(),
        );
        let memory_bytes =
            (context.store.put_memory_bytes() + job.codec.window_bytes()) * job.parallelism as u64;
        tracing::info!(
            path = self.path,
            pieces = pieces.len(),
            workers = job.parallelism,
            memory_bytes,
            "back up"
        );
        let upload = Upload {
            dump: Arc::clone(&dump),
            store: Arc::clone(&context.store),
            codec: job.codec.clone(),
            progress: context.progress.clone(),
            own: self.own.clone(),
            backup_id: self.backup_id.clone(),
        };
        let upload = Arc::new(upload);
        let artifacts = each(pieces, job.parallelism, &context.cancel, |piece, stop| {
            let upload = Arc::clone(&upload);
            async move { upload.piece(piece, stop).await }
        });
        let mut artifacts = artifacts.await?;
        artifacts.sort_by(|a, b| a.path.cmp(&b.path));
        drop(upload);
        let dump = Arc::into_inner(dump)
            .ok_or_else(|| Error::new(Kind::Bug, "a worker outlived the dump"))?;
        let finished = unless_cancelled(&context.cancel, dump.finish()).await?;
        let manifest = self.manifest::<E>(context, probe, finished, artifacts);
        self.commit(engine, context, manifest).await
    }

    fn manifest<E: Engine>(
        &self,
        context: &Context<E::Options>,
        probe: Probe,
        finished: Finished,
        artifacts: Vec<Artifact>,
    ) -> Manifest {
        let job = &context.job;
        Manifest {
            format: FORMAT.to_owned(),
            backup_id: self.backup_id.clone(),
            job_id: job.job_id.clone(),
            runner_version: crate::VERSION.to_owned(),
            engine: E::NAME.to_owned(),
            engine_version: probe.engine_version,
            tools: probe.tools,
            host: job.database.host.clone(),
            database: job.database.name.clone().unwrap_or_default(),
            backup_type: "full".to_owned(),
            parent: None,
            started_at: context.started_at,
            finished_at: (context.now)(),
            consistency: finished.consistency,
            compression: job.codec.compression.to_string(),
            encryption: job
                .codec
                .encryption
                .as_ref()
                .map(|recipients| recipients.describe()),
            logical_bytes: artifacts
                .iter()
                .map(|artifact| artifact.logical_bytes)
                .sum(),
            stored_bytes: artifacts.iter().map(|artifact| artifact.stored_bytes).sum(),
            artifacts,
            restore_md: None,
            details: finished.details,
        }
    }
}

/// Deletes every object below `prefix`.
pub async fn remove_all(store: &dyn Store, prefix: &str) -> Result<()> {
    let names: Vec<String> = store
        .list(prefix)
        .map_ok(|listed| listed.name)
        .try_collect()
        .await?;
    for name in names {
        store.delete(&name).await?;
    }
    Ok(())
}

/// What turns pieces into artifacts.
struct Upload<D> {
    dump: Arc<D>,
    store: Arc<dyn Store>,
    codec: Codec,
    progress: Progress,
    own: String,
    backup_id: String,
}

impl<D: Dump> Upload<D> {
    async fn piece(&self, piece: Piece, stop: CancellationToken) -> Result<Artifact> {
        let Opened { body, proof } = unless_cancelled(&stop, self.dump.open(&piece)).await?;
        let (stored, receipt) = self.codec.encode(body, self.progress.clone());
        let file = format!("{}{}", piece.name, self.codec.suffix());
        let segments = put_artifact(
            self.store.as_ref(),
            &format!("{}{file}", self.own),
            stored,
            &stop,
        )
        .await?;
        let sums = receipt.sums().ok_or_else(|| {
            Error::new(
                Kind::Bug,
                format!("{file} was stored before its end was seen"),
            )
        })?;
        tracing::debug!(
            artifact = file,
            logical_bytes = sums.logical_bytes,
            stored_bytes = sums.stored_bytes,
            "stored"
        );
        let relative = |mut segment: crate::manifest::Segment| {
            let name = segment
                .path
                .strip_prefix(&self.own)
                .unwrap_or(&segment.path);
            segment.path = format!("{}/{name}", self.backup_id);
            segment
        };
        let segments: Vec<_> = segments.into_iter().map(relative).collect();
        Ok(Artifact {
            path: format!("{}/{file}", self.backup_id),
            kind: piece.kind.to_owned(),
            logical_bytes: sums.logical_bytes,
            stored_bytes: sums.stored_bytes,
            sha256: sums.sha256,
            segments: if segments.len() > 1 {
                segments
            } else {
                Vec::new()
            },
            data: proof.get(),
        })
    }
}

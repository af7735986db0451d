//! Restoring: find the backup, check the target, check every byte, then let the engine restore and prove.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use crate::catalog;
use crate::codec::Layers;
use crate::context::Context;
use crate::engine::{Engine, Foreign, Restored, Target};
use crate::error::{Error, Kind, Result};
use crate::foreign::{ForeignDirectory, need_keys};
use crate::job::{BackupPath, Precheck};
use crate::manifest::Manifest;
use crate::source::Backup;
use crate::store::layout::database_prefix;
use crate::verify;
use crate::workers::unless_cancelled;

const UNPROVEN: &str = "a foreign dump: there is no manifest to prove it by";

/// What stands at a `BACKUP_PATH`.
pub enum Found {
    Ours(Box<Backup>),
    /// A single object that is not a backup of ours: its name.
    Foreign(String),
    /// A directory of such objects, which the engine recognized.
    Directory(Box<ForeignDirectory>),
}

/// What a restore brought back.
#[derive(Debug)]
pub struct Done {
    pub path: String,
    /// `None` for a foreign dump.
    pub manifest: Option<Manifest>,
    pub restored: Restored,
}

/// Resolves `BACKUP_PATH`.
pub async fn find<E: Engine>(context: &Context<E::Options>) -> Result<Found> {
    let job = &context.job;
    let store = &context.store;
    let open = |path: String, manifest: Manifest| {
        if manifest.engine != E::NAME {
            let engine = &manifest.engine;
            let text = format!(
                "{path} is a backup of {engine} and this runner serves {}; use plan-b-backup-{engine}",
                E::NAME
            );
            return Err(Error::new(Kind::Unfit, text));
        }
        let backup = Backup::new(Arc::clone(store), path, manifest, job.keys.clone())?;
        Ok(Found::Ours(Box::new(backup)))
    };
    match &job.backup_path {
        None => Err(Error::new(
            Kind::Config,
            "BACKUP_PATH is required: a backup's path, or `latest`",
        )),
        Some(BackupPath::Latest) => {
            let database = job.database.name.as_deref();
            let found =
                catalog::latest(store.as_ref(), E::NAME, &job.database.host, database).await?;
            tracing::info!(path = found.path, taken = %found.manifest.started_at, "latest");
            open(found.path, found.manifest)
        }
        Some(BackupPath::Path(path)) => match catalog::read(store.as_ref(), path).await {
            Ok(manifest) => open(path.clone(), manifest),
            Err(err) if err.kind() == Kind::NotFound => find_foreign::<E>(context, path, err).await,
            Err(err) => Err(err),
        },
    }
}

/// An object at the path itself, or objects below it; `missing` is why there is no backup of ours.
async fn find_foreign<E: Engine>(
    context: &Context<E::Options>,
    path: &str,
    missing: Error,
) -> Result<Found> {
    let job = &context.job;
    match context.store.get(path, 0).await {
        Ok(_) => return Ok(Found::Foreign(path.to_owned())),
        Err(err) if err.kind() == Kind::NotFound => {}
        Err(err) => return Err(err),
    }
    let (store, progress) = (Arc::clone(&context.store), context.progress.clone());
    let below = ForeignDirectory::find(store, path, job.keys.clone(), progress).await?;
    if let Some(directory) = below
        && E::is_foreign_directory(&directory)
    {
        return Ok(Found::Directory(Box::new(directory)));
    }
    let database = job.database.name.as_deref().unwrap_or("*");
    let under = database_prefix(E::NAME, &job.database.host, database);
    Err(missing.while_doing(format!(
        "find {path}; `list` shows what is there, such as below {under}"
    )))
}

/// Restores what `BACKUP_PATH` names.
pub async fn run<E: Engine>(engine: &E, context: &Context<E::Options>) -> Result<Done> {
    match unless_cancelled(&context.cancel, find::<E>(context)).await? {
        Found::Ours(backup) => ours(engine, context, &backup).await,
        Found::Foreign(name) => foreign(engine, context, name).await,
        Found::Directory(directory) => foreign_directory(engine, context, *directory).await,
    }
}

async fn ours<E: Engine>(
    engine: &E,
    context: &Context<E::Options>,
    backup: &Backup,
) -> Result<Done> {
    let manifest = backup.manifest();
    let target = target(context, &manifest.database);
    unless_cancelled(&context.cancel, engine.check_target(manifest, &target)).await?;
    if context.job.restore.precheck == Precheck::Full {
        tracing::info!(
            path = backup.path(),
            "check every object before the target is touched"
        );
        let parallelism = context.job.parallelism;
        verify::run(backup, parallelism, &context.progress, &context.cancel)
            .await
            .map_err(|err| {
                err.while_doing(format!("the target {:?} was not touched", target.database))
            })?;
    }
    let restored = engine.restore(backup, &target).await?;
    Ok(Done {
        path: backup.path().to_owned(),
        manifest: Some(manifest.clone()),
        restored,
    })
}

async fn foreign<E: Engine>(
    engine: &E,
    context: &Context<E::Options>,
    path: String,
) -> Result<Done> {
    let target = foreign_target::<E>(context, &path)?;
    let file = path.rsplit('/').next().unwrap_or(&path);
    let (layers, name) = Layers::of_name(file);
    need_keys(&layers, &context.job.keys, &path)?;
    let open = || {
        let (store, path) = (Arc::clone(&context.store), path.clone());
        let stored = stream::once(async move { store.get(&path, 0).await });
        let stored = stored.try_flatten().boxed();
        Foreign {
            name: name.to_owned(),
            body: layers.decode(stored, &context.job.keys, None, context.progress.clone()),
        }
    };
    tracing::info!(path, "{UNPROVEN}");
    if context.job.restore.precheck == Precheck::Full {
        let checked = unless_cancelled(&context.cancel, engine.check_foreign(open(), &target));
        checked
            .await
            .map_err(|err| err.while_doing("the target was not touched"))?;
    }
    let restored = engine.restore_foreign(open(), &target).await?;
    Ok(Done {
        path,
        manifest: None,
        restored,
    })
}

async fn foreign_directory<E: Engine>(
    engine: &E,
    context: &Context<E::Options>,
    directory: ForeignDirectory,
) -> Result<Done> {
    let path = directory.path().to_owned();
    let target = foreign_target::<E>(context, &path)?;
    tracing::info!(path, objects = directory.names().count(), "{UNPROVEN}");
    let restored = engine.restore_foreign_directory(directory, &target).await?;
    Ok(Done {
        path,
        manifest: None,
        restored,
    })
}

fn foreign_target<E: Engine>(context: &Context<E::Options>, path: &str) -> Result<Target> {
    match &context.job.restore.database {
        Some(database) => Ok(target(context, database)),
        // Such a dump is of the whole server.
        None if !E::HAS_DATABASES => Ok(target(context, "*")),
        None => Err(Error::new(
            Kind::Config,
            format!(
                "DB_NAME is required: {path} is a foreign dump, which does not say where it belongs"
            ),
        )),
    }
}

fn target<O>(context: &Context<O>, backed_up: &str) -> Target {
    let settings = &context.job.restore;
    Target {
        parallelism: context.job.parallelism,
        database: settings
            .database
            .clone()
            .unwrap_or_else(|| backed_up.to_owned()),
        create_database: settings.create_database,
        drop_existing: settings.drop_existing,
        staging: settings.staging,
        tables: settings.tables.clone(),
        verify: settings.verify,
        progress: context.progress.clone(),
        cancel: context.cancel.clone(),
    }
}

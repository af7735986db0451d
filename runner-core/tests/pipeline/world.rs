//! A store, a job and an engine on paper; what is in the store afterwards.

use std::ffi::OsString;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use runner_core::backup::Done;
use runner_core::context::Context;
use runner_core::engine::Engine;
use runner_core::error::Result;
use runner_core::job::{EngineFacts, Job, Request, Surroundings};
use runner_core::manifest::Manifest;
use runner_core::progress::Progress;
use runner_core::store::operator::Operator;
use runner_core::store::{Commit, Listed, Store};
use runner_core::testing::Scripted;
use runner_core::testing::bodies::collect;
use runner_core::testing::scripted::NoOptions;
use runner_core::{backup, catalog, restore, verify};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) type Job1 = Context<NoOptions>;

pub(crate) const PATH: &str = "shop/nightly";
pub(crate) const MANIFEST: &str = "shop/nightly/manifest.json";
pub(crate) const RESTORE_MD: &str = "shop/nightly/RESTORE.md";

pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(Operator::memory().unwrap())
}

/// A database of three tables, one of them empty.
pub(crate) fn shop() -> Scripted {
    Scripted::default()
        .piece("data/orders", 700_000)
        .piece("data/items", 30_000)
        .piece("data/empty", 0)
}

/// A job as the environment would have it.
pub(crate) fn context(store: &Arc<dyn Store>, settings: &[(&str, &str)]) -> Job1 {
    let defaults = [
        ("DB_HOST", "db"),
        ("DB_NAME", "shop"),
        ("BACKUP_PATH", PATH),
        ("PARALLELISM", "2"),
    ];
    let around = Surroundings {
        fresh_id: Uuid::now_v7().to_string(),
        n_cpus: 2,
        terminal: false,
    };
    let is_set = |name: &str| settings.iter().any(|(it, _)| *it == name);
    let vars = defaults.iter().filter(|(name, _)| !is_set(name));
    let vars = vars.chain(settings).filter(|(_, value)| !value.is_empty());
    let vars = vars.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let facts = EngineFacts::of::<Scripted>();
    let args = ["runner".into()];
    let request = Job::<NoOptions>::from_env(&facts, args, vars, &around).unwrap();
    let Request::Run(job) = request else {
        panic!("not a job");
    };
    Context {
        job: *job,
        store: Arc::clone(store),
        progress: Progress::default(),
        cancel: CancellationToken::new(),
        now: Timestamp::now,
        started_at: Timestamp::now(),
    }
}

pub(crate) async fn back_up(engine: &Scripted, context: &Job1) -> Result<Done> {
    let path = backup::path::<Scripted>(context)?;
    backup::run(engine, context, path).await
}

/// A complete backup of [`shop`] at [`PATH`].
pub(crate) async fn backed_up(store: &Arc<dyn Store>, settings: &[(&str, &str)]) -> Manifest {
    let done = back_up(&shop(), &context(store, settings)).await;
    done.unwrap().manifest
}

pub(crate) async fn verify(store: &Arc<dyn Store>, settings: &[(&str, &str)]) -> Result<()> {
    let context = context(store, settings);
    let backup = match restore::find::<Scripted>(&context).await? {
        restore::Found::Ours(backup) => backup,
        restore::Found::Foreign(name) => panic!("{name} is foreign"),
        restore::Found::Directory(directory) => panic!("{} is foreign", directory.path()),
    };
    verify::run(&backup, 2, &context.progress, &context.cancel).await
}

/// Restores into an engine of its own, which comes back with the outcome.
pub(crate) async fn bring_back(
    store: &Arc<dyn Store>,
    settings: &[(&str, &str)],
) -> (Scripted, Result<restore::Done>) {
    let engine = Scripted::default();
    let restored = restore::run(&engine, &context(store, settings)).await;
    (engine, restored)
}

/// Every object's name, in order.
pub(crate) async fn names(store: &Arc<dyn Store>) -> Vec<String> {
    let listed: Vec<Listed> = store.list("").try_collect().await.unwrap();
    let mut names: Vec<String> = listed.into_iter().map(|listed| listed.name).collect();
    names.sort();
    names
}

pub(crate) async fn read(store: &Arc<dyn Store>, name: &str) -> Bytes {
    collect(store.get(name, 0).await.unwrap()).await.unwrap()
}

/// Writes an object behind the runner's back.
pub(crate) async fn write(store: &Arc<dyn Store>, name: &str, bytes: impl Into<Bytes>) {
    let bytes = bytes.into();
    store.delete(name).await.unwrap();
    let body = stream::once(async { Ok(bytes) }).boxed();
    let never = CancellationToken::new();
    store.put(name, body, &never).await.unwrap();
}

/// The backup at [`PATH`] is there, whole, and restores to what `engine` held.
pub(crate) async fn assert_whole(store: &Arc<dyn Store>, engine: &Scripted) {
    verify(store, &[]).await.unwrap();
    let (target, restored) = bring_back(store, &[]).await;
    restored.unwrap();
    assert!(target.recorder().restored() == engine.content().await.unwrap());
    let manifest = catalog::read(store.as_ref(), PATH).await.unwrap();
    let by_hand = read(store, RESTORE_MD).await;
    assert_eq!(by_hand, engine.restore_by_hand(&manifest));
}

/// Commits a manifest as somebody else would have written it.
pub(crate) async fn commit(store: &Arc<dyn Store>, path: &str, manifest: &Manifest) {
    let json = Bytes::from(manifest.render().unwrap());
    let name = catalog::manifest_name(path);
    assert_eq!(store.commit(&name, json).await.unwrap(), Commit::Created);
}

//! Only what nobody can restore is ever removed.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use runner_core::error::Kind;
use runner_core::prune::{delete, incomplete};
use runner_core::store::Store;
use runner_core::store::operator::Operator;
use runner_core::testing::{Call, Ending, Fault, FaultyStore, Gate, On};
use tempfile::TempDir;

use crate::world::*;

const AGE: Duration = Duration::from_secs(3600);
const RUN: &str = "0198f2c0-0000-7000-8000-000000000000";

/// A store that tells when an object was written.
fn directory() -> (TempDir, Arc<dyn Store>) {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Operator::file(dir.path()).unwrap());
    (dir, store)
}

fn after(age: Duration) -> Timestamp {
    Timestamp::now() + SignedDuration::try_from(age).unwrap() + SignedDuration::from_secs(5)
}

/// A run that died without a word: its objects stay, and RESTORE.md.
async fn killed(store: &Arc<dyn Store>, path: &str) {
    let dead = FaultyStore::new(store.clone())
        .with(Call::Commit, On::Nth(2), Fault::Fail(Kind::Store))
        .with(Call::Delete, On::Every, Fault::Fail(Kind::Store));
    let dead: Arc<dyn Store> = Arc::new(dead);
    let context = context(&dead, &[("BACKUP_PATH", path)]);
    back_up(&shop(), &context).await.unwrap_err();
}

#[tokio::test]
async fn prune_removes_old_incomplete_runs_and_nothing_else() {
    let (_dir, store) = directory();
    backed_up(&store, &[]).await;
    // A committed backup whose path has a run's name in it.
    let odd = format!("shop/{RUN}/nightly");
    backed_up(&store, &[("BACKUP_PATH", &odd)]).await;
    for foreign in [
        "notes.txt",
        "shop/notes.txt",
        "shop/nightly/notes.txt",
        "shop/dump.sql.gz",
        "other/9f1c8a52-7b0e-4f6e-9a3a-000000000000/not-a-run",
    ] {
        write(&store, foreign, "foreign").await;
    }
    let kept = names(&store).await;
    killed(&store, "shop/killed").await;
    killed(&store, &format!("shop/{RUN}/killed")).await;
    let before = names(&store).await;
    assert_eq!(before.len(), kept.len() + 8);

    let pruned = incomplete(store.as_ref(), AGE, Timestamp::now()).await;
    assert_eq!(pruned.unwrap().incomplete.len(), 0, "too young");
    assert_eq!(names(&store).await, before);

    let pruned = incomplete(store.as_ref(), AGE, after(AGE)).await.unwrap();
    assert_eq!(
        (pruned.incomplete.len(), pruned.objects),
        (2, 6),
        "{pruned:?}"
    );
    assert_eq!(names(&store).await, kept);
    assert_whole(&store, &shop()).await;
    verify(&store, &[("BACKUP_PATH", &odd)]).await.unwrap();
    let again = incomplete(store.as_ref(), AGE, after(AGE)).await.unwrap();
    assert_eq!(again, runner_core::prune::Pruned::default());
}

#[tokio::test]
async fn a_live_run_younger_than_the_age_is_spared_and_commits() {
    let (_dir, store) = directory();
    let gate = Gate::new();
    let engine = shop().piece_that_ends("data/slow", 10, Ending::Held(gate.clone()));
    let context = context(&store, &[("PARALLELISM", "4")]);
    let prune = async {
        gate.reached().await;
        let pruned = incomplete(store.as_ref(), AGE, Timestamp::now()).await;
        gate.open();
        pruned
    };
    let (done, pruned) = tokio::join!(back_up(&engine, &context), prune);
    assert_eq!(pruned.unwrap().objects, 0);
    done.unwrap();
    assert_whole(&store, &engine).await;
}

#[tokio::test]
async fn a_live_run_below_a_path_that_looks_like_a_run_is_spared() {
    let (_dir, store) = directory();
    let path = format!("shop/{RUN}");
    // Its RESTORE.md is all that an older attempt has left.
    write(&store, &format!("{path}/RESTORE.md"), "old").await;
    let gate = Gate::new();
    let engine = shop().piece_that_ends("data/slow", 10, Ending::Held(gate.clone()));
    let settings = [("BACKUP_PATH", path.as_str()), ("PARALLELISM", "4")];
    let context = context(&store, &settings);
    let prune = async {
        gate.reached().await;
        let pruned = incomplete(store.as_ref(), AGE, Timestamp::now()).await;
        gate.open();
        pruned
    };
    let (done, pruned) = tokio::join!(back_up(&engine, &context), prune);
    assert_eq!(pruned.unwrap().objects, 0);
    done.unwrap();
    verify(&store, &settings).await.unwrap();
}

#[tokio::test]
async fn a_rivals_rest_beside_a_committed_backup_goes_and_the_backup_stays() {
    let (_dir, store) = directory();
    killed(&store, PATH).await;
    backed_up(&store, &[]).await;
    let pruned = incomplete(store.as_ref(), AGE, after(AGE)).await.unwrap();
    assert_eq!((pruned.incomplete.len(), pruned.objects), (1, 3));
    assert_eq!(names(&store).await.len(), 5);
    assert_whole(&store, &shop()).await;
}

#[tokio::test]
async fn what_lies_below_an_unreadable_manifest_is_left_alone() {
    let (_dir, store) = directory();
    backed_up(&store, &[]).await;
    for text in ["{", "{\"format\": \"planb/2\"}"] {
        write(&store, MANIFEST, text).await;
        let before = names(&store).await;
        let pruned = incomplete(store.as_ref(), AGE, after(AGE)).await.unwrap();
        assert_eq!(pruned.objects, 0);
        assert_eq!(names(&store).await, before);
    }
}

#[tokio::test]
async fn delete_removes_the_manifest_first_and_then_everything() {
    let inner = memory();
    backed_up(&inner, &[]).await;
    backed_up(&inner, &[("BACKUP_PATH", "shop/other")]).await;
    let faulty = Arc::new(FaultyStore::new(inner.clone()));
    delete(faulty.as_ref(), PATH).await.unwrap();
    let calls = faulty.calls();
    let mut deletes = calls.iter().filter(|(call, _)| *call == Call::Delete);
    assert_eq!(deletes.next().unwrap().1, MANIFEST);
    let left = names(&inner).await;
    assert!(
        left.iter().all(|name| name.starts_with("shop/other/")),
        "{left:?}"
    );
    let again = delete(faulty.as_ref(), PATH).await.unwrap_err();
    assert_eq!(again.kind(), Kind::NotFound);
    verify(&inner, &[("BACKUP_PATH", "shop/other")])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_delete_that_breaks_off_leaves_no_backup_and_prune_finishes_it() {
    let (_dir, inner) = directory();
    backed_up(&inner, &[]).await;
    let faulty =
        FaultyStore::new(inner.clone()).with(Call::Delete, On::Nth(2), Fault::Fail(Kind::Store));
    delete(&faulty, PATH).await.unwrap_err();
    assert!(!names(&inner).await.contains(&MANIFEST.to_owned()));
    incomplete(inner.as_ref(), AGE, after(AGE)).await.unwrap();
    assert_eq!(names(&inner).await, [""; 0]);
}

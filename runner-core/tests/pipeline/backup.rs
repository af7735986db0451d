//! A backup is there whole, or not at all.

use std::sync::Arc;

use runner_core::error::Kind;
use runner_core::store::Store;
use runner_core::store::operator::Operator;
use runner_core::testing::{Call, Ending, FakeS3, Fault, FaultyStore, Gate, Misbehaviour, On};

use crate::world::*;

#[tokio::test]
async fn a_backup_comes_back_as_it_was() {
    for settings in [
        &[][..],
        &[("COMPRESSION", "none")],
        &[("PARALLELISM", "1"), ("COMPRESSION", "gzip")],
    ] {
        let store = memory();
        let manifest = backed_up(&store, settings).await;
        assert_eq!(manifest.logical_bytes, 730_000);
        assert_eq!(manifest.tallies()["data/orders"].rows, 700_000);
        verify(&store, &[]).await.unwrap();
    }
    let store = memory();
    backed_up(&store, &[]).await;
    assert_whole(&store, &shop()).await;
}

#[tokio::test]
async fn restore_md_comes_after_every_artifact_and_the_manifest_last() {
    let faulty = Arc::new(FaultyStore::new(memory()));
    let store: Arc<dyn Store> = faulty.clone();
    let manifest = backed_up(&store, &[]).await;
    let calls = faulty.calls();
    let writes = calls
        .iter()
        .filter(|(call, _)| matches!(call, Call::Put | Call::Commit));
    let writes: Vec<_> = writes.cloned().collect();
    let (puts, commits) = writes.split_at(manifest.artifacts.len());
    assert!(puts.iter().all(|(call, _)| *call == Call::Put), "{puts:?}");
    let commits: Vec<_> = commits.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(commits, [RESTORE_MD, MANIFEST]);
}

#[tokio::test]
async fn a_piece_that_fails_at_its_very_last_byte_commits_nothing_and_leaves_no_object() {
    for kind in [Kind::Tool, Kind::Unreachable] {
        let store = memory();
        let engine = shop().piece_that_ends("data/last", 300_000, Ending::Failing(kind));
        let error = back_up(&engine, &context(&store, &[])).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(names(&store).await, [""; 0]);
        let calls = engine.recorder().calls();
        assert!(!calls.contains(&"finish".to_owned()), "{calls:?}");
        // And the path is free for the next attempt.
        backed_up(&store, &[]).await;
    }
}

#[tokio::test]
async fn a_snapshot_that_is_lost_at_the_end_commits_nothing() {
    let store = memory();
    let engine = shop().failing_finish(Kind::Unreachable);
    let error = back_up(&engine, &context(&store, &[])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert_eq!(names(&store).await, [""; 0]);
}

#[tokio::test]
async fn a_complete_backup_is_never_overwritten_and_the_database_is_not_asked() {
    let store = memory();
    backed_up(&store, &[]).await;
    let before = names(&store).await;
    let engine = shop();
    let error = back_up(&engine, &context(&store, &[])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unfit);
    assert!(error.to_string().contains(PATH), "{error}");
    assert_eq!(engine.recorder().calls(), [""; 0]);
    assert_eq!(names(&store).await, before);
    assert_whole(&store, &shop()).await;
    // A manifest that cannot be read may be somebody's backup as well.
    write(&store, MANIFEST, "{").await;
    let error = back_up(&engine, &context(&store, &[])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unfit);
    assert_eq!(read(&store, MANIFEST).await, "{");
}

#[tokio::test]
async fn a_signal_mid_put_leaves_nothing() {
    let store = memory();
    let gate = Gate::new();
    let engine = shop().piece_that_ends("data/slow", 300_000, Ending::Held(gate.clone()));
    let context = context(&store, &[]);
    let signal = async {
        gate.reached().await;
        context.cancel.cancel();
    };
    let (done, ()) = tokio::join!(back_up(&engine, &context), signal);
    assert_eq!(done.unwrap_err().kind(), Kind::Interrupted);
    assert_eq!(names(&store).await, [""; 0]);
}

#[tokio::test]
async fn a_signal_before_the_commit_leaves_nothing() {
    let inner = memory();
    let gate = Gate::new();
    let restore_md = On::Named("RESTORE.md".to_owned());
    let faulty =
        FaultyStore::new(inner.clone()).with(Call::Commit, restore_md, Fault::Hold(gate.clone()));
    let context = context(&(Arc::new(faulty) as Arc<dyn Store>), &[]);
    let signal = async {
        gate.reached().await;
        context.cancel.cancel();
        gate.open();
    };
    let engine = shop();
    let (done, ()) = tokio::join!(back_up(&engine, &context), signal);
    assert_eq!(done.unwrap_err().kind(), Kind::Interrupted);
    assert_eq!(names(&inner).await, [""; 0]);
}

#[tokio::test]
async fn a_store_that_fails_anywhere_leaves_no_manifest_and_no_object() {
    let faults = [
        (Call::Prepare, On::Every, Fault::Fail(Kind::Store)),
        (Call::Put, On::Nth(2), Fault::CutAfter(100)),
        (Call::Put, On::Nth(2), Fault::Fail(Kind::Store)),
        (Call::Put, On::Nth(3), Fault::FailAfterwards(Kind::Store)),
        (Call::Commit, On::Nth(1), Fault::Fail(Kind::Store)),
        (Call::Commit, On::Nth(1), Fault::FailAfterwards(Kind::Store)),
        (Call::Commit, On::Nth(2), Fault::Fail(Kind::Store)),
    ];
    for (call, on, fault) in faults {
        let inner = memory();
        let case = format!("{call:?} {on:?} {fault:?}");
        let faulty = FaultyStore::new(inner.clone()).with(call, on, fault);
        let store: Arc<dyn Store> = Arc::new(faulty);
        let error = back_up(&shop(), &context(&store, &[])).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Store, "{case}");
        assert_eq!(names(&inner).await, [""; 0], "{case}");
    }
}

#[tokio::test]
async fn a_manifest_that_the_store_kept_is_a_backup_though_its_answer_was_lost() {
    let inner = memory();
    let lost = Fault::FailAfterwards(Kind::Store);
    let faulty = FaultyStore::new(inner.clone()).with(Call::Commit, On::Nth(2), lost);
    let store: Arc<dyn Store> = Arc::new(faulty);
    back_up(&shop(), &context(&store, &[])).await.unwrap();
    assert_whole(&inner, &shop()).await;
}

#[tokio::test]
async fn a_store_that_is_gone_after_the_commit_leaves_what_the_manifest_names() {
    let inner = memory();
    let faulty = FaultyStore::new(inner.clone())
        .with(Call::Commit, On::Nth(2), Fault::FailAfterwards(Kind::Store))
        .with(Call::Get, On::Nth(2), Fault::Fail(Kind::Store))
        .with(Call::Get, On::Nth(3), Fault::Fail(Kind::Store));
    let store: Arc<dyn Store> = Arc::new(faulty);
    // What became of the manifest cannot be known, so the run has failed, and nothing is removed.
    let error = back_up(&shop(), &context(&store, &[])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Store);
    assert_whole(&inner, &shop()).await;
}

#[tokio::test]
async fn what_cannot_be_removed_has_no_manifest_and_the_failure_keeps_its_reason() {
    let inner = memory();
    let faulty = FaultyStore::new(inner.clone())
        .with(Call::Put, On::Nth(3), Fault::Fail(Kind::Store))
        .with(Call::Delete, On::Every, Fault::Fail(Kind::Denied))
        .with(Call::List, On::Every, Fault::Fail(Kind::Denied));
    let store: Arc<dyn Store> = Arc::new(faulty);
    let error = back_up(&shop(), &context(&store, &[])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Store);
    assert!(!names(&inner).await.contains(&MANIFEST.to_owned()));
    // The next attempt at the same path is not in its way.
    backed_up(&inner, &[]).await;
    assert_whole(&inner, &shop()).await;
}

#[tokio::test]
async fn artifacts_longer_than_an_object_come_back_in_one_piece() {
    let store: Arc<dyn Store> = Arc::new(Operator::memory().unwrap().with_max_object_bytes(65_536));
    let manifest = backed_up(&store, &[("COMPRESSION", "none")]).await;
    let lengths = manifest.artifacts.iter().map(|it| it.objects().len());
    let mut lengths: Vec<_> = lengths.collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [1, 1, 11]);
    assert_whole(&store, &shop()).await;
    runner_core::prune::delete(store.as_ref(), PATH)
        .await
        .unwrap();
    assert_eq!(names(&store).await, [""; 0]);
}

#[tokio::test]
async fn s3_that_stumbles_does_not_stop_a_backup_and_s3_that_fails_leaves_nothing() {
    let s3 = FakeS3::start().await.unwrap();
    let connect = async || {
        let store = runner_core::store::s3::S3::connect(s3.settings()).await;
        Arc::new(store.unwrap()) as Arc<dyn Store>
    };
    let store = connect().await;
    let engine = shop().piece("data/big", 12 << 20);
    let plain = context(&store, &[("COMPRESSION", "none")]);
    s3.misbehave("UploadPart", 1, Misbehaviour::ResetAfterReading(1 << 20));
    s3.misbehave("UploadPart", 3, Misbehaviour::Refuse(503, "SlowDown"));
    s3.misbehave(
        "CompleteMultipartUpload",
        1,
        Misbehaviour::ErrorInside("InternalError"),
    );
    back_up(&engine, &plain).await.unwrap();
    s3.misbehave("GetObject", 4, Misbehaviour::ResetAfterWriting(5000));
    assert_whole(&store, &engine).await;
    runner_core::prune::delete(store.as_ref(), PATH)
        .await
        .unwrap();

    s3.misbehave(
        "CompleteMultipartUpload",
        0,
        Misbehaviour::ErrorInside("InternalError"),
    );
    let error = back_up(&engine, &plain).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Store);
    assert_eq!((s3.keys(), s3.n_unfinished()), (vec![], 0));
}

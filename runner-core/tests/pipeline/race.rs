//! Two runs with the same `BACKUP_PATH`: exactly one commits, and what it committed stays whole.

use std::sync::Arc;

use runner_core::catalog;
use runner_core::error::Kind;
use runner_core::store::Store;
use runner_core::store::operator::Operator;
use runner_core::store::s3::S3;
use runner_core::testing::{Call, Ending, FakeS3, Fault, FaultyStore, Gate, On, Scripted};

use crate::world::*;

fn held(gate: &Gate) -> Scripted {
    shop().piece_that_ends("data/z", 1000, Ending::Held(gate.clone()))
}

/// Both have looked whether the path is free before either commits.
async fn race(store: &Arc<dyn Store>) {
    let gates = [Gate::new(), Gate::new()];
    let engines = [held(&gates[0]), held(&gates[1])];
    let contexts = [context(store, &[]), context(store, &[])];
    let start = async {
        gates[0].reached().await;
        gates[1].reached().await;
        gates[0].open();
        gates[1].open();
    };
    let (first, second, ()) = tokio::join!(
        back_up(&engines[0], &contexts[0]),
        back_up(&engines[1], &contexts[1]),
        start
    );
    let (won, lost) = match (first, second) {
        (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost),
        both => panic!("{both:?}"),
    };
    assert_eq!(lost.kind(), Kind::Unfit, "{lost}");
    let manifest = catalog::read(store.as_ref(), PATH).await.unwrap();
    assert_eq!(manifest, won.manifest);
    let own = format!("{PATH}/{}/", manifest.backup_id);
    for name in names(store).await {
        assert!(
            name.starts_with(&own) || name == MANIFEST || name == RESTORE_MD,
            "{name}"
        );
    }
    let open = Gate::new();
    open.open();
    assert_whole(store, &held(&open)).await;
}

#[tokio::test]
async fn of_two_runs_with_one_path_exactly_one_commits() {
    for _ in 0..5 {
        race(&memory()).await;
        let dir = tempfile::tempdir().unwrap();
        race(&(Arc::new(Operator::file(dir.path()).unwrap()) as Arc<dyn Store>)).await;
    }
}

#[tokio::test]
async fn of_two_runs_with_one_path_on_s3_exactly_one_commits() {
    for _ in 0..3 {
        let s3 = FakeS3::start().await.unwrap();
        race(&(Arc::new(S3::connect(s3.settings()).await.unwrap()) as Arc<dyn Store>)).await;
    }
}

/// A run whose commit of `name` waits at the gate.
fn at(gate: &Gate, name: &str, store: &Arc<dyn Store>) -> Arc<dyn Store> {
    let on = On::Named(name.to_owned());
    let hold = Fault::Hold(gate.clone());
    Arc::new(FaultyStore::new(store.clone()).with(Call::Commit, on, hold))
}

#[tokio::test]
async fn the_instructions_are_the_winners_whoever_wrote_them_last() {
    let store = memory();
    let gates = [Gate::new(), Gate::new()];
    let [first, second] = [0, 1].map(|n| context(&at(&gates[n], MANIFEST, &store), &[]));
    let engine = shop();
    let winner = async {
        let done = back_up(&engine, &first).await;
        gates[1].open();
        done
    };
    let rival = async {
        // Its instructions take the place of the other's, which has not committed yet.
        gates[0].reached().await;
        back_up(&engine, &second).await
    };
    let order = async {
        gates[1].reached().await;
        gates[0].open();
    };
    let (won, lost, ()) = tokio::join!(winner, rival, order);
    won.unwrap();
    assert_eq!(lost.unwrap_err().kind(), Kind::Unfit);
    assert_whole(&store, &shop()).await;
}

#[tokio::test]
async fn a_rival_that_fails_takes_no_instructions_away() {
    let store = memory();
    let gate = Gate::new();
    let slow = context(&at(&gate, MANIFEST, &store), &[]);
    let engine = shop();
    let fails = shop().piece_that_ends("data/z", 10, Ending::Failing(Kind::Tool));
    let rival = context(&store, &[]);
    let other = async {
        gate.reached().await;
        let failed = back_up(&fails, &rival).await;
        gate.open();
        failed
    };
    let (won, failed) = tokio::join!(back_up(&engine, &slow), other);
    assert_eq!(failed.unwrap_err().kind(), Kind::Tool);
    won.unwrap();
    assert_whole(&store, &shop()).await;
}

//! What every store must do: the same list of functions for each of them.

use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::bodies::{body, collect, failing_body, same, skip};
use crate::error::{Kind, Result};
use crate::store::{Commit, Store};

/// Bytes around the border of an S3 part of the smallest size, and some that need several.
const SIZES: [u64; 8] = [
    0,
    1,
    4096,
    FIVE_MIB - 1,
    FIVE_MIB,
    FIVE_MIB + 1,
    2 * FIVE_MIB,
    13_000_001,
];
const FIVE_MIB: u64 = 5 << 20;

/// Runs the whole list below `under`, which must be free; panics at the first broken promise.
pub async fn run(store: &dyn Store, under: &str) -> Result<()> {
    store.prepare().await?;
    store.prepare().await?; // again, as the next job will
    what_was_put_comes_back(store, under).await?;
    a_read_starts_where_it_is_told(store, under).await?;
    what_is_not_there_is_not_found(store, under).await?;
    a_failed_put_leaves_nothing(store, under).await?;
    a_cancelled_put_leaves_nothing(store, under).await?;
    an_object_is_seen_only_when_it_is_whole(store, under).await?;
    of_racing_commits_exactly_one_creates(store, under).await?;
    a_commit_leaves_what_is_there_alone(store, under).await?;
    listings_are_by_prefix_and_by_level(store, under).await?;
    a_deleted_object_is_gone(store, under).await?;
    hostile_names_stay_inside(store, under).await?;
    aborting_stale_uploads_spares_objects(store, under).await?;
    let left = names(store, &format!("{under}/")).await?;
    assert_eq!(left, Vec::<String>::new(), "the suite cleans up");
    Ok(())
}

async fn put(store: &dyn Store, name: &str, seed: u64, n_bytes: u64) -> Result<()> {
    store
        .put(name, body(seed, n_bytes), &CancellationToken::new())
        .await
}

async fn names(store: &dyn Store, prefix: &str) -> Result<Vec<String>> {
    let mut names: Vec<String> = store
        .list(prefix)
        .map_ok(|listed| listed.name)
        .try_collect()
        .await?;
    names.sort();
    Ok(names)
}

pub async fn what_was_put_comes_back(store: &dyn Store, under: &str) -> Result<()> {
    for n_bytes in SIZES {
        let name = format!("{under}/size/{n_bytes}");
        put(store, &name, n_bytes, n_bytes).await?;
        let stored = store.get(&name, 0).await?;
        assert!(same(stored, body(n_bytes, n_bytes)).await?, "{name}");
        let listed: Vec<_> = store.list(&name).try_collect().await?;
        let listed = listed.iter().find(|listed| listed.name == name);
        assert_eq!(listed.map(|listed| listed.stored_bytes), Some(n_bytes));
        store.delete(&name).await?;
    }
    Ok(())
}

pub async fn a_read_starts_where_it_is_told(store: &dyn Store, under: &str) -> Result<()> {
    let n_bytes = 2 * FIVE_MIB + 7;
    let name = format!("{under}/offset");
    put(store, &name, 1, n_bytes).await?;
    for offset in [0, 1, FIVE_MIB, FIVE_MIB + 1, n_bytes - 1, n_bytes] {
        let stored = store.get(&name, offset).await?;
        assert!(
            same(stored, skip(body(1, n_bytes), offset)).await?,
            "from {offset}"
        );
    }
    let beyond = store.get(&name, n_bytes + 1).await.err();
    assert_eq!(beyond.map(|error| error.kind()), Some(Kind::Integrity));
    store.delete(&name).await
}

pub async fn what_is_not_there_is_not_found(store: &dyn Store, under: &str) -> Result<()> {
    let missing = store.get(&format!("{under}/missing"), 0).await.err();
    assert_eq!(missing.map(|error| error.kind()), Some(Kind::NotFound));
    assert_eq!(
        names(store, &format!("{under}/missing/")).await?,
        Vec::<String>::new()
    );
    let dirs = store.list_dirs(&format!("{under}/missing/")).await?;
    assert_eq!(dirs, Vec::<String>::new());
    Ok(())
}

pub async fn a_failed_put_leaves_nothing(store: &dyn Store, under: &str) -> Result<()> {
    for n_bytes in [0, 10, FIVE_MIB, 4 * FIVE_MIB + 1] {
        let name = format!("{under}/failed/{n_bytes}");
        let broken = failing_body(1, n_bytes, Kind::Tool);
        let put = store.put(&name, broken, &CancellationToken::new()).await;
        let error = put.err();
        assert_eq!(error.map(|error| error.kind()), Some(Kind::Tool), "{name}");
    }
    assert_eq!(
        names(store, &format!("{under}/failed")).await?,
        Vec::<String>::new()
    );
    Ok(())
}

pub async fn a_cancelled_put_leaves_nothing(store: &dyn Store, under: &str) -> Result<()> {
    for n_bytes in [0, 10, FIVE_MIB, 4 * FIVE_MIB + 1] {
        let name = format!("{under}/cancelled/{n_bytes}");
        let cancel = CancellationToken::new();
        // The body cancels at its end, and has none: as a signal does while the database is slow.
        let stuck = body(1, n_bytes).chain(
            stream::once({
                let cancel = cancel.clone();
                async move {
                    cancel.cancel();
                    std::future::pending().await
                }
            })
            .boxed(),
        );
        let error = store.put(&name, stuck.boxed(), &cancel).await.err();
        assert_eq!(
            error.map(|error| error.kind()),
            Some(Kind::Interrupted),
            "{name}"
        );
    }
    assert_eq!(
        names(store, &format!("{under}/cancelled")).await?,
        Vec::<String>::new()
    );
    Ok(())
}

pub async fn an_object_is_seen_only_when_it_is_whole(store: &dyn Store, under: &str) -> Result<()> {
    let name = format!("{under}/whole");
    let n_bytes = 3 * FIVE_MIB;
    let (reached, was_reached) = tokio::sync::oneshot::channel();
    let (release, was_released) = tokio::sync::oneshot::channel::<()>();
    let gate = stream::once(async move {
        // Either end may be gone when an assertion failed.
        let _ = reached.send(());
        let _ = was_released.await;
        Ok(Bytes::from_static(b"end"))
    });
    let cancel = CancellationToken::new();
    let put = store.put(&name, body(2, n_bytes).chain(gate).boxed(), &cancel);
    let watch = async {
        let _ = was_reached.await;
        let seen = names(store, &name).await;
        let read = store.get(&name, 0).await.err();
        let _ = release.send(());
        (seen, read)
    };
    let (put, (seen, read)) = tokio::join!(put, watch);
    put?;
    assert_eq!(seen?, Vec::<String>::new());
    assert_eq!(read.map(|error| error.kind()), Some(Kind::NotFound));
    assert_eq!(names(store, &name).await?, [name.as_str()]);
    store.delete(&name).await
}

pub async fn of_racing_commits_exactly_one_creates(store: &dyn Store, under: &str) -> Result<()> {
    for round in 0..5 {
        let name = format!("{under}/race/{round}/manifest.json");
        let contents: Vec<Bytes> = (0..6).map(|n| Bytes::from(format!("writer {n}"))).collect();
        let commits = contents
            .iter()
            .map(|bytes| store.commit(&name, bytes.clone()));
        let commits = futures::future::try_join_all(commits).await?;
        let created: Vec<_> = (0..commits.len())
            .filter(|&n| commits[n] == Commit::Created)
            .collect();
        assert_eq!(created.len(), 1, "round {round}: {commits:?}");
        assert_eq!(
            collect(store.get(&name, 0).await?).await?,
            contents[created[0]]
        );
        store.delete(&name).await?;
    }
    Ok(())
}

pub async fn a_commit_leaves_what_is_there_alone(store: &dyn Store, under: &str) -> Result<()> {
    let name = format!("{under}/commit.json");
    let (first, second) = (Bytes::from_static(b"{}"), Bytes::from_static(b"[]"));
    assert_eq!(store.commit(&name, first.clone()).await?, Commit::Created);
    assert_eq!(store.commit(&name, second.clone()).await?, Commit::Exists);
    // Identical bytes are another's all the same.
    assert_eq!(store.commit(&name, first.clone()).await?, Commit::Exists);
    assert_eq!(collect(store.get(&name, 0).await?).await?, first);
    store.delete(&name).await?;
    assert_eq!(store.commit(&name, second).await?, Commit::Created);
    store.delete(&name).await
}

pub async fn listings_are_by_prefix_and_by_level(store: &dyn Store, under: &str) -> Result<()> {
    let all = ["a/1", "a/2", "a/b/3", "ab/4", "c"].map(|name| format!("{under}/list/{name}"));
    for name in &all {
        put(store, name, 1, 3).await?;
    }
    let within = |prefix: &str| format!("{under}/list/{prefix}");
    assert_eq!(names(store, &within("")).await?, all);
    assert_eq!(names(store, &within("a")).await?, all[..4]);
    assert_eq!(names(store, &within("a/")).await?, all[..3]);
    assert_eq!(names(store, &within("c")).await?, all[4..]);
    assert_eq!(
        store.list_dirs(&within("")).await?,
        [within("a/"), within("ab/")]
    );
    assert_eq!(store.list_dirs(&within("a/")).await?, [within("a/b/")]);
    let dirs = store.list_dirs("").await?;
    let top = format!("{}/", under.split('/').next().unwrap_or_default());
    assert!(dirs.contains(&top), "{dirs:?}");
    for name in &all {
        store.delete(name).await?;
    }
    assert_eq!(store.list_dirs(&within("")).await?, Vec::<String>::new());
    Ok(())
}

pub async fn a_deleted_object_is_gone(store: &dyn Store, under: &str) -> Result<()> {
    let name = format!("{under}/deleted/object");
    put(store, &name, 1, 10).await?;
    store.delete(&name).await?;
    store.delete(&name).await?;
    let error = store.get(&name, 0).await.err();
    assert_eq!(error.map(|error| error.kind()), Some(Kind::NotFound));
    Ok(())
}

pub async fn hostile_names_stay_inside(store: &dyn Store, under: &str) -> Result<()> {
    for name in [
        "a b+c&d=e?f#g%2F",
        "ünï/çødé ☃",
        "'\"<>;:@!$*()[]{}|~^`\\",
        "...",
        "-rf",
    ] {
        let name = format!("{under}/hostile/{name}");
        put(store, &name, 5, 100).await?;
        assert_eq!(names(store, &name).await?, [name.as_str()]);
        assert!(
            same(store.get(&name, 0).await?, body(5, 100)).await?,
            "{name}"
        );
        store.delete(&name).await?;
    }
    for name in [
        "",
        "/etc/passwd",
        "..",
        "a/../../b",
        "a//b",
        "a/",
        "./a",
        "a\0b",
        "a\nb",
    ] {
        assert!(put(store, name, 1, 1).await.is_err(), "{name:?}");
        assert!(store.get(name, 0).await.is_err(), "{name:?}");
        assert!(store.delete(name).await.is_err(), "{name:?}");
        assert!(store.commit(name, Bytes::new()).await.is_err(), "{name:?}");
    }
    Ok(())
}

pub async fn aborting_stale_uploads_spares_objects(store: &dyn Store, under: &str) -> Result<()> {
    let name = format!("{under}/stale/object");
    put(store, &name, 1, 2 * FIVE_MIB).await?;
    let listed: Vec<_> = store.list(&name).try_collect().await?;
    let now = listed[0].modified.unwrap_or(Timestamp::UNIX_EPOCH);
    let n_aborted = store
        .abort_stale(&format!("{under}/"), Duration::from_secs(3600), now)
        .await?;
    assert_eq!(n_aborted, 0);
    assert!(same(store.get(&name, 0).await?, body(1, 2 * FIVE_MIB)).await?);
    store.delete(&name).await
}

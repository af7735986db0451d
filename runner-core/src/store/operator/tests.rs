use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::Operator;
use crate::error::Kind;
use crate::store::{Commit, Store, layout};
use crate::testing::bodies::body;
use crate::testing::conformance;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_memory_store_keeps_what_every_store_promises() {
    let store = Operator::memory().unwrap();
    conformance::run(&store, "conformance").await.unwrap();
}

#[tokio::test]
async fn a_directory_keeps_what_every_store_promises() {
    let dir = tempfile::tempdir().unwrap();
    let store = Operator::file(dir.path().join("new/root")).unwrap();
    conformance::run(&store, "conformance/deep").await.unwrap();
    let root = dir.path().join("new/root");
    let left: Vec<_> = std::fs::read_dir(&root).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let temporary = root.join(layout::TEMPORARY);
    assert_eq!(std::fs::read_dir(temporary).unwrap().count(), 0);
}

#[tokio::test]
async fn files_are_for_their_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let store = Operator::file(&root).unwrap();
    store.prepare().await.unwrap();
    let cancel = CancellationToken::new();
    store.put("a/b/data", body(1, 10), &cancel).await.unwrap();
    let manifest = Bytes::from_static(b"{}");
    store.commit("a/b/manifest.json", manifest).await.unwrap();
    for (name, expected) in [
        ("", 0o700),
        (layout::TEMPORARY, 0o700),
        ("a", 0o700),
        ("a/b", 0o700),
        ("a/b/data", 0o600),
        ("a/b/manifest.json", 0o600),
    ] {
        assert_eq!(mode(&root.join(name)), expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_committers_exactly_one_creates() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..50 {
        let name = format!("{round}/manifest.json");
        let commits = ["one", "two"].map(|content| {
            let store = Operator::file(dir.path()).unwrap();
            let name = name.clone();
            tokio::spawn(async move { store.commit(&name, Bytes::from(content)).await })
        });
        let mut n_created = 0;
        for (commit, content) in commits.into_iter().zip(["one", "two"]) {
            if commit.await.unwrap().unwrap() == Commit::Created {
                n_created += 1;
                let stored = std::fs::read_to_string(dir.path().join(&name)).unwrap();
                assert_eq!(stored, content);
            }
        }
        assert_eq!(n_created, 1, "round {round}");
    }
}

#[tokio::test]
async fn unfinished_files_are_removed_by_age() {
    let dir = tempfile::tempdir().unwrap();
    let store = Operator::file(dir.path()).unwrap();
    store.prepare().await.unwrap();
    let left = dir.path().join(layout::TEMPORARY).join("killed");
    std::fs::hard_link(file(dir.path(), "x"), &left).unwrap();
    let begun = std::fs::metadata(&left).unwrap().modified().unwrap();
    let begun = Timestamp::try_from(begun).unwrap();
    let hour = Duration::from_secs(3600);
    assert_eq!(store.abort_stale("", hour, begun).await.unwrap(), 0);
    let later = begun + hour;
    assert_eq!(store.abort_stale("", hour, later).await.unwrap(), 1);
    assert!(!left.exists());
}

/// A file with some content.
fn file(dir: &Path, content: &str) -> std::path::PathBuf {
    use std::io::Write;
    let mut file = tempfile::NamedTempFile::new_in(dir).unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file.into_temp_path().keep().unwrap()
}

#[tokio::test]
async fn a_place_that_is_no_directory_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let error = Operator::file(&missing).unwrap().get("a", 0).await.err();
    assert_eq!(
        error.unwrap().to_string(),
        format!(
            "store {} does not exist; mount a volume there, or check STORAGE_PATH",
            missing.display()
        )
    );
    assert!(!missing.exists(), "reading creates nothing");
    let taken = file(dir.path(), "x");
    let store = Operator::file(&taken).unwrap();
    assert!(store.prepare().await.is_err());
    assert_eq!(store.get("a", 0).await.err().unwrap().kind(), Kind::Config);
    assert_eq!(
        Operator::file("relative").err().unwrap().kind(),
        Kind::Config
    );
    let store = Operator::file("/proc/planb").unwrap();
    assert!(store.prepare().await.is_err());
}

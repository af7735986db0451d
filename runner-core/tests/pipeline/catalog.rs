//! Which backups there are, and which one is meant.

use std::sync::Arc;

use runner_core::catalog::{latest, list, read};
use runner_core::error::Kind;
use runner_core::store::Store;
use runner_core::store::operator::Operator;

use crate::world::{back_up, commit, context, memory, shop, write};

async fn backed_up_at(store: &Arc<dyn Store>, host: &str, database: &str, path: &str) {
    let settings = [
        ("DB_HOST", host),
        ("DB_NAME", database),
        ("BACKUP_PATH", path),
    ];
    back_up(&shop(), &context(store, &settings)).await.unwrap();
}

#[tokio::test]
async fn latest_is_the_newest_of_that_host_and_database() {
    let dir = tempfile::tempdir().unwrap();
    // A store that tells when an object was written.
    let store: Arc<dyn Store> = Arc::new(Operator::file(dir.path()).unwrap());
    for (host, database, path) in [
        ("db", "shop", "z/first"),
        ("db", "shop", "a/second"),
        ("db", "blog", "m/other-database"),
        ("replica", "shop", "n/other-host"),
    ] {
        backed_up_at(&store, host, database, path).await;
    }
    let of = async |host, database| latest(store.as_ref(), "scripted", host, database).await;
    assert_eq!(of("db", Some("shop")).await.unwrap().path, "a/second");
    assert_eq!(
        of("db", Some("blog")).await.unwrap().path,
        "m/other-database"
    );
    assert_eq!(of("replica", None).await.unwrap().path, "n/other-host");
    let error = of("db", Some("nothing")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    let error = latest(store.as_ref(), "mysql", "db", Some("shop")).await;
    assert_eq!(error.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_damaged_newest_backup_is_not_passed_over_in_silence() {
    let store = memory();
    backed_up_at(&store, "db", "shop", "a").await;
    write(&store, "b/manifest.json", "{\"format\"").await;
    let found = latest(store.as_ref(), "scripted", "db", Some("shop")).await;
    assert_eq!(found.unwrap_err().kind(), Kind::Integrity);
    // The list shows what can be shown.
    let listed = list(store, "").await.unwrap();
    let paths: Vec<_> = listed.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["a"]);
}

#[tokio::test]
async fn a_list_has_every_complete_backup_and_nothing_else() {
    let store = memory();
    backed_up_at(&store, "db", "shop", "a").await;
    backed_up_at(&store, "db", "shop", "deep/er/b").await;
    write(&store, "a/other.json", "{}").await;
    write(
        &store,
        "c/0198f2c0-0000-7000-8000-000000000000/x.zst",
        "half",
    )
    .await;
    let mut newer = read(store.as_ref(), "a").await.unwrap();
    newer.format = "planb/9".to_owned();
    commit(&store, "from-the-future", &newer).await;
    let mut paths: Vec<_> = list(store, "").await.unwrap();
    paths.sort_by(|a, b| a.path.cmp(&b.path));
    let paths: Vec<_> = paths.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["a", "deep/er/b"]);
}

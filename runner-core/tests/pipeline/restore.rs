//! What a restore reads, and what it refuses to read.

use runner_core::error::Kind;
use runner_core::testing::{Call, Fault, FaultyStore, On};
use runner_core::{catalog, restore};
use std::sync::Arc;

use crate::world::*;

async fn rewrite(
    store: &Arc<dyn runner_core::store::Store>,
    change: impl FnOnce(&mut serde_json::Value),
) {
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&read(store, MANIFEST).await).unwrap();
    change(&mut manifest);
    // The sum is for damage; who writes a manifest writes one without it, or a new one.
    manifest.as_object_mut().unwrap().remove("manifest_sha256");
    write(store, MANIFEST, manifest.to_string()).await;
}

#[tokio::test]
async fn a_newer_format_is_refused_by_name_and_nothing_is_touched() {
    let store = memory();
    backed_up(&store, &[]).await;
    rewrite(&store, |manifest| manifest["format"] = "planb/2".into()).await;
    let (engine, restored) = bring_back(&store, &[]).await;
    let error = restored.unwrap_err();
    assert_eq!(error.kind(), Kind::Unfit);
    for words in ["planb/2", "planb/1", "newer runner"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(engine.recorder().calls(), [""; 0]);
    // It is still somebody's backup: nothing writes there.
    let error = back_up(&shop(), &context(&store, &[])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unfit);
}

#[tokio::test]
async fn a_manifest_with_fields_of_another_release_still_reads() {
    let store = memory();
    backed_up(&store, &[]).await;
    rewrite(&store, |manifest| {
        manifest["invented_later"] = serde_json::json!({"a": [1]});
        manifest["artifacts"][0]["also_later"] = true.into();
        // And what a first release may not have written.
        let fields = manifest.as_object_mut().unwrap();
        fields.remove("tools");
        fields.remove("details");
    })
    .await;
    assert_whole(&store, &shop()).await;
}

#[tokio::test]
async fn a_backup_of_another_engine_is_refused_and_its_image_named() {
    let store = memory();
    backed_up(&store, &[]).await;
    rewrite(&store, |manifest| manifest["engine"] = "mysql".into()).await;
    let (engine, restored) = bring_back(&store, &[]).await;
    let error = restored.unwrap_err();
    assert_eq!(error.kind(), Kind::Unfit);
    assert!(error.to_string().contains("plan-b-backup-mysql"), "{error}");
    assert_eq!(engine.recorder().calls(), [""; 0]);
}

#[tokio::test]
async fn a_path_with_nothing_complete_is_not_found() {
    let store = memory();
    let inner = store.clone();
    let faulty = FaultyStore::new(inner).with(Call::Commit, On::Nth(2), Fault::Fail(Kind::Store));
    let faulty = faulty.with(Call::Delete, On::Every, Fault::Fail(Kind::Store));
    let faulty: Arc<dyn runner_core::store::Store> = Arc::new(faulty);
    back_up(&shop(), &context(&faulty, &[])).await.unwrap_err();
    assert_ne!(names(&store).await, [""; 0]);
    let (engine, restored) = bring_back(&store, &[]).await;
    assert_eq!(restored.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(engine.recorder().calls(), [""; 0]);
    assert!(catalog::list(store, "").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_stock_dump_at_the_path_is_decoded_and_handed_over() {
    let store = memory();
    let zipped = zstd::encode_all(&b"create table t();"[..], 1).unwrap();
    write(&store, "dumps/shop.sql.zst", zipped).await;
    let settings = [("BACKUP_PATH", "dumps/shop.sql.zst")];
    let (engine, restored) = bring_back(&store, &settings).await;
    let restore::Done { manifest, .. } = restored.unwrap();
    assert!(manifest.is_none());
    assert_eq!(
        engine.recorder().restored()["shop.sql"],
        "create table t();"
    );
}

#[tokio::test]
async fn a_directory_of_a_stock_tool_is_handed_over_object_by_object() {
    let store = memory();
    let settings = [("BACKUP_PATH", "dumps/shop")];
    let zipped = zstd::encode_all(&b"insert"[..], 1).unwrap();
    write(&store, "dumps/shop/shop.t.sql.zst", zipped).await;
    write(&store, "dumps/shop/deeper/x.sql", "not asked for").await;
    write(&store, "dumps/shopping/metadata", "somebody else's").await;
    // Objects alone do not make it one: the engine looks at their names.
    let (engine, refused) = bring_back(&store, &settings).await;
    assert_eq!(refused.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(engine.recorder().calls(), [""; 0]);
    write(&store, "dumps/shop/metadata", "done").await;
    let (engine, restored) = bring_back(&store, &settings).await;
    assert_eq!(restored.unwrap().path, "dumps/shop");
    let restored = engine.recorder().restored();
    let names: Vec<&str> = restored.keys().map(String::as_str).collect();
    assert_eq!(names, ["metadata", "shop.t.sql"]);
    assert_eq!(restored["shop.t.sql"], "insert");
    write(&store, "dumps/shop/shop.t.sql", "twice").await;
    let (_, refused) = bring_back(&store, &settings).await;
    assert_eq!(refused.unwrap_err().kind(), Kind::Unfit);
}

#[tokio::test]
async fn a_signal_during_the_precheck_ends_the_restore_untouched() {
    let store = memory();
    backed_up(&store, &[]).await;
    let context = context(&store, &[]);
    context.cancel.cancel();
    let engine = shop();
    let restored = restore::run(&engine, &context).await;
    assert_eq!(restored.unwrap_err().kind(), Kind::Interrupted);
    assert_eq!(engine.recorder().calls(), [""; 0]);
}

#[tokio::test]
async fn a_stock_tools_dump_is_read_before_it_is_restored_unless_it_is_trusted() {
    let store = memory();
    write(&store, "shop.sql", "create table").await;
    write(&store, "cut.sql.gz", &b"\x1f\x8b\x08"[..]).await;
    for (path, precheck, calls) in [
        (
            "shop.sql",
            "full",
            &["check_foreign", "restore_foreign"][..],
        ),
        ("shop.sql", "none", &["restore_foreign"]),
        ("cut.sql.gz", "full", &["check_foreign"]),
    ] {
        let settings = [("BACKUP_PATH", path), ("RESTORE_PRECHECK", precheck)];
        let (engine, restored) = bring_back(&store, &settings).await;
        assert_eq!(engine.recorder().calls(), calls);
        match restored {
            Ok(_) => assert_eq!(engine.recorder().restored()["shop.sql"], "create table"),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Integrity);
                assert!(error.to_string().contains("was not touched"), "{error}");
            }
        }
    }
}

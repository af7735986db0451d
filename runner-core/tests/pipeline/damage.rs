//! Damage, truncation and wrong keys are found before the target is touched.

use std::sync::Arc;

use bytes::BytesMut;
use runner_core::catalog;
use runner_core::error::{Error, Kind};
use runner_core::manifest::Manifest;
use runner_core::store::Store;
use runner_core::store::operator::Operator;

use crate::world::*;

/// Small objects, so that an artifact has several.
fn segmented() -> Arc<dyn Store> {
    Arc::new(Operator::memory().unwrap().with_max_object_bytes(300_000))
}

/// One object of each kind.
async fn objects(store: &Arc<dyn Store>) -> Vec<String> {
    let manifest = catalog::read(store.as_ref(), PATH).await.unwrap();
    let mut objects = vec![MANIFEST.to_owned(), RESTORE_MD.to_owned()];
    for artifact in &manifest.artifacts {
        let segments = artifact.objects().into_iter();
        objects.extend(segments.map(|segment| format!("{PATH}/{}", segment.path)));
    }
    assert!(
        objects.iter().any(|name| name.contains(".zst")),
        "{objects:?}"
    );
    assert!(
        objects.iter().any(|name| name.ends_with(".001")),
        "{objects:?}"
    );
    objects
}

/// Verify and restore refuse, and the engine is not asked to restore.
async fn refused(store: &Arc<dyn Store>, settings: &[(&str, &str)], case: &str) -> Error {
    let error = verify(store, settings).await.expect_err(case);
    let (engine, restored) = bring_back(store, settings).await;
    let same = restored.expect_err(case);
    assert_eq!(same.kind(), error.kind(), "{case}: {same}");
    let calls = engine.recorder().calls();
    assert!(!calls.contains(&"restore".to_owned()), "{case}: {calls:?}");
    error
}

#[tokio::test]
async fn a_flipped_bit_in_any_object_is_found_before_the_target_is_touched() {
    let store = segmented();
    backed_up(&store, &[]).await;
    for name in objects(&store).await {
        let whole = read(&store, &name).await;
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut spoilt = BytesMut::from(&whole[..]);
            spoilt[at] ^= 1;
            write(&store, &name, spoilt).await;
            let error = refused(&store, &[], &format!("{name} at {at}")).await;
            assert_eq!(error.kind(), Kind::Integrity, "{error}");
        }
        write(&store, &name, whole).await;
    }
    assert_whole(&store, &shop()).await;
}

#[tokio::test]
async fn a_cut_or_longer_or_missing_object_is_found_before_the_target_is_touched() {
    let store = segmented();
    backed_up(&store, &[]).await;
    for name in objects(&store).await {
        let whole = read(&store, &name).await;
        for n_bytes in [0, whole.len() / 2, whole.len() - 1] {
            write(&store, &name, whole.slice(..n_bytes)).await;
            let error = refused(&store, &[], &format!("{name} cut at {n_bytes}")).await;
            assert_eq!(error.kind(), Kind::Integrity, "{error}");
        }
        write(&store, &name, [&whole[..], b"x"].concat()).await;
        let error = refused(&store, &[], &format!("{name} with a byte more")).await;
        assert_eq!(error.kind(), Kind::Integrity, "{error}");
        store.delete(&name).await.unwrap();
        let error = refused(&store, &[], &format!("{name} gone")).await;
        let is_manifest = name == MANIFEST;
        let expected = if is_manifest {
            Kind::NotFound
        } else {
            Kind::Integrity
        };
        assert_eq!(error.kind(), expected, "{error}");
        write(&store, &name, whole).await;
    }
    assert_whole(&store, &shop()).await;
}

#[tokio::test]
async fn a_flipped_bit_in_any_byte_of_a_manifest_is_found() {
    let store = memory();
    let manifest = backed_up(&store, &[]).await;
    let whole = read(&store, MANIFEST).await;
    assert_eq!(Manifest::parse(&whole).unwrap(), manifest);
    for at in 0..whole.len() {
        let bit = at % 8;
        let mut spoilt = whole.to_vec();
        spoilt[at] ^= 1 << bit;
        // What still means the same is no damage: a blank for a line feed, another name for the sum.
        if let Ok(read) = Manifest::parse(&spoilt) {
            assert_eq!(read, manifest, "bit {bit} of byte {at}");
        }
    }
}

#[tokio::test]
async fn objects_that_changed_places_are_found_before_the_target_is_touched() {
    let store = memory();
    backed_up(&store, &[]).await;
    let objects = names(&store).await;
    let [one, other]: [&String; 2] = [0, 1].map(|n| &objects[objects.len() - 1 - n]);
    let (a, b) = (read(&store, one).await, read(&store, other).await);
    write(&store, one, b).await;
    write(&store, other, a).await;
    let error = refused(&store, &[], "swapped").await;
    assert_eq!(error.kind(), Kind::Integrity, "{error}");
}

#[tokio::test]
async fn a_wrong_key_or_none_is_refused_before_the_target_is_touched() {
    let store = memory();
    let right = [("ENCRYPTION_PASSPHRASE", "right horse battery")];
    backed_up(&store, &right).await;
    verify(&store, &right).await.unwrap();
    let wrong = [("ENCRYPTION_PASSPHRASE", "wrong horse battery")];
    let error = refused(&store, &wrong, "wrong").await;
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    let error = refused(&store, &[], "none").await;
    assert_eq!(error.kind(), Kind::Config, "{error}");
    assert!(
        error.to_string().contains("ENCRYPTION_PASSPHRASE"),
        "{error}"
    );
}

#[tokio::test]
async fn without_a_precheck_the_stream_itself_fails() {
    let store = memory();
    let manifest = backed_up(&store, &[]).await;
    let biggest = manifest.artifacts.iter().max_by_key(|it| it.stored_bytes);
    let name = format!("{PATH}/{}", biggest.unwrap().path);
    let mut spoilt = BytesMut::from(&read(&store, &name).await[..]);
    let end = spoilt.len() - 1;
    spoilt[end] ^= 1;
    write(&store, &name, spoilt).await;
    let (engine, restored) = bring_back(&store, &[("RESTORE_PRECHECK", "none")]).await;
    assert_eq!(restored.unwrap_err().kind(), Kind::Integrity);
    assert_eq!(engine.recorder().calls(), ["check_target", "restore"]);
    let restored = engine.recorder().restored();
    assert!(
        !restored.contains_key("data/orders"),
        "never taken as whole"
    );
}

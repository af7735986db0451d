//! Archives that the real tools wrote, and ones built by the format for what no server here can do.

use expect_test::{Expect, expect};
use mongodb::bson::{Timestamp, doc};
use runner_core::error::Kind;
use runner_core::progress::Progress;

use super::built::{Built, collect, stream_of, walk};
use super::census::Archive;
use super::watch;

/// Three collections of three documents, in parallel, by mongodump 100.10.0.
const TINY: &[u8] = include_bytes!("recorded/tiny.archive");

fn check(archive: &[u8], expect: &Expect) {
    let mut text = String::new();
    for namespace in &walk(archive, archive.len()).unwrap().namespaces {
        let (tally, kind) = (namespace.tally, &namespace.kind);
        text += &format!(
            "{}.{} {kind:?} {} {}\n",
            namespace.database, namespace.collection, tally.rows, tally.fingerprint
        );
    }
    expect.assert_eq(&text);
}

fn with_oplog() -> Built {
    let operation =
        |n: u32| doc! { "ts": Timestamp { time: 100, increment: n }, "op": "i", "ns": "shop.a" };
    Built::new(&[("shop", "a", "collection"), ("", "oplog", "")])
        .whole("shop", "a", &[doc! { "_id": 1 }])
        .whole("", "oplog", &[operation(1), operation(2)])
}

#[test]
fn a_recorded_archive_is_counted_and_hashed() {
    check(
        TINY,
        &expect![[r#"
        tiny.a "collection" 3 7a6d54abb694b707bb86aa7a04606240
        tiny.b "collection" 3 7a6d54abb694b707bb86aa7a04606240
        tiny.c "collection" 3 7a6d54abb694b707bb86aa7a04606240
    "#]],
    );
    assert_eq!(walk(TINY, 1).unwrap().server_version, "7.0.77");
}

#[test]
fn how_the_bytes_are_cut_does_not_matter() {
    let whole = walk(TINY, TINY.len()).unwrap();
    for step in 1..40 {
        let cut = walk(TINY, step).unwrap();
        for (a, b) in whole.namespaces.iter().zip(&cut.namespaces) {
            assert_eq!((&a.collection, a.tally), (&b.collection, b.tally), "{step}");
        }
    }
}

#[test]
fn an_archive_that_was_cut_anywhere_is_damaged() {
    for archive in [TINY, &with_oplog().0] {
        for n_bytes in 0..archive.len() {
            let err = walk(&archive[..n_bytes], 64).unwrap_err();
            assert_eq!(err.kind(), Kind::Integrity, "{n_bytes}: {err}");
        }
    }
}

#[test]
fn a_bit_that_flipped_in_a_document_is_seen() {
    let whole = walk(TINY, TINY.len()).unwrap();
    let tallies = |archive: &Archive| -> Vec<_> {
        let namespaces = archive.namespaces.iter();
        namespaces.map(|it| it.tally).collect()
    };
    for at in 0..TINY.len() * 8 {
        let mut flipped = TINY.to_vec();
        flipped[at / 8] ^= 1 << (at % 8);
        // Elsewhere than in a document it may go unseen here, where a backup of ours has SHA-256 sums besides.
        if let Ok(archive) = walk(&flipped, 4096) {
            assert_eq!(tallies(&archive), tallies(&whole), "bit {at}");
        }
    }
}

#[test]
fn what_follows_a_collections_end_is_damage() {
    let ended = || Built::new(&[("d", "a", "collection")]).whole("d", "a", &[doc! { "_id": 1 }]);
    walk(&ended().0, 7).unwrap();
    let again = ended().whole("d", "a", &[doc! { "_id": 2 }]);
    let err = walk(&again.0, 7).unwrap_err().to_string();
    assert!(err.contains("d.a goes on behind its end"), "{err}");
    let unknown = ended().whole("d", "b", &[]);
    let err = walk(&unknown.0, 7).unwrap_err().to_string();
    assert!(err.contains("d.b is not in its list"), "{err}");
}

#[test]
fn anything_else_is_no_archive() {
    for bytes in [b"PK\x03\x04zip".as_slice(), b"{\"a\": 1}", &[0xff; 64]] {
        let err = walk(bytes, 3).unwrap_err();
        assert_eq!(err.kind(), Kind::Integrity);
        assert!(err.to_string().contains("no archive of mongodump"), "{err}");
    }
}

#[test]
fn views_have_no_documents_and_buckets_are_their_collections() {
    let archive = Built::new(&[("d", "v", "view"), ("d", "t", "timeseries")])
        .whole("d", "v", &[])
        .whole("d", "system.buckets.t", &[doc! { "_id": 1 }]);
    let walked = walk(&archive.0, 5).unwrap();
    let told: Vec<_> = walked
        .namespaces
        .iter()
        .map(|it| (it.collection.as_str(), it.kind.as_str(), it.tally.rows))
        .collect();
    assert_eq!(told, [("v", "view", 0), ("t", "timeseries", 1)]);
}

#[test]
fn the_last_operation_is_known_however_it_comes() {
    let archive = with_oplog().0;
    for step in [1, 50, archive.len()] {
        let walked = walk(&archive, step).unwrap();
        assert_eq!(walked.operations.last, Some((100, 2)));
        let oplog = walked.namespaces.iter().find(|it| it.is_oplog()).unwrap();
        assert!(oplog.tally.rows == 2 && !oplog.is_users());
    }
}

#[tokio::test]
async fn a_watched_archive_ends_well_only_when_it_is_whole() {
    let heard = std::sync::Arc::new(std::sync::Mutex::new(0));
    let watched = |bytes: &[u8]| {
        let heard = std::sync::Arc::clone(&heard);
        let body = stream_of(bytes, 100);
        watch(body, Progress::default(), move |archive| {
            *heard.lock().unwrap() += archive.namespaces.len();
            Ok(())
        })
    };
    assert_eq!(collect(watched(TINY)).await.unwrap(), TINY);
    assert_eq!(*heard.lock().unwrap(), 3);
    collect(watched(&TINY[..TINY.len() - 4])).await.unwrap_err();
    assert_eq!(*heard.lock().unwrap(), 3);
}

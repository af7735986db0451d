//! Archives with an oplog, as `mongodump --oplog` writes them.

use mongodb::bson::{Timestamp, doc};

use super::*;
use crate::archive::built::{Built, collect, stream_of, walk};
use crate::archive::{Namespace, empty};

const INDEXED: &str = r#"{"options":{"collation":{"locale":"de"}},"indexes":[{"key":{"_id":{"$numberInt":"1"}},"name":"_id_"},{"key":{"b":1,"a":-1},"name":"b_a","unique":true}],"uuid":"x","collectionName":"a","type":"collection"}"#;
const SERIES: &str = r#"{"options":{"timeseries":{"timeField":"at","metaField":"of"},"expireAfterSeconds":{"$numberLong":"3600"}},"indexes":[{"key":{"of":1,"at":1},"name":"of_at"}],"type":"timeseries"}"#;

fn operation(n: u32, ns: &str) -> mongodb::bson::Document {
    let ts = Timestamp {
        time: 100,
        increment: n,
    };
    doc! { "ts": ts, "op": "i", "ns": ns, "o": { "_id": n } }
}

/// All that a replica set has, while users and an order are added.
fn full() -> Built {
    Built::defined(&[
        ("shop", "a", "collection", INDEXED),
        ("shop", "weather", "timeseries", SERIES),
        (
            "shop",
            "v",
            "view",
            r#"{"options":{"viewOn":"a","pipeline":[]},"indexes":[],"type":"view"}"#,
        ),
        ("admin", "system.version", "collection", ""),
        ("admin", "system.users", "collection", ""),
        ("", "oplog", "", ""),
    ])
    .whole("admin", "system.version", &[doc! { "_id": "authSchema" }])
    .whole("admin", "system.users", &[doc! { "_id": "admin.me" }])
    .whole("shop", "a", &[doc! { "_id": 1 }])
    .whole("shop", "system.buckets.weather", &[doc! { "_id": 1 }])
    .whole("shop", "v", &[])
    .whole(
        "",
        "oplog",
        &[
            operation(1, "shop.a"),
            operation(2, "admin.system.users"),
            operation(3, "new.b"),
        ],
    )
}

#[test]
fn an_archive_of_everything_is_counted_by_whose_it_is() {
    let archive = full().walked();
    let users: Vec<_> = archive
        .namespaces
        .iter()
        .filter(|it| it.is_users())
        .map(|it| (it.collection.as_str(), it.tally.rows))
        .collect();
    assert_eq!(users, [("a", 1), ("weather", 1), ("v", 0)]);
    assert_eq!(archive.operations.last, Some((100, 3)));
}

/// What is fed to `mongorestore --oplogReplay` is an archive itself: it makes indexes and replays, and brings no document.
#[tokio::test]
async fn behind_definitions_the_oplog_makes_an_archive_however_it_comes() {
    let whole = full();
    let archive = whole.walked();
    let users: Vec<&Namespace> = archive
        .namespaces
        .iter()
        .filter(|it| it.is_users())
        .collect();
    let head = empty(&archive, &users, true).unwrap();
    for step in [1, 33, whole.0.len()] {
        let oplog = collect(only_oplog(stream_of(&whole.0, step)))
            .await
            .unwrap();
        let replay = walk(&[&head[..], &oplog].concat(), 9).unwrap();
        let told: Vec<_> = replay
            .namespaces
            .iter()
            .map(|it| (it.collection.as_str(), it.kind.as_str(), it.tally.rows))
            .collect();
        assert_eq!(
            told,
            [
                ("a", "collection", 0),
                ("weather", "collection", 0),
                ("v", "view", 0),
                ("oplog", "", 2)
            ]
        );
        assert_eq!(replay.namespaces[0].metadata, INDEXED);
        let series = &replay.namespaces[1].metadata;
        assert!(
            !series.contains("timeseries") && series.contains(r#"{"of":1,"at":1}"#),
            "{series}"
        );
        let databases: Vec<_> = replay.operations.databases.iter().collect();
        assert_eq!(databases, ["new", "shop"]);
    }
}

#[tokio::test]
async fn an_oplog_that_was_cut_is_not_replayed_to_a_good_end() {
    let whole = full().0;
    for n_bytes in [whole.len() - 1, whole.len() - 4, whole.len() - 90] {
        collect(only_oplog(stream_of(&whole[..n_bytes], 33)))
            .await
            .unwrap_err();
    }
}

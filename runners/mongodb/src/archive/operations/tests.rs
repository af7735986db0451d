//! Operations as MongoDB's manual and the tools' `mongorestore/oplog.go` know them.

use mongodb::bson::{Bson, doc};

use super::*;

fn at(n: u32, mut operation: Document) -> Vec<u8> {
    operation.insert(
        "ts",
        Timestamp {
            time: 100,
            increment: n,
        },
    );
    operation.to_vec().unwrap()
}

fn all(operations: &[Document]) -> Operations {
    let mut all = Operations::default();
    for (n, operation) in (1..).zip(operations) {
        all.add(&at(n, operation.clone())).unwrap();
    }
    all
}

fn transaction() -> Document {
    doc! { "op": "c", "ns": "admin.$cmd", "o": { "applyOps": [
        { "op": "i", "ns": "new.a", "o": { "_id": 1 } },
        { "op": "i", "ns": "admin.system.users", "o": { "_id": "admin.me" } },
        { "op": "u", "ns": "shop.b", "o": { "$v": 2, "diff": { "u": { "x": 1 } } }, "o2": { "_id": 1 } },
    ] } }
}

#[test]
fn databases_are_known_by_what_is_done_in_them() {
    let operations = all(&[
        doc! { "op": "n", "ns": "", "o": { "msg": "periodic noop" } },
        doc! { "op": "i", "ns": "shop.orders", "o": { "_id": 1, "applyOps": [{ "ns": "not.this" }] } },
        doc! { "op": "d", "ns": "config.system.sessions", "o": { "_id": 1 } },
        transaction(),
    ]);
    assert_eq!(operations.last, Some((100, 4)));
    let databases: Vec<_> = operations.databases.iter().collect();
    assert_eq!(databases, ["new", "shop"]);
}

#[test]
fn what_is_made_anew_is_known_by_the_command() {
    let operations = all(&[
        doc! { "op": "c", "ns": "shop.$cmd", "o": { "create": "made", "idIndex": {} } },
        doc! { "op": "c", "ns": "shop.$cmd", "o": { "commitIndexBuild": "indexed", "indexes": [] } },
        doc! { "op": "c", "ns": "shop.$cmd", "o": { "collMod": "system.buckets.weather" } },
        doc! { "op": "c", "ns": "gone.$cmd", "o": { "dropDatabase": 1 } },
        doc! { "op": "i", "ns": "shop.kept", "o": { "create": "kept" } },
    ]);
    for name in ["made", "indexed", "weather"] {
        assert!(operations.redefine("shop", name), "{name}");
    }
    assert!(operations.redefine("gone", "any"));
    assert!(!operations.redefine("shop", "kept") && !operations.redefine("other", "made"));
}

#[test]
fn the_servers_own_is_not_replayed_whatever_surrounds_it() {
    let kept = |operation: Document| replayable(&at(1, operation)).unwrap();
    for own in [
        doc! { "op": "u", "ns": "admin.system.users", "o": {} },
        doc! { "op": "i", "ns": "config.transactions", "o": {} },
        doc! { "op": "c", "ns": "admin.$cmd", "o": { "create": "system.roles" } },
    ] {
        assert_eq!(kept(own.clone()), None, "{own}");
    }
    for users in [
        doc! { "op": "i", "ns": "shop.orders", "o": { "applyOps": [{ "ns": "admin.system.users" }] } },
        doc! { "op": "c", "ns": "admin.$cmd", "o": { "commitTransaction": 1 } },
        doc! { "op": "c", "ns": "shop.$cmd", "o": { "drop": "orders" } },
        doc! { "op": "n", "ns": "", "o": {} },
    ] {
        assert_eq!(kept(users.clone()), Some(at(1, users.clone())), "{users}");
    }
    let bytes = kept(transaction()).unwrap();
    let left = Document::try_from(RawDocument::from_bytes(&bytes).unwrap()).unwrap();
    let nested = left
        .get_document("o")
        .unwrap()
        .get_array("applyOps")
        .unwrap();
    let names = nested
        .iter()
        .filter_map(Bson::as_document)
        .map(|it| it.get_str("ns").unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["new.a", "shop.b"]);
}

#[test]
fn an_operation_without_its_moment_is_damage() {
    let err = Operations::default()
        .add(&doc! { "op": "i", "ns": "a.b" }.to_vec().unwrap())
        .unwrap_err();
    assert_eq!(err.kind(), Kind::Integrity);
}

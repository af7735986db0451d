//! A replica set of several members: read from whichever is told, written to whichever is its primary.

use mongodb::bson::{Document, doc};
use tests::{Env, Mongo, world};

use super::{backup, fresh, large, run, shop, start};
use crate::kit::{Directory, reason, until};

/// As a member's own address, as its set knows it.
fn at(member: &Mongo) -> Env {
    Env::default()
        .with("DB_HOST", member.inner_address())
        .with("DB_PORT", "27017")
}

fn in_set(member: &Mongo) -> Env {
    at(member).with("DB_REPLICA_SET", "rs0")
}

/// Returns when every member has what was written before.
fn settle(primary: &Mongo) {
    let everywhere = doc! { "insert": "last", "documents": [{}], "writeConcern": { "w": 3 } };
    primary.command("settled", everywhere);
}

fn n_returned(server: &Mongo) -> i64 {
    let status = server.command("admin", doc! { "serverStatus": 1 });
    let metrics = status.get_document("metrics").unwrap();
    let of_documents = metrics.get_document("document").unwrap();
    of_documents.get_i64("returned").unwrap()
}

fn names(server: &Mongo) -> Vec<String> {
    let listed = server.command("admin", doc! { "listDatabases": 1, "nameOnly": true });
    let databases = listed.get_array("databases").unwrap().iter();
    let name = |it: &Document| it.get_str("name").unwrap().to_owned();
    databases
        .map(|it| name(it.as_document().unwrap()))
        .collect()
}

#[test]
fn a_secondary_is_read_and_whoever_is_named_the_primary_is_written_to() {
    let [primary, secondary, other] = world().own_replica_set_of_three(Mongo::NEWEST);
    let database = shop(&primary);
    let before = primary.content(&database);
    settle(&primary);
    let n_before = n_returned(&primary);
    let store = Directory::new();
    let preference = store.env().with("BACKUP_READ_PREFERENCE", "secondary");
    backup(
        &primary,
        &database,
        preference.clone().and(in_set(&primary)),
    );
    let n_read = n_returned(&primary) - n_before;
    assert!(
        n_read < 1000,
        "{n_read} documents were read from the primary"
    );
    let restored = fresh("restored");
    run(
        &primary,
        &restored,
        "restore",
        store.env().and(in_set(&secondary)),
    )
    .good();
    assert_eq!(primary.content(&restored), before);
    // Without the set's name only this one server is meant.
    let refused = fresh("refused");
    let run = run(&primary, &refused, "restore", store.env().and(at(&other))).ended(1);
    let (_, message) = reason(&run);
    assert!(message.contains("is a secondary"), "{message}");
    assert!(!names(&primary).contains(&refused));
    // Everything of one moment, which a secondary's oplog tells as well.
    let required = preference
        .with("BACKUP_OPLOG", "required")
        .with("BACKUP_PATH", "all");
    backup(&primary, "*", required.and(in_set(&other)));
    let manifest = std::fs::read(store.path().join("all/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["consistency"]["consistent"], true, "{manifest:#}");
}

#[test]
fn a_primary_that_steps_down_during_a_restore_leaves_all_of_it_or_nothing() {
    let set = world().own_replica_set_of_three(Mongo::NEWEST);
    let primary = &set[0];
    let database = large(primary, 60);
    let before = primary.content(&database);
    let store = Directory::new();
    backup(primary, &database, store.env());
    let restored = fresh("restored");
    let running = start(
        primary,
        &restored,
        "restore",
        store.env().and(in_set(primary)),
    );
    while running.is_running() && !names(primary).contains(&restored) {}
    assert!(running.is_running(), "it is at work");
    primary.command(
        "admin",
        doc! { "replSetStepDown": 60, "secondaryCatchUpPeriodSecs": 5, "force": true },
    );
    let run = running.wait();
    // Whoever is primary by now knows what is there.
    let leads = |it: &&Mongo| {
        let hello = it.command("admin", doc! { "hello": 1 });
        hello.get_bool("isWritablePrimary").unwrap()
    };
    until("elected", || set.iter().any(|it| leads(&it)));
    let now = set.iter().find(leads).unwrap();
    match run.code {
        0 => assert_eq!(now.content(&restored), before),
        75 => assert!(!names(now).contains(&restored), "{}", run.stderr),
        _ => panic!("{}: {}", run.code, run.stderr),
    }
}

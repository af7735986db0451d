//! What only MongoDB itself has: every kind of collection and of index comes back, on each version and on newer ones.

use mongodb::bson::{Bson, DateTime, Document, doc};
use tests::{Mongo, world};

use super::{backup, fresh, run};
use crate::kit::Directory;

/// A database of everything that the server's version knows.
fn zoo(server: &Mongo) -> String {
    let database = fresh("zoo");
    plain(server, &database);
    indexed(server, &database);
    views(server, &database);
    if server.version() > "4.4" {
        series(server, &database);
    }
    if server.version() > "5.0" {
        server.command(
            &database,
            doc! { "create": "imaged", "changeStreamPreAndPostImages": { "enabled": true } },
        );
        let key = doc! { "key": { "_id": 1 }, "unique": true, "name": "cluster" };
        server.command(
            &database,
            doc! { "create": "clustered", "clusteredIndex": key },
        );
        fill(server, &database, "clustered", numbered(5));
    }
    database
}

fn fill(server: &Mongo, database: &str, collection: &str, documents: Vec<Document>) {
    server.command(
        database,
        doc! { "insert": collection, "documents": documents },
    );
}

fn numbered(n: i32) -> Vec<Document> {
    (0..n).map(|n| doc! { "_id": n, "a": n }).collect()
}

fn plain(server: &Mongo, database: &str) {
    let command = |command| _ = server.command(database, command);
    command(doc! { "create": "empty" });
    fill(server, database, "dotted.name-é", numbered(2));
    let function = Bson::JavaScriptCode("function () { return 1 }".into());
    fill(
        server,
        database,
        "system.js",
        vec![doc! { "_id": "f", "value": function }],
    );
    command(doc! { "create": "capped", "capped": true, "size": 1 << 20, "max": 50 });
    fill(server, database, "capped", numbered(70));
    let schema =
        doc! { "$jsonSchema": { "required": ["a"], "properties": { "a": { "bsonType": "int" } } } };
    command(
        doc! { "create": "lenient", "validator": schema, "validationLevel": "moderate", "validationAction": "warn" },
    );
    fill(
        server,
        database,
        "lenient",
        vec![doc! { "_id": 1, "b": "invalid" }],
    );
    fill(server, database, "strict", vec![doc! { "_id": 1, "a": -1 }]);
    // Later than a document that it would refuse.
    command(doc! { "collMod": "strict", "validator": { "a": { "$gt": 0 } } });
}

fn indexed(server: &Mongo, database: &str) {
    let command = |command| _ = server.command(database, command);
    let place = |n: i32| {
        doc! { "_id": n, "a": n, "place": { "type": "Point", "coordinates": [n, n] }, "flat": [n, n], "text": "ein Wort", "any": { "b": n } }
    };
    fill(server, database, "indexed", (0..20).map(place).collect());
    command(doc! { "createIndexes": "indexed", "indexes": [
        { "key": { "a": 1, "b": -1 }, "name": "both" },
        { "key": { "a": 1 }, "name": "hidden", "hidden": true, "unique": true },
        { "key": { "place": "2dsphere" }, "name": "sphere" },
        { "key": { "flat": "2d" }, "name": "flat", "bits": 20 },
        { "key": { "text": "text" }, "name": "words", "default_language": "german", "weights": { "text": 5 } },
        { "key": { "$**": 1 }, "name": "wild", "wildcardProjection": { "any": 1 } },
        { "key": { "h": "hashed" }, "name": "hashed" },
        { "key": { "e": 1 }, "name": "expiring", "expireAfterSeconds": 3600, "sparse": true },
        { "key": { "p": 1 }, "name": "partial", "partialFilterExpression": { "a": { "$gt": 3 } } },
    ] });
    command(doc! { "create": "german", "collation": { "locale": "de", "strength": 2 } });
    fill(
        server,
        database,
        "german",
        vec![doc! { "_id": "Ä" }, doc! { "_id": "b", "x": 1 }],
    );
    command(doc! { "createIndexes": "german", "indexes": [
        { "key": { "x": 1 }, "name": "inherited" },
        { "key": { "y": 1 }, "name": "simple", "collation": { "locale": "simple" } },
        { "key": { "x": 1, "z": -1 }, "name": "french", "collation": { "locale": "fr" } },
    ] });
}

fn views(server: &Mongo, database: &str) {
    let command = |command| _ = server.command(database, command);
    command(
        doc! { "create": "view", "viewOn": "indexed", "pipeline": [{ "$match": { "a": { "$gt": 10 } } }, { "$project": { "text": 0 } }] },
    );
    let joined = doc! { "$lookup": { "from": "capped", "localField": "_id", "foreignField": "_id", "as": "x" } };
    command(doc! { "create": "view of a view", "viewOn": "view", "pipeline": [joined] });
    command(
        doc! { "create": "german view", "viewOn": "german", "pipeline": [], "collation": { "locale": "de", "strength": 2 } },
    );
}

fn series(server: &Mongo, database: &str) {
    let command = |command| _ = server.command(database, command);
    let options = doc! { "timeField": "t", "metaField": "m", "granularity": "minutes" };
    command(
        doc! { "create": "series", "timeseries": options, "expireAfterSeconds": 1_000_000_000 },
    );
    let now = DateTime::now().timestamp_millis();
    let point = |n: i32| {
        let at = DateTime::from_millis(now + i64::from(n) * 60_000);
        doc! { "t": at, "m": { "s": n % 3 }, "x": f64::from(n) * 1.5 }
    };
    fill(server, database, "series", (0..300).map(point).collect());
    command(
        doc! { "createIndexes": "series", "indexes": [{ "key": { "m.s": 1, "t": 1 }, "name": "by_meta" }] },
    );
}

/// What a database holds as its users see it: what is asked of collections that are views of others, too.
fn seen(server: &Mongo, database: &str) -> String {
    let listed = server.command(database, doc! { "listCollections": 1 });
    let mut lines: Vec<String> = first_batch(&listed)
        .into_iter()
        .filter_map(|mut collection| {
            let name = collection.get_str("name").unwrap().to_owned();
            // What stands behind views and series is the server's own affair.
            if name.starts_with("system.") && name != "system.js" {
                return None;
            }
            if let Ok(info) = collection.get_document_mut("info") {
                info.remove("uuid");
            }
            let found = server.command(database, doc! { "find": &name, "batchSize": 1000 });
            let documents: Vec<_> = first_batch(&found)
                .iter()
                .map(Document::to_string)
                .collect();
            Some(format!("{collection}\n  {}", documents.join("\n  ")))
        })
        .collect();
    lines.sort();
    lines.join("\n").replace(database, "DATABASE")
}

fn first_batch(answer: &Document) -> Vec<Document> {
    let batch = answer.get_document("cursor").unwrap();
    let batch = batch.get_array("firstBatch").unwrap().iter();
    batch.map(|it| it.as_document().unwrap().clone()).collect()
}

fn everything_comes_back(server: &Mongo) {
    let database = zoo(server);
    let (stored, before) = (server.content(&database), seen(server, &database));
    for kind in ["capped", "validationLevel", "collation", "viewOn"] {
        assert!(before.contains(kind), "{kind}: {before}");
    }
    let store = Directory::new();
    backup(server, &database, store.env());
    let restored = fresh("zoo-restored");
    let done = run(server, &restored, "restore", store.env()).good();
    assert!(done.stderr.contains("proven equal"), "{}", done.stderr);
    assert_eq!(server.content(&restored), stored);
    assert_eq!(seen(server, &restored), before);
    // And over itself.
    let drop = store.env().with("RESTORE_DROP_EXISTING", "true");
    run(server, &restored, "restore", drop).good();
    assert_eq!(seen(server, &restored), before);
}

#[test]
fn everything_comes_back_on_mongodb_44() {
    everything_comes_back(&world().own_mongo("4.4", &[]));
}

#[test]
fn everything_comes_back_on_mongodb_50() {
    everything_comes_back(&world().own_mongo("5.0", &[]));
}

#[test]
fn everything_comes_back_on_mongodb_60() {
    everything_comes_back(world().mongo());
}

#[test]
fn an_older_servers_backup_comes_back_on_newer_ones() {
    let (first, second) = (world().own_mongo("4.4", &[]), world().own_mongo("5.0", &[]));
    let database = zoo(&first);
    let before = seen(&first, &database);
    for newer in [&second, world().mongo()] {
        let store = Directory::new();
        backup(&first, &database, store.env());
        let restored = fresh("newer");
        run(newer, &restored, "restore", store.env()).good();
        assert_eq!(seen(newer, &restored), before);
    }
    let database = zoo(&second);
    let before = seen(&second, &database);
    let store = Directory::new();
    backup(&second, &database, store.env());
    let restored = fresh("newer");
    run(world().mongo(), &restored, "restore", store.env()).good();
    assert_eq!(seen(world().mongo(), &restored), before);
}

/// A server looks for them each second here.
#[test]
fn documents_that_have_expired_are_proven_before_the_index_takes_them_away() {
    let source = world().own_mongo(Mongo::NEWEST, &["--setParameter=ttlMonitorEnabled=false"]);
    let target = world().own_mongo(Mongo::NEWEST, &["--setParameter=ttlMonitorSleepSecs=1"]);
    let database = fresh("expiring");
    let old = doc! { "_id": 1, "at": DateTime::from_millis(0) };
    fill(&source, &database, "t", vec![old, doc! { "_id": 2 }]);
    let index = doc! { "key": { "at": 1 }, "name": "gone", "expireAfterSeconds": 1 };
    source.command(&database, doc! { "createIndexes": "t", "indexes": [index] });
    let store = Directory::new();
    backup(&source, &database, store.env());
    let done = run(&target, &database, "restore", store.env()).good();
    assert!(done.stderr.contains("proven equal"), "{}", done.stderr);
    let n_left = || target.command(&database, doc! { "count": "t" });
    while n_left().get_i32("n").unwrap() != 1 {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

//! What a database holds comes back as it was.

use tests::{Mongo, world};

use super::{backup, fresh, run, shop};
use crate::kit::Directory;

fn every_type_of_value_and_every_index_comes_back_under_another_name(server: &Mongo) {
    let database = shop(server);
    let before = server.content(&database);
    assert!(before.contains("by_customer") && before.contains("6144"));
    let store = Directory::new();
    let done = backup(server, &database, store.env());
    assert!(done.stderr.contains("not consistent under writes"));
    let restored = fresh("restored");
    let done = run(server, &restored, "restore", store.env()).good();
    assert!(done.stderr.contains("proven equal"), "{}", done.stderr);
    assert_eq!(server.content(&restored), before);
}

#[test]
fn every_type_of_value_and_every_index_comes_back_on_mongodb() {
    every_type_of_value_and_every_index_comes_back_under_another_name(world().mongo());
}

/// Or upstream's, where that can be had.
#[test]
fn every_type_of_value_and_every_index_comes_back_on_ferretdb() {
    let server = world().own_mongo(Mongo::FERRETDB, &[]);
    every_type_of_value_and_every_index_comes_back_under_another_name(&server);
}

#[test]
fn indexes_of_every_kind_come_back() {
    let server = world().mongo();
    let database = fresh("indexed");
    let index = |key: &str, name: &str, more: &str| {
        format!(r#"{{"v":{{"$numberInt":"2"}},"key":{key},"name":"{name}"{more}}}"#)
    };
    let one = r#"{"$numberInt":"1"}"#;
    let partial = r#","partialFilterExpression":{"n":{"$gt":{"$numberInt":"3"}}}"#;
    let text = format!(r#","weights":{{"note":{one}}}"#);
    let indexes = [
        index(r#"{"a":"hashed"}"#, "hashed", ""),
        index(r#"{"place":"2dsphere"}"#, "sphere", ""),
        index(r#"{"flat":"2d"}"#, "flat", ""),
        index(
            &format!(r#"{{"_fts":"text","_ftsx":{one}}}"#),
            "text",
            &text,
        ),
        index(&format!(r#"{{"any.$**":{one}}}"#), "wildcard", ""),
        index(&format!(r#"{{"n":{one}}}"#), "partial", partial),
        index(
            &format!(r#"{{"z":{one},"b":{one},"c":{{"$numberInt":"-1"}}}}"#),
            "sparse",
            r#","sparse":true"#,
        ),
    ];
    let indexes: Vec<&str> = indexes.iter().map(String::as_str).collect();
    server.define(&database, "things", "{}", &indexes);
    server.import(
        &database,
        "things",
        r#"{"_id":1,"a":"x","place":{"type":"Point","coordinates":[7.5,51.5]},"flat":[1,2],"note":"some words","any":{"b":1},"n":5,"z":1}"#,
    );
    let before = server.content(&database);
    for name in [
        "hashed",
        "2dsphere",
        "_fts",
        "$**",
        "partialFilter",
        "sparse",
    ] {
        assert!(before.contains(name), "{name}: {before}");
    }
    let store = Directory::new();
    backup(server, &database, store.env());
    let restored = fresh("indexed-restored");
    run(server, &restored, "restore", store.env()).good();
    assert_eq!(server.content(&restored), before);
}

#[test]
fn documents_near_the_limit_and_files_in_chunks_come_back() {
    let server = world().mongo();
    let database = fresh("large");
    // 15.9 MiB in one document, and a file as GridFS keeps it.
    server.shell(&format!(
        "head -c 12500000 /dev/urandom | base64 -w 0 | sed 's/.*/{{\"_id\":1,\"data\":\"&\"}}/' \
         | tool mongoimport --db={database} --collection=large\n\
         for n in 0 1 2 3; do head -c 190000 /dev/urandom | base64 -w 0 \
         | sed \"s/.*/{{\\\"files_id\\\":1,\\\"n\\\":$n,\\\"data\\\":{{\\\"\\$binary\\\":{{\\\"base64\\\":\\\"&\\\",\\\"subType\\\":\\\"00\\\"}}}}}}/\" \
         | tool mongoimport --db={database} --collection=fs.chunks; done"
    ));
    server.import(
        &database,
        "fs.files",
        r#"{"_id":1,"length":760000,"chunkSize":190000}"#,
    );
    let before = server.content(&database);
    assert!(before.len() > 16_000_000);
    let store = Directory::new();
    backup(server, &database, store.env());
    let restored = fresh("large-restored");
    run(server, &restored, "restore", store.env()).good();
    assert!(server.content(&restored) == before);
}

#[test]
fn a_hundred_collections_come_back() {
    let server = world().mongo();
    let database = fresh("many");
    server.shell(&format!(
        "mkdir -p /tmp/many/{database}; cd /tmp/many/{database}\n\
         for n in $(seq 100); do : >c$n.bson; echo '{{\"options\":{{}},\"indexes\":[]}}' >c$n.metadata.json; done\n\
         tool mongorestore --dir=/tmp/many -j 8; rm -r /tmp/many"
    ));
    server.import(&database, "c7", r#"{"_id":1}"#);
    let before = server.content(&database);
    assert!(before.lines().count() > 100);
    let store = Directory::new();
    backup(server, &database, store.env());
    let restored = fresh("many-restored");
    run(server, &restored, "restore", store.env()).good();
    assert_eq!(server.content(&restored), before);
}

#[test]
fn every_database_of_a_server_comes_back_each_with_its_own_archive() {
    let server = world().own_mongo(Mongo::NEWEST, &[]);
    let (a, b) = (shop(&server), shop(&server));
    let before = [server.content(&a), server.content(&b)];
    let store = Directory::new();
    backup(&server, "*", store.env());
    let archives = store.files();
    let archives = archives.iter().filter(|it| it.contains(".archive"));
    assert_eq!(archives.count(), 3, "two databases, and the users");
    let filled = run(&server, "*", "restore", store.env()).ended(1);
    assert!(filled.stderr.contains("RESTORE_DROP_EXISTING=true"));
    let drop = store.env().with("RESTORE_DROP_EXISTING", "true");
    server.import(&b, "later", r#"{"_id":1}"#);
    run(&server, "*", "restore", drop).good();
    assert_eq!([server.content(&a), server.content(&b)], before);
    let only = store.env().with("RESTORE_TABLES", format!("{a}.types"));
    let filled = run(&server, "*", "restore", only.clone()).ended(1);
    let message = filled.stderr;
    assert!(
        message.contains(&a) && !message.contains(&format!("database \\\"{b}")),
        "{message}"
    );
    run(
        &server,
        "*",
        "restore",
        only.with("RESTORE_DROP_EXISTING", "true"),
    )
    .good();
    assert_eq!([server.content(&a), server.content(&b)], before);
    let other = world().own_mongo(Mongo::NEWEST, &[]);
    run(&other, &b, "restore", store.env()).good();
    assert_eq!(other.content(&b), before[1]);
    assert_eq!(other.content(&a), "");
}

#[test]
fn only_the_collections_that_are_wanted_are_backed_up() {
    let server = world().mongo();
    let database = shop(server);
    let names = |env| {
        let store = Directory::new();
        backup(server, &database, store.env().and(env));
        let restored = fresh("some");
        run(server, &restored, "restore", store.env()).good();
        let content = server.content(&restored);
        let present = |name: &&&str| content.contains(&format!("{name}\",\"type\""));
        let names: Vec<&str> = ["notes.of-people", "orders", "types"]
            .iter()
            .filter(present)
            .copied()
            .collect();
        names.join(" ")
    };
    let env = |key, value| tests::Env::default().with(key, value);
    assert_eq!(
        names(env("INCLUDE_TABLES", "notes.of-people,t*")),
        "notes.of-people types"
    );
    assert_eq!(
        names(env("EXCLUDE_TABLES", "orders")),
        "notes.of-people types"
    );
    let store = Directory::new();
    let unknown = store.env().with("INCLUDE_TABLES", "nope");
    let refused = run(server, &database, "backup", unknown).ended(1);
    assert!(refused.stderr.contains("no collection matches nope"));
}

//! Everything comes back: on each version, from an older into a newer one, by hand.

use tests::world;

use super::{MARIADB, MYSQL, MYSQL_9, assert_same, backup, fresh, run, spread, zoo};
use crate::kit::{Directory, reason};

fn comes_back(image: &'static str) {
    let server = world().mysql(image);
    let database = zoo(server);
    spread(server, &database);
    let before = server.dump(&database, &[]);
    let store = Directory::new();
    backup(server, &database, store.env());
    let ranges = store.files();
    let is_range = |table: &str| {
        let part = format!("/data/{table}/00001.tsv");
        ranges.iter().any(|file| file.contains(&part))
    };
    assert!(is_range("spread") && is_range("uuids"), "{ranges:#?}");
    let restored = fresh("zoo-restored");
    run(server, &restored, "restore", store.env()).good();
    assert_same(&before, &server.dump(&restored, &[]));
    // What stock dumps round: floats, to the last bit.
    let floats = "select id, f * 1e0, fd * 1e0, d, dd * 1e0 from numbers order by id";
    assert_eq!(server.sql(&database, floats), server.sql(&restored, floats));
    for name in [&database, &restored] {
        server.sql("", &format!("drop database `{name}`"));
    }
}

#[test]
fn the_zoo_comes_back_on_mysql_57() {
    comes_back("mysql:5.7");
}

#[test]
fn the_zoo_comes_back_on_mysql_80() {
    comes_back(MYSQL);
}

#[test]
fn the_zoo_comes_back_on_mysql_97() {
    comes_back(MYSQL_9);
}

#[test]
fn the_zoo_comes_back_on_mariadb_105() {
    comes_back("mariadb:10.5");
}

#[test]
fn the_zoo_comes_back_on_mariadb_1011() {
    comes_back("mariadb:10.11");
}

#[test]
fn the_zoo_comes_back_on_mariadb_118() {
    comes_back(MARIADB);
}

fn long_numbers_in_json_come_back_as_well_as_the_server_can(image: &'static str) {
    let server = world().mysql(image);
    let database = server.create_database("json");
    server.sql(
        &database,
        "create table j (id int primary key, d json, t text); \
         insert into j values (1, json_object('a\\\"1e5', 0.9079670691005579e0 + 0, 'b', 1.50, 'c', 0.000020), '0.9079670691005579'), \
         (2, json_array(2e-30 / 7e0, rand(7), 18446744073709551615), null), \
         (3, json_object('text', repeat('x', 300000), 'n', rand(8)), '')",
    );
    let store = Directory::new();
    backup(server, &database, store.env());
    let restored = fresh("json-restored");
    let done = run(server, &restored, "restore", store.env()).good();
    assert!(
        done.stderr.contains("1 tables proven equal"),
        "{}",
        done.stderr
    );
    // All but those digits is proven: another whole number, or another word, is not the same.
    for change in [
        "update j set d = json_set(d, '$[2]', 18446744073709551614) where id = 2",
        "update j set d = json_set(d, '$.text', 'y') where id = 3",
    ] {
        server.sql(&database, change);
        let changed = Directory::new();
        backup(server, &database, changed.env());
        assert_ne!(fingerprint(&store), fingerprint(&changed), "{change}");
    }
}

/// What the manifest says of its rows.
fn fingerprint(store: &Directory) -> String {
    let manifest = store
        .files()
        .into_iter()
        .find(|it| it.ends_with("manifest.json"));
    let text = std::fs::read_to_string(store.path().join(manifest.unwrap())).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let artifacts = manifest["artifacts"].as_array().unwrap();
    let data = artifacts
        .iter()
        .map(|artifact| artifact["data"].to_string());
    data.collect()
}

#[test]
fn long_numbers_in_json_come_back_as_well_as_mysql_57_can() {
    long_numbers_in_json_come_back_as_well_as_the_server_can("mysql:5.7");
}

#[test]
fn long_numbers_in_json_come_back_as_well_as_mysql_80_can() {
    long_numbers_in_json_come_back_as_well_as_the_server_can(MYSQL);
}

#[test]
fn long_numbers_in_json_come_back_as_well_as_mysql_97_can() {
    long_numbers_in_json_come_back_as_well_as_the_server_can(MYSQL_9);
}

fn the_zoo_moves(from: &'static str, to: &'static str) {
    let (source, target) = (world().mysql(from), world().mysql(to));
    let database = zoo(source);
    let store = Directory::new();
    backup(source, &database, store.env());
    let restored = fresh("zoo-moved");
    let moved = run(target, &restored, "restore", store.env()).good();
    assert!(moved.stderr.contains("proven equal"), "{}", moved.stderr);
    let objects = format!(
        "select 'v', count(*) from information_schema.views where table_schema = '{restored}' \
         union all select 'r', count(*) from information_schema.routines where routine_schema = '{restored}' \
         union all select 't', count(*) from information_schema.triggers where trigger_schema = '{restored}' \
         union all select 'e', count(*) from information_schema.events where event_schema = '{restored}'"
    );
    assert_eq!(target.sql("", &objects), "v\t3\nr\t3\nt\t3\ne\t1");
}

#[test]
fn the_zoo_moves_from_mysql_57_to_80() {
    the_zoo_moves("mysql:5.7", MYSQL);
}

#[test]
fn the_zoo_moves_from_mysql_57_to_97() {
    the_zoo_moves("mysql:5.7", MYSQL_9);
}

#[test]
fn the_zoo_moves_from_mysql_80_to_97() {
    the_zoo_moves(MYSQL, MYSQL_9);
}

#[test]
fn what_only_mysql_9_knows_is_named_before_an_older_one_is_touched() {
    let (source, target) = (world().mysql(MYSQL_9), world().mysql(MYSQL));
    let database = zoo(source);
    let store = Directory::new();
    backup(source, &database, store.env());
    let restored = fresh("modern-restored");
    let refused = run(target, &restored, "restore", store.env()).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "unfit");
    for feature in [
        "libraries",
        "routines in JavaScript",
        "JSON duality views",
        "the type vector",
    ] {
        assert!(message.contains(feature), "{feature}: {message}");
    }
    let there = target.sql("", &format!("show databases like '{restored}'"));
    assert_eq!(there, "");
}

/// A routine brings the libraries of its own database with it, wherever that goes.
#[test]
fn a_routine_imports_the_library_that_came_with_it() {
    let server = world().mysql(MYSQL_9);
    let database = zoo(server);
    let store = Directory::new();
    backup(server, &database, store.env());
    let restored = fresh("zoo-restored");
    run(server, &restored, "restore", store.env()).good();
    let imports = format!(
        "select routine_name, library_schema, library_name from information_schema.routine_libraries where routine_schema = '{restored}'"
    );
    assert_eq!(
        server.sql("", &imports),
        format!("imports\t{restored}\ttwo's")
    );
}

#[test]
fn what_the_target_does_not_know_is_named_before_anything_is_touched() {
    let (source, target) = (world().mysql(MYSQL), world().mysql("mysql:5.7"));
    let database = source.create_database("modern");
    source.sql(
        &database,
        "create table t (a varchar(5)) collate utf8mb4_0900_ai_ci",
    );
    let store = Directory::new();
    backup(source, &database, store.env());
    let restored = fresh("modern-restored");
    let refused = run(target, &restored, "restore", store.env()).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "unfit");
    assert!(message.contains("utf8mb4_0900_ai_ci"), "{message}");
    let there = target.sql("", &format!("show databases like '{restored}'"));
    assert_eq!(there, "");
}

/// The instructions of the backup itself, followed to the letter with the stock client.
fn a_backup_restores_by_hand(image: &'static str) {
    let server = world().mysql(image);
    let database = zoo(server);
    let before = server.dump(&database, &[]);
    let store = Directory::new();
    // The client's container has gzip and no zstd.
    backup(server, &database, store.env().with("COMPRESSION", "gzip"));
    let directory = store.path().join("b");
    let text = std::fs::read_to_string(directory.join("RESTORE.md")).unwrap();
    let blocks = text.split("```").skip(1).step_by(2);
    let commands: String = blocks
        .map(|block| block.strip_prefix("sh\n").unwrap())
        .collect();
    server.sql("", &format!("drop database `{database}`"));
    server.shell(&directory, &commands);
    assert_same(&before, &server.dump(&database, &[]));
}

#[test]
fn a_backup_of_mariadb_restores_by_hand() {
    a_backup_restores_by_hand(MARIADB);
}

#[test]
fn a_backup_of_mysql_restores_by_hand() {
    a_backup_restores_by_hand(MYSQL_9);
}

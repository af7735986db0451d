//! Everything comes back: on each version, from an older into a newer one, by hand.

use tests::world;

use super::{MARIADB, MYSQL, assert_same, backup, fresh, run, spread, zoo};
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

#[test]
fn the_zoo_moves_from_mysql_57_to_80() {
    let (source, target) = (world().mysql("mysql:5.7"), world().mysql(MYSQL));
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
#[test]
fn a_backup_restores_by_hand() {
    let server = world().mysql(MARIADB);
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

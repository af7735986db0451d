//! Dumps of `mysqldump` and `mariadb-dump`: whole ones come back, cut ones and those of several databases do not.

use std::io::Write;
use std::path::Path;

use tests::{Env, MySql, Run, world};

use super::{MARIADB, MYSQL, MYSQL_9, assert_same, fresh, run, zoo};
use crate::kit::{Directory, reason};

fn put(store: &Directory, name: &str, bytes: &[u8]) {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(store.path().join(name))
        .unwrap();
    file.write_all(bytes).unwrap();
}

fn restore(server: &MySql, database: &str, store: &Directory, name: &str, env: Env) -> Run {
    let from = store.env().with("BACKUP_PATH", name);
    run(server, database, "restore", from.and(env))
}

fn is_there(server: &MySql, database: &str) -> bool {
    let statement = format!("show databases like '{database}'");
    !server.sql("", &statement).is_empty()
}

fn compress(store: &Path) {
    let script = format!(
        "cd '{}' && gzip -k shop.sql && zstd -q shop.sql",
        store.display()
    );
    tests::spawn_program("sh", &["-ec", &script]).wait().good();
}

/// Everything that a dump of the stock tool restores at all: it writes values of MySQL's generated columns, and locks
/// tables whose defaults ask a sequence.
fn stock_dumps_come_back(image: &'static str) {
    let server = world().mysql(image);
    let database = zoo(server);
    if image == MYSQL {
        server.sql(&database, "drop table documents");
    }
    let before = server.dump(&database, &[]);
    // A default that asks a sequence names the database it was in, wherever the table goes.
    let quoted = format!("`{database}`");
    let script = |args: &[&str]| server.dump(&database, args).replace("`DATABASE`", &quoted);
    let store = Directory::new();
    put(&store, "shop.sql", script(&[]).as_bytes());
    compress(store.path());
    put(&store, "named.sql", script(&["--databases"]).as_bytes());
    put(&store, "bare.sql", script(&["--skip-comments"]).as_bytes());
    for name in [
        "shop.sql",
        "shop.sql.gz",
        "shop.sql.zst",
        "named.sql",
        "bare.sql",
    ] {
        let restored = fresh("stock");
        restore(server, &restored, &store, name, Env::default()).good();
        let after = server.dump(&restored, &[]).replace(&database, "DATABASE");
        assert_same(&before, &after);
        server.sql("", &format!("drop database `{restored}`"));
    }
}

#[test]
fn stock_dumps_come_back_on_mariadb() {
    stock_dumps_come_back(MARIADB);
}

/// By Oracle's own `mysqldump`, which asks for a place in the log and for GTIDs to be set.
#[test]
fn stock_dumps_come_back_on_mysql_9() {
    stock_dumps_come_back(MYSQL_9);
}

#[test]
fn stock_dumps_come_back_on_mysql() {
    stock_dumps_come_back(MYSQL);
}

#[test]
fn a_dump_that_was_cut_is_refused_and_leaves_what_was_there() {
    let server = world().mysql(MARIADB);
    let database = server.create_database("cut");
    server.sql(
        &database,
        "create table a (n int); insert into a values (1); create table b (n int); insert into b values (2)",
    );
    let store = Directory::new();
    let script = server.dump(&database, &[]);
    put(&store, "shop.sql", script.as_bytes());
    compress(store.path());
    let gz = std::fs::read(store.path().join("shop.sql.gz")).unwrap();
    let at_statement = script.find("CREATE TABLE `b`").unwrap();
    let bare = server.dump(&database, &["--skip-comments"]);
    put(&store, "statement.sql", &script.as_bytes()[..at_statement]);
    put(&store, "last.sql", &script.as_bytes()[..script.len() - 20]);
    put(&store, "value.sql", &script.as_bytes()[..at_statement - 3]);
    put(&store, "bare.sql", &bare.as_bytes()[..bare.len() / 2]);
    put(&store, "end.sql.gz", &gz[..gz.len() - 9]);
    put(&store, "empty.sql", b"");
    let present = server.create_database("present");
    server.sql(
        "",
        &format!("alter database `{present}` collate utf8mb4_bin"),
    );
    for name in [
        "statement.sql",
        "last.sql",
        "value.sql",
        "bare.sql",
        "end.sql.gz",
        "empty.sql",
    ] {
        let target = fresh("cut-target");
        let cut = restore(server, &target, &store, name, Env::default()).ended(1);
        let (kind, message) = reason(&cut);
        assert_eq!(kind, "integrity", "{name}: {message}");
        assert!(message.contains("was dropped"), "{name}: {message}");
        assert!(!is_there(server, &target), "{name}");
        let cut = restore(server, &present, &store, name, Env::default()).ended(1);
        let (_, message) = reason(&cut);
        assert!(message.contains("is empty, as it was"), "{name}: {message}");
        let collation = format!(
            "select default_collation_name from information_schema.schemata where schema_name = '{present}'"
        );
        assert_eq!(server.sql("", &collation), "utf8mb4_bin");
        assert_eq!(server.sql(&present, "show tables"), "");
    }
}

#[test]
fn a_dump_goes_into_an_empty_database_or_replaces_what_is_there_when_told() {
    let server = world().mysql(MYSQL);
    let database = server.create_database("one");
    server.sql(
        &database,
        "create table t (n int); insert into t values (1)",
    );
    let store = Directory::new();
    put(&store, "one.sql", server.dump(&database, &[]).as_bytes());
    let target = server.create_database("filled");
    server.sql(&target, "create table mine (n int)");
    let refused = restore(server, &target, &store, "one.sql", Env::default()).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "unfit", "{message}");
    assert!(message.contains("RESTORE_DROP_EXISTING"), "{message}");
    assert_eq!(server.sql(&target, "show tables"), "mine");
    let drop = Env::default().with("RESTORE_DROP_EXISTING", "true");
    restore(server, &target, &store, "one.sql", drop).good();
    assert_eq!(server.sql(&target, "show tables"), "t");
    assert_eq!(server.sql(&target, "select * from t"), "1");
}

#[test]
fn a_dump_that_reaches_beyond_its_target_does_not() {
    let server = world().mysql(MARIADB);
    let (one, two) = (server.create_database("a"), server.create_database("b"));
    for name in [&one, &two] {
        server.sql(name, "create table t (n int); insert into t values (1)");
    }
    let store = Directory::new();
    let script = format!("USE `{one}`; CREATE TABLE n (n int); USE `{two}`; DROP TABLE t;");
    put(&store, "both.sql", script.as_bytes());
    let target = fresh("beyond");
    let refused = restore(server, &target, &store, "both.sql", Env::default()).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "unfit", "{message}");
    assert!(
        message.contains(&one) && message.contains(&two),
        "{message}"
    );
    assert!(!is_there(server, &target));
    let user = fresh("intruder");
    let script = format!(
        "CREATE USER '{user}'@'%' IDENTIFIED BY 'x'; GRANT ALL ON *.* TO '{user}'@'%'; SET GLOBAL max_connect_errors = 4711;\n\
         CREATE DATABASE `{one}`; USE `{one}`; CREATE TABLE n (n int); INSERT INTO n VALUES (1), (2);"
    );
    put(&store, "global.sql", script.as_bytes());
    restore(server, &target, &store, "global.sql", Env::default()).good();
    assert_eq!(server.sql(&target, "select sum(n) from n"), "3");
    assert_eq!(server.sql(&one, "show tables"), "t");
    let users = format!("select count(*) from mysql.user where user = '{user}'");
    assert_eq!(server.sql("", &users), "0");
    assert_ne!(server.sql("", "select @@global.max_connect_errors"), "4711");
}

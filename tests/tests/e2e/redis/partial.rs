//! Parts: one database, keys by pattern, another number.

use super::{backup, run, server, zoo};
use crate::kit::{Directory, reason};

#[test]
fn one_database_goes_into_another_number() {
    let (source, target) = (server("redis:7"), server("redis:7"));
    zoo(&source);
    let store = Directory::new();
    backup(&source, store.env().with("DB_NAME", "3"));
    target.fill("SELECT 0\nSET other 1");
    run(&target, "restore", store.env().with("DB_NAME", "7")).good();
    assert_eq!(
        (target.n_keys(7), target.n_keys(3), target.n_keys(0)),
        (2, 0, 1)
    );
    assert_eq!(target.run("SELECT 7\nGET in:3"), "OK\nthree");
    assert_eq!(target.run("FUNCTION LIST"), "");
}

#[test]
fn one_database_is_taken_out_of_a_backup_of_all() {
    let (source, target) = (server("redis:7"), server("redis:7"));
    zoo(&source);
    let store = Directory::new();
    backup(&source, store.env());
    run(&target, "restore", store.env().with("DB_NAME", "15")).good();
    assert_eq!((target.n_keys(15), target.n_keys(0)), (2, 0));
}

#[test]
fn patterns_take_keys_in_and_leave_them_out() {
    let (source, target) = (server("redis:8"), server("redis:8"));
    source.fill("MSET user:1 a user:1.5 b user:tmp c x.user:1 d order:1 e\nSELECT 2\nSET user:2 f");
    let store = Directory::new();
    let env = store
        .env()
        .with("INCLUDE_TABLES", "user:*")
        .with("EXCLUDE_TABLES", "*:tmp");
    backup(&source, env);
    run(&target, "restore", store.env()).good();
    let keys = |database: u32| {
        let said = target.run(&format!("SELECT {database}\nKEYS *"));
        let mut keys: Vec<String> = said.lines().skip(1).map(str::to_owned).collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(0), ["user:1", "user:1.5"]);
    assert_eq!(keys(2), ["user:2"]);
}

#[test]
fn a_pattern_without_a_key_is_no_backup() {
    let source = server("redis:7");
    source.fill("SET a 1");
    let store = Directory::new();
    let env = store.env().with("INCLUDE_TABLES", "typo:*");
    let refused = run(&source, "backup", env).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "config");
    assert!(
        message.contains("INCLUDE_TABLES: no key matches"),
        "{message}"
    );
    assert_eq!(store.files(), [""; 0]);
}

#[test]
fn a_restore_may_be_of_some_keys() {
    let (source, target) = (server("redis:7"), server("redis:7"));
    source.fill("MSET user:1 a user:2 b order:1 c");
    let store = Directory::new();
    backup(&source, store.env());
    run(
        &target,
        "restore",
        store.env().with("RESTORE_TABLES", "user:*"),
    )
    .good();
    assert_eq!(target.n_keys(0), 2);
}

#[test]
fn an_empty_server_is_a_backup_too() {
    let (source, target) = (server("redis:7"), server("redis:7"));
    let store = Directory::new();
    backup(&source, store.env());
    run(&target, "restore", store.env()).good();
    assert_eq!(target.n_keys(0), 0);
}

#[test]
fn users_come_back_where_that_is_asked_for() {
    let (source, target) = (server("redis:7"), server("redis:7"));
    source.fill("SET a 1\nACL SETUSER app on >secret ~app:* resetchannels +@read (~x:* +set)");
    let store = Directory::new();
    let env = store.env().with("REDIS_ACL", "true");
    backup(&source, env.clone());
    run(&target, "restore", env).good();
    assert_eq!(source.run("ACL GETUSER app"), target.run("ACL GETUSER app"));
    // Not asked for, they are not in a backup.
    backup(&source, store.env().with("BACKUP_PATH", "without"));
    let files = store.files();
    assert!(
        !files
            .iter()
            .any(|it| it.starts_with("without/") && it.contains("acl")),
        "{files:#?}"
    );
}

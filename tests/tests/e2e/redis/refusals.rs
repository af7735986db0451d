//! What is refused, with the reason, and leaves everything as it was.

use tests::{TcpProxy, world};

use super::{backup, many, put, run, server, zoo};
use crate::kit::{Directory, reason};

#[test]
fn a_wrong_password_is_denied_at_once() {
    let server = world().own_redis("redis:7", &["--requirepass", "correct"]);
    let store = Directory::new();
    for (password, words) in [("wrong", "WRONGPASS"), ("", "NOAUTH")] {
        let env = store.env().with("DB_PASSWORD", password);
        let refused = run(&server, "backup", env).ended(1);
        let (kind, message) = reason(&refused);
        assert_eq!(kind, "denied", "{message}");
        assert!(message.contains(words), "{message}");
        assert!(
            message.contains(&format!("127.0.0.1:{}", server.port())),
            "{message}"
        );
        assert!(!refused.stderr.contains("wrong\""), "{}", refused.stderr);
    }
    assert_eq!(store.files(), [""; 0]);
    backup(&server, store.env());
}

#[test]
fn a_password_that_the_server_does_not_have_is_told_so() {
    let server = server("redis:6");
    let store = Directory::new();
    let refused = run(&server, "backup", store.env().with("DB_PASSWORD", "x")).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "denied");
    assert!(message.contains("leave out DB_PASSWORD"), "{message}");
}

#[test]
fn a_server_that_is_away_may_be_tried_again() {
    let server = server("redis:7");
    let store = Directory::new();
    let env = store
        .env()
        .with("DB_PORT", "1")
        .with("CONNECT_TIMEOUT", "0s");
    let away = run(&server, "backup", env).ended(75);
    assert_eq!(reason(&away).0, "unreachable");
}

#[test]
fn a_server_that_is_busy_may_be_tried_again() {
    let server = server("redis:7");
    // A script that runs for long: everybody is answered BUSY, as LOADING by a server that loads its data.
    server.fill("CONFIG SET busy-reply-threshold 1");
    let busy = tests::spawn_program(
        "docker",
        &[
            "exec",
            server.name(),
            "redis-cli",
            "EVAL",
            "while true do end",
            "0",
        ],
    );
    while !server.run("PING").contains("BUSY") {}
    let store = Directory::new();
    let env = store.env().with("CONNECT_TIMEOUT", "1s");
    let refused = run(&server, "backup", env.clone()).ended(75);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "unreachable");
    assert!(message.contains("BUSY"), "{message}");
    server.run("SCRIPT KILL");
    let _ = busy.wait();
    backup(&server, env.with("BACKUP_PATH", "after"));
}

#[test]
fn a_target_that_is_not_empty_is_refused_and_untouched() {
    let (source, target) = (server("redis:7"), server("redis:7"));
    zoo(&source);
    let store = Directory::new();
    backup(&source, store.env());
    target.fill("SELECT 9\nSET precious 1");
    let before = target.digest();
    let refused = run(&target, "restore", store.env()).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "unfit");
    assert!(message.contains("1 keys in database 9"), "{message}");
    assert!(message.contains("RESTORE_DROP_EXISTING"), "{message}");
    assert_eq!(before, target.digest());
    // Asked for, what was there goes.
    let env = store.env().with("RESTORE_DROP_EXISTING", "true");
    run(&target, "restore", env).good();
    assert_eq!(source.digest(), target.digest());
    assert_eq!(target.n_keys(9), 0);
}

#[test]
fn a_damaged_object_is_found_before_the_target_is_touched() {
    let (source, target) = (server("redis:7"), server("redis:7"));
    many(&source, 20_000);
    let store = Directory::new();
    backup(&source, store.env());
    target.fill("SET precious 1");
    let file = store
        .files()
        .into_iter()
        .find(|it| it.contains("dump.rdb"))
        .unwrap();
    let path = store.path().join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    put(&path, bytes);
    let env = store.env().with("RESTORE_DROP_EXISTING", "true");
    let refused = run(&target, "restore", env).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "integrity", "{message}");
    assert!(message.contains("was not touched"), "{message}");
    assert_eq!(target.run("GET precious"), "1");
}

#[test]
fn a_replica_is_no_target() {
    let (source, target) = (server("redis:7"), server("redis:7"));
    source.fill("SET a 1");
    let store = Directory::new();
    backup(&source, store.env());
    target.fill(&format!("REPLICAOF {} 6379", source.name()));
    let refused = run(&target, "restore", store.env()).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "unfit");
    assert!(message.contains("is a replica of"), "{message}");
}

#[test]
fn the_other_family_is_sent_to_its_own_image() {
    let server = server("valkey/valkey:8");
    let store = Directory::new();
    let env = server.env().and(store.env()).with("BACKUP_PATH", "b");
    let refused = tests::spawn_engine("redis", env, &["backup"])
        .wait()
        .ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "unfit");
    assert!(message.contains("use plan-b-backup-valkey"), "{message}");
}

#[test]
fn something_that_is_not_redis_is_told_from_it() {
    let minio = TcpProxy::start(
        world()
            .minio()
            .address(tests::Seat::Host)
            .trim_start_matches("http://"),
    );
    let server = server("redis:7");
    let store = Directory::new();
    let env = store.env().with("DB_PORT", minio.port().to_string());
    let refused = run(&server, "backup", env.with("CONNECT_TIMEOUT", "1s"));
    let (kind, message) = reason(&refused.ended(1));
    assert_eq!(kind, "unfit");
    assert!(
        message.contains("does not speak Redis' protocol"),
        "{message}"
    );
}

//! Where nobody may be a replica: key by key, and said so.

use tests::Redis;

use super::{backup, many, run, server, zoo};
use crate::kit::{Directory, reason};

/// A login that may do all but be a replica.
fn no_replica(server: &Redis) {
    // Channels have rights only since 6.2.
    let channels = if server.image == "redis:6" { "" } else { "&*" };
    server.fill(&format!(
        "ACL SETUSER app on >pw ~* {channels} +@all -psync -sync -replconf"
    ));
}

fn comes_back(image: &'static str) {
    let (source, target) = (server(image), server(image));
    zoo(&source);
    many(&source, 5000);
    no_replica(&source);
    no_replica(&target);
    let store = Directory::new();
    let env = store
        .env()
        .with("DB_USERNAME", "app")
        .with("DB_PASSWORD", "pw");
    let done = backup(&source, env.clone());
    assert!(
        done.stderr.contains("will not be of one moment"),
        "{}",
        done.stderr
    );
    let manifest = std::fs::read_to_string(store.path().join("b/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["consistency"]["mode"], "scan");
    assert_eq!(manifest["consistency"]["point_in_time"], false);
    // Restored, and read back, by the same means.
    let restored = run(&target, "restore", env).good();
    assert!(
        restored.stderr.contains("proven equal"),
        "{}",
        restored.stderr
    );
    assert_eq!(source.digest(), target.digest());
}

#[test]
fn the_zoo_comes_back_by_scan_on_redis_6() {
    comes_back("redis:6");
}

#[test]
fn the_zoo_comes_back_by_scan_on_redis_8() {
    comes_back("redis:8");
}

#[test]
fn the_zoo_comes_back_by_scan_on_valkey_9() {
    comes_back("valkey/valkey:9");
}

#[test]
fn replication_that_is_insisted_on_names_what_is_missing() {
    let source = server("redis:7");
    no_replica(&source);
    let store = Directory::new();
    let env = store
        .env()
        .with("DB_USERNAME", "app")
        .with("DB_PASSWORD", "pw");
    let refused = run(
        &source,
        "backup",
        env.with("REDIS_BACKUP_MODE", "replication"),
    )
    .ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "denied");
    assert!(message.contains("+psync"), "{message}");
}

#[test]
fn the_rights_that_the_documentation_names_are_enough() {
    let (source, target) = (server("redis:8"), server("redis:8"));
    zoo(&source);
    source.fill(
        "ACL SETUSER planb on >pw ~* resetchannels +auth +ping +info +time +psync +replconf +config|get",
    );
    target.fill(
        "ACL SETUSER planb on >pw ~* resetchannels +auth +ping +info +time +select +restore +function|dump +function|list \
         +function|load +psync +replconf +config|get",
    );
    let store = Directory::new();
    let env = store
        .env()
        .with("DB_USERNAME", "planb")
        .with("DB_PASSWORD", "pw");
    backup(
        &source,
        env.clone().with("REDIS_BACKUP_MODE", "replication"),
    );
    run(&target, "restore", env).good();
    assert_eq!(source.digest(), target.digest());
}

//! Everything comes back: on each version, from an older into a newer one, across families, by hand.

use tests::Redis;

use super::{backup, beside_the_digest, many, run, server, zoo};
use crate::kit::{Directory, reason};

/// What makes two servers equal.
fn content(server: &Redis) -> (String, String) {
    (server.digest(), beside_the_digest(server))
}

fn comes_back(image: &'static str) {
    let (source, target) = (server(image), server(image));
    zoo(&source);
    many(&source, 20_000);
    let before = content(&source);
    let store = Directory::new();
    backup(&source, store.env());
    let restored = run(&target, "restore", store.env()).good();
    assert!(
        restored.stderr.contains("proven equal"),
        "{}",
        restored.stderr
    );
    assert_eq!(before, content(&target));
    assert_eq!(before, content(&source));
}

#[test]
fn the_zoo_comes_back_on_redis_6() {
    comes_back("redis:6");
}

#[test]
fn the_zoo_comes_back_on_redis_7() {
    comes_back("redis:7");
}

#[test]
fn the_zoo_comes_back_on_redis_8() {
    comes_back("redis:8");
}

#[test]
fn the_zoo_comes_back_on_valkey_8() {
    comes_back("valkey/valkey:8");
}

#[test]
fn the_zoo_comes_back_on_valkey_9() {
    comes_back("valkey/valkey:9");
}

fn moves(from: &'static str, to: &'static str) {
    let (source, target) = (server(from), server(to));
    zoo(&source);
    let before = source.digest();
    let store = Directory::new();
    backup(&source, store.env());
    run(&target, "restore", store.env()).good();
    assert_eq!(before, target.digest());
}

#[test]
fn the_zoo_moves_from_redis_6_to_7_and_8() {
    moves("redis:6", "redis:7");
    moves("redis:6", "redis:8");
}

#[test]
fn the_zoo_moves_from_redis_7_to_8() {
    moves("redis:7", "redis:8");
}

#[test]
fn the_zoo_moves_from_valkey_8_to_9() {
    moves("valkey/valkey:8", "valkey/valkey:9");
}

#[test]
fn a_server_older_than_the_backup_is_refused_with_both_versions() {
    for (from, to) in [
        ("redis:7", "redis:6"),
        ("redis:8", "redis:7"),
        ("valkey/valkey:9", "valkey/valkey:8"),
    ] {
        let (source, target) = (server(from), server(to));
        source.fill("SET a 1");
        let store = Directory::new();
        backup(&source, store.env());
        let refused = run(&target, "restore", store.env()).ended(1);
        let (kind, message) = reason(&refused);
        assert_eq!(kind, "unfit", "{message}");
        assert!(message.contains("is in RDB version"), "{message}");
        assert!(message.contains("reads up to version"), "{message}");
        assert_eq!(target.n_keys(0), 0);
    }
}

#[test]
fn a_value_of_64_mb_comes_back() {
    let (source, target) = (server("redis:7"), server("redis:7"));
    // Random, so that nothing makes it smaller on the way.
    source.fill(
        "EVAL \"math.randomseed(7) local t={} for i=1,65536 do t[i]=string.char(math.random(0,255)) end \
         local block=table.concat(t) redis.call('SET','huge',string.rep(block,1024))\" 0",
    );
    assert_eq!(source.run("STRLEN huge"), (64 << 20).to_string());
    let before = source.digest();
    let store = Directory::new();
    backup(&source, store.env());
    run(&target, "restore", store.env()).good();
    assert_eq!(before, target.digest());
}

#[test]
fn keys_whose_time_is_over_stay_away_and_the_proof_still_holds() {
    let (source, target) = (server("redis:7"), server("redis:7"));
    // Its own clean-up would take them out of the snapshot.
    source.fill("DEBUG SET-ACTIVE-EXPIRE 0\nSET stays 1\nSET gone 1 PX 1\nSET later 1 EX 100000");
    let store = Directory::new();
    backup(&source, store.env());
    let restored = run(&target, "restore", store.env()).good();
    assert!(
        restored
            .stderr
            .contains("without 1 keys whose time was over"),
        "{}",
        restored.stderr
    );
    assert_eq!(target.n_keys(0), 2);
}

/// The instructions of the backup itself, followed to the letter with the stock server.
#[test]
fn a_backup_restores_by_hand() {
    let (source, target) = (server("redis:7"), server("redis:7"));
    zoo(&source);
    let before = content(&source);
    let store = Directory::new();
    // The server's container has gzip and no zstd.
    backup(&source, store.env().with("COMPRESSION", "gzip"));
    let text = std::fs::read_to_string(store.path().join("b/RESTORE.md")).unwrap();
    let blocks = text.split("```").skip(1).step_by(2);
    let commands: String = blocks
        .map(|block| block.strip_prefix("sh\n").unwrap())
        .collect();
    assert_eq!(
        before.0,
        target.digest_by_hand(&store.path().join("b"), &commands)
    );
}

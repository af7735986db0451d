//! What goes wrong on the way: nothing is claimed, and what was begun is put in order.

use tests::{Hitch, TcpProxy};

use super::{backup, run, server, start};
use crate::kit::{Directory, reason};

/// Large enough that it is still on its way when something happens.
fn large(server: &tests::Redis) {
    // As large in a snapshot as in memory.
    server.fill("CONFIG SET rdbcompression no");
    server.fill(
        "EVAL \"math.randomseed(3) for i=1,400 do local t={} for j=1,256 do t[j]=string.char(math.random(0,255)) end \
         redis.call('SET','l:'..i,string.rep(table.concat(t),256)..i) end\" 0",
    );
}

#[test]
fn a_snapshot_that_is_cut_never_becomes_a_backup() {
    for image in ["redis:6", "redis:7", "valkey/valkey:9"] {
        let server = server(image);
        large(&server);
        let proxy = TcpProxy::start(format!("127.0.0.1:{}", server.port()));
        proxy.set(Hitch::CutAfter(20 << 20));
        let store = Directory::new();
        let env = store.env().with("DB_PORT", proxy.port().to_string());
        let failed = run(&server, "backup", env).ended(75);
        let (kind, message) = reason(&failed);
        assert_eq!(kind, "unreachable", "{message}");
        assert!(message.contains("read the server's snapshot"), "{message}");
        assert_eq!(store.files(), [""; 0]);
    }
}

#[test]
fn a_restore_whose_server_goes_away_says_how_far_it_got() {
    let (source, target) = (server("redis:7"), server("redis:7"));
    large(&source);
    let store = Directory::new();
    backup(&source, store.env());
    let proxy = TcpProxy::start(format!("127.0.0.1:{}", target.port()));
    // What comes from the target is answers of a few bytes.
    proxy.set(Hitch::CutAfter(12_000));
    let env = store.env().with("DB_PORT", proxy.port().to_string());
    let failed = run(&target, "restore", env.with("PARALLELISM", "1")).ended(75);
    let (kind, message) = reason(&failed);
    assert_eq!(kind, "unreachable");
    assert!(message.contains("keys were restored into"), "{message}");
}

#[test]
fn a_target_without_room_says_how_far_it_got() {
    let (source, target) = (server("redis:7"), server("redis:7"));
    large(&source);
    let store = Directory::new();
    backup(&source, store.env());
    target.fill("CONFIG SET maxmemory 10mb\nCONFIG SET maxmemory-policy noeviction");
    let failed = run(&target, "restore", store.env()).ended(1);
    let (kind, message) = reason(&failed);
    assert_eq!(kind, "unfit");
    assert!(message.contains("OOM"), "{message}");
    assert!(message.contains("maxmemory"), "{message}");
    assert!(message.contains("keys were restored into"), "{message}");
    // Begun anew with room, it succeeds.
    target.fill("CONFIG SET maxmemory 0");
    run(&target, "restore", store.env()).ended(1);
    let env = store.env().with("RESTORE_DROP_EXISTING", "true");
    run(&target, "restore", env).good();
    assert_eq!(source.digest(), target.digest());
}

#[test]
fn a_signal_ends_a_backup_that_stands_still() {
    let server = server("redis:7");
    large(&server);
    let proxy = TcpProxy::start(format!("127.0.0.1:{}", server.port()));
    proxy.set(Hitch::StallAfter(20 << 20));
    let store = Directory::new();
    let env = store.env().with("DB_PORT", proxy.port().to_string());
    let running = start(&server, "backup", env);
    proxy.wait_for_hitches(1);
    running.signal("TERM");
    let ended = running.wait().ended(143);
    assert_eq!(reason(&ended).0, "interrupted");
    assert_eq!(store.files(), [""; 0]);
}

#[test]
fn a_target_that_drops_keys_is_noticed() {
    let (source, target) = (server("redis:7"), server("redis:7"));
    large(&source);
    let store = Directory::new();
    backup(&source, store.env());
    target.fill("CONFIG SET maxmemory 10mb\nCONFIG SET maxmemory-policy allkeys-random");
    let failed = run(&target, "restore", store.env()).ended(1);
    let (kind, message) = reason(&failed);
    assert_eq!(kind, "integrity", "{message}");
    assert!(message.contains("db0 has"), "{message}");
}

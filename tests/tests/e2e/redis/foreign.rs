//! RDB files that servers and stock tools wrote.

use super::{put, run, server, zoo};
use crate::kit::{Directory, reason};

/// The file that a server of this image writes of the zoo, in a store.
fn saved(image: &'static str, store: &Directory) -> String {
    let source = server(image);
    zoo(&source);
    source.fill("SAVE");
    let path = store.path().join("dump.rdb");
    source.copy_out("/data/dump.rdb", &path);
    source.digest()
}

#[test]
fn a_file_that_the_server_wrote_comes_back() {
    for (from, to) in [
        ("redis:6", "redis:7"),
        ("redis:8", "redis:8"),
        ("valkey/valkey:9", "valkey/valkey:9"),
    ] {
        let store = Directory::new();
        let before = saved(from, &store);
        let target = server(to);
        let env = store.env().with("BACKUP_PATH", "dump.rdb");
        run(&target, "restore", env).good();
        assert_eq!(before, target.digest());
    }
}

#[test]
fn a_compressed_file_comes_back_in_place_of_what_was_there() {
    let store = Directory::new();
    let before = saved("redis:7", &store);
    let path = store.path().join("dump.rdb");
    tests::spawn_program("gzip", &[path.to_str().unwrap()])
        .wait()
        .good();
    let target = server("redis:7");
    target.fill("SET other 1");
    let env = store.env().with("BACKUP_PATH", "dump.rdb.gz");
    let refused = run(&target, "restore", env.clone()).ended(1);
    assert_eq!(reason(&refused).0, "unfit");
    run(
        &target,
        "restore",
        env.with("RESTORE_DROP_EXISTING", "true"),
    )
    .good();
    assert_eq!(before, target.digest());
}

#[test]
fn a_file_that_is_too_new_or_none_is_refused_before_anything_is_dropped() {
    let store = Directory::new();
    saved("redis:8", &store);
    let target = server("redis:6");
    target.fill("SET precious 1");
    let env = store.env().with("RESTORE_DROP_EXISTING", "true");
    put(&store.path().join("other.rdb"), "this is no RDB at all");
    put(&store.path().join("future.rdb"), "REDIS0099 and more of it");
    for (name, words) in [
        ("dump.rdb", "reads up to version"),
        ("other.rdb", "this is no RDB"),
        ("future.rdb", "version 99"),
    ] {
        let refused = run(&target, "restore", env.clone().with("BACKUP_PATH", name)).ended(1);
        let (_, message) = reason(&refused);
        assert!(message.contains(words), "{message}");
        assert_eq!(target.run("GET precious"), "1");
    }
}

#[test]
fn a_cut_file_is_no_success() {
    let store = Directory::new();
    saved("redis:7", &store);
    let path = store.path().join("dump.rdb");
    let bytes = std::fs::read(&path).unwrap();
    put(&path, &bytes[..bytes.len() - 9]);
    let target = server("redis:7");
    let failed = run(
        &target,
        "restore",
        store.env().with("BACKUP_PATH", "dump.rdb"),
    )
    .ended(1);
    assert_eq!(reason(&failed).0, "integrity");
}

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
fn damage_late_in_a_file_is_found_before_anything_is_dropped() {
    let store = Directory::new();
    saved("redis:7", &store);
    let whole = std::fs::read(store.path().join("dump.rdb")).unwrap();
    let target = server("redis:7");
    target.fill("SET precious 1\nSELECT 3\nSET precious 2");
    let before = target.digest();
    let env = store.env().with("RESTORE_DROP_EXISTING", "true");
    // The last byte that is not of the checksum is the mark of the end.
    let mut flipped = whole.clone();
    flipped[whole.len() - 10] ^= 1;
    let mut other_sum = whole.clone();
    other_sum[whole.len() - 1] ^= 1;
    let damaged = [
        ("flipped", flipped),
        ("sum", other_sum),
        ("cut", whole[..whole.len() - 9].to_vec()),
        ("longer", [whole.as_slice(), b"x"].concat()),
    ];
    for (name, bytes) in damaged {
        let path = store.path().join(format!("{name}.rdb"));
        put(&path, bytes);
        tests::spawn_program("gzip", &["-k", path.to_str().unwrap()])
            .wait()
            .good();
        for suffix in ["", ".gz"] {
            let env = env
                .clone()
                .with("BACKUP_PATH", format!("{name}.rdb{suffix}"));
            let refused = run(&target, "restore", env).ended(1);
            let (kind, message) = reason(&refused);
            assert_eq!(kind, "integrity", "{message}");
            assert!(message.contains("was not touched"), "{message}");
            assert_eq!(before, target.digest());
        }
    }
}

#[test]
fn a_file_that_is_trusted_is_checked_while_it_is_restored() {
    let store = Directory::new();
    saved("redis:7", &store);
    let path = store.path().join("dump.rdb");
    let bytes = std::fs::read(&path).unwrap();
    put(&path, &bytes[..bytes.len() - 9]);
    let target = server("redis:7");
    let env = store
        .env()
        .with("BACKUP_PATH", "dump.rdb")
        .with("RESTORE_PRECHECK", "none");
    let failed = run(&target, "restore", env).ended(1);
    let (kind, message) = reason(&failed);
    assert_eq!(kind, "integrity");
    assert!(message.contains("keys were restored into"), "{message}");
}

//! Archives that the stock tool made.

use tests::world;

use super::{fresh, run, shop};
use crate::kit::{Directory, reason};

/// What `mongodump` writes with these arguments, as a file of the store.
fn put(store: &Directory, name: &str, args: &str) {
    let server = world().mongo();
    server.shell(&format!("tool mongodump {args} --archive=/tmp/{name}"));
    let from = format!("{}:/tmp/{name}", server.name());
    let to = store.path().join(name);
    tests::spawn_program("docker", &["cp", &from, to.to_str().unwrap()])
        .wait()
        .good();
}

#[test]
fn archives_of_the_stock_tool_restore_and_are_proven() {
    let server = world().mongo();
    let database = shop(server);
    let before = server.content(&database);
    let store = Directory::new();
    for (name, args) in [("a.archive", ""), ("b.archive.gz", "--gzip")] {
        put(&store, name, &format!("--db={database} {args}"));
        let target = fresh("foreign");
        let env = store.env().with("BACKUP_PATH", name);
        let done = run(server, &target, "restore", env).good();
        assert!(done.stderr.contains("prove"), "{}", done.stderr);
        assert_eq!(server.content(&target), before);
    }
}

#[test]
fn one_database_is_taken_out_of_an_archive_of_many() {
    let server = world().mongo();
    let (database, other) = (shop(server), shop(server));
    let before = server.content(&database);
    let store = Directory::new();
    put(&store, "all.archive", "");
    let env = store.env().with("BACKUP_PATH", "all.archive");
    let unknown = run(server, "nope", "restore", env.clone()).ended(1);
    let (kind, message) = reason(&unknown);
    assert!(kind == "not_found" && message.contains(&other), "{message}");
    let drop = env.with("RESTORE_DROP_EXISTING", "true");
    server.import(&database, "types", r#"{"_id":"more"}"#);
    run(server, &database, "restore", drop).good();
    assert_eq!(server.content(&database), before);
}

#[test]
fn only_wanted_collections_come_out_of_an_archive() {
    let server = world().mongo();
    let database = shop(server);
    let store = Directory::new();
    put(&store, "some.archive", &format!("--db={database}"));
    let target = fresh("foreign-some");
    let env = store.env().with("BACKUP_PATH", "some.archive");
    let unknown = env.clone().with("RESTORE_TABLES", "nope");
    let refused = run(server, &target, "restore", unknown).ended(1);
    assert_eq!(reason(&refused).0, "config");
    let types = env.with("RESTORE_TABLES", "types");
    run(server, &target, "restore", types).good();
    let content = server.content(&target);
    assert!(
        content.contains("types.bson") && !content.contains("orders"),
        "{content}"
    );
}

#[test]
fn an_archive_that_was_cut_or_changed_does_not_touch_the_target_and_leaves_nothing_of_itself() {
    let server = world().mongo();
    let database = shop(server);
    // More than is read before the target is touched.
    server.shell(&format!(
        "for n in 1 2 3 4; do head -c 900000 /dev/urandom | base64 -w 0 | sed 's/.*/{{\"data\":\"&\"}}/'; echo; done \
         | tool mongoimport --db={database} --collection=large"
    ));
    let store = Directory::new();
    put(&store, "whole.archive", &format!("--db={database}"));
    let whole = std::fs::read(store.path().join("whole.archive")).unwrap();
    let mut changed = whole.clone();
    let at = whole.len() - whole.len() / 4;
    changed[at] ^= 4;
    for (name, bytes) in [
        ("cut.archive", &whole[..whole.len() - 4]),
        ("changed.archive", &changed),
    ] {
        std::fs::write(store.path().join(name), bytes).unwrap();
        let env = store.env().with("BACKUP_PATH", name);
        let drop = env.clone().with("RESTORE_DROP_EXISTING", "true");
        let before = server.content(&database);
        let failed = run(server, &database, "restore", drop).ended(1);
        let (kind, message) = reason(&failed);
        assert!(
            kind == "integrity" && message.contains("the target was not touched"),
            "{message}"
        );
        assert_eq!(server.content(&database), before);
        let target = fresh("broken");
        let trusted = env.with("RESTORE_PRECHECK", "none");
        let failed = run(server, &target, "restore", trusted).ended(1);
        let (_, message) = reason(&failed);
        assert!(message.contains("is empty again"), "{message}");
        assert_eq!(server.content(&target), "");
    }
    std::fs::write(store.path().join("notes.archive"), "not an archive at all").unwrap();
    let env = store.env().with("BACKUP_PATH", "notes.archive");
    let refused = run(server, &fresh("x"), "restore", env).ended(1);
    assert_eq!(reason(&refused).0, "integrity");
}

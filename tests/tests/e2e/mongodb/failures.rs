//! What goes wrong leaves no backup, and no restore that is one only in part.

use std::time::{Duration, Instant};

use tests::{Hitch, HttpProxy, Mongo, Seat, TcpProxy, Trouble, world};
use xtask::docker::docker;

use super::{backup, fresh, large, run, shop, start, tools};
use crate::kit::{Directory, reason};

#[test]
fn a_tool_that_fails_at_its_last_byte_leaves_no_backup() {
    let server = world().mongo();
    let database = shop(server);
    for (script, told) in [
        (
            "echo 'the disk is on fire' >&2; exit 1",
            "the disk is on fire",
        ),
        ("kill -KILL $$", "SIGKILL"),
    ] {
        let (store, dir) = (Directory::new(), tempfile::tempdir().unwrap());
        let script = format!("\"$real\" \"$@\"; case $* in *--version*) exit 0;; esac; {script}");
        let bin = tools(server, dir.path(), "mongodump", &script);
        let failed = run(
            server,
            &database,
            "backup",
            store.env().with("MONGO_BIN", bin),
        )
        .ended(1);
        let (kind, message) = reason(&failed);
        assert_eq!(kind, "tool");
        assert!(message.contains(told), "{message}");
        assert_eq!(store.files(), Vec::<String>::new());
    }
}

#[test]
fn an_archive_without_its_end_leaves_no_backup_though_the_tool_is_content() {
    let server = world().mongo();
    let database = shop(server);
    let (store, dir) = (Directory::new(), tempfile::tempdir().unwrap());
    let script =
        "case $* in *--version*) exec \"$real\" \"$@\";; esac; \"$real\" \"$@\" | head -c -4";
    let bin = tools(server, dir.path(), "mongodump", script);
    let failed = run(
        server,
        &database,
        "backup",
        store.env().with("MONGO_BIN", bin),
    )
    .ended(1);
    let (kind, message) = reason(&failed);
    assert!(
        kind == "integrity" && message.contains("it was cut"),
        "{message}"
    );
    assert_eq!(store.files(), Vec::<String>::new());
}

#[test]
fn a_restore_that_only_claims_to_have_worked_is_found_out() {
    let server = world().mongo();
    let database = shop(server);
    let store = Directory::new();
    backup(server, &database, store.env());
    let lies = [
        (
            "echo '0 document(s) restored successfully. 0 document(s) failed to restore.' >&2",
            "instead of",
        ),
        (
            "echo '9 document(s) restored successfully. 3 document(s) failed to restore.' >&2",
            "3 documents failed",
        ),
        ("exit 1", "exited with 1"),
    ];
    for (lie, told) in lies {
        let dir = tempfile::tempdir().unwrap();
        let script =
            format!("case $* in *--version*) exec \"$real\" \"$@\";; esac; cat >/dev/null; {lie}");
        let bin = tools(server, dir.path(), "mongorestore", &script);
        let target = fresh("claimed");
        let failed = run(
            server,
            &target,
            "restore",
            store.env().with("MONGO_BIN", bin),
        )
        .ended(1);
        let (_, message) = reason(&failed);
        assert!(
            message.contains(told) && message.contains("is empty again"),
            "{message}"
        );
        assert_eq!(server.content(&target), "");
    }
}

#[test]
fn damage_to_any_object_is_found_before_the_target_is_touched() {
    let server = world().mongo();
    let database = shop(server);
    let store = Directory::new();
    backup(server, &database, store.env());
    let target = fresh("kept");
    server.import(&target, "mine", r#"{"_id":1}"#);
    let mine = server.content(&target);
    let env = store.env().with("RESTORE_DROP_EXISTING", "true");
    let files = store.files();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        let path = store.path().join(&file);
        let whole = std::fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        for bytes in [&flipped[..], &whole[..whole.len() - 1]] {
            std::fs::write(&path, bytes).unwrap();
            for operation in ["verify", "restore"] {
                let failed = run(server, &target, operation, env.clone()).ended(1);
                assert_eq!(reason(&failed).0, "integrity", "{file}: {}", failed.stderr);
                assert_eq!(server.content(&target), mine, "{file}");
            }
        }
        std::fs::write(&path, whole).unwrap();
    }
    run(server, &target, "restore", env).good();
    assert_eq!(server.content(&target), server.content(&database));
}

/// A proxy before the server, and what leads a job there.
fn through(hitch: Hitch) -> (TcpProxy, tests::Env) {
    let proxy = TcpProxy::start(format!("127.0.0.1:{}", world().mongo().port()));
    proxy.set(hitch);
    let env = tests::Env::default()
        .with("DB_PORT", proxy.port().to_string())
        .with("DB_TLS_MODE", "disable");
    (proxy, env)
}

#[test]
fn a_server_that_is_lost_midway_leaves_no_backup_and_a_retry_may_help() {
    let server = world().mongo();
    let database = large(server, 24);
    let store = Directory::new();
    let (proxy, env) = through(Hitch::CutAfter(8_000_001));
    let env = store.env().and(env);
    let failed = run(server, &database, "backup", env.clone()).ended(75);
    let (kind, message) = reason(&failed);
    assert!(
        kind == "unreachable" && message.contains("was lost"),
        "{message}"
    );
    assert_eq!(store.files(), Vec::<String>::new());
    proxy.set(Hitch::None);
    run(server, &database, "backup", env).good();
}

#[test]
fn a_server_that_is_lost_in_a_restore_is_named_and_what_it_may_hold() {
    let server = world().mongo();
    let database = large(server, 24);
    let store = Directory::new();
    backup(server, &database, store.env());
    let target = fresh("lost");
    let (proxy, env) = through(Hitch::CutAfter(8_000_001));
    let env = store.env().and(env);
    let failed = run(server, &target, "restore", env.clone()).ended(75);
    let (kind, message) = reason(&failed);
    assert!(
        kind == "unreachable" && message.contains(&target),
        "{message}"
    );
    // What is there is as the message says.
    match message.contains("is empty again") {
        true => assert_eq!(server.content(&target), ""),
        false => assert!(
            message.contains("may hold a part of the backup"),
            "{message}"
        ),
    }
    proxy.set(Hitch::None);
    let env = env.with("RESTORE_DROP_EXISTING", "true");
    run(server, &target, "restore", env).good();
    assert!(server.content(&target) == server.content(&database));
}

#[test]
fn a_target_that_somebody_else_changes_is_not_called_proven() {
    let server = world().mongo();
    let database = shop(server);
    let store = Directory::new();
    backup(server, &database, store.env());
    let other = fresh("other");
    server.import(&other, "orders", r#"{"_id":"somebody's"}"#);
    server.shell(&format!(
        "tool mongodump --db={other} --archive=/tmp/{other}"
    ));
    let dir = tempfile::tempdir().unwrap();
    let extra = dir.path().join("extra.archive");
    let from = format!("{}:/tmp/{other}", server.name());
    tests::spawn_program("docker", &["cp", &from, extra.to_str().unwrap()])
        .wait()
        .good();
    let target = fresh("changed");
    let script = format!(
        "\"$real\" \"$@\" || exit; case $* in *--noIndexRestore*) exec \"$real\" \"$1\" \"$2\" --archive={} --nsFrom='{other}.*' --nsTo='{target}.*';; esac",
        extra.display()
    );
    let bin = tools(server, dir.path(), "mongorestore", &script);
    let env = store.env().with("MONGO_BIN", bin);
    let failed = run(server, &target, "restore", env).ended(1);
    let (kind, message) = reason(&failed);
    assert_eq!(kind, "integrity");
    assert!(
        message.contains("orders") && message.contains("is empty again"),
        "{message}"
    );
    assert_eq!(server.content(&target), "");
}

#[test]
fn indexes_that_were_not_built_are_missed() {
    let server = world().mongo();
    let database = shop(server);
    let store = Directory::new();
    backup(server, &database, store.env());
    let dir = tempfile::tempdir().unwrap();
    let script = "case $* in *--version*|*--noIndexRestore*) exec \"$real\" \"$@\";; esac; exec \"$real\" \"$@\" --noIndexRestore";
    let bin = tools(server, dir.path(), "mongorestore", script);
    let target = fresh("unindexed");
    let env = store.env().with("MONGO_BIN", bin);
    let failed = run(server, &target, "restore", env).ended(1);
    let (_, message) = reason(&failed);
    assert!(
        message.contains("indexes or options are not the backed-up ones: orders"),
        "{message}"
    );
    assert_eq!(server.content(&target), "");
}

#[test]
fn a_completion_that_answers_200_with_an_error_is_no_success() {
    let server = world().mongo();
    let database = large(server, 24);
    let bucket = world().minio().create_bucket("answer");
    let proxy = HttpProxy::start(world().minio().address(Seat::Host));
    let error = Trouble::Answer(200, "InternalError");
    proxy.trouble("CompleteMultipartUpload", usize::MAX, error);
    let env = world().minio().env_through(&bucket, &proxy.address());
    let env = env.with("STORAGE_TIMEOUT", "2s");
    let failed = run(server, &database, "backup", env).ended(75);
    assert_eq!(reason(&failed).0, "store");
    assert_eq!(bucket.manifests(), []);
    assert_eq!(bucket.open_uploads("").len(), 0);
}

#[test]
fn a_signal_in_a_restore_leaves_the_target_empty() {
    let server = world().mongo();
    let database = large(server, 24);
    let store = Directory::new();
    backup(server, &database, store.env());
    let target = fresh("signalled");
    let (proxy, env) = through(Hitch::StallAfter(8_000_001));
    let running = start(server, &target, "restore", store.env().and(env));
    proxy.wait_for_hitches(1);
    let signalled = Instant::now();
    running.signal("TERM");
    proxy.set(Hitch::None);
    let ended = running.wait().ended(143);
    assert!(signalled.elapsed() < Duration::from_secs(10));
    assert_eq!(reason(&ended).0, "interrupted");
    assert_eq!(server.content(&target), "");
}

#[test]
fn a_signal_while_a_lost_server_is_waited_for_ends_the_restore_in_time() {
    let server = world().own_mongo(Mongo::NEWEST, &[]);
    let database = large(&server, 24);
    let store = Directory::new();
    backup(&server, &database, store.env());
    let target = fresh("lost");
    let proxy = TcpProxy::start(format!("127.0.0.1:{}", server.port()));
    proxy.set(Hitch::StallAfter(8_000_001));
    let env = store.env().with("DB_PORT", proxy.port().to_string());
    let env = env.with("DB_TLS_MODE", "disable");
    let running = start(&server, &target, "restore", env);
    proxy.wait_for_hitches(1);
    docker(["kill", server.name()]).read().unwrap();
    proxy.set(Hitch::None);
    running.wait_for("trying again");
    let signalled = Instant::now();
    running.signal("TERM");
    let ended = running.wait().ended(143);
    assert!(signalled.elapsed() < Duration::from_secs(10));
    assert_eq!(reason(&ended).0, "interrupted");
}

#[test]
fn a_signal_while_the_store_stands_still_ends_the_job_in_time() {
    let server = world().mongo();
    let database = large(server, 96);
    let bucket = world().minio().create_bucket("signal");
    let proxy = HttpProxy::start(world().minio().address(Seat::Host));
    proxy.trouble("UploadPart", 1, Trouble::Stall);
    let env = world().minio().env_through(&bucket, &proxy.address());
    let running = start(server, &database, "backup", env);
    proxy.wait_for_troubles(1);
    let signalled = Instant::now();
    running.signal("TERM");
    running.wait().ended(143);
    assert!(signalled.elapsed() < Duration::from_secs(10));
    assert_eq!(bucket.manifests(), []);
    assert_eq!(bucket.open_uploads("").len(), 0);
}

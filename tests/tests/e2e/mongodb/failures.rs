//! What goes wrong leaves no backup, and no restore that is one only in part.

use std::time::{Duration, Instant};

use tests::{HttpProxy, Seat, Trouble, world};

use super::{backup, fresh, run, shop, start, tools};
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
fn damage_is_found_before_the_target_is_touched() {
    let server = world().mongo();
    let database = shop(server);
    let store = Directory::new();
    backup(server, &database, store.env());
    let files = store.files();
    let archive = files.iter().find(|it| it.contains(".archive")).unwrap();
    let path = store.path().join(archive);
    let whole = std::fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let target = fresh("kept");
    server.import(&target, "mine", r#"{"_id":1}"#);
    let mine = server.content(&target);
    for bytes in [&flipped[..], &whole[..whole.len() - 1]] {
        std::fs::write(&path, bytes).unwrap();
        let env = store.env().with("RESTORE_DROP_EXISTING", "true");
        let failed = run(server, &target, "restore", env).ended(1);
        let (kind, message) = reason(&failed);
        assert!(
            kind == "integrity" && message.contains("was not touched"),
            "{message}"
        );
        assert_eq!(server.content(&target), mine);
    }
}

#[test]
fn a_signal_while_the_store_stands_still_ends_the_job_in_time() {
    let server = world().mongo();
    let database = fresh("signal");
    server.shell(&format!(
        "for n in $(seq 24); do head -c 3000000 /dev/urandom | base64 -w 0 | sed 's/.*/{{\"data\":\"&\"}}/'; echo; done \
         | tool mongoimport --db={database} --collection=large"
    ));
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

//! Somebody ends the job.

use std::time::{Duration, Instant};

use tests::{HttpProxy, Run, Running, Seat, Trouble, world};

use super::{Case, MARIADB, MYSQL};

/// Sends the signal; the job must end in time.
#[track_caller]
fn end(run: Running, signal: &str) -> Run {
    let start = Instant::now();
    run.signal(signal);
    let run = run.wait();
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    run
}

fn proxy() -> HttpProxy {
    HttpProxy::start(world().minio().address(Seat::Host))
}

/// A backup in the middle of an upload whose next part stands still.
fn mid_upload(case: &Case) -> (HttpProxy, Running) {
    let proxy = proxy();
    proxy.trouble("UploadPart", 1, Trouble::Stall);
    let run = case.start("backup", case.env_through(&proxy.address()));
    proxy.wait_for_troubles(1);
    assert_eq!(case.bucket.open_uploads("").len(), 1);
    (proxy, run)
}

#[test]
fn a_signal_mid_upload_aborts_it_and_lets_the_database_go() {
    for (image, signal, code) in [(MYSQL, "TERM", 143), (MARIADB, "INT", 130)] {
        let case = Case::big(image);
        let (_proxy, run) = mid_upload(&case);
        let message = case.failed(end(run, signal), code, "interrupted");
        assert!(message.contains(signal), "{message}");
        case.left_nothing();
        // Neither a lock nor a transaction of the job stands in anybody's way.
        let alter = "set lock_wait_timeout = 5; alter table big add column more int";
        case.server.sql(&case.database, alter);
    }
}

#[test]
fn a_signal_ends_a_backup_even_when_the_store_is_away() {
    let case = Case::big(MARIADB);
    let (proxy, run) = mid_upload(&case);
    proxy.trouble("", usize::MAX, Trouble::Stall);
    case.failed(end(run, "TERM"), 143, "interrupted");
    assert_eq!(case.bucket.manifests(), []);
}

/// Definitions are read before there are tables, then those of indexes, then rows.
fn a_restore_that_is_stopped_at(
    object: &'static str,
    signal: &str,
    code: i32,
    image: &'static str,
) {
    let case = Case::big(image);
    case.backed_up();
    for target in [case.target(), case.filled_target()] {
        let mut case = Case {
            server: case.server,
            database: case.database.clone(),
            bucket: case.bucket.clone(),
            receiver: tests::Receiver::start(),
        };
        let proxy = proxy();
        proxy.trouble(object, usize::MAX, Trouble::Stall);
        let env = case.env_through(&proxy.address()).with("DB_NAME", &target);
        let env = env.with("RESTORE_DROP_EXISTING", "true");
        let was_filled = !case.databases(&target).is_empty();
        let run = case.start("restore", env.with("RESTORE_PRECHECK", "none"));
        proxy.wait_for_troubles(1);
        let n_before = case.databases(&target).lines().count();
        assert_eq!(
            n_before,
            1 + usize::from(was_filled),
            "what is filled is there"
        );
        case.failed(end(run, signal), code, "interrupted");
        match was_filled {
            true => case.is_as_it_was(&target),
            false => assert_eq!(case.databases(&target), "", "stopped at {object}"),
        }
        case.receiver = tests::Receiver::start();
    }
}

#[test]
fn a_restore_of_mysql_that_is_stopped_leaves_no_half_database() {
    a_restore_that_is_stopped_at("schema.sql", "INT", 130, MYSQL);
    a_restore_that_is_stopped_at("/data/", "TERM", 143, MYSQL);
}

#[test]
fn a_restore_of_mariadb_that_is_stopped_leaves_no_half_database() {
    a_restore_that_is_stopped_at("/data/", "INT", 130, MARIADB);
    a_restore_that_is_stopped_at("indexes.sql", "TERM", 143, MARIADB);
}

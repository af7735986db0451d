//! The database and its tools fail.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use tests::{Hitch, Seat, TcpProxy, run_runner, spawn_runner};

use super::{Case, PATH};

fn proxy(case: &Case) -> TcpProxy {
    let (host, port) = case.server.address(Seat::Host);
    TcpProxy::start(format!("{host}:{port}"))
}

/// The client programs, with `script` in place of `pg_dump`; in it `$real` is the real one.
pub(super) fn tools(case: &Case, dir: &Path, script: &str) -> String {
    for tool in ["pg_dumpall", "pg_restore", "psql"] {
        std::os::unix::fs::symlink(format!("{}/{tool}", case.server.tools()), dir.join(tool))
            .unwrap();
    }
    let (path, real) = (
        dir.join("pg_dump"),
        format!("{}/pg_dump", case.server.tools()),
    );
    std::fs::write(&path, format!("#!/bin/sh\nreal='{real}'\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    dir.to_str().unwrap().to_owned()
}

#[test]
fn a_tool_that_exits_1_at_its_last_byte_leaves_no_backup() {
    let case = Case::small();
    let dir = tempfile::tempdir().unwrap();
    let script = "\"$real\" \"$@\"; case $* in *--version*) exit 0;; esac; echo 'the disk is on fire' >&2; exit 1";
    let env = case.env().with("PG_BIN", tools(&case, dir.path(), script));
    let told = case.failed(run_runner(env, &["backup"]), 1, "tool");
    assert!(
        told["message"]
            .as_str()
            .unwrap()
            .contains("the disk is on fire"),
        "{told}"
    );
    case.left_nothing();
}

#[test]
fn a_backend_terminated_mid_copy_leaves_no_backup_and_a_retry_may_help() {
    let case = Case::big();
    let proxy = proxy(&case);
    proxy.set(Hitch::StallAfter(4 << 20));
    let env = case.env().with("DB_PORT", proxy.port().to_string());
    let run = spawn_runner(env, &["backup"]);
    proxy.wait_for_hitches(1);
    let sql = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}' and query like 'COPY%big%'",
        case.database
    );
    assert_eq!(case.server.psql("postgres", &sql), "t");
    proxy.set(Hitch::None);
    case.failed(run.wait(), 75, "unreachable");
    case.left_nothing();
}

#[test]
fn a_socket_cut_mid_row_leaves_no_backup_and_a_retry_may_help() {
    let case = Case::big();
    let proxy = proxy(&case);
    proxy.set(Hitch::CutAfter(8_000_001));
    let env = case.env().with("DB_PORT", proxy.port().to_string());
    case.failed(run_runner(&env, &["backup"]), 75, "unreachable");
    case.left_nothing();
    proxy.set(Hitch::None);
    case.backed_up();
    case.is_whole();
}

#[test]
fn a_wrong_password_is_told_at_once_and_not_retried() {
    let case = Case::small();
    let proxy = proxy(&case);
    let port = proxy.port();
    let env = case
        .env()
        .with("DB_PORT", port.to_string())
        .with("DB_PASSWORD", "Wr0ngButS3cret");
    let run = run_runner(env, &["backup"]);
    assert!(run.took < Duration::from_secs(5), "{:?}", run.took);
    assert!(!run.stderr.contains("Wr0ngButS3cret"), "{}", run.stderr);
    let told = case.failed(run, 1, "denied");
    let message = told["message"].as_str().unwrap();
    for name in [
        case.database.as_str(),
        &format!("127.0.0.1:{port}"),
        "postgres",
    ] {
        assert!(message.contains(name), "{name:?} in {message}");
    }
    assert_eq!(proxy.n_connections(), 1);
    case.left_nothing();
}

#[test]
fn a_missing_database_is_told_at_once() {
    let case = Case::small();
    let run = run_runner(case.env().with("DB_NAME", "no-such-database"), &["backup"]);
    assert!(run.took < Duration::from_secs(5), "{:?}", run.took);
    let told = case.failed(run, 1, "not_found");
    assert!(
        told["message"]
            .as_str()
            .unwrap()
            .contains("no-such-database"),
        "{told}"
    );
    case.left_nothing();
}

#[test]
fn a_host_that_refuses_or_keeps_silent_is_given_up_after_the_connect_timeout() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ports = [&silent, &closed].map(|it| it.local_addr().unwrap().port());
    drop(closed);
    for port in ports {
        let case = Case::small();
        let env = case
            .env()
            .with("DB_PORT", port.to_string())
            .with("CONNECT_TIMEOUT", "2s");
        let run = run_runner(env, &["backup"]);
        let took = run.took.as_secs_f64();
        assert!((1.9..6.0).contains(&took), "{took}");
        let told = case.failed(run, 75, "unreachable");
        assert!(
            told["message"]
                .as_str()
                .unwrap()
                .contains("CONNECT_TIMEOUT"),
            "{told}"
        );
        case.left_nothing();
    }
}

#[test]
fn a_restore_that_breaks_off_leaves_the_old_database_as_it_was() {
    let case = Case::big();
    case.backed_up();
    let target = case.server.create_database("fail-old");
    case.server.psql(
        &target,
        "create table orders as select 7 as id, 'old' as text",
    );
    let before = case.sum(&target);
    let env = case
        .env()
        .with("DB_NAME", &target)
        .with("RESTORE_DROP_EXISTING", "true");
    let run = spawn_runner(env.with("PARALLELISM", "1"), &["restore"]);
    let sql = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where datname like '{target}%' and query like 'COPY%big%FROM STDIN%' and state = 'active'"
    );
    // Asked until it is there to be ended; a runner that ends before fails the test below.
    while run.is_running() && case.server.psql("postgres", &sql).is_empty() {}
    let told = case.failed(run.wait(), 75, "unreachable");
    let message = told["message"].as_str().unwrap();
    assert!(
        message.contains(&target) && message.contains("is as it was"),
        "{message}"
    );
    assert_eq!(case.sum(&target), before);
    let sql =
        format!("select string_agg(datname, ',') from pg_database where datname like '{target}%'");
    assert_eq!(
        case.server.psql("postgres", &sql),
        target,
        "no staging database"
    );
    // And then it works.
    let env = case.quiet().with("DB_NAME", &target);
    run_runner(env.with("RESTORE_DROP_EXISTING", "true"), &["restore"]).good();
    assert_eq!(case.sum(&target), case.sum(&case.database));
}

#[test]
fn a_target_that_is_not_empty_is_refused_untouched() {
    let case = Case::small();
    case.backed_up();
    let target = case.server.create_database("fail-full");
    case.server.psql(
        &target,
        "create table orders as select 7 as id, 'old' as text",
    );
    let before = case.sum(&target);
    let run = run_runner(case.env().with("DB_NAME", &target), &["restore"]);
    let told = case.failed(run, 1, "unfit");
    assert!(
        told["message"]
            .as_str()
            .unwrap()
            .contains("RESTORE_DROP_EXISTING"),
        "{told}"
    );
    assert_eq!(case.sum(&target), before);
}

#[test]
fn of_two_runs_with_one_path_exactly_one_succeeds_and_its_backup_is_whole() {
    let case = Case::big();
    let proxy = proxy(&case);
    proxy.set(Hitch::StallAfter(4 << 20));
    let env = case.quiet().with("DB_PORT", proxy.port().to_string());
    let runs = [(); 2].map(|()| spawn_runner(&env, &["backup"]));
    proxy.wait_for_hitches(2);
    proxy.set(Hitch::None);
    let mut runs = runs.map(tests::Running::wait);
    runs.sort_by_key(|run| run.code);
    let [won, lost] = runs;
    won.good();
    let lost = lost.ended(1);
    assert_eq!(lost.last_words()["error"]["kind"], "unfit");
    case.is_whole();
    let (_, manifest) = &case.bucket.manifests()[0];
    let own = format!("{PATH}/{}/", manifest["backup_id"].as_str().unwrap());
    let mut others = case.bucket.keys();
    others.retain(|key| !key.starts_with(&own));
    assert_eq!(
        others,
        ["shop/nightly/RESTORE.md", "shop/nightly/manifest.json"]
    );
    let by_hand = String::from_utf8(case.bucket.get("shop/nightly/RESTORE.md")).unwrap();
    assert!(by_hand.contains(manifest["backup_id"].as_str().unwrap()));
    assert_eq!(case.bucket.open_uploads(""), [""; 0]);
    let target = case.target();
    run_runner(case.quiet().with("DB_NAME", &target), &["restore"]).good();
    assert_eq!(case.sum(&target), case.sum(&case.database));
}

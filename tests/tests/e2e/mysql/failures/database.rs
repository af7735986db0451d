//! The database goes away, or what a session needs is not to be had.

use tests::{Hitch, TcpProxy};

use super::{Case, MARIADB, MYSQL, MYSQL_9};

fn proxy(case: &Case) -> TcpProxy {
    TcpProxy::start(case.server.inner_address())
}

fn a_session_killed_mid_row(image: &'static str) {
    let case = Case::big(image);
    let proxy = proxy(&case);
    proxy.set(Hitch::StallAfter(4 << 20));
    let env = case.env().with("DB_PORT", proxy.port().to_string());
    let run = case.start("backup", env);
    proxy.wait_for_hitches(1);
    assert!(case.kill("SELECT%`big`%"), "nobody reads");
    proxy.set(Hitch::None);
    let message = case.failed(run.wait(), 75, "unreachable");
    assert!(message.contains("big"), "{message}");
    case.left_nothing();
}

#[test]
fn a_session_killed_mid_row_leaves_no_backup_of_mysql() {
    a_session_killed_mid_row(MYSQL);
}

#[test]
fn a_session_killed_mid_row_leaves_no_backup_of_mysql_9() {
    a_session_killed_mid_row(MYSQL_9);
}

#[test]
fn a_session_killed_mid_row_leaves_no_backup_of_mariadb() {
    a_session_killed_mid_row(MARIADB);
}

#[test]
fn a_socket_cut_mid_row_leaves_no_backup_and_a_retry_may_help() {
    for image in [MYSQL, MARIADB] {
        let case = Case::big(image);
        let proxy = proxy(&case);
        proxy.set(Hitch::CutAfter(8_000_001));
        let env = case.env().with("DB_PORT", proxy.port().to_string());
        case.failed(case.run("backup", env), 75, "unreachable");
        case.left_nothing();
        proxy.set(Hitch::None);
        case.backed_up();
        case.is_whole();
    }
}

/// What holds definitions, or the snapshot itself, is lost: nothing can be vouched for any more.
#[test]
fn a_lock_that_is_lost_on_the_way_fails_the_backup_of_mysql() {
    for image in [MYSQL, MYSQL_9] {
        a_lock_that_is_lost_on_the_way_fails_the_backup(image);
    }
}

fn a_lock_that_is_lost_on_the_way_fails_the_backup(image: &'static str) {
    let case = Case::big(image);
    let proxy = proxy(&case);
    proxy.set(Hitch::StallAfter(4 << 20));
    let env = case.env().with("DB_PORT", proxy.port().to_string());
    let run = case.start("backup", env.with("JOB_ID", &case.database));
    proxy.wait_for_hitches(1);
    let idle = format!(
        "select concat('kill ', a.processlist_id) from performance_schema.session_connect_attrs a \
         join performance_schema.threads t on t.processlist_id = a.processlist_id \
         join performance_schema.metadata_locks l on l.owner_thread_id = t.thread_id \
         where l.object_type = 'BACKUP LOCK' and a.attr_name = 'program_name' and a.attr_value = 'planb {}'",
        case.database
    );
    let kills = case.server.sql("", &idle);
    assert!(kills.starts_with("kill"), "{kills}");
    case.server.sql("", &kills);
    proxy.set(Hitch::None);
    let message = case.failed(run.wait(), 75, "unreachable");
    assert!(message.contains("lock of the backup was lost"), "{message}");
    case.left_nothing();
}

fn a_session_killed_while_it_loads(image: &'static str) {
    let case = Case::big(image);
    case.backed_up();
    let target = case.filled_target();
    let env = case.env().with("DB_NAME", &target);
    let env = env.with("RESTORE_DROP_EXISTING", "true");
    let run = case.start("restore", env.with("PARALLELISM", "1"));
    // Asked until it is there to be ended; a runner that ends before fails the test below.
    while run.is_running() && !case.kill("LOAD DATA%`big`%") {}
    let message = case.failed(run.wait(), 75, "unreachable");
    assert!(
        message.contains(&target) && message.contains("is as it was"),
        "{message}"
    );
    case.is_as_it_was(&target);
    // And then it works.
    let env = case.quiet().with("DB_NAME", &target);
    case.run("restore", env.with("RESTORE_DROP_EXISTING", "true"))
        .good();
    assert_eq!(case.sum(&target), case.sum(&case.database));
}

#[test]
fn a_session_killed_while_it_loads_leaves_the_old_database_of_mysql_as_it_was() {
    a_session_killed_while_it_loads(MYSQL);
}

#[test]
fn a_session_killed_while_it_loads_leaves_the_old_database_of_mysql_9_as_it_was() {
    a_session_killed_while_it_loads(MYSQL_9);
}

#[test]
fn a_session_killed_while_it_loads_leaves_the_old_database_of_mariadb_as_it_was() {
    a_session_killed_while_it_loads(MARIADB);
}

/// The rows are there, and cannot be proven.
#[test]
fn a_socket_cut_in_the_proof_leaves_no_half_database() {
    for image in [MYSQL, MARIADB] {
        let case = Case::big(image);
        case.backed_up();
        let proxy = proxy(&case);
        proxy.set(Hitch::CutAfter(4 << 20));
        let through = case.env().with("DB_PORT", proxy.port().to_string());
        let target = case.target();
        let env = through.with("DB_NAME", &target);
        let message = case.failed(case.run("restore", env), 75, "unreachable");
        assert!(message.contains("was dropped"), "{message}");
        assert_eq!(case.databases(&target), "");
    }
}

#[test]
fn a_missing_database_is_told_at_once() {
    for image in [MYSQL, MARIADB] {
        let case = Case::small(image);
        let env = case.env().with("DB_NAME", "no-such-database");
        let message = case.failed(case.run("backup", env), 1, "not_found");
        assert!(message.contains("no-such-database"), "{message}");
        case.left_nothing();
    }
}

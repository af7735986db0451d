//! MySQL and MariaDB: everything comes back, at one moment, or nothing is claimed.

mod accounts;
mod connect;
mod consistency;
mod cross;
mod failures;
mod foreign;
mod mydumper;
mod privileges;
mod replica;
mod restore;
mod round_trip;

use tests::{Env, MySql, Run, Running, spawn_engine, world};

const MYSQL: &str = "mysql:8.0";
/// The newest, with Oracle's own client and dump tool.
const MYSQL_9: &str = "mysql:9.7";
const MARIADB: &str = "mariadb:11.8";

/// Runs an operation of the server's own runner; the backup is `b` unless `env` says otherwise.
fn start(server: &MySql, database: &str, operation: &str, env: Env) -> Running {
    // Other tests keep the server busy.
    let defaults = server.env(database).with("BACKUP_PATH", "b");
    let defaults = defaults.with("BACKUP_LOCK_TIMEOUT", "60s");
    spawn_engine(server.engine(), defaults.and(env), &[operation])
}

fn run(server: &MySql, database: &str, operation: &str, env: Env) -> Run {
    start(server, database, operation, env).wait()
}

#[track_caller]
fn backup(server: &MySql, database: &str, env: Env) -> Run {
    run(server, database, "backup", env).good()
}

/// The table of what every session does; that of `information_schema` fails on MySQL 9 when one has an emoji in its
/// statement.
fn sessions(server: &MySql) -> &'static str {
    match server.image {
        MYSQL_9 => "performance_schema.processlist",
        _ => "information_schema.processlist",
    }
}

/// How an account logs in that has a password: as every client does that runs here.
fn identified(server: &MySql) -> &'static str {
    match server.image {
        "mysql:5.7" | MYSQL => "identified with mysql_native_password by",
        _ => "identified by",
    }
}

/// A name that is no database's yet.
fn fresh(stem: &str) -> String {
    world().unique(stem)
}

/// Fills a database with everything that has gone wrong somewhere.
pub(crate) fn zoo(server: &MySql) -> String {
    let database = server.create_database("zoo");
    server.sql(&database, include_str!("mysql/zoo.sql"));
    match server.image {
        MYSQL_9 => _ = server.sql(&database, include_str!("mysql/modern.sql")),
        image if image.starts_with("mariadb") => {
            server.sql(&database, include_str!("mysql/mariadb.sql"));
        }
        _ => {}
    }
    database
}

/// Two tables large enough to be cut: one by numbers with a gap, one by text.
fn spread(server: &MySql, database: &str) {
    let digits = "(select 0 n union all select 1 union all select 2 union all select 3 union all select 4 union all \
                  select 5 union all select 6 union all select 7 union all select 8 union all select 9)";
    server.sql(
        database,
        &format!(
            "insert into spread select a.n+10*b.n+100*c.n+1000*d.n+10000*e.n+100000*f.n + if(f.n>1, 9000000000000000000, 0), \
             concat('k', a.n,b.n,c.n,d.n,e.n,f.n), repeat(char(97+a.n), 230) \
             from {digits} a, {digits} b, {digits} c, {digits} d, {digits} e, (select 0 n union all select 1 union all select 2) f; \
             insert into uuids select uuid(), repeat(char(97+a.n), 250) from {digits} a, {digits} b, {digits} c, {digits} d, {digits} e, \
             (select 0 n union all select 1) f; analyze table spread, uuids;"
        ),
    );
}

/// Fails with the first lines that differ.
#[track_caller]
pub(crate) fn assert_same(before: &str, after: &str) {
    let differing: Vec<(&str, &str)> = before
        .lines()
        .zip(after.lines())
        .filter(|(a, b)| a != b)
        .take(5)
        .collect();
    assert!(
        before == after,
        "{differing:#.400?}; {} lines before, {} after",
        before.lines().count(),
        after.lines().count()
    );
}

//! What most tests begin with: a store of their own, databases with something in them, a job and its end.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tests::{Bucket, Env, Postgres, Run, Seat, spawn_runner, world};

use crate::compare::script;

/// A store in a directory that goes with it.
pub(crate) struct Directory(tempfile::TempDir);

impl Directory {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn env(&self) -> Env {
        Env::default()
            .with("STORAGE_TYPE", "file")
            .with("STORAGE_PATH", self.path().to_str().unwrap())
            .with("PARALLELISM", "2")
            .with("LOG_FORMAT", "json")
    }

    /// Every file, relative to the store, in order.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut dirs = vec![self.path().to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => dirs.push(path),
                    false => files.push(path),
                }
            }
        }
        let relative = |path: PathBuf| {
            path.strip_prefix(self.path())
                .unwrap()
                .display()
                .to_string()
        };
        let mut files: Vec<String> = files.into_iter().map(relative).collect();
        files.sort();
        files
    }
}

/// Backs up with the local runner, which must succeed, to `b` unless `env` says otherwise.
#[track_caller]
pub(crate) fn backup(server: &Postgres, database: &str, env: Env) -> Run {
    try_backup(server, database, env).good()
}

/// As [`backup`], however that ends.
pub(crate) fn try_backup(server: &Postgres, database: &str, env: Env) -> Run {
    run(server, database, "backup", env)
}

/// Restores with the local runner into a database, however that ends.
pub(crate) fn restore(server: &Postgres, database: &str, env: Env) -> Run {
    run(server, database, "restore", env)
}

fn run(server: &Postgres, database: &str, operation: &str, env: Env) -> Run {
    let defaults = server.env(database, Seat::Host).with("BACKUP_PATH", "b");
    spawn_runner(defaults.and(env), &[operation]).wait()
}

/// Returns once something holds; fails the test where that takes longer than a minute.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "not {what} yet");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The reason that a failed run gave last.
#[track_caller]
pub(crate) fn reason(run: &Run) -> (String, String) {
    let words = run.last_words();
    let text = |name: &str| words["error"][name].as_str().unwrap_or_default().to_owned();
    (text("kind"), text("message"))
}

pub(crate) fn exists(server: &Postgres, database: &str) -> bool {
    let sql = format!("select count(*) from pg_database where datname = '{database}'");
    server.psql("postgres", &sql) == "1"
}

/// No database of an unfinished restore is left behind.
#[track_caller]
pub(crate) fn assert_no_leftovers(server: &Postgres, database: &str) {
    let sql = format!("select datname from pg_database where datname like '{database}\\_planb%'");
    assert_eq!(server.psql("postgres", &sql), "");
}

/// Real schemas by people who never thought of us, or the zoo where they are not at hand.
pub(crate) fn sample(server: &Postgres, name: &str) -> String {
    let database = server.create_database(name);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let file = root.join(format!("{name}.sql.gz"));
    if !file.is_file() {
        crate::zoo::fill(server, &database);
        return database;
    }
    let run = tests::spawn_program("gzip", &["-dc", file.to_str().unwrap()]).wait();
    let sql = run.good().stdout;
    // Their own idea of where they belong.
    let own = [
        "CREATE DATABASE",
        "DROP DATABASE",
        "\\c ",
        "SET default_with_oids",
    ];
    let lines = sql
        .lines()
        .filter(|line| !own.iter().any(|word| line.starts_with(word)));
    script(server, &database, &lines.collect::<Vec<_>>().join("\n"));
    database
}

/// A name for a database that is not there yet.
pub(crate) fn fresh(stem: &str) -> String {
    world().unique(stem)
}

/// A small database of a few tables with references between them.
pub(crate) fn shop(server: &Postgres) -> String {
    let database = server.create_database("shop");
    script(
        server,
        &database,
        "create schema audit;
         create table public.customers (id int primary key, name text);
         create table public.orders (id int primary key, customer int references public.customers, total numeric);
         create table public.notes (id serial primary key, note text);
         create table audit.log (id bigint primary key, what jsonb);
         insert into customers select i, 'customer ' || i from generate_series(1, 500) i;
         insert into orders select i, 1 + i % 500, i * 1.5 from generate_series(1, 2000) i;
         insert into notes (note) select 'note ' || i from generate_series(1, 100) i;
         insert into audit.log select i, jsonb_build_object('i', i) from generate_series(1, 300) i;
         create view public.totals as select customer, sum(total) from orders group by 1;
         select lo_from_bytea(7001, 'large')",
    );
    database
}

/// The keys of a bucket below a path.
pub(crate) fn keys_below(bucket: &Bucket, path: &str) -> Vec<String> {
    let keys = bucket.keys().into_iter();
    keys.filter(|key| key.starts_with(path)).collect()
}

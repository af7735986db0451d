//! MongoDB: everything comes back, or nothing is claimed.
#![expect(
    clippy::disallowed_methods,
    reason = "damage is done, and tools are put in place, behind everybody's back"
)]

mod connect;
mod failures;
mod foreign;
mod kinds;
mod members;
mod oplog;
mod restore;
mod round_trip;
mod users;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tests::{Env, Mongo, Run, Running, spawn_engine, world};

/// Documents of every type.
const TYPES: &str = include_str!("mongodb/types.json");

/// Runs an operation; the backup is `b` unless `env` says otherwise.
fn start(server: &Mongo, database: &str, operation: &str, env: Env) -> Running {
    let defaults = server.env(database).with("BACKUP_PATH", "b");
    spawn_engine("mongodb", defaults.and(env), &[operation])
}

fn run(server: &Mongo, database: &str, operation: &str, env: Env) -> Run {
    start(server, database, operation, env).wait()
}

#[track_caller]
fn backup(server: &Mongo, database: &str, env: Env) -> Run {
    run(server, database, "backup", env).good()
}

/// A database of `n_megabytes`, in documents of one each that do not compress.
fn large(server: &Mongo, n_megabytes: usize) -> String {
    let database = fresh("large");
    server.shell(&format!(
        "for n in $(seq {n_megabytes}); do head -c 750000 /dev/urandom | base64 -w 0 | sed 's/.*/{{\"data\":\"&\"}}/'; echo; done \
         | tool mongoimport --db={database} --collection=large"
    ));
    database
}

/// A name that is no database's yet.
fn fresh(stem: &str) -> String {
    world().unique(stem)
}

/// A database of a few collections, with indexes.
fn shop(server: &Mongo) -> String {
    let database = fresh("shop");
    let by_customer = r#"{"v":{"$numberInt":"2"},"key":{"customer":{"$numberInt":"1"},"at":{"$numberInt":"-1"}},"name":"by_customer"}"#;
    let once = r#"{"v":{"$numberInt":"2"},"unique":true,"key":{"number":{"$numberInt":"1"}},"name":"once"}"#;
    let expires = r#"{"v":{"$numberInt":"2"},"key":{"at":{"$numberInt":"1"}},"name":"expires","expireAfterSeconds":{"$numberInt":"864000000"}}"#;
    server.define(&database, "orders", "{}", &[by_customer, once, expires]);
    let order = |n: usize| {
        format!(
            r#"{{"number":{n},"customer":"c{}","lines":[{{"n":1}},null]}}"#,
            n % 7
        )
    };
    let orders: Vec<_> = (0..2000).map(order).collect();
    server.import(&database, "orders", &orders.join("\n"));
    server.import(&database, "types", TYPES);
    server.import(&database, "notes.of-people", r#"{"_id":1,"note":"x"}"#);
    database
}

/// The stock tools, with `script` in place of one; in it `$real` is the real one.
fn tools(server: &Mongo, dir: &Path, program: &str, script: &str) -> String {
    for tool in ["mongodump", "mongorestore"] {
        let real = format!("{}/{tool}", server.tools());
        if tool == program {
            let path = dir.join(tool);
            std::fs::write(&path, format!("#!/bin/sh\nreal='{real}'\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        } else {
            std::os::unix::fs::symlink(real, dir.join(tool)).unwrap();
        }
    }
    dir.to_str().unwrap().to_owned()
}

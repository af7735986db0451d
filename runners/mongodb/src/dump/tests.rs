//! What a backup is of, and says of itself, where no server here can be asked.

use mongodb::bson::{Document, Timestamp, doc};
use runner_core::env::{Env, FromEnv};

use super::*;
use crate::archive::built::Built;

fn options(settings: &[(&str, &str)]) -> Options {
    Options::from_env(&mut Env::of::<Options>(settings))
}

#[track_caller]
fn check(topology: Topology, settings: &[(&str, &str)], all: bool, partial: bool, told: &str) {
    let why = without_oplog(topology, &options(settings), all, partial);
    assert_eq!(why.unwrap_or("with it"), told);
}

#[test]
fn the_oplog_is_taken_along_where_it_can_be() {
    use Topology::{ReplicaSet, Sharded, Standalone};
    check(ReplicaSet, &[], true, false, "with it");
    check(
        ReplicaSet,
        &[("BACKUP_OPLOG", "required")],
        true,
        false,
        "with it",
    );
    check(
        ReplicaSet,
        &[("BACKUP_OPLOG", "off")],
        true,
        false,
        "BACKUP_OPLOG=off",
    );
    check(
        ReplicaSet,
        &[],
        false,
        false,
        "mongodump takes the oplog along only with DB_NAME=*",
    );
    check(
        ReplicaSet,
        &[],
        true,
        true,
        "mongodump takes the oplog along only with all collections",
    );
    check(
        ReplicaSet,
        &[("BACKUP_USERS", "false")],
        true,
        false,
        "mongodump takes the oplog along only with users and roles, and BACKUP_USERS=false",
    );
    check(
        Standalone,
        &[],
        true,
        false,
        "a standalone server has no oplog",
    );
    check(
        Sharded,
        &[],
        true,
        false,
        "a sharded cluster has no oplog of its own",
    );
}

#[test]
fn the_tool_is_told_what_to_leave_out() {
    let args = |excluded: &[&str], users| {
        let excluded = excluded.iter().map(|it| (*it).to_owned()).collect();
        database_args("shop", 2, excluded, users).join(" ")
    };
    assert_eq!(args(&[], false), "--db=shop --numParallelCollections=2");
    assert_eq!(
        args(&["fs.chunks", "-x"], true),
        "--db=shop --numParallelCollections=2 --excludeCollection=fs.chunks --excludeCollection=-x --dumpDbUsersAndRoles"
    );
}

fn operation(n: u32, op: &str, ns: &str, o: Document) -> Document {
    doc! { "ts": Timestamp { time: 1_700_000_000, increment: n }, "op": op, "ns": ns, "o": o }
}

/// A replica set's archive with an oplog, in which an index was built and a database was made.
fn everything() -> BTreeMap<String, Archive> {
    let archive = Built::new(&[
        ("shop", "orders", "collection"),
        ("shop", "weather", "timeseries"),
        ("shop", "totals", "view"),
        ("admin", "system.version", "collection"),
        ("admin", "system.users", "collection"),
        ("", "oplog", ""),
    ])
    .whole("admin", "system.version", &[])
    .whole("admin", "system.users", &[doc! { "_id": "admin.me" }])
    .whole("shop", "orders", &[doc! { "_id": 1 }])
    .whole("shop", "system.buckets.weather", &[doc! { "_id": 1 }])
    .whole("shop", "totals", &[])
    .whole(
        "",
        "oplog",
        &[
            operation(1, "c", "shop.$cmd", doc! { "createIndexes": "orders" }),
            operation(2, "i", "later.a", doc! { "_id": 1 }),
        ],
    );
    BTreeMap::from([(ALL.to_owned(), archive.walked())])
}

#[test]
fn a_backup_of_one_moment_names_all_that_a_restore_touches() {
    let details = details(&everything(), true).unwrap();
    assert!(details.oplog);
    assert_eq!(
        (details.n_operations, details.users.as_deref()),
        (2, Some(ALL))
    );
    let databases: Vec<_> = details
        .databases
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    assert_eq!(databases, ["later", "shop"]);
    assert_eq!(details.databases[0].collections, []);
    let collections: Vec<_> = details.databases[1]
        .collections
        .iter()
        .map(|it| (it.name.as_str(), it.kind.as_str(), it.redefined))
        .collect();
    assert_eq!(
        collections,
        [
            ("orders", "collection", true),
            ("totals", "view", false),
            ("weather", "timeseries", false)
        ]
    );
}

#[test]
fn the_manifest_counts_what_users_have_put_in() {
    let found = everything();
    let data = data(&found[ALL].namespaces);
    let told: Vec<_> = data.iter().map(|it| (it.table.as_str(), it.rows)).collect();
    assert_eq!(told, [("shop.orders", 1), ("shop.weather", 1)]);
}

#[test]
fn a_databases_own_users_are_in_its_archive() {
    let built = Built::new(&[
        ("shop", "a", "collection"),
        ("shop", "$admin.system.users", ""),
    ])
    .whole("shop", "$admin.system.users", &[doc! { "_id": "shop.me" }])
    .whole("shop", "a", &[]);
    let found = BTreeMap::from([(archive_name("shop"), built.walked())]);
    let details = details(&found, false).unwrap();
    assert!(details.databases[0].users && details.users.is_none());
    assert_eq!(details.databases[0].collections.len(), 1);
    assert_eq!(data(&found["databases/shop.archive"].namespaces).len(), 1);
}

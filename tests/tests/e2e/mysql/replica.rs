//! A replica is backed up like any server, and the backup says where in its source's log it stands.

use tests::{MySql, world};

use super::{MARIADB, MYSQL, MYSQL_9, backup, fresh, identified, run};
use crate::kit::Directory;

/// A field of the one row of a `SHOW … STATUS`, by its place.
fn field(server: &MySql, statement: &str, at: usize) -> String {
    let row = server.sql("", statement);
    row.split('\t').nth(at).unwrap().to_owned()
}

/// A replica of `source` from now on.
fn replica_of(source: &MySql, image: &'static str) -> MySql {
    let replica = world().own_mysql(image, &["--server-id=2", "--read-only=1"]);
    let identified = identified(source);
    source.sql(
        "",
        &format!(
            "create user replicator {identified} 'pw'; grant replication slave on *.* to replicator"
        ),
    );
    let (status, change) = match image {
        MYSQL_9 => (
            "show binary log status",
            "change replication source to source_host = 'HOST', source_port = 3306, source_user = 'replicator', source_password = 'pw', \
             source_ssl = 1, source_log_file = 'FILE', source_log_pos = POSITION; start replica",
        ),
        _ => (
            "show master status",
            "change master to master_host = 'HOST', master_port = 3306, master_user = 'replicator', master_password = 'pw', \
             master_log_file = 'FILE', master_log_pos = POSITION; start slave",
        ),
    };
    let change = change
        .replace("HOST", source.name())
        .replace("FILE", &field(source, status, 0))
        .replace("POSITION", &field(source, status, 1));
    replica.sql("", &change);
    replica
}

fn a_replica_is_backed_up(image: &'static str) {
    let source = world().own_mysql(image, &[]);
    let replica = replica_of(&source, image);
    let database = source.create_database("replicated");
    source.sql(
        &database,
        "create table t (id int primary key); insert into t values (1), (2), (3)",
    );
    let rows = "select count(*) from t";
    while replica.try_sql(&database, rows).as_deref() != Ok("3") {}
    // What it has taken, it has also noted as taken once it is told to stop.
    let stop = match image {
        MYSQL_9 => "stop replica sql_thread",
        _ => "stop slave sql_thread",
    };
    replica.sql("", stop);
    source.sql(&database, "insert into t values (4)");
    let store = Directory::new();
    backup(&replica, &database, store.env());
    let manifest = std::fs::read(store.path().join("b/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let from = &manifest["consistency"]["source"];
    assert_eq!(from["host"], source.name(), "{manifest:#}");
    let (file, position) = (
        from["binlog_file"].as_str().unwrap(),
        from["binlog_position"].as_str().unwrap(),
    );
    // From there on, the source's log holds what the backup lacks, and nothing that it has.
    let events = source.sql(
        "",
        &format!("show binlog events in '{file}' from {position}"),
    );
    let n_written = events.matches("Write_rows").count() + events.matches("insert into t").count();
    assert!(
        n_written > 0 && !events.contains("create table"),
        "{events}"
    );
    let restored = fresh("replicated-restored");
    run(&source, &restored, "restore", store.env()).good();
    assert_eq!(
        source.sql(&restored, "select group_concat(id order by id) from t"),
        "1,2,3"
    );
}

#[test]
fn a_replica_of_mysql_is_backed_up_with_its_place_in_the_sources_log() {
    a_replica_is_backed_up(MYSQL);
}

#[test]
fn a_replica_of_mysql_9_is_backed_up_with_its_place_in_the_sources_log() {
    a_replica_is_backed_up(MYSQL_9);
}

#[test]
fn a_replica_of_mariadb_is_backed_up_with_its_place_in_the_sources_log() {
    a_replica_is_backed_up(MARIADB);
}

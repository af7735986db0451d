//! A replica is backed up like any server, and the backup says where in its source's log it stands.

use tests::{MySql, world};

use super::{MARIADB, MYSQL, MYSQL_9, backup, fresh, identified, run};
use crate::kit::{Directory, until};

/// A field of the one row of a `SHOW … STATUS`, by its place.
fn field(server: &MySql, statement: &str, at: usize) -> String {
    let row = server.sql("", statement);
    row.split('\t').nth(at).unwrap().to_owned()
}

/// A replica of these sources from now on, in channels of the names beside them.
fn replica_of(sources: &[(&MySql, &str)], image: &'static str) -> MySql {
    let replica = world().own_mysql(image, &["--server-id=9", "--read-only=1"]);
    for (source, channel) in sources {
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
                "change replication source to source_host = 'HOST', source_port = 3306, source_user = 'replicator', \
                 source_password = 'pw', source_ssl = 1, source_log_file = 'FILE', source_log_pos = POSITION for channel 'CHANNEL'; \
                 start replica for channel 'CHANNEL'",
            ),
            MARIADB => (
                "show master status",
                "change master 'CHANNEL' to master_host = 'HOST', master_port = 3306, master_user = 'replicator', \
                 master_password = 'pw', master_log_file = 'FILE', master_log_pos = POSITION; start slave 'CHANNEL'",
            ),
            _ => (
                "show master status",
                "change master to master_host = 'HOST', master_port = 3306, master_user = 'replicator', \
                 master_password = 'pw', master_log_file = 'FILE', master_log_pos = POSITION for channel 'CHANNEL'; \
                 start slave for channel 'CHANNEL'",
            ),
        };
        let change = change
            .replace("CHANNEL", channel)
            .replace("HOST", source.name())
            .replace("FILE", &field(source, status, 0))
            .replace("POSITION", &field(source, status, 1));
        replica.sql("", &change);
    }
    replica
}

fn manifest(store: &Directory) -> serde_json::Value {
    let manifest = std::fs::read(store.path().join("b/manifest.json")).unwrap();
    serde_json::from_slice(&manifest).unwrap()
}

fn a_replica_is_backed_up(image: &'static str) {
    let source = world().own_mysql(image, &[]);
    let replica = replica_of(&[(&source, "")], image);
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
    let manifest = manifest(&store);
    let from = &manifest["consistency"]["sources"][0];
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

fn a_replica_of_two_sources_is_backed_up(image: &'static str) {
    let sources = ["--server-id=2", "--server-id=3"].map(|id| world().own_mysql(image, &[id]));
    let channels = [(&sources[0], "north"), (&sources[1], "south")];
    let replica = replica_of(&channels, image);
    let databases = sources.each_ref().map(|source| {
        let database = source.create_database("replicated");
        source.sql(&database, "create table t (id int primary key)");
        until("replicated", || {
            replica.try_sql(&database, "select * from t").is_ok()
        });
        database
    });
    let store = Directory::new();
    backup(&replica, &databases[1], store.env());
    let manifest = manifest(&store);
    let mut noted: Vec<(&str, &str)> = manifest["consistency"]["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            (
                it["channel"].as_str().unwrap(),
                it["host"].as_str().unwrap(),
            )
        })
        .collect();
    noted.sort_unstable();
    let expected = channels.map(|(source, channel)| (channel, source.name()));
    assert_eq!(noted, expected, "{manifest:#}");
}

#[test]
fn a_replica_of_two_sources_is_backed_up_with_its_place_in_both_logs_on_mysql_9() {
    a_replica_of_two_sources_is_backed_up(MYSQL_9);
}

#[test]
fn a_replica_of_two_sources_is_backed_up_with_its_place_in_both_logs_on_mariadb() {
    a_replica_of_two_sources_is_backed_up(MARIADB);
}

//! One moment: whatever others do meanwhile, a backup shows the database as it was at one point, or fails.

use std::time::Duration;

use tests::{Env, MySql, world};

use super::{MARIADB, MYSQL, MYSQL_9, backup, fresh, run, sessions, start};
use crate::kit::{Directory, reason};

/// Accounts among which money moves; the sum never changes.
fn bank(server: &MySql) -> String {
    let database = server.create_database("bank");
    server.sql(
        &database,
        "create table accounts (id int primary key, balance int not null);
         create table entries (id bigint auto_increment primary key, pad varchar(200));
         insert into accounts select a.n * 10 + b.n, 100 from (select 0 n union select 1 union select 2 union select 3 union select 4) a,
           (select 0 n union select 1 union select 2 union select 3 union select 4 union select 5 union select 6 union select 7 union select 8 union select 9) b;
         delimiter $$
         create procedure churn() begin
           declare f int; declare t int;
           while true do
             set f = floor(rand() * 50), t = floor(rand() * 50);
             start transaction;
             update accounts set balance = balance - 1 where id = least(f, t);
             update accounts set balance = balance + 1 where id = greatest(f, t);
             insert into entries (pad) values (repeat('x', 200));
             commit;
           end while;
         end$$
         delimiter ;",
    );
    database
}

/// Ends all that others do in a database; a client that is gone does not end it.
fn end_sessions(server: &MySql, database: &str) {
    let kills = format!(
        "select concat('kill ', id, ';') from {} where db = '{database}' and id <> connection_id()",
        sessions(server)
    );
    let kills = server.sql("", &kills);
    server.sql("", &kills);
}

fn no_transfer_is_half(image: &'static str) {
    let server = world().mysql(image);
    let database = bank(server);
    let churn = server.spawn_sql(&database, "call churn()");
    let count = "select count(*) from entries";
    while server.sql(&database, count) == "0" {
        std::thread::sleep(Duration::from_millis(20));
    }
    let store = Directory::new();
    let saved = backup(server, &database, store.env());
    let after: u64 = server.sql(&database, count).parse().unwrap();
    assert!(churn.is_running(), "money moved all the while");
    churn.signal("KILL");
    churn.wait();
    end_sessions(server, &database);
    assert!(
        saved.stderr.contains("the snapshot is taken"),
        "{}",
        saved.stderr
    );
    let restored = fresh("bank-restored");
    run(server, &restored, "restore", store.env()).good();
    let sum = "select sum(balance) from accounts";
    assert_eq!(server.sql(&restored, sum), "5000");
    let then: u64 = server.sql(&restored, count).parse().unwrap();
    assert!(then > 0 && then < after, "{then} entries of {after}");
}

#[test]
fn no_transfer_is_half_in_a_backup_of_mysql() {
    no_transfer_is_half(MYSQL);
}

#[test]
fn no_transfer_is_half_in_a_backup_of_mysql_9() {
    no_transfer_is_half(MYSQL_9);
}

#[test]
fn no_transfer_is_half_in_a_backup_of_mariadb() {
    no_transfer_is_half(MARIADB);
}

/// Tables come and go elsewhere, and one without transactions is written to, all the time: whoever else wants a lock
/// waits for the backup or the backup for them, never both.
fn others_keep_the_locks_busy(image: &'static str) {
    let server = world().mysql(image);
    let (elsewhere, database) = (server.create_database("elsewhere"), bank(server));
    server.sql(&database, "create table loose (a int) engine = MyISAM");
    let script = format!(
        "delimiter $$
         create procedure churn(t varchar(9)) begin
           set @create = concat('create table ', t, ' (a int)'), @drop = concat('drop table ', t);
           prepare c from @create; prepare d from @drop;
           while true do execute c; execute d; end while;
         end$$
         create procedure scribble() begin
           while true do insert into `{database}`.loose values (1); delete from `{database}`.loose limit 1; end while;
         end$$
         delimiter ;"
    );
    server.sql(&elsewhere, &script);
    let busy = ["churn('a')", "churn('b')", "churn('c')", "scribble()"];
    let busy = busy.map(|it| server.spawn_sql(&elsewhere, &format!("call {it}")));
    for _ in 0..10 {
        let store = Directory::new();
        backup(server, &database, store.env());
    }
    for session in busy {
        assert!(session.is_running(), "they were busy all the while");
        session.signal("KILL");
        session.wait();
    }
    end_sessions(server, &elsewhere);
}

#[test]
fn others_keep_the_locks_busy_and_a_backup_of_mysql_succeeds() {
    others_keep_the_locks_busy(MYSQL);
}

#[test]
fn others_keep_the_locks_busy_and_a_backup_of_mysql_9_succeeds() {
    others_keep_the_locks_busy(MYSQL_9);
}

#[test]
fn others_keep_the_locks_busy_and_a_backup_of_mariadb_succeeds() {
    others_keep_the_locks_busy(MARIADB);
}

/// Stops a backup once it has its snapshot, runs a statement, and lets it go on.
fn meanwhile(server: &MySql, database: &str, env: Env, statement: &str) -> (tests::Run, String) {
    let running = start(server, database, "backup", env);
    running.wait_for("the snapshot is taken");
    running.signal("STOP");
    let said = server.try_sql(database, statement);
    running.signal("CONT");
    (running.wait(), said.err().unwrap_or_default())
}

#[test]
fn a_definition_that_changes_meanwhile_fails_a_backup_of_mariadb() {
    let server = world().mysql(MARIADB);
    let database = server.create_database("ddl");
    server.sql(
        &database,
        "create table t (a int); insert into t values (1)",
    );
    let store = Directory::new();
    let alter = "alter table t add column b int";
    let (run, refused) = meanwhile(server, &database, store.env(), alter);
    assert_eq!(refused, "");
    let run = run.ended(75);
    let (kind, message) = reason(&run);
    assert_eq!(kind, "unreachable");
    assert!(
        message.contains("ddl") && message.contains("definition"),
        "{message}"
    );
    assert!(store.files().is_empty(), "{:?}", store.files());
}

/// On the MySQL that has no lock against it, and on MariaDB.
#[test]
fn a_view_a_trigger_or_a_routine_that_changes_meanwhile_fails_a_backup() {
    for (version, what, statement) in [
        (
            MARIADB,
            "view ",
            "create or replace view v as select a + 1 as a from t",
        ),
        (MARIADB, "trigger ", "drop trigger g"),
        (
            "mysql:5.7",
            "function ",
            "drop function f; create function f() returns int deterministic return 2",
        ),
    ] {
        let server = world().mysql(version);
        let database = server.create_database("objects");
        server.sql(
            &database,
            "create table t (a int); insert into t values (1); create view v as select a from t; \
             create trigger g before insert on t for each row set new.a = 1; \
             create function f() returns int deterministic return 1",
        );
        let store = Directory::new();
        let (run, refused) = meanwhile(server, &database, store.env(), statement);
        assert_eq!(refused, "", "{what}");
        let (_, message) = reason(&run.ended(75));
        assert!(
            message.contains(what) && !message.contains("t has another"),
            "{message}"
        );
        assert!(store.files().is_empty(), "{:?}", store.files());
    }
}

#[test]
fn a_change_of_a_definition_waits_for_a_backup_of_mysql() {
    for image in [MYSQL, MYSQL_9] {
        let server = world().mysql(image);
        let database = server.create_database("ddl");
        server.sql(
            &database,
            "create table t (a int); insert into t values (1)",
        );
        let store = Directory::new();
        let alter = "set lock_wait_timeout = 1; alter table t add column b int";
        let (run, refused) = meanwhile(server, &database, store.env(), alter);
        assert!(refused.contains("Lock wait timeout"), "{refused}");
        run.good();
    }
}

#[test]
fn a_lock_that_is_not_to_be_had_is_given_up_with_the_name_of_who_is_in_the_way() {
    let server = world().own_mysql(MYSQL, &[]);
    let database = server.create_database("busy");
    server.sql(
        &database,
        "create table t (a int); insert into t values (1)",
    );
    let slow = server.spawn_sql(&database, "select sleep(60) from t");
    let is_slow =
        "select count(*) from information_schema.processlist where info like 'select sleep%'";
    while server.sql("", is_slow) == "0" {
        std::thread::sleep(Duration::from_millis(20));
    }
    let store = Directory::new();
    let run = run(
        &server,
        &database,
        "backup",
        store.env().with("BACKUP_LOCK_TIMEOUT", "1s"),
    );
    let run = run.ended(75);
    let (_, message) = reason(&run);
    assert!(
        message.contains("BACKUP_LOCK_TIMEOUT") && message.contains("session"),
        "{message}"
    );
    assert!(store.files().is_empty());
    slow.signal("KILL");
    slow.wait();
}

/// Only what a managed service grants: no RELOAD, so tables are locked for the moment; or not even that.
#[test]
fn a_login_that_may_lock_less_backs_up_by_lesser_means() {
    let server = world().mysql(MARIADB);
    let database = server.create_database("managed");
    server.sql(
        &database,
        "create table t (a int primary key); insert into t values (1), (2)",
    );
    let user = database.replace('-', "_");
    server.sql("", &format!("create user {user} identified by 'p'; grant select, show view, trigger, event, execute, lock tables on `{database}`.* to {user}"));
    let store = Directory::new();
    let login = |path: &str| {
        let env = store
            .env()
            .with("DB_USERNAME", &user)
            .with("DB_PASSWORD", "p");
        env.with("BACKUP_PATH", path)
    };
    let method = |path: &str| {
        let manifest = std::fs::read(store.path().join(path).join("manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        manifest["consistency"]["method"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    backup(server, &database, login("tables"));
    assert_eq!(method("tables"), "lock tables read");
    server.sql(
        "",
        &format!("revoke lock tables on `{database}`.* from {user}"),
    );
    backup(server, &database, login("alone"));
    assert_eq!(method("alone"), "one session");
    server.sql(
        "",
        &format!("revoke trigger, event on `{database}`.* from {user}"),
    );
    let refused = run(server, &database, "backup", login("less")).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "denied");
    assert!(message.contains("GRANT TRIGGER, EVENT ON"), "{message}");
}

#[test]
fn tables_without_transactions_are_locked_or_refused_as_asked() {
    let server = world().mysql(MARIADB);
    let database = server.create_database("loose");
    server.sql(
        &database,
        "create table t (a int) engine=myisam; insert into t values (1)",
    );
    let store = Directory::new();
    let write = "set lock_wait_timeout = 1; insert into t values (2)";
    let (run_, refused) = meanwhile(server, &database, store.env(), write);
    assert!(refused.contains("Lock wait timeout"), "{refused}");
    run_.good();
    let env = store
        .env()
        .with("BACKUP_NONTRANSACTIONAL", "refuse")
        .with("BACKUP_PATH", "c");
    let refused = run(server, &database, "backup", env).ended(1);
    assert!(
        reason(&refused)
            .1
            .contains("is a table without transactions")
    );
}

/// Flushes all tables while a backup stands still that holds its lock; whether the flush had to wait.
fn flush_amid_a_backup(server: &MySql, database: &str, env: Env) -> bool {
    let running = start(server, database, "backup", env);
    running.wait_for("the snapshot is taken");
    running.signal("STOP");
    let flush = server.spawn_sql("", "flush tables");
    let waits = format!(
        "select count(*) from {} where info = 'flush tables' and state like 'Waiting%'",
        sessions(server)
    );
    while flush.is_running() && server.sql("", &waits) == "0" {}
    let waited = flush.is_running();
    running.signal("CONT");
    let run = running.wait().good();
    assert!(run.took < Duration::from_secs(30), "{:?}", run.took);
    flush.wait().good();
    waited
}

/// What somebody's own nightly script does: it waits for our lock, and whoever opens the locked table waits for it.
#[test]
fn a_flush_of_tables_that_waits_for_the_backup_does_not_stop_it() {
    for image in ["mysql:5.7", MYSQL, MYSQL_9, MARIADB] {
        let server = world().own_mysql(image, &[]);
        let database = server.create_database("flushed");
        server.sql(
            &database,
            "create table loose (id int primary key, v text, key (v(5))) engine=myisam; insert into loose values (1, 'a'), (2, 'b');
             create table covered (id int primary key); insert into covered values (1);
             create view v as select loose.id from loose join covered on loose.id = covered.id",
        );
        let store = Directory::new();
        // A backup that is through with these tables before it is stopped makes nobody wait: then once more.
        let mut paths = (0..20).map(|n| store.env().with("BACKUP_PATH", format!("b{n}")));
        let env = paths.find(|env| {
            let waited = flush_amid_a_backup(&server, &database, env.clone());
            // MariaDB's does not wait for who only reads.
            assert!(!waited || server.engine() == "mysql", "{image}");
            waited || server.engine() == "mariadb"
        });
        let env = env.unwrap();
        let restored = fresh("flushed-restored");
        run(&server, &restored, "restore", env).good();
        assert_eq!(
            server.sql(
                &restored,
                "select group_concat(v order by id), (select count(*) from v) from loose"
            ),
            "a,b\t1"
        );
    }
}

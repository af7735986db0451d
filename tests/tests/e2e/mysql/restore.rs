//! A restore touches only what it was asked to, and says what state it leaves.

use std::io::Write;

use tests::world;

use super::{MARIADB, MYSQL, MYSQL_9, assert_same, backup, fresh, run, start, zoo};
use crate::kit::{Directory, reason};

fn old_contents_go_only_when_the_new_are_proven(image: &'static str) {
    let server = world().mysql(image);
    let database = zoo(server);
    let before = server.dump(&database, &[]);
    let store = Directory::new();
    backup(server, &database, store.env());
    let target = server.create_database("filled");
    server.sql(
        &target,
        "create table mine (a int); insert into mine values (1)",
    );
    let refused = run(server, &target, "restore", store.env()).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "unfit");
    assert!(message.contains("RESTORE_DROP_EXISTING=true"), "{message}");
    let drop = store.env().with("RESTORE_DROP_EXISTING", "true");
    let running = start(server, &target, "restore", drop.clone());
    running.wait_for("load rows");
    running.signal("TERM");
    assert_eq!(running.wait().code, 143);
    assert_eq!(server.sql(&target, "select * from mine"), "1");
    let staging = format!("show databases like '{target}%planb%'");
    assert_eq!(server.sql("", &staging), "", "nothing is left behind");
    run(server, &target, "restore", drop).good();
    assert_same(&before, &server.dump(&target, &[]));
    assert_eq!(server.sql("", &staging), "");
}

#[test]
fn old_contents_go_only_when_the_new_are_proven_on_mysql() {
    old_contents_go_only_when_the_new_are_proven(MYSQL);
}

#[test]
fn old_contents_go_only_when_the_new_are_proven_on_mysql_9() {
    old_contents_go_only_when_the_new_are_proven(MYSQL_9);
}

#[test]
fn old_contents_stay_while_the_new_are_filled_on_mariadb_10_11() {
    // Without sequences, which MariaDB's zoo has: they cannot be moved with the tables that use them.
    let server = world().mysql("mariadb:10.11");
    let database = server.create_database("plain");
    server.sql(&database, "create table a (id int primary key); create table b (id int primary key, a int, foreign key (a) references a (id)); insert into a values (1); insert into b values (2, 1); create trigger tr before insert on a for each row set new.id = new.id + 1; create view v as select * from b");
    let before = server.dump(&database, &[]);
    let store = Directory::new();
    backup(server, &database, store.env());
    let env = store.env().with("RESTORE_DROP_EXISTING", "true");
    let replaced = run(server, &database, "restore", env).good();
    assert!(replaced.stderr.contains("stay until the new are proven"));
    assert_same(&before, &server.dump(&database, &[]));
    let orphan = server.try_sql(&database, "insert into b values (3, 99)");
    assert!(orphan.unwrap_err().contains("foreign key constraint"));
}

#[test]
fn a_server_without_local_infile_is_filled_by_inserts() {
    for image in [MYSQL, MYSQL_9, MARIADB] {
        let server = world().own_mysql(image, &["--local-infile=0"]);
        let database = zoo(&server);
        let before = server.dump(&database, &[]);
        let store = Directory::new();
        backup(&server, &database, store.env());
        let restored = fresh("inserted");
        let done = run(&server, &restored, "restore", store.env()).good();
        assert!(done.stderr.contains("INSERT"), "{}", done.stderr);
        assert_same(&before, &server.dump(&restored, &[]));
    }
}

#[test]
fn only_the_tables_that_are_wanted_get_their_rows() {
    let server = world().mysql(MARIADB);
    let database = server.create_database("some");
    server.sql(&database, "create table a (n int); create table b (n int); insert into a values (1); insert into b values (2)");
    let store = Directory::new();
    backup(server, &database, store.env());
    let restored = fresh("some-restored");
    run(
        server,
        &restored,
        "restore",
        store.env().with("RESTORE_TABLES", "b"),
    )
    .good();
    assert_eq!(
        server.sql(&restored, "select (select count(*) from a), n from b"),
        "0\t2"
    );
    let unknown = run(
        server,
        &fresh("x"),
        "restore",
        store.env().with("RESTORE_TABLES", "nope"),
    )
    .ended(1);
    assert_eq!(reason(&unknown).0, "config");
}

#[test]
fn definers_are_kept_left_out_or_changed() {
    let server = world().mysql(MYSQL);
    let database = server.create_database("definers");
    server.sql(&database, "create definer=`nobody`@`nowhere` procedure p() select 1; create definer=`nobody`@`nowhere` view v as select 1 as one");
    let store = Directory::new();
    backup(server, &database, store.env());
    let definers = |env| {
        let restored = fresh("definers-restored");
        run(server, &restored, "restore", env).good();
        server.sql("", &format!("select definer from information_schema.routines where routine_schema = '{restored}' union all select definer from information_schema.views where table_schema = '{restored}'"))
    };
    assert_eq!(definers(store.env()), "nobody@nowhere\nnobody@nowhere");
    assert_eq!(
        definers(store.env().with("RESTORE_NO_DEFINER", "true")),
        "root@%\nroot@%"
    );
    assert_eq!(
        definers(store.env().with("RESTORE_DEFINER", "app@%")),
        "app@%\napp@%"
    );
}

#[test]
fn a_dump_of_the_stock_tool_restores_and_a_cut_one_does_not() {
    let server = world().mysql(MARIADB);
    let database = server.create_database("stock");
    server.sql(&database, "create table t (id int primary key, v text); insert into t values (1, 'a;''\\n\\\\'), (2, '😀'); \
        create trigger tr after insert on t for each row set @x = ';'; create view v as select id from t;\n\
        delimiter $$\ncreate procedure p() begin select 1; select 2; end$$\ndelimiter ;");
    let before = server.dump(&database, &[]);
    let store = Directory::new();
    // As it comes, with its own name in it.
    let script = server.dump(&database, &["--databases"]);
    put(&store, "stock.sql", &script);
    let restored = fresh("stock-restored");
    let env = store.env().with("BACKUP_PATH", "stock.sql");
    run(server, &restored, "restore", env).good();
    assert_same(&before, &server.dump(&restored, &[]));
    put(&store, "cut.sql", &script[..script.len() - 400]);
    let target = fresh("stock-cut");
    let cut = run(
        server,
        &target,
        "restore",
        store.env().with("BACKUP_PATH", "cut.sql"),
    )
    .ended(1);
    assert_eq!(reason(&cut).0, "integrity");
    assert_eq!(
        server.sql("", &format!("show databases like '{target}'")),
        ""
    );
}

/// A login that may fill the target and not set another definer: the old contents outlive the attempt.
#[test]
fn what_the_server_would_refuse_at_the_end_is_refused_while_the_old_contents_are_there() {
    let server = world().mysql(MYSQL);
    let database = server.create_database("refused");
    server.sql(&database, "create table t (a int); create view v as select a from t; create trigger tr before insert on t for each row set new.a = 1");
    let store = Directory::new();
    backup(server, &database, store.env());
    let target = server.create_database("kept");
    server.sql(&target, "create table mine (a int)");
    let (user, pattern) = (target.replace('-', "_"), target.replace('_', "\\_"));
    server.sql("", &format!("create user {user} identified by 'p'; grant all on `{pattern}`.* to {user}; grant all on `{pattern}\\_planb\\_%`.* to {user}"));
    let env = store.env().with("RESTORE_DROP_EXISTING", "true");
    let env = env.with("DB_USERNAME", &user).with("DB_PASSWORD", "p");
    let refused = run(server, &target, "restore", env.clone()).ended(1);
    let (_, message) = reason(&refused);
    assert!(
        message.contains("is as it was") && message.contains("RESTORE_NO_DEFINER"),
        "{message}"
    );
    assert_eq!(server.sql(&target, "show tables"), "mine");
    server.sql("", "set global log_bin_trust_function_creators = 1");
    run(
        server,
        &target,
        "restore",
        env.with("RESTORE_NO_DEFINER", "true"),
    )
    .good();
    assert_eq!(
        server.sql(&target, "insert into t values (7); select * from v"),
        "1"
    );
}

/// Puts a foreign dump into the store.
fn put(store: &Directory, name: &str, script: &str) {
    let mut file = tempfile::NamedTempFile::new_in(store.path()).unwrap();
    file.write_all(script.as_bytes()).unwrap();
    file.persist(store.path().join(name)).unwrap();
}

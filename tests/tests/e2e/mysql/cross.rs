//! From one family into the other: what both know comes back, what only one knows is named before anything is touched.

use tests::{MySql, Run, spawn_engine, world};

use super::{MARIADB, MYSQL, MYSQL_9, backup, fresh};
use crate::kit::{Directory, reason};

/// What both families know.
const COMMON: &str = "create table customers (id int auto_increment primary key, name varchar(50) not null, doc json, price decimal(10, 2), \
       b varbinary(20), at timestamp(3) null default current_timestamp(3), twice decimal(12, 2) generated always as (price * 2) stored, f float, unique key (name));
     create table orders (id bigint unsigned primary key, customer int, note text, foreign key (customer) references customers (id) on delete cascade, key (note(10)));
     insert into customers (name, doc, price, b, f) values ('é😀', '{\"a\": [1, null, \"x\"]}', 1.50, x'0009275cff', 0.1), ('b', null, null, '', 1e10);
     insert into orders values (1, 1, 'a\\tb\\n'), (18446744073709551615, 2, null);
     create view names as select id, name from customers;
     create trigger tr before insert on orders for each row set new.note = concat(new.note, '!');
     create procedure p(in n int) select count(*) from orders where id > n;
     create function double_it(n int) returns int deterministic return n * 2;
     create event yearly on schedule every 1 year disable do delete from orders";

fn restore(runner: &str, target: &MySql, name: &str, store: &Directory) -> Run {
    let env = target.env(name).with("BACKUP_PATH", "b").and(store.env());
    spawn_engine(runner, env, &["restore"]).wait()
}

fn what_both_know_moves(from: &'static str, to: &'static str) {
    let (source, target) = (world().mysql(from), world().mysql(to));
    let database = source.create_database("moving");
    source.sql(&database, "alter database collate utf8mb4_general_ci");
    source.sql(&database, COMMON);
    let store = Directory::new();
    backup(source, &database, store.env());
    let name = fresh("moved");
    let moved = restore(source.engine(), target, &name, &store).good();
    assert!(
        moved.stderr.contains("2 tables proven equal"),
        "{}",
        moved.stderr
    );
    let rows = "select id, name, hex(b), price, twice, at is not null, f * 1e0, json_extract(doc, '$.a[2]') from customers order by id; \
                select * from orders order by id; select * from names order by id; select double_it(21)";
    assert_eq!(source.sql(&database, rows), target.sql(&name, rows));
    // Trigger and references work there.
    target.sql(&name, "insert into orders values (7, 2, 'new')");
    assert_eq!(
        target.sql(&name, "select note from orders where id = 7; call p(1)"),
        "new!\n2"
    );
    let orphan = target.try_sql(&name, "insert into orders values (8, 99, '')");
    assert!(orphan.unwrap_err().contains("foreign key constraint"));
    let events =
        format!("select count(*) from information_schema.events where event_schema = '{name}'");
    assert_eq!(target.sql("", &events), "1");
}

#[test]
fn what_both_know_moves_from_mysql_to_mariadb() {
    what_both_know_moves(MYSQL, MARIADB);
    what_both_know_moves(MYSQL_9, MARIADB);
}

#[test]
fn what_both_know_moves_from_mariadb_to_mysql() {
    what_both_know_moves(MARIADB, MYSQL);
    what_both_know_moves(MARIADB, MYSQL_9);
}

fn what_only_one_knows_is_named(from: &'static str, to: &'static str, sql: &str, names: &[&str]) {
    let (source, target) = (world().mysql(from), world().mysql(to));
    let database = source.create_database("staying");
    source.sql(&database, sql);
    let store = Directory::new();
    backup(source, &database, store.env());
    let name = fresh("stayed");
    let refused = restore(source.engine(), target, &name, &store).ended(1);
    let (kind, message) = reason(&refused);
    assert_eq!(kind, "unfit", "{message}");
    for feature in names {
        assert!(message.contains(feature), "{feature}: {message}");
    }
    assert!(message.contains("nothing was changed"), "{message}");
    let there = target.sql("", &format!("show databases like '{name}'"));
    assert_eq!(there, "");
}

#[test]
fn what_mariadb_does_not_know_is_named_before_anything_is_touched() {
    what_only_one_knows_is_named(
        MYSQL,
        MARIADB,
        "create table t (a varchar(9), g geometrycollection, key ((lower(a))))",
        &["indexes of expressions", "the type geomcollection"],
    );
}

#[test]
fn what_mysql_does_not_know_is_named_before_anything_is_touched() {
    what_only_one_knows_is_named(
        MARIADB,
        MYSQL,
        "create sequence s; create table t (u uuid, h int invisible, n int default nextval(s), e varchar(9) default concat('a', 'b')) engine=aria; \
         create table v (a int) with system versioning",
        &[
            "sequences",
            "the type uuid",
            "invisible columns",
            "defaults that are expressions",
            "system versioning",
            "Aria",
        ],
    );
}

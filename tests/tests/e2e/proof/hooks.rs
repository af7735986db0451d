//! The eye that holds a restored database against the original must see what is missing.

use tests::world;
use xtask::hooks::postgresql::{DATABASE, Postgresql, psql};
use xtask::hooks::{Client, Hooks, mysql};
use xtask::server::Server;

#[test]
fn the_eye_sees_a_changed_value_a_lost_row_index_constraint_and_definition() {
    let postgres = world().own_postgres(17, &[]);
    let server = Server::at(postgres.name(), postgres.name());
    let before = Postgresql.create_test_data(&server).unwrap();
    let said = Postgresql.verify_restored_data(&server, &before).unwrap();
    assert!(said.contains("40 large objects: all equal"), "{said}");
    let damages = [
        (
            "update public.cache set value = 'x' where key = 'k1'",
            "table|cache|5000",
        ),
        (
            "delete from public.cache where key = 'k1'",
            "table|cache|4999",
        ),
        ("insert into public.empty values (1)", "table|empty|1"),
        (
            "drop index sales.items_sku_idx",
            "index|sales.items_sku_idx",
        ),
        (
            "alter table sales.items drop constraint items_quantity_check",
            "constraint|sales.items",
        ),
        (
            "select setval('sales.invoice_number', 10001)",
            "sequence|sales.invoice_number",
        ),
        (
            "select lo_unlink(min(object)) from public.attachments",
            "large object|",
        ),
        (
            "drop trigger touch on sales.customers",
            "CREATE TRIGGER touch",
        ),
    ];
    for (damage, seen) in damages {
        let copy = format!("create database intact template {DATABASE}");
        psql(&server, "postgres", &copy).unwrap();
        psql(&server, DATABASE, damage).unwrap();
        let err = Postgresql
            .verify_restored_data(&server, &before)
            .unwrap_err();
        assert!(err.to_string().contains(seen), "{damage}: {err}");
        let undo = format!("drop database {DATABASE}; alter database intact rename to {DATABASE}");
        for statement in undo.split("; ") {
            psql(&server, "postgres", statement).unwrap();
        }
    }
    Postgresql.verify_restored_data(&server, &before).unwrap();
}

#[test]
fn a_newer_client_is_told_from_the_servers_own() {
    let says = |_: &[&str]| Ok("pg_dump (PostgreSQL) 17.6".to_owned());
    let client = |server| Postgresql.client(&says, server).unwrap();
    assert!(matches!(client("17.5 (Debian)"), Client::Own(_)));
    assert!(matches!(client("16.9"), Client::StandIn(_)));
    assert!(Postgresql.client(&says, "18.0").is_err());
}

#[test]
fn the_eye_for_mysql_sees_a_last_bit_a_lost_row_and_every_definition_account_and_grant() {
    let mariadb = world().own_mysql("mariadb:11.8", &[]);
    let password = mysql::PASSWORD;
    mariadb.sql(
        "",
        &format!("set password for root@'%' = password('{password}')"),
    );
    let server = Server::at(mariadb.name(), mariadb.name());
    let hooks = mysql::Family::MariaDb;
    let before = hooks.create_test_data(&server).unwrap();
    let said = hooks.verify_restored_data(&server, &before).unwrap();
    assert!(said.contains("1 sequences, 3 accounts, "), "{said}");
    // What is damaged, and what mends it again.
    let damages = [
        (
            "update edges set f = 16777218 where id = 3",
            "update edges set f = 16777216 where id = 3",
            "checksum|shop.edges",
        ),
        (
            "delete from no_key where a is null",
            "insert into no_key values (null, null)",
            "table|shop.no_key|2",
        ),
        (
            "update documents set j = '{}' where id = 1002",
            "update documents set j = '[]' where id = 1002",
            "row|shop.documents|1002|{}",
        ),
        (
            "drop index street on customers",
            "create index street on customers (street(10))",
            "index|shop|customers|street",
        ),
        (
            "alter event yearly enable",
            "alter event yearly disable",
            "event|yearly",
        ),
        (
            "do nextval(invoice), nextval(invoice), nextval(invoice)",
            "alter sequence invoice restart 10043",
            "value|shop.invoice",
        ),
        (
            "revoke shop_people from 'shop_app'",
            "grant shop_people to 'shop_app'",
            "grant|GRANT `shop_people`",
        ),
        (
            "alter database shop character set latin1",
            "alter database shop character set utf8mb4",
            "database|shop",
        ),
    ];
    for (damage, undo, seen) in damages {
        mysql::sql(&server, &[], &format!("use shop; {damage}")).unwrap();
        let err = hooks.verify_restored_data(&server, &before).unwrap_err();
        assert!(err.to_string().contains(seen), "{damage}: {err}");
        mysql::sql(&server, &[], &format!("use shop; {undo}")).unwrap();
    }
    hooks.verify_restored_data(&server, &before).unwrap();
}

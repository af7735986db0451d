//! The eye that holds a restored database against the original must see what is missing.

use tests::world;
use xtask::hooks::postgresql::{DATABASE, Postgresql, psql};
use xtask::hooks::{Client, Hooks};
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

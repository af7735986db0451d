//! Parts of a database: what comes, what stays away, and what is an error.

use tests::{Postgres, world};

use crate::compare::Content;
use crate::kit::{Directory, backup, fresh, reason, restore, shop, try_backup};

/// How many rows each table has.
fn counts(server: &Postgres, database: &str) -> [String; 4] {
    ["customers", "orders", "notes", "audit.log"]
        .map(|table| server.psql(database, &format!("select count(*) from {table}")))
}

#[test]
fn included_and_excluded_tables_keep_the_schema_whole() {
    let server = world().postgres(17);
    let database = shop(server);
    let store = Directory::new();
    let cases = [
        (
            "INCLUDE_TABLES",
            "customers,audit.*",
            ["500", "0", "0", "300"],
        ),
        ("INCLUDE_TABLES", "public.orders", ["0", "2000", "0", "0"]),
        ("EXCLUDE_TABLES", "audit.*,not?s", ["500", "2000", "0", "0"]),
    ];
    for (n, (key, patterns, expected)) in cases.iter().enumerate() {
        let env = store.env().with("BACKUP_PATH", n.to_string());
        backup(server, &database, env.clone().with(*key, *patterns));
        let target = fresh("part");
        restore(server, &target, env).good();
        assert_eq!(counts(server, &target), *expected, "{key}={patterns}");
        assert_eq!(
            server.psql(
                &target,
                "select count(*) > 0 from pg_views where viewname = 'totals'"
            ),
            "t"
        );
    }
}

#[test]
fn a_restore_can_choose_tables() {
    let server = world().postgres(17);
    let database = shop(server);
    let store = Directory::new();
    backup(server, &database, store.env());
    let target = fresh("chosen");
    let env = |tables: &str| store.env().with("RESTORE_TABLES", tables);
    restore(server, &target, env("orders,audit.log")).good();
    assert_eq!(counts(server, &target), ["0", "2000", "0", "300"]);
    let target = fresh("none");
    let run = restore(server, &target, env("orders,no_such")).ended(1);
    let (kind, message) = reason(&run);
    assert_eq!(kind, "config");
    assert!(
        message.contains("no_such") && !message.contains("orders,"),
        "{message}"
    );
    assert!(!crate::kit::exists(server, &target));
}

#[test]
fn a_name_with_a_dot_in_it_is_chosen_like_any_other() {
    let server = world().postgres(17);
    let database = server.create_database("dots");
    server.psql(
        &database,
        "create schema x; create schema \"x.a\"; create table x.\"a.b\" (id int primary key); create table \"x.a\".b (id int references x.\"a.b\");
         insert into x.\"a.b\" values (1); insert into \"x.a\".b values (1); create table other (id int); insert into other values (1)",
    );
    let store = Directory::new();
    backup(server, &database, store.env());
    let target = fresh("dots");
    restore(server, &target, store.env().with("RESTORE_TABLES", "x.a.b")).good();
    assert_eq!(server.psql(&target, "select (select count(*) from x.\"a.b\"), (select count(*) from \"x.a\".b), (select count(*) from other)"), "1|1|0");
    let env = store
        .env()
        .with("BACKUP_PATH", "part")
        .with("EXCLUDE_TABLES", "x.*");
    backup(
        server,
        &database,
        env.clone().with("EXCLUDE_TABLES", "x.a\\.b"),
    );
    let target = fresh("dots");
    restore(server, &target, env.without("EXCLUDE_TABLES")).good();
    assert_eq!(server.psql(&target, "select count(*) from other"), "1");
}

#[test]
fn definitions_without_rows_and_rows_without_definitions() {
    let server = world().postgres(17);
    let database = shop(server);
    let store = Directory::new();
    let at = |path: &str| store.env().with("BACKUP_PATH", path);
    backup(server, &database, at("schema").with("SCHEMA_ONLY", "true"));
    backup(server, &database, at("data").with("DATA_ONLY", "true"));
    let target = fresh("halves");
    let run = restore(server, &target, at("data")).ended(1);
    assert!(reason(&run).1.contains("DATA_ONLY"), "{:?}", reason(&run));
    restore(server, &target, at("schema")).good();
    Content::schema(server, &database).assert_same(&Content::schema(server, &target));
    assert_eq!(counts(server, &target), ["0", "0", "0", "0"]);
    restore(server, &target, at("data")).good();
    Content::of(server, &database).assert_same(&Content::of(server, &target));
    let run = restore(server, &target, at("data")).ended(1);
    assert!(reason(&run).1.contains("not empty"), "{:?}", reason(&run));
    server.psql(&target, "update orders set total = 0");
    restore(
        server,
        &target,
        at("data").with("RESTORE_DROP_EXISTING", "true"),
    )
    .good();
    Content::of(server, &database).assert_same(&Content::of(server, &target));
}

#[test]
fn patterns_that_match_nothing_are_an_error() {
    let server = world().postgres(17);
    let database = shop(server);
    let store = Directory::new();
    for key in ["INCLUDE_TABLES", "EXCLUDE_TABLES"] {
        for content in ["SCHEMA_ONLY", "DATA_ONLY"] {
            let run = try_backup(
                server,
                &database,
                store.env().with(key, "orders,ordres").with(content, "true"),
            );
            let run = run.ended(1);
            let (kind, message) = reason(&run);
            assert_eq!(kind, "config", "{key} {content}");
            assert!(
                message.contains(key) && message.contains("ordres"),
                "{message}"
            );
        }
    }
    assert_eq!(store.files(), [] as [String; 0]);
}

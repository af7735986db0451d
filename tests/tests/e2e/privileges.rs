//! Logins that are no superusers: what they can do, and what they are told when they cannot.

use tests::{Env, Postgres, world};

use crate::compare::Content;
use crate::kit::{Directory, backup, fresh, reason, restore, shop};

/// A login of a test's own.
fn login(server: &Postgres, name: &str, rights: &str) -> (String, Env) {
    let role = world().unique(name);
    server.psql(
        "postgres",
        &format!("create role \"{role}\" login password 'pw' {rights}"),
    );
    let env = Env::default()
        .with("DB_USERNAME", &role)
        .with("DB_PASSWORD", "pw");
    (role, env)
}

#[test]
fn an_owner_without_createdb_restores_in_place() {
    for major in [13, 17] {
        let server = world().postgres(major);
        let (owner, credentials) = login(server, "tenant", "");
        let tenants = |name: &str| {
            let database = server.create_database(name);
            server.psql(
                "postgres",
                &format!("alter database \"{database}\" owner to \"{owner}\""),
            );
            server.psql(&database, "alter schema public owner to pg_monitor");
            server.psql(
                &database,
                &format!("grant all on schema public to \"{owner}\""),
            );
            database
        };
        let database = tenants("tenant");
        let sql = "create schema s; create table s.t (id serial primary key, v text, g int generated always as (1) stored);
             insert into s.t (v) select 'v' || i from generate_series(1, 1000) i; create view v as select * from s.t;
             create materialized view mv as select count(*) from s.t; select lo_from_bytea(9, 'mine'); comment on schema s is 'c';
             create table u (t int references s.t); insert into u values (1); alter table u enable row level security;
             create function f() returns int language sql as 'select 1'; create sequence q; select nextval('q')";
        server.psql(&database, &format!("set role \"{owner}\"; {sql}"));
        let store = Directory::new();
        backup(server, &database, store.env().and(&credentials));
        let target = tenants("tenant-restored");
        let into = store.env().and(&credentials);
        restore(server, &target, into.clone()).good();
        Content::of(server, &database).assert_same(&Content::of(server, &target));
        // Once more, over what is there now.
        let run = restore(server, &target, into.clone()).ended(1);
        assert_eq!(reason(&run).0, "unfit");
        restore(server, &target, into.with("RESTORE_DROP_EXISTING", "true")).good();
        Content::rows(server, &database).assert_same(&Content::rows(server, &target));
        let run = restore(server, &fresh("none"), store.env().and(&credentials)).ended(1);
        assert!(reason(&run).1.contains("CREATEDB"), "{:?}", reason(&run));
    }
}

#[test]
fn what_a_login_may_not_read_is_named_and_nothing_is_written() {
    let server = world().postgres(17);
    let (role, credentials) = login(server, "reader", "");
    let database = shop(server);
    let psql = |sql: &str| server.psql(&database, sql);
    psql(&format!(
        "grant select on customers to \"{role}\"; revoke usage on schema public from public; grant usage on schema public to \"{role}\""
    ));
    let store = Directory::new();
    let env = store.env().and(&credentials);
    let refused = |words: &[&str]| {
        let run = crate::kit::try_backup(server, &database, env.clone()).ended(1);
        let (kind, message) = reason(&run);
        assert_eq!(kind, "denied", "{message}");
        for word in words {
            assert!(message.contains(word), "{word}: {message}");
        }
        assert_eq!(store.files(), [] as [String; 0]);
    };
    refused(&[
        "public.orders",
        "public.notes",
        "audit.log",
        "pg_read_all_data",
        &role,
    ]);
    psql(&format!(
        "grant usage on schema audit to \"{role}\"; grant select on all tables in schema public, audit to \"{role}\""
    ));
    psql("alter table orders enable row level security");
    refused(&["public.orders", "row-level security"]);
    psql("alter table orders disable row level security");
    refused(&["public.notes_id_seq", "sequence"]);
    psql(&format!(
        "grant select on all sequences in schema public to \"{role}\""
    ));
    refused(&["1 large objects", "7001"]);
    psql(&format!("grant select on large object 7001 to \"{role}\""));
    backup(server, &database, env.clone());
    let target = fresh("read");
    restore(server, &target, store.env()).good();
    Content::of(server, &database).assert_same(&Content::of(server, &target));
}

#[test]
fn a_login_with_pg_read_all_data_backs_up() {
    let server = world().postgres(17);
    let (_, credentials) = login(server, "auditor", "in role pg_read_all_data");
    let database = shop(server);
    server.psql(&database, "select lo_unlink(7001)");
    let store = Directory::new();
    backup(server, &database, store.env().and(credentials));
    let target = fresh("audited");
    restore(server, &target, store.env()).good();
    Content::of(server, &database).assert_same(&Content::of(server, &target));
}

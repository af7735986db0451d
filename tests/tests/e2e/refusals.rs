//! What a restore will not do, and what is left untouched when it does not.

use tests::world;

use crate::compare::Content;
use crate::kit::{Directory, assert_no_leftovers, backup, exists, fresh, reason, restore, shop};
use crate::zoo;

#[test]
fn a_target_with_something_in_it_is_left_untouched() {
    let server = world().postgres(17);
    let store = Directory::new();
    backup(server, &shop(server), store.env());
    let fillings = [
        "create table theirs (id int)",
        "create type theirs as enum ('a')",
        "create function theirs() returns int language sql as 'select 1'",
        "create schema theirs",
        "select lo_create(1)",
        "create type theirs as (a int)",
        "create collation theirs from \"C\"",
        "create publication theirs",
        "create foreign data wrapper w; create server theirs foreign data wrapper w",
    ];
    for filling in fillings {
        let target = server.create_database("taken");
        server.psql(&target, filling);
        let before = Content::of(server, &target);
        let run = restore(server, &target, store.env()).ended(1);
        let (kind, message) = reason(&run);
        assert_eq!(kind, "unfit");
        assert!(message.contains("RESTORE_DROP_EXISTING"), "{message}");
        before.assert_same(&Content::of(server, &target));
        assert_no_leftovers(server, &target);
    }
}

#[test]
fn the_old_database_lives_until_the_new_one_is_proven() {
    let server = world().postgres(17);
    let store = Directory::new();
    let shop = shop(server);
    backup(server, &shop, store.env());
    let target = server.create_database("taken");
    server.psql(&target, "create table theirs as select 1 as id");
    server.psql(
        "postgres",
        &format!("alter database \"{target}\" owner to pg_monitor"),
    );
    let before = Content::of(server, &target);
    let drop = store.env().with("RESTORE_DROP_EXISTING", "true");

    // A view that changes rows when it is refreshed, which no tool could notice: the proof does.
    server.psql(
        &shop,
        "create function meddle() returns int language plpgsql as $$begin
           if current_database() like '%planb%' then update audit.log set what = '{}' where id = 7; end if;
           return 1; end$$;
         create materialized view meddling as select public.meddle()",
    );
    let bad = drop.clone().with("BACKUP_PATH", "bad");
    backup(server, &shop, bad.clone());
    server.psql(
        &shop,
        "drop materialized view meddling; drop function meddle",
    );
    let run = restore(server, &target, bad).ended(1);
    let (kind, message) = reason(&run);
    assert_eq!(kind, "integrity", "{message}");
    assert!(
        message.contains("audit.log") && message.contains("as it was"),
        "{message}"
    );
    before.assert_same(&Content::of(server, &target));
    assert_no_leftovers(server, &target);

    restore(server, &target, drop).good();
    let content = |database: &str| Content::of(server, database).without("database|");
    content(&shop).assert_same(&content(&target));
    let owner =
        format!("select pg_get_userbyid(datdba) from pg_database where datname = '{target}'");
    assert_eq!(
        server.psql("postgres", &owner),
        "pg_monitor",
        "a database that was there keeps its owner"
    );
    assert_no_leftovers(server, &target);
}

#[test]
fn missing_roles_are_named_with_the_ways_out() {
    let (server, elsewhere) = (world().postgres(17), world().postgres(18));
    let roles =
        ["owner", "grantee", "policy"].map(|stem| world().unique(&format!("{stem}'s \"role")));
    let [owner, grantee, policy] = roles.clone().map(|role| role.replace('"', "\"\""));
    for role in [&owner, &grantee, &policy] {
        server.psql("postgres", &format!("create role \"{role}\""));
    }
    let database = shop(server);
    server.psql(
        &database,
        &format!(
            "alter table orders owner to \"{owner}\"; grant select on notes to \"{grantee}\";
             alter table notes enable row level security;
             create policy p on customers to \"{policy}\" using (true);
             alter large object 7001 owner to \"{owner}\"; grant select on large object 7001 to \"{grantee}\""
        ),
    );
    let store = Directory::new();
    backup(server, &database, store.env());
    let target = fresh("roles");
    let run = restore(elsewhere, &target, store.env()).ended(1);
    let (kind, message) = reason(&run);
    assert_eq!(kind, "unfit");
    for role in &roles {
        assert!(message.contains(&format!("{role:?}")), "{role}: {message}");
    }
    for key in ["RESTORE_NO_OWNER", "RESTORE_OWNER", "RESTORE_NO_PRIVILEGES"] {
        assert!(message.contains(key), "{key}: {message}");
    }
    assert!(!exists(elsewhere, &target));

    let owners = "select string_agg(distinct pg_get_userbyid(relowner), ',') from pg_class where relnamespace = 'public'::regnamespace";
    let policies = "select count(*) from pg_policy";
    elsewhere.psql("postgres", &format!("create role \"{policy}\""));
    let env = store.env().with("RESTORE_NO_PRIVILEGES", "true");
    restore(
        elsewhere,
        &target,
        env.clone().with("RESTORE_NO_OWNER", "true"),
    )
    .good();
    assert_eq!(elsewhere.psql(&target, owners), "postgres");
    assert_eq!(elsewhere.psql(&target, policies), "1");

    let adopter = world().unique("adopter");
    elsewhere.psql("postgres", &format!("create role \"{adopter}\""));
    let target = fresh("adopted");
    restore(elsewhere, &target, env.with("RESTORE_OWNER", &adopter)).good();
    assert_eq!(elsewhere.psql(&target, owners), adopter);
    let of_database =
        format!("select pg_get_userbyid(datdba) from pg_database where datname = '{target}'");
    assert_eq!(elsewhere.psql("postgres", &of_database), adopter);
    let of_large_object = "select pg_get_userbyid(lomowner) from pg_largeobject_metadata";
    assert_eq!(elsewhere.psql(&target, of_large_object), adopter);
}

#[test]
fn missing_extensions_are_named_and_can_be_skipped() {
    let (server, elsewhere) = (world().postgres(17), world().postgres(18));
    zoo::extension(server, "planb_only_here");
    let database = shop(server);
    server.psql(
        &database,
        "create extension planb_only_here; comment on extension planb_only_here is 'x'",
    );
    let store = Directory::new();
    backup(server, &database, store.env());
    let target = fresh("extensions");
    let run = restore(elsewhere, &target, store.env()).ended(1);
    let (kind, message) = reason(&run);
    assert_eq!(kind, "unfit");
    assert!(
        message.contains("planb_only_here") && message.contains("RESTORE_SKIP_EXTENSIONS"),
        "{message}"
    );
    assert!(!exists(elsewhere, &target));
    let env = store
        .env()
        .with("RESTORE_SKIP_EXTENSIONS", "planb_only_here");
    restore(elsewhere, &target, env).good();
    assert_eq!(
        elsewhere.psql(&target, "select count(*) from orders"),
        "2000"
    );
}

#[test]
fn an_older_version_takes_text_but_not_binary() {
    let (server, older) = (world().postgres(17), world().postgres(15));
    let database = shop(server);
    let store = Directory::new();
    backup(server, &database, store.env());
    let target = fresh("older");
    let run = restore(older, &target, store.env()).ended(1);
    let (kind, message) = reason(&run);
    assert_eq!(kind, "unfit");
    assert!(message.contains("PG_COPY_FORMAT=text"), "{message}");
    assert!(!exists(older, &target));

    let env = store.env().with("BACKUP_PATH", "text");
    backup(
        server,
        &database,
        env.clone().with("PG_COPY_FORMAT", "text"),
    );
    restore(server, &target, env.clone()).good();
    Content::of(server, &database).assert_same(&Content::of(server, &target));
    // With the newer client, as the error says.
    let env = env.with("PG_BIN", server.tools());
    restore(older, &target, env).good();
    let rows = |server, database: &str| Content::rows(server, database).without("database|");
    rows(server, &database).assert_same(&rows(older, &target));
}

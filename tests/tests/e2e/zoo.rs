//! A database with objects of every kind that PostgreSQL knows, under names that break careless quoting.

use std::collections::BTreeSet;
use std::sync::Mutex;

use tests::Postgres;

use crate::compare::script;

/// Fills an empty database.
pub(crate) fn fill(server: &Postgres, database: &str) {
    prepare(server);
    script(server, database, include_str!("zoo.sql"));
}

/// Gives a server what the zoo's databases need around them: roles, and an extension with tables of its own.
pub(crate) fn prepare(server: &Postgres) {
    static DONE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut done = DONE.lock().unwrap();
    if !done.insert(server.name().to_owned()) {
        return;
    }
    for role in ["zoo keeper", "zoo_reader", "Zoo\"\"Quote", "zoo\\slash"] {
        server.psql("postgres", &format!("create role \"{role}\""));
    }
    extension(server, "planb_zoo");
}

/// Installs an extension that marks some of its tables' rows as the user's.
pub(crate) fn extension(server: &Postgres, name: &str) {
    let install = format!(
        r#"cd "$(pg_config --sharedir 2>/dev/null || ls -d /usr/share/postgresql/*)"/extension
        printf "default_version = '1.0'\nrelocatable = false\n" >{name}.control
        cat >{name}--1.0.sql <<'END'
create table planb_settings (key text primary key, value text);
insert into planb_settings values ('shipped', 'with the extension');
select pg_catalog.pg_extension_config_dump('planb_settings', 'WHERE key <> ''shipped''');
create sequence planb_settings_seq;
select pg_catalog.pg_extension_config_dump('planb_settings_seq', '');
create table planb_all (id int);
select pg_catalog.pg_extension_config_dump('planb_all', '');
create table planb_internal as select 1 as id;
END"#
    );
    server.exec(&["sh", "-ec", &install]);
}

//! `DB_NAME=*`: a server's databases and roles, into a server that has none of them.

use tests::world;

use crate::compare::Content;
use crate::kit::{Directory, backup, restore};
use crate::zoo;

const SETUP: &str = r#"
create role owner_role nologin;;
create role "Odd ""role\" login password 'pw''d' valid until '2040-01-01' connection limit 5;;
create role member_role login in role owner_role;;
grant "Odd ""role\" to owner_role with admin option;;
alter role member_role set work_mem to '9MB';;
comment on role owner_role is 'it''s a role;
CREATE ROLE not_a_role;
';;
create database "shop / one" owner owner_role;;
create database "Zwei.2" owner "Odd ""role\";;
create database empty;;
create database closed allow_connections false
"#;
const ROLES: &str = r"
select rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolconnlimit, rolbypassrls, rolvaliduntil, rolconfig,
       (select rolpassword from pg_authid a where a.oid = r.oid) as password, shobj_description(oid, 'pg_authid')
from pg_roles r where rolname !~ '^pg_' and rolname <> 'postgres' order by 1";
const MEMBERS: &str = "select roleid::regrole, member::regrole, admin_option from pg_auth_members where roleid >= 16384 order by roleid::regrole::text, member::regrole::text";

#[test]
fn a_whole_server_comes_back() {
    let source = world().own_postgres(17, &[]);
    for statement in SETUP.split(";;\n") {
        source.psql("postgres", statement);
    }
    zoo::prepare(&source);
    zoo::fill(&source, "Zwei.2");
    source.psql(
        "shop / one",
        "create table t as select generate_series(1, 100) as id; alter table t owner to owner_role",
    );
    source.psql("postgres", "create table in_postgres as select 1 as id");
    let store = Directory::new();
    backup(&source, "*", store.env());
    let databases = ["shop / one", "Zwei.2", "empty", "postgres"];
    let before: Vec<Content> = databases
        .iter()
        .map(|it| Content::of(&source, it))
        .collect();
    let tell = |server: &tests::Postgres| {
        (
            server.psql("postgres", ROLES),
            server.psql("postgres", MEMBERS),
        )
    };
    let roles = tell(&source);
    drop(source);

    let target = world().own_postgres(17, &[]);
    zoo::extension(&target, "planb_zoo");
    restore(&target, "*", store.env()).good();
    assert_eq!(tell(&target), roles);
    for (database, before) in databases.iter().zip(before) {
        before.assert_same(&Content::of(&target, database));
    }
}

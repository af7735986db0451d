//! What belongs to a whole server: roles, their settings and memberships, tablespaces, as a script.
//!
//! Written by the server itself and not by `pg_dumpall`, which starts `pg_dump` through a shell, and images have none.

use runner_core::error::Result;

use crate::sql;
use crate::wire::Connection;

/// `{source}` and `{password}` depend on who asks: only a superuser may read passwords.
const ROLES: &str = r"
SELECT pg_catalog.format('CREATE ROLE %I;', rolname),
       pg_catalog.format('ALTER ROLE %I WITH', rolname)
       || CASE WHEN rolsuper THEN ' SUPERUSER' ELSE ' NOSUPERUSER' END
       || CASE WHEN rolinherit THEN ' INHERIT' ELSE ' NOINHERIT' END
       || CASE WHEN rolcreaterole THEN ' CREATEROLE' ELSE ' NOCREATEROLE' END
       || CASE WHEN rolcreatedb THEN ' CREATEDB' ELSE ' NOCREATEDB' END
       || CASE WHEN rolcanlogin THEN ' LOGIN' ELSE ' NOLOGIN' END
       || CASE WHEN rolreplication THEN ' REPLICATION' ELSE ' NOREPLICATION' END
       || CASE WHEN rolbypassrls THEN ' BYPASSRLS' ELSE ' NOBYPASSRLS' END
       || CASE WHEN rolconnlimit >= 0 THEN ' CONNECTION LIMIT ' || rolconnlimit ELSE '' END
       || CASE WHEN {password} IS NULL THEN '' ELSE pg_catalog.format(' PASSWORD %L', {password}) END
       || CASE WHEN rolvaliduntil IS NULL THEN '' ELSE pg_catalog.format(' VALID UNTIL %L', rolvaliduntil) END || ';'
FROM {source} WHERE rolname !~ '^pg_' ORDER BY rolname";

const SETTINGS: &str = r"
SELECT r.rolname, split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)
FROM pg_catalog.pg_db_role_setting d
JOIN pg_catalog.pg_roles r ON r.oid = d.setrole, unnest(d.setconfig) WITH ORDINALITY AS u(s, n)
WHERE d.setdatabase = 0 AND r.rolname !~ '^pg_' ORDER BY r.rolname, u.n";

/// Since 16 a membership has options of its own; only those that are not what an older server means are written.
const MEMBERSHIPS: &str = r"
SELECT DISTINCT pg_catalog.format('GRANT %I TO %I', r.rolname, m.rolname)
       || coalesce(' WITH ' || nullif(pg_catalog.concat_ws(', ',
            CASE WHEN a.admin_option THEN 'ADMIN OPTION' END,
            CASE WHEN (to_jsonb(a) ->> 'inherit_option')::bool <> m.rolinherit
                 THEN 'INHERIT ' || upper(to_jsonb(a) ->> 'inherit_option') END,
            CASE WHEN NOT (to_jsonb(a) ->> 'set_option')::bool THEN 'SET FALSE' END), ''), '') || ';'
FROM pg_catalog.pg_auth_members a
JOIN pg_catalog.pg_roles r ON r.oid = a.roleid
JOIN pg_catalog.pg_roles m ON m.oid = a.member
WHERE m.rolname !~ '^pg_' ORDER BY 1";

const COMMENTS: &str = r"
SELECT pg_catalog.format('COMMENT ON ROLE %I IS %L;', rolname, description)
FROM (SELECT rolname, pg_catalog.shobj_description(oid, 'pg_authid') AS description FROM pg_catalog.pg_roles) r
WHERE description IS NOT NULL AND rolname !~ '^pg_' ORDER BY rolname";

const TABLESPACES: &str = r"
SELECT pg_catalog.format('CREATE TABLESPACE %I OWNER %I LOCATION %L;', spcname,
                         pg_catalog.pg_get_userbyid(spcowner), pg_catalog.pg_tablespace_location(oid))
FROM pg_catalog.pg_tablespace WHERE spcname !~ '^pg_' ORDER BY spcname";

/// The script; each statement ends a line.
pub(crate) async fn script(connection: &mut Connection, is_superuser: bool) -> Result<String> {
    let mut lines = Vec::new();
    for [create, alter] in columns(connection.query(&roles(is_superuser)).await?) {
        lines.extend([create, alter]);
    }
    for [role, setting, value] in columns(connection.query(SETTINGS).await?) {
        let (role, assignment) = (sql::ident(&role), sql::assignment(&setting, &value));
        lines.push(format!("ALTER ROLE {role} SET {assignment};"));
    }
    for statement in [COMMENTS, MEMBERSHIPS, TABLESPACES] {
        for [line] in columns(connection.query(statement).await?) {
            lines.push(line);
        }
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

fn roles(is_superuser: bool) -> String {
    let (source, password) = match is_superuser {
        true => ("pg_catalog.pg_authid", "rolpassword"),
        false => {
            tracing::warn!(
                "only a superuser may read passwords of roles; they are not in this backup"
            );
            ("pg_catalog.pg_roles", "NULL::text")
        }
    };
    ROLES
        .replace("{source}", source)
        .replace("{password}", password)
}

fn columns<const N: usize>(rows: Vec<crate::wire::Row>) -> impl Iterator<Item = [String; N]> {
    rows.into_iter().map(|row| {
        let mut values = row.into_iter().map(Option::unwrap_or_default);
        std::array::from_fn(|_| values.next().unwrap_or_default())
    })
}

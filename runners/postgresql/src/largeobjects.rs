//! Large objects: a script that creates and fills them, written by the server itself.
//!
//! `COPY` in text format passes a line without backslashes through unchanged, so the statements below are
//! built by the server, one a line, and the artifact is a script that `psql` runs.

use runner_core::error::{Error, Kind, Result};

use crate::wire::Connection;

/// The manifest's name for the list of large objects, and for their content.
pub(crate) const OBJECTS: &str = "pg_largeobject_metadata";
pub(crate) const CONTENT: &str = "pg_largeobject";

const CREATE: &str = "COPY (SELECT pg_catalog.format('SELECT pg_catalog.lo_create(%s);', oid) \
FROM pg_catalog.pg_largeobject_metadata ORDER BY oid) TO STDOUT";

/// A role as an identifier without backslashes or line ends, which `COPY` would double or escape.
macro_rules! role {
    ($name:literal) => {
        concat!(
            "(SELECT CASE WHEN bool_or(c ~ '[[:cntrl:]\\\\]') THEN 'U&\"' || string_agg(CASE \
             WHEN c ~ '[[:cntrl:]\\\\!]' THEN '!' || pg_catalog.lpad(pg_catalog.to_hex(pg_catalog.ascii(c)), 4, '0') \
             WHEN c = '\"' THEN '\"\"' ELSE c END, '' ORDER BY n) || '\" UESCAPE ''!''' \
             ELSE pg_catalog.quote_ident(string_agg(c, '' ORDER BY n)) END \
             FROM pg_catalog.regexp_split_to_table(",
            $name,
            "::text, '') WITH ORDINALITY AS s(c, n))"
        )
    };
}

/// An owner without some of its rights, which it has unless they are revoked, is left those that it has.
const OWNER: &str = concat!(
    "COPY (SELECT pg_catalog.format('ALTER LARGE OBJECT %s OWNER TO %s;', oid, owner) || \
     CASE WHEN lomacl IS NULL OR rights LIKE '%SELECT%UPDATE%' THEN '' \
     ELSE pg_catalog.format(' REVOKE ALL ON LARGE OBJECT %s FROM %s;', oid, owner) || \
     coalesce(pg_catalog.format(' GRANT %s ON LARGE OBJECT %s TO %s;', rights, oid, owner), '') END \
     FROM (SELECT m.oid, lomacl, ",
    role!("pg_catalog.pg_get_userbyid(lomowner)"),
    " AS owner, (SELECT string_agg(privilege_type, ', ' ORDER BY privilege_type) \
     FROM pg_catalog.aclexplode(lomacl) WHERE grantee = lomowner) AS rights \
     FROM pg_catalog.pg_largeobject_metadata m) o ORDER BY oid) TO STDOUT"
);

const GRANT: &str = concat!(
    "COPY (SELECT pg_catalog.format('GRANT %s ON LARGE OBJECT %s TO %s%s;', a.privilege_type, m.oid, \
     CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE ",
    role!("pg_catalog.pg_get_userbyid(a.grantee)"),
    " END, CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) \
     FROM pg_catalog.pg_largeobject_metadata m, pg_catalog.aclexplode(m.lomacl) a WHERE a.grantee <> m.lomowner \
     ORDER BY m.oid) TO STDOUT"
);

/// In hexadecimal, because a comment may hold what `COPY` would escape.
const COMMENT: &str = "COPY (SELECT pg_catalog.format('DO $$BEGIN EXECUTE pg_catalog.format(''COMMENT ON LARGE OBJECT %s IS %%L'', \
pg_catalog.convert_from(pg_catalog.decode(''%s'', ''hex''), ''UTF8'')); END$$;', objoid, \
pg_catalog.encode(pg_catalog.convert_to(description, 'UTF8'), 'hex')) FROM pg_catalog.pg_description \
WHERE classoid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass ORDER BY objoid) TO STDOUT";

/// 32 KiB a line. The size is found by seeking; `OFFSET 0` keeps the open, the seek and the close apart and
/// in order, so that no descriptor stays open.
const PUT: &str = "COPY (SELECT pg_catalog.format('SELECT pg_catalog.lo_put(%s, %s, pg_catalog.decode(''%s'', ''hex''));', \
oid, at, pg_catalog.encode(pg_catalog.lo_get(oid, at, 32768), 'hex')) \
FROM (SELECT oid, CASE WHEN pg_catalog.lo_close(fd) = 0 THEN size END AS size \
FROM (SELECT oid, fd, pg_catalog.lo_lseek64(fd, 0, 2) AS size \
FROM (SELECT oid, pg_catalog.lo_open(oid, 262144) AS fd FROM pg_catalog.pg_largeobject_metadata ORDER BY oid OFFSET 0) a \
OFFSET 0) b OFFSET 0) c, pg_catalog.generate_series(0, size - 1, 32768) AS at) TO STDOUT";

/// The copies that make up the script; those with a name are tallied and proven.
pub(crate) fn copies() -> Vec<(Option<&'static str>, String)> {
    vec![
        (Some(OBJECTS), CREATE.to_owned()),
        (None, OWNER.to_owned()),
        (None, GRANT.to_owned()),
        (None, COMMENT.to_owned()),
        (Some(CONTENT), PUT.to_owned()),
    ]
}

/// The statement whose rows prove what the manifest says under `name`.
pub(crate) fn proof_sql(name: &str) -> Option<String> {
    copies()
        .into_iter()
        .find(|(copy, _)| *copy == Some(name))
        .map(|(_, sql)| sql)
}

/// Whether a line of the script is to be run, given what the restore leaves out.
pub(crate) fn is_wanted(line: &str, owners: bool, privileges: bool) -> bool {
    (owners || !line.starts_with("ALTER ")) && (privileges || !line.starts_with("GRANT "))
}

/// Those that this login may not read: their number, and the first of them.
const UNREADABLE: &str = r"
SELECT pg_catalog.count(*), pg_catalog.min(m.oid) FROM pg_catalog.pg_largeobject_metadata m
WHERE NOT pg_catalog.current_setting('lo_compat_privileges')::bool
  AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
  AND NOT EXISTS (
    SELECT FROM pg_catalog.aclexplode(coalesce(m.lomacl, pg_catalog.acldefault('L', m.lomowner))) a
    WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))";

/// How many large objects the database has; an error when the login may not read them all.
pub(crate) async fn count(connection: &mut Connection, user: &str) -> Result<u64> {
    let row = connection
        .query(UNREADABLE)
        .await?
        .pop()
        .unwrap_or_default();
    let text = |i: usize| row.get(i).and_then(Option::as_deref).unwrap_or_default();
    if text(0) != "0" {
        return Err(Error::new(
            Kind::Denied,
            format!(
                "the login {user:?} may not read {} large objects, such as {}; GRANT SELECT ON LARGE OBJECT … TO {}, back up as a superuser, or choose tables with INCLUDE_TABLES, which leaves large objects out",
                text(0),
                text(1),
                crate::sql::ident(user)
            ),
        ));
    }

    let statement = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata";
    let count = connection.query_one(statement).await?;
    Ok(count.and_then(|count| count.parse().ok()).unwrap_or(0))
}

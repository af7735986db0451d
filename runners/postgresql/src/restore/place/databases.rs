//! Statements about whole databases: create, rename, empty, drop.

use std::collections::BTreeSet;

use runner_core::error::Result;

use crate::details::DatabaseDetails;
use crate::engine::Server;
use crate::sql::{ident, literal};
use crate::wire::Connection;

/// Everything a user could have made, by name; an empty database has none.
const USER_OBJECTS: &str = r"
SELECT name FROM (
  SELECT n.nspname || '.' || c.relname AS name, 'pg_class'::regclass AS classid, c.oid FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND c.oid >= 16384 AND n.nspname !~ '^pg_'
    AND n.nspname <> 'information_schema'
  UNION ALL SELECT n.nspname || '.' || p.proname, 'pg_proc'::regclass, p.oid FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid >= 16384 AND n.nspname !~ '^pg_'
  UNION ALL SELECT n.nspname || '.' || t.typname, 'pg_type'::regclass, t.oid FROM pg_type t
    JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.oid >= 16384 AND t.typtype IN ('d', 'e', 'r') AND n.nspname !~ '^pg_'
  UNION ALL SELECT 'schema ' || nspname, 'pg_namespace'::regclass, oid FROM pg_namespace
    WHERE oid >= 16384 AND nspname !~ '^pg_'
  UNION ALL SELECT 'collation ' || collname, 'pg_collation'::regclass, oid FROM pg_collation WHERE oid >= 16384
  UNION ALL SELECT 'operator ' || oprname, 'pg_operator'::regclass, oid FROM pg_operator WHERE oid >= 16384
  UNION ALL SELECT 'cast ' || oid, 'pg_cast'::regclass, oid FROM pg_cast WHERE oid >= 16384
  UNION ALL SELECT 'language ' || lanname, 'pg_language'::regclass, oid FROM pg_language WHERE oid >= 16384
  UNION ALL SELECT 'text search ' || cfgname, 'pg_ts_config'::regclass, oid FROM pg_ts_config WHERE oid >= 16384
  UNION ALL SELECT 'text search ' || dictname, 'pg_ts_dict'::regclass, oid FROM pg_ts_dict WHERE oid >= 16384
  UNION ALL SELECT 'server ' || srvname, 'pg_foreign_server'::regclass, oid FROM pg_foreign_server
  UNION ALL SELECT 'event trigger ' || evtname, 'pg_event_trigger'::regclass, oid FROM pg_event_trigger
  UNION ALL SELECT 'publication ' || pubname, 'pg_publication'::regclass, oid FROM pg_publication
  UNION ALL SELECT 'large object ' || oid, 'pg_largeobject'::regclass, oid FROM pg_largeobject_metadata
) o WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.classid AND d.objid = o.oid AND d.deptype = 'e')
ORDER BY name LIMIT 4";

/// Who is to own what is restored owns the database from the start, or could create nothing in it.
pub(super) fn create_statement(
    server: &Server,
    name: &str,
    database: &DatabaseDetails,
    owner: Option<&str>,
) -> String {
    let mut statement = format!(
        "CREATE DATABASE {} TEMPLATE template0 ENCODING {}",
        ident(name),
        literal(&database.encoding)
    );
    if let Some(owner) = owner {
        statement.push_str(&format!(" OWNER {}", ident(owner)));
    }
    let has_provider = database
        .locale
        .iter()
        .any(|(option, _)| option == "LOCALE_PROVIDER");
    if server.has_locale_provider && !has_provider {
        statement.push_str(" LOCALE_PROVIDER libc");
    }
    for (option, value) in &database.locale {
        match option.as_str() {
            "LOCALE_PROVIDER" => statement.push_str(&format!(" {option} {value}")),
            _ => statement.push_str(&format!(" {option} {}", literal(value))),
        }
    }
    statement
}

pub(super) async fn names(
    connection: &mut Connection,
    statement: &str,
) -> Result<BTreeSet<String>> {
    let rows = connection.query(statement).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| row.into_iter().next().flatten())
        .collect())
}

pub(super) async fn user_objects(server: &Server, name: &str) -> Result<Vec<String>> {
    let mut connection = server.connect(name).await?;
    connection.execute("SET search_path = pg_catalog").await?;
    let found = names(&mut connection, USER_OBJECTS).await?;
    connection.close().await;
    Ok(found.into_iter().collect())
}

pub(super) async fn rename(connection: &mut Connection, from: &str, to: &str) -> Result<()> {
    connection
        .execute(&format!(
            "ALTER DATABASE {} RENAME TO {}",
            ident(from),
            ident(to)
        ))
        .await
}

/// A database with sessions cannot be renamed; new ones are kept out while the old ones end.
pub(super) async fn shut_out(connection: &mut Connection, name: &str) -> Result<()> {
    let statement = format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", ident(name));
    connection.execute(&statement).await?;
    let statement = format!(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = {} AND pid <> pg_catalog.pg_backend_pid()",
        literal(name)
    );
    connection.execute(&statement).await
}

pub(super) async fn drop_database(
    server: &Server,
    connection: &mut Connection,
    name: &str,
) -> Result<()> {
    if server.has_forced_drop {
        return connection
            .execute(&format!(
                "DROP DATABASE IF EXISTS {} WITH (FORCE)",
                ident(name)
            ))
            .await;
    }
    // Nobody else knows a staging name, so what is left of our own sessions is all there can be.
    let _ = shut_out(connection, name).await;
    connection
        .execute(&format!("DROP DATABASE IF EXISTS {}", ident(name)))
        .await
}

/// The list is sorted, and so complete before the first drop; what an earlier one took along is passed over.
const CLEAR_SCHEMA: &str = r"DO $clear$ DECLARE object text; BEGIN
FOR object IN SELECT o FROM (
  SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE'
    WHEN 'S' THEN 'SEQUENCE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END || ' IF EXISTS ' || c.oid::pg_catalog.regclass AS o,
    CASE WHEN relkind IN ('r', 'p') THEN 1 ELSE 2 END AS n, 'pg_class'::pg_catalog.regclass AS classid, c.oid AS objid
    FROM pg_catalog.pg_class c WHERE relnamespace = pg_catalog.to_regnamespace(pg_catalog.quote_ident(SCHEMA_NAME))
    AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
  UNION ALL SELECT 'ROUTINE IF EXISTS ' || oid::pg_catalog.regprocedure, 3, 'pg_proc'::pg_catalog.regclass, oid
    FROM pg_catalog.pg_proc WHERE pronamespace = pg_catalog.to_regnamespace(pg_catalog.quote_ident(SCHEMA_NAME))
  UNION ALL SELECT 'TYPE IF EXISTS ' || oid::pg_catalog.regtype, 4, 'pg_type'::pg_catalog.regclass, oid
    FROM pg_catalog.pg_type WHERE typnamespace = pg_catalog.to_regnamespace(pg_catalog.quote_ident(SCHEMA_NAME))
    AND typtype IN ('d', 'e', 'r')) x
  WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = x.classid AND d.objid = x.objid AND d.deptype = 'e')
  ORDER BY n, o
LOOP EXECUTE 'DROP ' || object || ' CASCADE'; END LOOP; END $clear$";

/// Drops everything a user has made, where no other database may be created.
pub(super) async fn clear(server: &Server, name: &str) -> Result<()> {
    tracing::warn!(
        database = name,
        "the login may not create databases: the old contents are dropped before the new are proven"
    );
    let mut connection = server.connect(name).await?;
    let owned = |is_owned: &str| {
        format!(
            "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' \
             AND {is_owned} pg_catalog.pg_has_role(nspowner, 'USAGE')"
        )
    };
    let mut statements = vec!["BEGIN".to_owned()];
    // Of a schema that is somebody else's, as `public` is before 15, only what is in it can go.
    for schema in names(&mut connection, &owned("NOT")).await? {
        statements.push(CLEAR_SCHEMA.replace("SCHEMA_NAME", &literal(&schema)));
    }
    let schemas = names(&mut connection, &owned("")).await?;
    statements.extend(
        schemas
            .iter()
            .map(|schema| format!("DROP SCHEMA {} CASCADE", ident(schema))),
    );
    if schemas.contains("public") {
        statements.push("CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC".to_owned());
    }
    statements.push(
        "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata; COMMIT"
            .to_owned(),
    );
    connection
        .execute(&statements.join("; "))
        .await
        .map_err(|err| {
            err.while_doing(format!("empty the database {name:?}, which is untouched"))
        })?;
    connection.close().await;
    Ok(())
}

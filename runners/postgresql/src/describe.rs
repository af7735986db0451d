//! What a database is, beside its tables' rows: read in the dump's snapshot, recorded in the manifest.

use runner_core::error::{Error, Kind, Result};
use serde::de::DeserializeOwned;

use crate::details::{DatabaseDetails, ForeignKey};
use crate::sql;
use crate::wire::{Connection, Row};

/// `to_jsonb` reads columns that only some versions have.
const DATABASE: &str = r"
SELECT pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, pg_catalog.pg_get_userbyid(d.datdba),
       pg_catalog.shobj_description(d.oid, 'pg_database'), to_jsonb(d) ->> 'datlocprovider',
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'), to_jsonb(d) ->> 'daticurules',
       nullif(d.datconnlimit, -1)
FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()";

const SETTINGS: &str = r"
SELECT coalesce(json_agg(json_build_array(split_part(s, '=', 1), substr(s, strpos(s, '=') + 1))), '[]')
FROM pg_catalog.pg_db_role_setting r, unnest(r.setconfig) s
WHERE r.setrole = 0 AND r.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())";

const ROLE_SETTINGS: &str = r"
SELECT coalesce(json_agg(json_build_array(pg_catalog.pg_get_userbyid(setrole), split_part(s, '=', 1),
                                          substr(s, strpos(s, '=') + 1))), '[]')
FROM pg_catalog.pg_db_role_setting r, unnest(r.setconfig) s
WHERE r.setrole <> 0 AND r.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())";

const PRIVILEGES: &str = r"
SELECT CASE WHEN d.datacl IS NULL THEN 'null' ELSE
  (SELECT coalesce(json_agg(json_build_array(CASE a.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee) END,
                                             a.privilege_type, a.is_grantable)), '[]')
   FROM pg_catalog.aclexplode(d.datacl) a)::text END
FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()";

const EXTENSIONS: &str =
    "SELECT coalesce(json_agg(extname ORDER BY extname), '[]') FROM pg_catalog.pg_extension";

const TABLESPACES: &str = r"
SELECT coalesce(json_agg(DISTINCT t.spcname), '[]') FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_tablespace t ON t.oid = c.reltablespace WHERE c.oid >= 16384 AND t.spcname !~ '^pg_'";

/// The bootstrap superuser is pinned and so never in `pg_shdepend`; what it owns is looked up.
const OWNERS: &str = r"
SELECT coalesce(json_agg(DISTINCT r.rolname), '[]') FROM pg_catalog.pg_roles r WHERE r.oid IN (
  SELECT refobjid FROM pg_catalog.pg_shdepend d WHERE d.deptype = 'o'
   AND d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
   AND d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  UNION SELECT relowner FROM pg_catalog.pg_class WHERE oid >= 16384
  UNION SELECT proowner FROM pg_catalog.pg_proc WHERE oid >= 16384
  UNION SELECT nspowner FROM pg_catalog.pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_(toast_)?temp_'
  UNION SELECT typowner FROM pg_catalog.pg_type WHERE oid >= 16384)";

const GRANTEES: &str = r"
SELECT coalesce(json_agg(DISTINCT r.rolname), '[]') FROM pg_catalog.pg_shdepend d
JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid
JOIN pg_catalog.pg_database here ON here.datname = pg_catalog.current_database()
WHERE d.deptype IN ('a', 'r') AND d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
  AND (d.dbid = here.oid OR d.classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND d.objid = here.oid)";

const FOREIGN_KEYS: &str = r"
WITH RECURSIVE holder(root, oid) AS (
  SELECT DISTINCT confrelid, confrelid FROM pg_catalog.pg_constraint WHERE contype = 'f'
  UNION
  SELECT h.root, i.inhrelid FROM holder h
  JOIN pg_catalog.pg_class p ON p.oid = h.oid AND p.relkind = 'p'
  JOIN pg_catalog.pg_inherits i ON i.inhparent = h.oid)
SELECT k.conname, n.nspname, t.relname,
       (SELECT json_agg(json_build_array(hn.nspname, ht.relname)) FROM holder h
        JOIN pg_catalog.pg_class ht ON ht.oid = h.oid AND ht.relkind = 'r'
        JOIN pg_catalog.pg_namespace hn ON hn.oid = ht.relnamespace WHERE h.root = k.confrelid)
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class t ON t.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY 2, 3, 1";

/// Reads all but the tables.
pub(crate) async fn read(connection: &mut Connection, name: &str) -> Result<DatabaseDetails> {
    let rows = connection.query(DATABASE).await?;
    let row = rows
        .first()
        .ok_or_else(|| Error::new(Kind::Bug, "the database does not know itself"))?;
    let text = |i: usize| row.get(i).cloned().flatten().unwrap_or_default();
    let mut locale = vec![
        ("LC_COLLATE".to_owned(), text(1)),
        ("LC_CTYPE".to_owned(), text(2)),
    ];
    match text(5).as_str() {
        "i" => locale.extend([
            ("LOCALE_PROVIDER".into(), "icu".into()),
            ("ICU_LOCALE".into(), text(6)),
        ]),
        "b" => locale.extend([
            ("LOCALE_PROVIDER".into(), "builtin".into()),
            ("BUILTIN_LOCALE".into(), text(6)),
        ]),
        _ => {}
    }
    if !text(7).is_empty() {
        locale.push(("ICU_RULES".into(), text(7)));
    }
    Ok(DatabaseDetails {
        name: name.to_owned(),
        owner: text(3),
        encoding: text(0),
        locale,
        comment: Some(text(4)).filter(|comment| !comment.is_empty()),
        connection_limit: text(8).parse().ok(),
        settings: json(connection, SETTINGS).await?,
        role_settings: json(connection, ROLE_SETTINGS).await?,
        privileges: json(connection, PRIVILEGES).await?,
        extensions: json(connection, EXTENSIONS).await?,
        tablespaces: json(connection, TABLESPACES).await?,
        owners: json(connection, OWNERS).await?,
        grantees: json(connection, GRANTEES).await?,
        foreign_keys: connection
            .query(FOREIGN_KEYS)
            .await?
            .iter()
            .map(foreign_key)
            .collect::<Result<_>>()?,
        ..DatabaseDetails::default()
    })
}

async fn json<T: DeserializeOwned>(connection: &mut Connection, statement: &str) -> Result<T> {
    let text = connection.query_one(statement).await?.unwrap_or_default();
    parse(&text)
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|err| Error::new(Kind::Bug, "read the catalog").because(err))
}

fn foreign_key(row: &Row) -> Result<ForeignKey> {
    let text = |i: usize| row.get(i).and_then(Option::as_deref).unwrap_or_default();
    let references: Vec<(String, String)> = match text(3) {
        "" => Vec::new(),
        list => parse(list)?,
    };
    Ok(ForeignKey {
        name: text(0).to_owned(),
        table: sql::display_name(text(1), text(2)),
        references: references
            .iter()
            .map(|(schema, name)| sql::display_name(schema, name))
            .collect(),
    })
}

//! What a database holds that a backup must carry, read in the dump's snapshot.

use std::collections::BTreeMap;

use runner_core::error::{Error, Kind, Result};
use serde::Deserialize;

use crate::details::Table;
use crate::sql;
use crate::types::{Oid, Type, Types, is_binary_safe};
use crate::wire::{Connection, CopyFormat};

/// Why rows cannot be read, as a person reads it.
pub(crate) const NO_USAGE: &str = "no USAGE on its schema";
pub(crate) const NO_SELECT: &str = "no SELECT";
pub(crate) const HIDDEN_ROWS: &str = "row-level security hides rows; the login needs BYPASSRLS";
pub(crate) const UNLOGGED: &str = "unlogged, which a standby cannot read";

/// A table to read, and what is known of its size.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) table: Table,
    /// Heap and TOAST.
    pub(crate) size_bytes: u64,
    /// Of the heap alone; 0 when it is not stored in heap pages.
    pub(crate) n_pages: u64,
    /// A single integer primary key whose order is nearly that of the rows, for servers without TID range
    /// scans.
    pub(crate) key: Option<String>,
    /// Why its rows cannot be read by this login.
    pub(crate) unreadable: Option<&'static str>,
}

#[derive(Deserialize)]
struct Columns(Vec<(String, Oid)>);

/// Ordinary tables and partitions outside the system's schemas; of an extension's tables only those that it
/// has marked with `pg_extension_config_dump`.
const TABLES: &str = r"
SELECT n.nspname, c.relname,
       coalesce((SELECT json_agg(json_build_array(a.attname, a.atttypid::int8) ORDER BY a.attnum)
                 FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),
                '[]'),
       pg_catalog.pg_table_size(c.oid),
       CASE WHEN m.amname = 'heap' THEN pg_catalog.pg_relation_size(c.oid)
            / pg_catalog.current_setting('block_size')::int8 ELSE 0 END,
       (SELECT a.attname FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
        JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname
             AND s.attname = a.attname AND abs(s.correlation) > 0.9
        WHERE i.indrelid = c.oid AND i.indisprimary AND i.indnatts = 1 AND a.atttypid IN (20, 21, 23)
        LIMIT 1),
       CASE WHEN NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE') THEN 'usage'
            WHEN NOT pg_catalog.has_table_privilege(c.oid, 'SELECT') THEN 'select'
            WHEN pg_catalog.row_security_active(c.oid) THEN 'rls'
            WHEN c.relpersistence = 'u' AND pg_catalog.pg_is_in_recovery() THEN 'unlogged' END,
       e.condition, e.extname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
     AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'
LEFT JOIN LATERAL (
    SELECT x.extcondition[u.i] AS condition, x.extname
    FROM pg_catalog.pg_extension x, pg_catalog.unnest(x.extconfig) WITH ORDINALITY AS u(oid, i)
    WHERE u.oid = c.oid) e ON true
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND (d.objid IS NULL OR e.condition IS NOT NULL)
ORDER BY n.nspname, c.relname";

/// Reads the list of tables, each with its columns and the format its rows will have.
pub(crate) async fn read(
    connection: &mut Connection,
    format: Option<CopyFormat>,
) -> Result<Vec<Source>> {
    let types = read_types(connection).await?;
    let rows = connection.query(TABLES).await?;
    rows.iter().map(|row| source(row, &types, format)).collect()
}

fn source(row: &[Option<String>], types: &Types, format: Option<CopyFormat>) -> Result<Source> {
    let text = |i: usize| row.get(i).and_then(Option::as_deref).unwrap_or_default();
    let number = |i: usize| text(i).parse().unwrap_or(0);
    let Columns(columns) = serde_json::from_str(text(2))
        .map_err(|err| Error::new(Kind::Bug, "read a table's columns").because(err))?;
    let binary = columns.iter().all(|(_, oid)| is_binary_safe(types, *oid));
    let format = match format {
        Some(CopyFormat::Text) => CopyFormat::Text,
        _ if binary => CopyFormat::Binary,
        _ => CopyFormat::Text,
    };
    Ok(Source {
        table: Table {
            schema: text(0).to_owned(),
            name: text(1).to_owned(),
            columns: columns.into_iter().map(|(name, _)| name).collect(),
            format: format.as_str().to_owned(),
            condition: Some(text(7).to_owned()).filter(|condition| !condition.is_empty()),
            extension: row.get(8).cloned().flatten(),
        },
        size_bytes: number(3),
        n_pages: number(4),
        key: row.get(5).cloned().flatten(),
        unreadable: match text(6) {
            "usage" => Some(NO_USAGE),
            "select" => Some(NO_SELECT),
            "rls" => Some(HIDDEN_ROWS),
            "unlogged" => Some(UNLOGGED),
            _ => None,
        },
    })
}

const TYPES: &str = r"
SELECT t.oid, n.nspname = 'pg_catalog', t.typname, t.typtype, CASE WHEN t.typlen = -1 THEN t.typelem ELSE 0 END,
       t.typbasetype, t.typsend <> 0 AND t.typreceive <> 0, coalesce(r.rngsubtype, 0),
       CASE WHEN c.relkind = 'c' THEN
         (SELECT pg_catalog.string_agg(a.atttypid::text, ',' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) END
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid";

async fn read_types(connection: &mut Connection) -> Result<Types> {
    let rows = connection.query(TYPES).await?;
    let mut types = BTreeMap::new();
    for row in &rows {
        let text = |i: usize| row.get(i).and_then(Option::as_deref).unwrap_or_default();
        let oid = |i: usize| text(i).parse::<Oid>().unwrap_or(0);
        let attributes = row.get(8).and_then(Option::as_deref);
        let ty = Type {
            built_in: text(1) == "t",
            name: text(2).to_owned(),
            typtype: text(3).to_owned(),
            element: oid(4),
            base: oid(5),
            has_binary: text(6) == "t",
            subtype: oid(7),
            attributes: attributes
                .map(|list| list.split(',').filter_map(|oid| oid.parse().ok()).collect()),
        };
        types.insert(oid(0), ty);
    }
    Ok(types)
}

/// Takes the lock that keeps every table as it is until the dump ends, giving up rather than queueing behind
/// (and so stalling) other sessions.
pub(crate) async fn lock(connection: &mut Connection, sources: &[Source]) -> Result<()> {
    for batch in sources.chunks(200) {
        let names: Vec<String> = batch.iter().map(|source| source.table.sql_name()).collect();
        let statement = format!(
            "SET lock_timeout = '60s'; LOCK TABLE ONLY {} IN ACCESS SHARE MODE; SET lock_timeout = 0",
            names.join(", ONLY ")
        );
        connection.execute(&statement).await.map_err(|err| {
            err.while_doing("lock the tables against changes of their definition during the backup")
        })?;
    }
    Ok(())
}

/// All that this login may not read, in one error, with the way out.
pub(crate) fn refuse_unreadable(sources: &[Source], user: &str) -> Result<()> {
    let unreadable: Vec<String> = sources
        .iter()
        .filter_map(|source| {
            let reason = source.unreadable?;
            Some(format!("{} ({reason})", source.table.display_name()))
        })
        .collect();
    if unreadable.is_empty() {
        return Ok(());
    }
    const SHOWN: usize = 20;
    let more = match unreadable.len() {
        n if n > SHOWN => format!(" and {} more", n - SHOWN),
        _ => String::new(),
    };
    let shown: Vec<String> = unreadable.into_iter().take(SHOWN).collect();
    Err(Error::new(
        Kind::Denied,
        format!(
            "the login {user:?} may not read {}{more}; GRANT pg_read_all_data TO {} (14 and later; before, USAGE on the schemas and SELECT on the tables), or leave them out with EXCLUDE_TABLES",
            shown.join(", "),
            sql::ident(user)
        ),
    ))
}

/// What depends on the tables of `{hidden}` and does not belong to one of them.
const DEPENDENTS: &str = r"
WITH hidden(oid) AS (
  SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE (n.nspname, c.relname) IN ({hidden}))
SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, 0)
FROM pg_catalog.pg_depend d JOIN hidden h ON d.refobjid = h.oid
WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'n'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e JOIN hidden o ON e.refobjid = o.oid
                  WHERE e.refclassid = d.refclassid AND e.classid = d.classid AND e.objid = d.objid
                  AND e.deptype IN ('a', 'i'))
ORDER BY 1 LIMIT 5";

/// Refuses to leave out tables whole that something else needs: its definition would not restore.
pub(crate) async fn refuse_needed(connection: &mut Connection, hidden: &[Table]) -> Result<()> {
    let literal = |table: &Table| {
        let (schema, name) = (sql::literal(&table.schema), sql::literal(&table.name));
        format!("({schema}, {name})")
    };
    let tables: Vec<String> = hidden.iter().map(literal).collect();
    if tables.is_empty() {
        return Ok(());
    }
    let statement = DEPENDENTS.replace("{hidden}", &tables.join(", "));
    let rows = connection.query(&statement).await?;
    let needing: Vec<String> = rows.into_iter().flatten().flatten().collect();
    if needing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = hidden.iter().map(Table::display_name).collect();
    Err(Error::new(
        Kind::Denied,
        format!(
            "the excluded tables {} cannot be left out whole, as {} depends on them; GRANT SELECT on them, which leaves only their rows out, or back up rows alone with DATA_ONLY",
            names.join(", "),
            needing.join(" and ")
        ),
    ))
}

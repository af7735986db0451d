//! Sequences: their values as a script of `setval`.

use runner_core::error::{Error, Kind, Result};

use crate::sql;
use crate::wire::Connection;

/// Of an extension's sequences only those that it has marked.
const SEQUENCES: &str = r"
SELECT n.nspname, c.relname, pg_catalog.has_schema_privilege(n.oid, 'USAGE')
       AND pg_catalog.has_sequence_privilege(c.oid, 'SELECT'),
       EXISTS (SELECT FROM pg_catalog.pg_extension x WHERE c.oid = ANY (x.extconfig))
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (c.relpersistence <> 'u' OR NOT pg_catalog.pg_is_in_recovery())
  AND (NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                   AND d.objid = c.oid AND d.deptype = 'e')
       OR EXISTS (SELECT FROM pg_catalog.pg_extension x WHERE c.oid = ANY (x.extconfig)))
ORDER BY 1, 2";

/// How many sequences one statement reads.
const BATCH: usize = 200;

/// The script, one statement a line, and how many lines it has.
pub(crate) async fn script(connection: &mut Connection, user: &str) -> Result<(String, u64)> {
    let rows = connection.query(SEQUENCES).await?;
    let mut names = Vec::new();
    let mut unreadable = Vec::new();
    for row in &rows {
        let text = |i: usize| row.get(i).and_then(Option::as_deref).unwrap_or_default();
        if text(2) == "t" {
            let name = format!("{}.{}", sql::ident(text(0)), sql::ident(text(1)));
            names.push((name, text(3) == "t"));
        } else {
            unreadable.push(sql::display_name(text(0), text(1)));
        }
    }
    if !unreadable.is_empty() {
        return Err(Error::new(
            Kind::Denied,
            format!(
                "the login {user:?} may not read the sequences {}; grant it pg_read_all_data (14 and later) or SELECT on them",
                unreadable.join(", ")
            ),
        ));
    }
    let mut script = String::new();
    for batch in names.chunks(BATCH) {
        let selects: Vec<String> = batch
            .iter()
            .map(|(name, of_extension)| {
                format!(
                    "SELECT {}, last_value, is_called, {of_extension} FROM {name}",
                    sql::literal(name)
                )
            })
            .collect();
        for row in connection.query(&selects.join(" UNION ALL ")).await? {
            let text = |i: usize| row.get(i).and_then(Option::as_deref).unwrap_or_default();
            let is_called = text(2) == "t";
            let (name, value) = (sql::literal(text(0)), text(1));
            // A restore may leave the extension out.
            script.push_str(&match text(3) {
                "t" => format!(
                    "SELECT pg_catalog.setval(s, {value}, {is_called}) FROM pg_catalog.to_regclass({name}) s WHERE s IS NOT NULL;\n"
                ),
                _ => format!("SELECT pg_catalog.setval({name}, {value}, {is_called});\n"),
            });
        }
    }
    Ok((script, names.len() as u64))
}

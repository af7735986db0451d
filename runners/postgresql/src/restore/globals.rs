//! Roles: those that are missing are created; those that are there stay as they are.

use std::collections::BTreeSet;

use futures::StreamExt;
use runner_core::engine::Target;
use runner_core::error::{Error, Kind, Result};
use runner_core::progress::Progress;
use runner_core::source::Backup;
use runner_core::workers::unless_cancelled;

use crate::engine::Server;

/// A script of roles longer than this is no cluster's.
const MAX_BYTES: usize = 64 << 20;

/// Runs the statements of `globals.sql` that concern roles which are not there yet, and memberships.
/// Tablespaces name directories of the old server; they are left to a person, and said so.
pub(super) async fn restore(server: &Server, backup: &Backup, target: &Target) -> Result<()> {
    let Some(artifact) = backup.of_kind("globals").next() else {
        return Ok(());
    };
    let mut body = backup.open(artifact, Progress::default());
    let mut script = Vec::new();
    while let Some(block) = body.next().await {
        script.extend_from_slice(&block?);
        if script.len() > MAX_BYTES {
            return Err(Error::new(
                Kind::Unfit,
                "globals.sql is longer than any cluster's roles",
            ));
        }
    }
    let script = String::from_utf8_lossy(&script);
    let mut connection = server.connect(&server.maintenance).await?;
    let rows = connection
        .query("SELECT rolname FROM pg_catalog.pg_roles")
        .await?;
    let present: BTreeSet<String> = rows
        .into_iter()
        .filter_map(|row| row.into_iter().next().flatten())
        .collect();
    for statement in wanted(&script, &present) {
        let run = connection.execute(statement);
        if let Err(err) = unless_cancelled(&target.cancel, run).await {
            // The statement may hold a password's hash and is not repeated here.
            let role = role_of(statement).unwrap_or_default();
            return Err(err.while_doing(format!("restore the role {role:?} from globals.sql")));
        }
    }
    connection.close().await;
    Ok(())
}

/// The statements to run, of those in the script.
fn wanted<'a>(script: &'a str, present: &BTreeSet<String>) -> Vec<&'a str> {
    let mut wanted = Vec::new();
    for statement in statements(script) {
        let mut words = statement.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("CREATE" | "ALTER"), Some("ROLE"), _) | (Some("COMMENT"), _, Some("ROLE")) => {
                let is_new = role_of(statement).is_some_and(|role| !present.contains(&role));
                wanted.extend(is_new.then_some(statement));
            }
            (Some("CREATE" | "ALTER"), Some("TABLESPACE"), _) => {
                tracing::warn!(
                    statement,
                    "not restored: a tablespace names a directory of the old server"
                );
            }
            // Memberships; a grant that is there already is no error.
            (Some("GRANT"), ..) if !statement.contains(" TABLESPACE ") => wanted.push(statement),
            _ => {}
        }
    }
    wanted
}

/// Cuts a script after each semicolon that ends a line outside of quotes; what begins with a dash or a backslash
/// is a line of its own.
fn statements(script: &str) -> Vec<&str> {
    let mut statements = Vec::new();
    let (mut start, mut quote) = (0, None);
    for (at, c) in script.char_indices() {
        let so_far = script.get(start..at).unwrap_or_default();
        let is_line = so_far.starts_with(['-', '\\']) || so_far.is_empty();
        match (c, quote) {
            ('\n', None) if is_line || so_far.ends_with(';') => {
                statements.push(so_far);
                start = at + 1;
            }
            ('\'' | '"', None) if !so_far.starts_with(['-', '\\']) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            _ => {}
        }
    }
    statements.extend(script.get(start..));
    statements
}

/// The role that a `CREATE ROLE` or `ALTER ROLE` names, unquoted.
fn role_of(statement: &str) -> Option<String> {
    let rest = statement.split_once(" ROLE ")?.1;
    if let Some(quoted) = rest.strip_prefix('"') {
        let end = quoted.replace("\"\"", "\0\0").find('"')?;
        return Some(quoted.get(..end)?.replace("\"\"", "\""));
    }
    Some(rest.split([' ', ';']).next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_that_are_there_are_left_alone() {
        let script = "SET x = 1;\nCREATE ROLE app;\nALTER ROLE app WITH LOGIN PASSWORD 'SCRAM';\n\
                      CREATE ROLE \"odd \"\"one\";\nGRANT app TO postgres;\nALTER ROLE postgres WITH SUPERUSER;\n";
        let present = BTreeSet::from(["postgres".to_owned(), "app".to_owned()]);
        assert_eq!(
            wanted(script, &present),
            ["CREATE ROLE \"odd \"\"one\";", "GRANT app TO postgres;"]
        );
        let script = "-- it's a comment\nCOMMENT ON ROLE b IS 'two;\nCREATE ROLE c;\n';\nCREATE ROLE \"it's\";\n";
        assert_eq!(
            wanted(script, &present),
            [
                "COMMENT ON ROLE b IS 'two;\nCREATE ROLE c;\n';",
                "CREATE ROLE \"it's\";"
            ]
        );
        assert_eq!(
            role_of("CREATE ROLE \"odd \"\"one\";").as_deref(),
            Some("odd \"one")
        );
    }
}

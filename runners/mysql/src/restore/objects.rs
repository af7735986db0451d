//! What may fire or look at rows: routines, views, triggers, events; after the proof.

use runner_core::error::{Error, Kind, Result};

use super::Context;
use super::statements::{Statement, doing, rename};
use crate::options::Definer;
use crate::schema::Header;
use crate::sql::ident;
use crate::wire::{Connection, has_code};

/// Modes that later versions do not know; a routine that was made under one does not mind.
const OBSOLETE_MODES: [&str; 11] = [
    "NO_AUTO_CREATE_USER",
    "NO_KEY_OPTIONS",
    "NO_TABLE_OPTIONS",
    "NO_FIELD_OPTIONS",
    "DB2",
    "MAXDB",
    "MSSQL",
    "MYSQL323",
    "MYSQL40",
    "ORACLE",
    "POSTGRESQL",
];

/// Creates them all in the database that bears its name.
pub(super) async fn restore(context: &Context<'_>, name: &str) -> Result<()> {
    tracing::info!(
        database = name,
        "create views, triggers, routines and events"
    );
    create(context, name, |_| true).await
}

/// Creates them in the staging database, so that what the server refuses is refused while the old contents are there.
/// Not events, which would begin to run; triggers, which keep a table from being moved, go again.
pub(super) async fn rehearse(context: &Context<'_>, staging: &str) -> Result<()> {
    create(context, staging, |header| header.kind != "event").await?;
    let mut connection = context.server.connect().await?;
    connection
        .execute(format!("USE {}", ident(staging)))
        .await?;
    let triggers = connection
        .query("SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()")
        .await?;
    for row in &triggers.rows {
        let drop = format!("DROP TRIGGER {}", ident(&row.text(0)));
        connection.execute(drop).await?;
    }
    connection.close().await;
    Ok(())
}

async fn create(
    context: &Context<'_>,
    name: &str,
    is_wanted: impl Fn(&Header) -> bool,
) -> Result<()> {
    let Some(mut statements) = context.statements("objects") else {
        return Ok(());
    };
    let mut connection = context.server.connect().await?;
    connection.execute(format!("USE {}", ident(name))).await?;
    let source = &context.database.name;
    let mut settings = Vec::new();
    let mut blocked: Vec<(Vec<u8>, Statement)> = Vec::new();
    while let Some(mut statement) = statements.next().await? {
        if statement.text.starts_with(b"SET ") {
            settings = statement.text;
            set(&mut connection, &settings).await?;
            continue;
        }
        if !is_wanted(&statement.header) {
            continue;
        }
        statement.text = with_definer(&statement.text, &context.options.definer);
        if matches!(statement.header.kind.as_str(), "view" | "trigger") {
            statement.text = rename(&statement.text, source, name);
        }
        match connection.execute(&statement.text).await {
            Ok(()) => {}
            // It looks at a view that comes later.
            Err(err) if statement.header.kind == "view" && is_missing(&err) => {
                blocked.push((settings.clone(), statement));
            }
            Err(err) => return Err(explain(err, &statement, name)),
        }
    }
    retry(&mut connection, blocked, name).await?;
    connection.close().await;
    Ok(())
}

/// Tries views that lacked another until none is left, or none can be made.
async fn retry(
    connection: &mut Connection,
    mut blocked: Vec<(Vec<u8>, Statement)>,
    name: &str,
) -> Result<()> {
    while !blocked.is_empty() {
        let n_blocked = blocked.len();
        let mut still = Vec::new();
        for (settings, statement) in blocked {
            set(connection, &settings).await?;
            match connection.execute(&statement.text).await {
                Ok(()) => {}
                Err(err) if is_missing(&err) => still.push((settings, statement, err)),
                Err(err) => return Err(explain(err, &statement, name)),
            }
        }
        if still.len() == n_blocked
            && let Some((_, statement, err)) = still.pop()
        {
            return Err(explain(err, &statement, name));
        }
        blocked = still
            .into_iter()
            .map(|(settings, statement, _)| (settings, statement))
            .collect();
    }
    Ok(())
}

/// No such table, view, column or function.
fn is_missing(err: &Error) -> bool {
    [1146, 1356, 1054, 1305]
        .iter()
        .any(|code| has_code(err, *code))
}

async fn set(connection: &mut Connection, settings: &[u8]) -> Result<()> {
    match connection.execute(settings).await {
        Err(err) if has_code(&err, 1231) => {
            let text = String::from_utf8_lossy(settings).into_owned();
            connection.execute(without_obsolete(&text)).await
        }
        // The other family's, which decides how literals compare.
        Err(err) if has_code(&err, 1273) => {
            tracing::warn!(reason = %err, "views, triggers or routines get the server's own collation of literals");
            let text = String::from_utf8_lossy(settings).into_owned();
            let text = without_obsolete(&without_collation(&text));
            connection.execute(text).await
        }
        result => result,
    }
}

/// A `SET … collation_connection = '…'` with the server's own.
fn without_collation(settings: &str) -> String {
    const NAME: &str = "collation_connection = ";
    let Some((before, rest)) = settings.split_once(NAME) else {
        return settings.to_owned();
    };
    let after = rest.split_once(',').map_or("", |(_, after)| after);
    format!("{before}{NAME}DEFAULT,{after}")
}

/// A `SET … sql_mode = '…'` without the modes that are gone.
fn without_obsolete(settings: &str) -> String {
    let Some((before, rest)) = settings.split_once("sql_mode = '") else {
        return settings.to_owned();
    };
    let Some((modes, after)) = rest.split_once('\'') else {
        return settings.to_owned();
    };
    let kept: Vec<&str> = modes
        .split(',')
        .filter(|mode| !OBSOLETE_MODES.contains(mode))
        .collect();
    format!("{before}sql_mode = '{}'{after}", kept.join(","))
}

fn explain(err: Error, statement: &Statement, name: &str) -> Error {
    let way_out = if has_code(&err, 1227) || has_code(&err, 1449) {
        "; it runs as another account, which the login may not set: RESTORE_NO_DEFINER=true or RESTORE_DEFINER"
    } else if has_code(&err, 1418) || has_code(&err, 1419) {
        "; set log_bin_trust_function_creators=1 on the server"
    } else if err.kind() == Kind::Denied {
        "; GRANT ALL on the database to the login"
    } else {
        ""
    };
    let err = match way_out {
        "" => err,
        way_out => err.while_doing(format!("in {name:?}{way_out}")),
    };
    doing(err, &statement.header)
}

/// The statement with its definer kept, left out or replaced.
pub(crate) fn with_definer(text: &[u8], definer: &Definer) -> Vec<u8> {
    const MARK: &[u8] = b"DEFINER=";
    let new = match definer {
        Definer::Kept => return text.to_vec(),
        Definer::Stripped => String::new(),
        Definer::Changed(user, host) => format!("DEFINER={}@{} ", ident(user), ident(host)),
    };
    // It stands before anything that a person wrote.
    let Some(start) = text.windows(MARK.len()).position(|window| window == MARK) else {
        return text.to_vec();
    };
    let Some(end) = text.get(start..).and_then(account_bytes) else {
        return text.to_vec();
    };
    let (before, rest) = text.split_at(start);
    let after = rest.get(end..).unwrap_or_default();
    [before, new.as_bytes(), after.trim_ascii_start()].concat()
}

/// How long `` DEFINER=`user`@`host` `` is.
fn account_bytes(text: &[u8]) -> Option<usize> {
    let mut quote = None;
    text.iter().position(|byte| match quote {
        Some(open) => {
            if *byte == open {
                quote = None;
            }
            false
        }
        None => {
            if matches!(byte, b'`' | b'"') {
                quote = Some(*byte);
            }
            // Stock dumps put it into a comment of its own.
            byte.is_ascii_whitespace() || *byte == b'*'
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_collation_gives_way_to_the_servers_own() {
        assert_eq!(
            without_collation(
                "SET SESSION character_set_client = 'utf8mb4', collation_connection = 'utf8mb4_uca1400_ai_ci', sql_mode = 'ANSI'"
            ),
            "SET SESSION character_set_client = 'utf8mb4', collation_connection = DEFAULT, sql_mode = 'ANSI'"
        );
    }

    #[test]
    fn a_definer_is_kept_left_out_or_replaced() {
        let text = b"CREATE DEFINER=`a b`@`%` PROCEDURE `p`() SELECT 'DEFINER=`x`@`y`'";
        let told = |definer| String::from_utf8(with_definer(text, &definer)).unwrap();
        assert_eq!(told(Definer::Kept).as_bytes(), text);
        assert_eq!(
            told(Definer::Stripped),
            "CREATE PROCEDURE `p`() SELECT 'DEFINER=`x`@`y`'"
        );
        assert_eq!(
            told(Definer::Changed("app".into(), "%".into())),
            "CREATE DEFINER=`app`@`%` PROCEDURE `p`() SELECT 'DEFINER=`x`@`y`'"
        );
    }

    #[test]
    fn a_definer_in_double_quotes_is_one_too() {
        let text = b"CREATE DEFINER=\"a b\"@\"%\" PROCEDURE \"p\"() SELECT 1";
        assert_eq!(
            with_definer(text, &Definer::Stripped),
            b"CREATE PROCEDURE \"p\"() SELECT 1"
        );
    }

    #[test]
    fn a_definer_in_a_version_comment_is_one_too() {
        let text = b"/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER t */";
        assert_eq!(
            with_definer(text, &Definer::Stripped),
            b"/*!50003 CREATE*/ /*!50017 */ /*!50003 TRIGGER t */"
        );
    }

    #[test]
    fn modes_that_are_gone_are_left_out() {
        assert_eq!(
            without_obsolete(
                "SET SESSION a = 'b', sql_mode = 'ANSI_QUOTES,NO_AUTO_CREATE_USER', c = 1"
            ),
            "SET SESSION a = 'b', sql_mode = 'ANSI_QUOTES', c = 1"
        );
    }
}

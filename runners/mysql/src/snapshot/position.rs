//! Where the server's log stands, for those who replay from there.

use serde_json::Value;

use crate::server::{Family, Server};
use crate::wire::{Answer, Connection, Row, has_code};

/// The place in the binary log, and on a replica in its source's; what the login may not see is left out.
pub(super) async fn position(server: &Server, locker: &mut Connection) -> Value {
    let mut point = serde_json::Map::new();
    if server.has_binlog
        && let Some(answer) =
            first_understood(locker, &["SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"]).await
    {
        let mut add = |key: &str, name: &str| {
            if let Some(value) = answer.named(name).filter(|it| !it.is_empty()) {
                point.insert(key.into(), value.replace('\n', "").into());
            }
        };
        add("binlog_file", "File");
        add("binlog_position", "Position");
        add("gtid_set", "Executed_Gtid_Set");
    }
    let gtid = match server.family {
        Family::MariaDb => "SELECT @@global.gtid_binlog_pos",
        Family::MySql => "SELECT @@global.gtid_executed",
    };
    if !point.contains_key("gtid_set")
        && let Ok(Some(gtid)) = locker.query_one(gtid).await
        && !gtid.is_empty()
    {
        point.insert("gtid_set".into(), gtid.replace('\n', "").into());
    }
    // MariaDB's shorter statements know of one source only.
    let statements = match server.family {
        Family::MariaDb => ["SHOW ALL REPLICAS STATUS", "SHOW ALL SLAVES STATUS"],
        Family::MySql => ["SHOW REPLICA STATUS", "SHOW SLAVE STATUS"],
    };
    if let Some(answer) = first_understood(locker, &statements).await
        && !answer.rows.is_empty()
    {
        let sources = answer.rows.iter().map(|row| source(&answer, row)).collect();
        point.insert("sources".into(), Value::Array(sources));
    }
    Value::Object(point)
}

/// Where in the log of one of its sources a replica stands.
fn source(answer: &Answer, row: &Row) -> Value {
    const FIELDS: [(&str, &[&str]); 6] = [
        ("channel", &["Channel_Name", "Connection_name"]),
        ("host", &["Source_Host", "Master_Host"]),
        ("port", &["Source_Port", "Master_Port"]),
        (
            "binlog_file",
            &["Relay_Source_Log_File", "Relay_Master_Log_File"],
        ),
        (
            "binlog_position",
            &["Exec_Source_Log_Pos", "Exec_Master_Log_Pos"],
        ),
        // MySQL's is the server's own.
        ("gtid_set", &["Gtid_Slave_Pos"]),
    ];
    let value = |names: &[&str]| {
        let mut columns = answer.columns.iter();
        let at = columns.position(|column| names.contains(&column.as_str()))?;
        Some(row.text(at)).filter(|value| !value.is_empty())
    };
    let fields = FIELDS
        .iter()
        .filter_map(|(key, names)| Some(((*key).to_owned(), value(names)?.into())));
    Value::Object(fields.collect())
}

/// The answer to the first statement that this server knows.
async fn first_understood(connection: &mut Connection, statements: &[&str]) -> Option<Answer> {
    for statement in statements {
        match connection.query(statement).await {
            Ok(answer) => return Some(answer),
            Err(err) if has_code(&err, 1064) => {}
            Err(err) => {
                tracing::info!(reason = %err, "{statement} is not for this login; the manifest goes without");
                return None;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::wire::scripted::{Said, Script, Scripted};

    /// Answers as the manual of 8.4 shows them.
    const FACTS_84: &[(&str, &str)] = &[
        ("VERSION()", "8.4.6"),
        ("@@global.local_infile", "0"),
        ("@@global.log_bin", "1"),
        ("@@global.read_only", "0"),
        ("@@max_allowed_packet", "67108864"),
        ("@@innodb_buffer_pool_size", "134217728"),
    ];
    const LOG: &[(&str, &str)] = &[
        ("File", "binlog.000042"),
        ("Position", "1337"),
        ("Binlog_Do_DB", ""),
        ("Binlog_Ignore_DB", ""),
        (
            "Executed_Gtid_Set",
            "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77",
        ),
    ];
    const SYNTAX: Said = Said::Refused(
        1064,
        "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version",
    );
    const REPLICA: &[(&str, &str)] = &[
        ("Replica_IO_State", "Waiting for source to send event"),
        ("Source_Host", "primary"),
        ("Source_Port", "3306"),
        ("Channel_Name", ""),
        ("Source_Log_File", "binlog.000009"),
        ("Relay_Source_Log_File", "binlog.000008"),
        ("Exec_Source_Log_Pos", "4711"),
    ];

    async fn ask(version: &'static str, script: Script) -> (Value, Vec<String>) {
        let scripted = Scripted::start(version, script);
        let patience = Duration::from_secs(20);
        let server = Server::find(&scripted.endpoint, patience).await.unwrap();
        let mut session = server.connect().await.unwrap();
        let n_before = scripted.asked().len();
        let point = position(&server, &mut session).await;
        (point, scripted.asked().split_off(n_before))
    }

    #[tokio::test]
    async fn servers_without_the_old_words_are_asked_by_the_new() {
        const SCRIPT: Script = &[
            ("SELECT VERSION()", Said::Row(FACTS_84)),
            ("SHOW BINARY LOG STATUS", Said::Row(LOG)),
            ("SHOW REPLICA STATUS", Said::Row(REPLICA)),
            ("SHOW MASTER STATUS", SYNTAX),
            ("SHOW SLAVE STATUS", SYNTAX),
        ];
        let (point, asked) = ask("8.4.6", SCRIPT).await;
        assert_eq!(asked, ["SHOW BINARY LOG STATUS", "SHOW REPLICA STATUS"]);
        assert_eq!(
            point,
            json!({
                "binlog_file": "binlog.000042",
                "binlog_position": "1337",
                "gtid_set": "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77",
                "sources": [{"host": "primary", "port": "3306", "binlog_file": "binlog.000008", "binlog_position": "4711"}],
            })
        );
    }

    #[tokio::test]
    async fn servers_without_the_new_words_are_asked_by_the_old() {
        const OLD: &[(&str, &str)] = &[
            ("Master_Host", "primary"),
            ("Relay_Master_Log_File", "binlog.000008"),
            ("Exec_Master_Log_Pos", "4711"),
        ];
        const SCRIPT: Script = &[
            ("SELECT VERSION()", Said::Row(FACTS_84)),
            ("SHOW BINARY LOG STATUS", SYNTAX),
            ("SHOW REPLICA STATUS", SYNTAX),
            ("SHOW MASTER STATUS", Said::Row(LOG)),
            ("SHOW SLAVE STATUS", Said::Row(OLD)),
        ];
        let (point, _) = ask("8.0.15", SCRIPT).await;
        assert_eq!(point["binlog_file"], "binlog.000042");
        assert_eq!(point["sources"][0]["binlog_position"], "4711");
    }

    #[tokio::test]
    async fn what_the_login_may_not_see_is_left_out() {
        const DENIED: Said = Said::Refused(1227, "Access denied; you need REPLICATION CLIENT");
        const SCRIPT: Script = &[
            ("SELECT VERSION()", Said::Row(FACTS_84)),
            ("SHOW BINARY LOG STATUS", DENIED),
            ("SHOW REPLICA STATUS", DENIED),
            (
                "SELECT @@global.gtid_executed",
                Said::Row(&[("g", "a:1-5,\nb:1")]),
            ),
        ];
        let (point, asked) = ask("9.4.0", SCRIPT).await;
        assert_eq!(point, json!({"gtid_set": "a:1-5,b:1"}));
        // Asking in older words would not help.
        assert!(!asked.iter().any(|it| it.contains("MASTER")), "{asked:?}");
    }
}

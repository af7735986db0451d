//! Where the server's log stands, for those who replay from there.

use serde_json::{Value, json};

use crate::server::{Family, Server};
use crate::wire::{Answer, Connection, has_code};

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
    if let Some(answer) =
        first_understood(locker, &["SHOW REPLICA STATUS", "SHOW SLAVE STATUS"]).await
        && !answer.rows.is_empty()
    {
        let any = |names: [&str; 2]| names.iter().find_map(|name| answer.named(name));
        point.insert(
            "source".into(),
            json!({
                "host": any(["Source_Host", "Master_Host"]),
                "binlog_file": any(["Relay_Source_Log_File", "Relay_Master_Log_File"]),
                "binlog_position": any(["Exec_Source_Log_Pos", "Exec_Master_Log_Pos"]),
            }),
        );
    }
    Value::Object(point)
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

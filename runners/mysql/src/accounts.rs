//! Accounts, roles and grants, for `DB_NAME=*`: those that are missing are created; those that are there stay as they are.

use std::collections::BTreeSet;

use runner_core::error::{Error, Kind, Result};

use crate::schema::{HEADER, Header};
use crate::server::{Family, Server};
use crate::sql::{self, ident, literal};
use crate::wire::Connection;

/// The server's own.
const SYSTEM: [&str; 5] = [
    "mysql.sys",
    "mysql.session",
    "mysql.infoschema",
    "mariadb.sys",
    "PUBLIC",
];

/// Who there is: name in statements, and whether it is a role of MariaDB's.
async fn accounts(connection: &mut Connection, server: &Server) -> Result<Vec<(String, bool)>> {
    let is_role = match server.family {
        Family::MariaDb => "is_role",
        Family::MySql => "'N'",
    };
    let answer = connection
        .query(format!(
            "SELECT User, Host, {is_role} FROM mysql.user ORDER BY 3 DESC, 1, 2"
        ))
        .await
        .map_err(|err| match err.kind() {
            Kind::Denied => err.while_doing(
                "read the accounts, which are part of a backup of all databases; GRANT SELECT ON mysql.* to the login, or back up each database by its name",
            ),
            _ => err,
        })?;
    let rows = answer.rows.iter();
    Ok(rows
        .filter(|row| !SYSTEM.contains(&row.text(0).as_str()))
        .map(|row| match row.text(2).as_str() {
            "Y" => (ident(&row.text(0)), true),
            _ => (
                format!("{}@{}", literal(&row.text(0)), literal(&row.text(1))),
                false,
            ),
        })
        .collect())
}

/// The script that makes them all: accounts first, then what they may do, then the roles that they begin with.
pub(crate) async fn script(connection: &mut Connection, server: &Server) -> Result<Vec<u8>> {
    let (mut script, mut last) = (b"SET NAMES utf8mb4;\n".to_vec(), Vec::new());
    let accounts = accounts(connection, server).await?;
    connection.execute(sql::RAW_RESULTS).await?;
    for (name, is_role) in &accounts {
        let create = match is_role {
            true => format!("CREATE ROLE {name}").into_bytes(),
            false => {
                let statement = format!("SHOW CREATE USER {name}");
                let answer = connection.query(&statement).await?;
                let row = answer.rows.first().and_then(|row| row.bytes(0));
                row.unwrap_or_default().to_vec()
            }
        };
        let (create, role) = without_default_role(&create);
        add(&mut script, "account", name, &create);
        if let Some(role) = role {
            let statement = [b"SET DEFAULT ROLE ", &role[..], b" TO ", name.as_bytes()].concat();
            last.push((name.clone(), statement));
        }
    }
    for (name, _) in &accounts {
        let answer = connection.query(format!("SHOW GRANTS FOR {name}")).await?;
        for row in &answer.rows {
            let grant = row.bytes(0).unwrap_or_default();
            match grant.starts_with(b"SET DEFAULT ROLE") {
                true => last.push((name.clone(), grant.to_vec())),
                false => add(&mut script, "grants", name, grant),
            }
        }
    }
    for (name, statement) in last {
        add(&mut script, "default role", &name, &statement);
    }
    connection.execute(sql::TEXT_RESULTS).await?;
    Ok(script)
}

fn add(script: &mut Vec<u8>, kind: &str, name: &str, statement: &[u8]) {
    let header = Header {
        kind: kind.to_owned(),
        name: name.to_owned(),
    };
    let json = serde_json::to_string(&header).unwrap_or_default();
    script.extend_from_slice(format!("\n{HEADER}{json}\n").as_bytes());
    script.extend_from_slice(statement);
    script.extend_from_slice(b";\n");
}

/// MySQL puts it into the definition, where the role may not be there yet.
fn without_default_role(create: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    const MARK: &[u8] = b" DEFAULT ROLE ";
    const NEXT: &[u8] = b" REQUIRE ";
    let find = |text: &[u8], mark: &[u8]| text.windows(mark.len()).position(|it| it == mark);
    let Some(start) = find(create, MARK) else {
        return (create.to_vec(), None);
    };
    let (before, rest) = create.split_at(start);
    let rest = rest.get(MARK.len()..).unwrap_or_default();
    let end = find(rest, NEXT).unwrap_or(rest.len());
    let (role, after) = rest.split_at(end);
    ([before, after].concat(), Some(role.to_vec()))
}

/// The names of those that are there.
pub(crate) async fn present(
    connection: &mut Connection,
    server: &Server,
) -> Result<BTreeSet<String>> {
    let accounts = accounts(connection, server).await?;
    Ok(accounts.into_iter().map(|(name, _)| name).collect())
}

/// What a failed statement is about; the statement itself may hold a password's hash.
pub(crate) fn doing(err: Error, header: &Header) -> Error {
    err.while_doing(format!(
        "restore the {} of {} from accounts.sql",
        header.kind, header.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_role_is_set_after_the_roles_are_there() {
        let create = b"CREATE USER `u`@`%` IDENTIFIED WITH 'x' AS 'y' DEFAULT ROLE `r`@`%`,`s`@`%` REQUIRE NONE";
        let (create, role) = without_default_role(create);
        assert_eq!(
            create,
            b"CREATE USER `u`@`%` IDENTIFIED WITH 'x' AS 'y' REQUIRE NONE"
        );
        assert_eq!(role.unwrap(), b"`r`@`%`,`s`@`%`");
        let plain = b"CREATE USER `u`@`%` REQUIRE NONE";
        assert_eq!(without_default_role(plain), (plain.to_vec(), None));
    }
}

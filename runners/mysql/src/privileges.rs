//! What the login may read. Servers hide what it may not see, so a missing privilege would be a backup that silently lacks
//! triggers or views: every one that is missing is named before anything is read.

use runner_core::engine::Content;
use runner_core::error::{Error, Kind, Result};

use crate::server::{Family, Server};
use crate::sql::{ident, literal};
use crate::wire::Connection;

/// Refuses a login that would not see all of these databases.
pub(crate) async fn check(
    connection: &mut Connection,
    server: &Server,
    databases: &[String],
    content: Content,
) -> Result<()> {
    let grants = grants(connection, server.family).await?;
    let needed: &[&[&str]] = match content {
        Content::DataOnly => &[&["SELECT"]],
        Content::All | Content::SchemaOnly => &NEEDED,
    };
    let user = connection.query_one("SELECT CURRENT_USER()").await?;
    let user = user.unwrap_or_default();
    let (user, host) = user.rsplit_once('@').unwrap_or((&user, "%"));
    let account = format!("{}@{}", literal(user), literal(host));
    let (mut names, mut ways_out) = (Vec::new(), Vec::new());
    for database in databases {
        let missing = missing(&grants, database, needed);
        if !missing.is_empty() {
            let missing = missing.join(", ");
            names.push(format!("{database:?}"));
            ways_out.push(format!(
                "GRANT {missing} ON {}.* TO {account}",
                ident(database)
            ));
        }
    }
    match names.is_empty() {
        true => Ok(()),
        false => Err(Error::new(
            Kind::Denied,
            format!(
                "the login {:?} may not see all of {}; {}",
                server.endpoint.user,
                names.join(", "),
                ways_out.join("; ")
            ),
        )),
    }
}

/// Of each line one is enough; the first is the one to ask for. The last line is about routines.
const NEEDED: [&[&str]; 5] = [
    &["SELECT"],
    &["SHOW VIEW"],
    &["TRIGGER"],
    &["EVENT"],
    &[
        "EXECUTE",
        "CREATE ROUTINE",
        "ALTER ROUTINE",
        "SHOW_ROUTINE",
        "SHOW CREATE ROUTINE",
    ],
];

async fn grants(connection: &mut Connection, family: Family) -> Result<Vec<String>> {
    // What a role gives, MySQL tells only when the role is named.
    let roles = match family {
        Family::MySql => connection
            .query_one("SELECT CURRENT_ROLE()")
            .await
            .ok()
            .flatten()
            .filter(|roles| roles != "NONE"),
        Family::MariaDb => None,
    };
    let statement = match roles {
        Some(roles) => format!("SHOW GRANTS FOR CURRENT_USER() USING {roles}"),
        None => "SHOW GRANTS".to_owned(),
    };
    let answer = connection.query(&statement).await?;
    Ok(answer.rows.iter().map(|row| row.text(0)).collect())
}

/// What is needed and not held for this database.
fn missing<'a>(grants: &[String], database: &str, needed: &[&[&'a str]]) -> Vec<&'a str> {
    let (mut held, mut revoked) = (Vec::new(), Vec::new());
    for row in grants {
        if let Some((privileges, object)) = parse(row, "GRANT ", " TO ") {
            if covers(object, database) {
                held.extend(privileges);
            }
        } else if let Some((privileges, object)) = parse(row, "REVOKE ", " FROM ")
            && covers(object, database)
        {
            revoked.extend(privileges);
        }
    }
    // A revoke is of a part of what was granted for all databases, and names this one. `ALL PRIVILEGES` is spelled out then.
    let has = |name: &str| {
        let is = |it: &&str| *it == name || *it == "ALL PRIVILEGES";
        held.iter().any(is) && !revoked.iter().any(is)
    };
    needed
        .iter()
        .filter(|ways| !ways.iter().any(|name| has(name)))
        .filter_map(|ways| ways.first().copied())
        .collect()
}

/// The privileges of `GRANT a, b ON object TO …`, and the object.
fn parse<'a>(row: &'a str, verb: &str, end: &str) -> Option<(Vec<&'a str>, &'a str)> {
    let (privileges, rest) = row.strip_prefix(verb)?.split_once(" ON ")?;
    let object = rest.split(end).next()?;
    Some((privileges.split(',').map(str::trim).collect(), object))
}

/// Whether a grant's object is all databases, or this one, whose name may be a pattern.
fn covers(object: &str, database: &str) -> bool {
    let Some(name) = object.strip_suffix(".*") else {
        return false; // of one table
    };
    if name == "*" {
        return true;
    }
    let pattern = name.trim_matches(['`', '"']).replace("``", "`");
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = database.chars().collect();
    is_like(&pattern, &name)
}

/// `LIKE`, with its wildcards and its escape.
fn is_like(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (['%', rest @ ..], _) => {
            (0..=name.len()).any(|at| is_like(rest, name.get(at..).unwrap_or_default()))
        }
        (['\\', c, rest @ ..], [n, name @ ..]) => c == n && is_like(rest, name),
        (['_', rest @ ..], [_, name @ ..]) => is_like(rest, name),
        ([c, rest @ ..], [n, name @ ..]) => c == n && is_like(rest, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(grants: &[&str], database: &str) -> Vec<&'static str> {
        let grants: Vec<String> = grants.iter().map(|it| (*it).to_owned()).collect();
        missing(&grants, database, &NEEDED)
    }

    #[test]
    fn every_privilege_that_is_missing_is_named() {
        let usage = "GRANT USAGE ON *.* TO `u`@`%`";
        let all = ["SELECT", "SHOW VIEW", "TRIGGER", "EVENT", "EXECUTE"];
        assert_eq!(check(&[usage], "shop"), all);
        let some = "GRANT SELECT, SHOW VIEW, LOCK TABLES ON `shop`.* TO `u`@`%`";
        assert_eq!(check(&[usage, some], "shop"), all[2..]);
        assert_eq!(check(&[usage, some], "other"), all);
        let root = "GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION";
        assert!(check(&[root], "shop").is_empty());
        let one_table = "GRANT SELECT ON `shop`.`t` TO `u`@`%`";
        assert_eq!(check(&[one_table], "shop"), all);
        let of_column = "GRANT SELECT (`a`, `b`), INSERT ON `shop`.`t` TO `u`@`%`";
        assert_eq!(check(&[of_column], "shop"), all);
        let dynamic = "GRANT SHOW_ROUTINE ON *.* TO `u`@`%`";
        assert_eq!(check(&[dynamic], "shop"), all[..4]);
    }

    /// As MySQL 8.0 shows them with `partial_revokes`, and MariaDB with a role.
    #[test]
    fn what_was_revoked_in_part_is_missing_and_what_a_role_gives_is_not() {
        let global = "GRANT SELECT, SHOW VIEW, EXECUTE, EVENT, TRIGGER ON *.* TO `u`@`%`";
        let revoke = "REVOKE SELECT, TRIGGER ON `hr`.* FROM `u`@`%`";
        assert_eq!(check(&[global, revoke], "hr"), ["SELECT", "TRIGGER"]);
        assert!(check(&[global, revoke], "shop").is_empty());
        let role = [
            "GRANT `reader` TO `u`@`%`",
            "GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*00'",
            "GRANT USAGE ON *.* TO `reader`",
            "GRANT SELECT, SHOW VIEW, TRIGGER ON `shop`.* TO `reader`",
        ];
        assert_eq!(check(&role, "shop"), ["EVENT", "EXECUTE"]);
    }

    #[test]
    fn a_grants_database_is_a_pattern() {
        assert!(covers("`shop\\_%`.*", "shop_1"));
        assert!(!covers("`shop\\_%`.*", "shopx1"));
        assert!(covers("`sh_p`.*", "shop"));
        assert!(!covers("`shop`.`t`", "shop"));
    }
}

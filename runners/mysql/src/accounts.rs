//! What belongs to a whole server: accounts, roles and what they may do, as scripts.
//!
//! There are two, as a grant on a table needs the table and a view needs its definer: accounts come before databases,
//! grants after them. Passwords are in them as the server keeps them, hashed.

use runner_core::error::{Error, Kind, Result};

use crate::schema::header;
use crate::server::Family;
use crate::sql::{ident, literal};
use crate::wire::{Connection, has_code};

/// Accounts that a server makes for itself or its host makes for its keeper, on any host.
const SYSTEM: [&str; 8] = [
    "mysql.sys",
    "mysql.session",
    "mysql.infoschema",
    "mariadb.sys",
    "PUBLIC",
    "rdsadmin",
    "azure_superuser",
    "cloudsqladmin",
];

/// What the scripts need of their session, whoever runs them.
const PROLOGUE: &str = "SET NAMES utf8mb4;\n";

/// The scripts; each statement is headed by the account that it is about.
#[derive(Clone, Debug)]
pub(crate) struct Scripts {
    pub(crate) accounts: String,
    pub(crate) grants: String,
}

/// An account or a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    user: String,
    host: String,
    /// MariaDB's roles have no host.
    is_role: bool,
    /// MariaDB's; MySQL tells them with the account.
    default_role: String,
}

impl Account {
    fn is_system(&self) -> bool {
        let is_local = matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        SYSTEM.contains(&self.user.as_str()) || (self.user == "root" && is_local)
    }

    /// As statements name it, and people read it.
    pub(crate) fn name(&self) -> String {
        match self.is_role {
            true => ident(&self.user),
            false => format!("{}@{}", ident(&self.user), ident(&self.host)),
        }
    }
}

/// The accounts of a server that are not its own; `None` where the login may not read them.
pub(crate) async fn list(catalog: &mut Connection, family: Family) -> Result<Option<Vec<Account>>> {
    let columns = match family {
        Family::MySql => "User, Host, 'N', ''",
        Family::MariaDb => "User, Host, is_role, default_role",
    };
    // Roles first: others are given them.
    let statement = format!("SELECT {columns} FROM mysql.user ORDER BY 3 DESC, 1, 2");
    let answer = match catalog.query(statement).await {
        Ok(answer) => answer,
        Err(err) if err.kind() == Kind::Denied => return Ok(None),
        Err(err) => return Err(err.while_doing("list the accounts")),
    };
    let accounts = answer.rows.iter().map(|row| Account {
        user: row.text(0),
        host: row.text(1),
        is_role: row.text(2) == "Y",
        default_role: row.text(3),
    });
    Ok(Some(
        accounts.filter(|account| !account.is_system()).collect(),
    ))
}

/// Reads them all; `None` where the login may not.
pub(crate) async fn scripts(catalog: &mut Connection, family: Family) -> Result<Option<Scripts>> {
    let Some(accounts) = list(catalog, family).await? else {
        tracing::warn!(
            "the login may not read accounts (GRANT SELECT ON mysql.* TO it); they are not in this backup"
        );
        return Ok(None);
    };
    let mut scripts = Scripts {
        accounts: PROLOGUE.to_owned(),
        grants: PROLOGUE.to_owned(),
    };
    for account in &accounts {
        let name = account.name();
        let doing = |err: Error| err.while_doing(format!("read the account {name}"));
        let (create, default_roles) = match account.is_role {
            true => (format!("CREATE ROLE IF NOT EXISTS {name}"), None),
            false => {
                let account = for_show(account);
                let answer = catalog.query(format!("SHOW CREATE USER {account}")).await;
                let answer = answer.map_err(doing)?;
                let text = answer.rows.first().map(|row| row.text(0));
                created(&text.unwrap_or_default()).ok_or_else(|| {
                    doing(Error::new(Kind::Bug, "no CREATE USER, which was expected"))
                })?
            }
        };
        add(&mut scripts.accounts, "account", &name, &create);
        let shown = catalog.query(format!("SHOW GRANTS FOR {}", for_show(account)));
        let answer = match shown.await {
            Ok(answer) => answer,
            // An account without any.
            Err(err) if has_code(&err, 1141) => continue,
            Err(err) => return Err(doing(err)),
        };
        let rows = answer.rows.iter().map(|row| row.text(0));
        let mut statements: Vec<String> = rows.filter_map(|row| granted(&row, &name)).collect();
        if let Some(roles) = default_roles {
            statements.push(format!("ALTER USER {name} DEFAULT ROLE {roles}"));
        }
        if !account.default_role.is_empty() {
            let role = ident(&account.default_role);
            statements.push(format!("SET DEFAULT ROLE {role} FOR {name}"));
        }
        for statement in statements {
            add(&mut scripts.grants, "grant", &name, &statement);
        }
    }
    Ok(Some(scripts))
}

/// As `SHOW` takes it everywhere: MySQL 5.7 has no names in backticks there for hosts with wildcards.
fn for_show(account: &Account) -> String {
    match account.is_role {
        true => ident(&account.user),
        false => format!("{}@{}", literal(&account.user), literal(&account.host)),
    }
}

fn add(script: &mut String, kind: &str, name: &str, statement: &str) {
    script.push_str(&header(kind, name));
    script.push_str(statement);
    script.push_str(";\n");
}

/// `CREATE USER` as it can be run where the account may be already, and its default roles, which it has not been given yet.
fn created(text: &str) -> Option<(String, Option<String>)> {
    const ROLES: &str = " DEFAULT ROLE ";
    let rest = text.strip_prefix("CREATE USER ")?;
    let at = outside(rest, ROLES);
    let (rest, roles) = match at {
        None => (rest.to_owned(), None),
        Some(at) => {
            let (before, roles) = rest.split_at(at);
            let roles = roles.get(ROLES.len()..)?;
            let end = outside(roles, " REQUIRE ").unwrap_or(roles.len());
            let (roles, after) = roles.split_at(end);
            (format!("{before}{after}"), Some(roles.to_owned()))
        }
    };
    Some((format!("CREATE USER IF NOT EXISTS {rest}"), roles))
}

/// A row of `SHOW GRANTS` as a statement about the account of that name; without the password, which some servers add to
/// it; `None` for what says nothing.
fn granted(row: &str, name: &str) -> Option<String> {
    let (what, word) = match row.split_whitespace().next()? {
        "GRANT" => (row, " TO "),
        // MySQL's, of a part of what was granted.
        "REVOKE" => (row, " FROM "),
        _ => return None,
    };
    let at = outside(what, word)?;
    let (what, tail) = what.split_at(at);
    let with = ["GRANT", "ADMIN"]
        .into_iter()
        .find(|it| tail.contains(&format!(" WITH {it} OPTION")))
        .map(|it| format!(" WITH {it} OPTION"));
    if what == "GRANT USAGE ON *.*" && with.is_none() {
        return None;
    }
    Some(format!("{what}{word}{name}{}", with.unwrap_or_default()))
}

/// Where a word stands outside of quotes.
fn outside(text: &str, word: &str) -> Option<usize> {
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match quote {
            None if text.get(at..).is_some_and(|rest| rest.starts_with(word)) => return Some(at),
            None if matches!(c, '\'' | '"' | '`') => quote = Some(c),
            Some(open) if c == open => quote = None,
            Some('\'' | '"') if c == '\\' => drop(chars.next()),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_created_where_it_is_missing_and_given_its_roles_later() {
        let text = "CREATE USER 'nat\\'ive'@'10.%' IDENTIFIED WITH 'mysql_native_password' AS '*B2 DEFAULT ROLE ' DEFAULT ROLE `r 2`@`localhost`,`r1`@`%` REQUIRE NONE ACCOUNT UNLOCK";
        let (create, roles) = created(text).unwrap();
        assert_eq!(
            create,
            "CREATE USER IF NOT EXISTS 'nat\\'ive'@'10.%' IDENTIFIED WITH 'mysql_native_password' AS '*B2 DEFAULT ROLE ' REQUIRE NONE ACCOUNT UNLOCK"
        );
        assert_eq!(roles.as_deref(), Some("`r 2`@`localhost`,`r1`@`%`"));
        let text = "CREATE USER `app`@`%` IDENTIFIED VIA ed25519 USING 'iG' OR unix_socket";
        let (create, roles) = created(text).unwrap();
        assert_eq!(
            create,
            "CREATE USER IF NOT EXISTS `app`@`%` IDENTIFIED VIA ed25519 USING 'iG' OR unix_socket"
        );
        assert_eq!(roles, None);
        assert_eq!(created("ERROR"), None);
    }

    #[test]
    fn a_grant_is_kept_without_the_password_that_comes_with_it() {
        let name = "`app`@`%`";
        let check = |row: &str, expected: Option<&str>| {
            assert_eq!(granted(row, name).as_deref(), expected);
        };
        check(
            "GRANT RELOAD ON *.* TO `app`@`%` IDENTIFIED BY PASSWORD '*2B' REQUIRE SSL WITH GRANT OPTION MAX_QUERIES_PER_HOUR 5",
            Some("GRANT RELOAD ON *.* TO `app`@`%` WITH GRANT OPTION"),
        );
        check("GRANT USAGE ON *.* TO 'app'@'%'", None);
        check(
            "GRANT USAGE ON *.* TO `app`@`%` WITH GRANT OPTION",
            Some("GRANT USAGE ON *.* TO `app`@`%` WITH GRANT OPTION"),
        );
        check(
            "GRANT SELECT (` TO `), INSERT ON `shop`.`t` TO 'a'pp'@'%'",
            Some("GRANT SELECT (` TO `), INSERT ON `shop`.`t` TO `app`@`%`"),
        );
        check(
            "GRANT `r1`@`%` TO `app`@`%` WITH ADMIN OPTION",
            Some("GRANT `r1`@`%` TO `app`@`%` WITH ADMIN OPTION"),
        );
        check(
            "REVOKE SELECT ON `hr`.* FROM `app`@`%`",
            Some("REVOKE SELECT ON `hr`.* FROM `app`@`%`"),
        );
        check("SET DEFAULT ROLE `r1` FOR `app`@`%`", None);
    }

    #[test]
    fn a_servers_own_accounts_are_left_out() {
        let account = |user: &str, host: &str| Account {
            user: user.into(),
            host: host.into(),
            is_role: false,
            default_role: String::new(),
        };
        assert!(account("mysql.sys", "localhost").is_system());
        assert!(account("root", "localhost").is_system());
        assert!(!account("root", "10.%").is_system());
        assert!(!account("app", "localhost").is_system());
        assert_eq!(account("a`b", "%").name(), "`a``b`@`%`");
    }
}

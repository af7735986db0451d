//! What a statement of a foreign dump asks for, as far as a restore must know.

use crate::script::without_comments;

/// Enough for what begins a statement, whatever rows follow.
const HEAD_BYTES: usize = 1024;

/// A statement's meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Use(String),
    /// `CREATE DATABASE` with its character set and the like.
    Create(String, String),
    Drop(String),
    /// About replication, accounts or global settings, which are not the database's.
    LeftOut,
    /// `LOCK TABLES`, which the filled database does not need; a row whose default asks a sequence could not be written.
    Lock,
    Insert,
    /// `LOAD DATA LOCAL INFILE` of a file of that name.
    Load(String),
    /// Of a view, trigger, routine or event: it may have a definer.
    Define,
    Other,
}

impl Order {
    pub(super) fn of(statement: &[u8]) -> Self {
        let head = head(statement);
        let words: Vec<String> = head
            .split_whitespace()
            .take(5)
            .map(str::to_ascii_uppercase)
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["INSERT" | "REPLACE", ..] => Self::Insert,
            ["LOAD", "DATA", "LOCAL", "INFILE", ..] => Self::Load(quoted(after(&head, 4))),
            ["USE", ..] => Self::Use(name(after(&head, 1)).0),
            ["CREATE", "DATABASE" | "SCHEMA", "IF", ..] => created(after(&head, 5)),
            ["CREATE", "DATABASE" | "SCHEMA", ..] => created(after(&head, 2)),
            ["DROP", "DATABASE" | "SCHEMA", "IF", ..] => Self::Drop(name(after(&head, 4)).0),
            ["DROP", "DATABASE" | "SCHEMA", ..] => Self::Drop(name(after(&head, 2)).0),
            ["SET", ..] if is_global(&head) => Self::LeftOut,
            [
                "GRANT" | "REVOKE" | "INSTALL" | "FLUSH" | "RESET" | "START" | "STOP",
                next,
                ..,
            ] if *next != "TRANSACTION" => Self::LeftOut,
            ["LOCK" | "UNLOCK", "TABLES" | "TABLE", ..] => Self::Lock,
            ["CHANGE", "MASTER" | "REPLICATION", ..] => Self::LeftOut,
            ["CREATE" | "ALTER" | "DROP", "USER" | "ROLE", ..] => Self::LeftOut,
            ["CREATE", what, ..] if *what != "TABLE" => Self::Define,
            _ => Self::Other,
        }
    }
}

/// Whether a definition is that of a view.
pub(super) fn is_view(statement: &[u8]) -> bool {
    let head = head(statement);
    let mut words = head.split_whitespace().skip(1);
    // What people name stands behind it.
    let kind = words.find(|word| {
        let kinds = [
            "VIEW",
            "PROCEDURE",
            "FUNCTION",
            "TRIGGER",
            "EVENT",
            "PACKAGE",
        ];
        kinds.contains(&word.to_ascii_uppercase().as_str())
    });
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("VIEW"))
}

fn is_global(head: &str) -> bool {
    let head = head.to_ascii_uppercase();
    let set = head.trim_start_matches("SET").trim_start();
    set.starts_with("GLOBAL ")
        || set.starts_with("@@GLOBAL.")
        || set.starts_with("DEFAULT ROLE")
        || set.starts_with("PASSWORD")
        // Whether the restore is replicated is the server's affair, and setting it takes a privilege.
        || set.contains("SQL_LOG_BIN")
}

fn created(rest: &str) -> Order {
    let (name, settings) = name(rest);
    let settings: Vec<&str> = settings.split_whitespace().collect();
    Order::Create(name, settings.join(" "))
}

/// The text after so many words.
fn after(text: &str, n_words: usize) -> &str {
    let mut rest = text.trim_start();
    for _ in 0..n_words {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        rest = rest.get(end..).unwrap_or_default().trim_start();
    }
    rest
}

/// The string at the front, without its quotes.
fn quoted(text: &str) -> String {
    let mut parts = text.split(['\'', '"']).skip(1);
    parts.next().unwrap_or_default().to_owned()
}

/// The name at the front, without its quotes, and what follows.
fn name(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('`') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        return (name.to_owned(), rest);
    };
    let mut name = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match (c, chars.peek()) {
            ('`', Some((_, '`'))) => {
                chars.next();
                name.push('`');
            }
            ('`', _) => return (name, quoted.get(at + 1..).unwrap_or_default()),
            _ => name.push(c),
        }
    }
    (name, "")
}

/// The start of a statement as the server reads it: without comments, and with what version comments hold.
fn head(statement: &[u8]) -> String {
    const SANDBOX: &[u8] = b"/*M!999999\\-";
    let mut statement = without_comments(statement);
    if statement.starts_with(SANDBOX) {
        let end = statement.windows(2).position(|pair| pair == b"*/");
        let rest = end.and_then(|end| statement.get(end + 2..));
        statement = without_comments(rest.unwrap_or_default());
    }
    let head = statement.get(..HEAD_BYTES).unwrap_or(statement);
    let mut text = String::from_utf8_lossy(head).into_owned();
    for mark in ["/*!", "/*M!"] {
        while let Some(at) = text.find(mark) {
            let digits = text.get(at + mark.len()..).unwrap_or_default();
            let n_digits = digits
                .bytes()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            text.replace_range(at..at + mark.len() + n_digits, " ");
        }
    }
    text.replace("*/", " ")
}

/// The first words of a statement, up to its values: what messages may show.
pub(super) fn brief(statement: &[u8], n_words: usize) -> String {
    let head = head(statement);
    let head = head.split(['(', '\'', '"', '=']).next().unwrap_or_default();
    let words: Vec<&str> = head.split_whitespace().take(n_words).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(statement: &str, expected: Order) {
        assert_eq!(Order::of(statement.as_bytes()), expected, "{statement}");
    }

    #[test]
    fn a_script_of_a_database_is_not_bound_to_its_name() {
        check("USE `we``ird name`", Order::Use("we`ird name".into()));
        check("use shop", Order::Use("shop".into()));
        check(
            "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `shop` /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */ /*!80016 DEFAULT ENCRYPTION='N' */",
            Order::Create(
                "shop".into(),
                "DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT ENCRYPTION='N'".into(),
            ),
        );
        check(
            "/*!40000 DROP DATABASE IF EXISTS `shop`*/",
            Order::Drop("shop".into()),
        );
    }

    #[test]
    fn what_concerns_the_whole_server_is_left_out() {
        for statement in [
            "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5'",
            "SET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN",
            "SET @@SESSION.SQL_LOG_BIN= 0",
            "-- Position\nCHANGE MASTER TO MASTER_LOG_FILE='b.000001', MASTER_LOG_POS=4",
            "SET GLOBAL gtid_slave_pos='0-1-5'",
            "STOP ALL SLAVES",
            "/*!50001 CREATE USER IF NOT EXISTS 'a'@'%' IDENTIFIED BY PASSWORD '*00' */",
            "GRANT ALL ON *.* TO 'a'@'%'",
            "/*!40101 FLUSH PRIVILEGES */",
        ] {
            check(statement, Order::LeftOut);
        }
    }

    #[test]
    fn all_else_runs_as_it_is() {
        check("INSERT INTO `t` VALUES (1)", Order::Insert);
        check(
            "LOAD DATA LOCAL INFILE 'shop.t.00000.dat' REPLACE INTO TABLE `t` CHARACTER SET binary",
            Order::Load("shop.t.00000.dat".into()),
        );
        check("/*!40101 SET NAMES utf8mb4 */", Order::Other);
        check(
            "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump\n/*!40103 SET TIME_ZONE='+00:00' */",
            Order::Other,
        );
        check("CREATE TABLE `t` (`use` int)", Order::Other);
        check("LOCK TABLES `t` WRITE", Order::Lock);
        check("UNLOCK TABLES", Order::Lock);
        check("START TRANSACTION", Order::Other);
        check("ALTER TABLE `users` ADD KEY (`a`)", Order::Other);
        check(
            "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER `t` BEFORE INSERT ON `x` FOR EACH ROW BEGIN END */",
            Order::Define,
        );
        check(
            "/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`a`@`%` SQL SECURITY DEFINER */\n/*!50001 VIEW `v` AS SELECT 1 */",
            Order::Define,
        );
    }

    #[test]
    fn a_view_is_told_from_what_names_one() {
        let view = "/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`a`@`%` SQL SECURITY DEFINER */\n/*!50001 VIEW `v` AS SELECT 1 */";
        assert!(is_view(view.as_bytes()));
        assert!(!is_view(
            b"CREATE DEFINER=`a`@`%` PROCEDURE `p`() CREATE VIEW v AS SELECT 1"
        ));
    }

    #[test]
    fn messages_show_no_values() {
        assert_eq!(
            brief(b"INSERT INTO `t` VALUES ('secret')", 8),
            "INSERT INTO `t` VALUES"
        );
        assert_eq!(
            brief(b"CREATE USER 'a'@'%' IDENTIFIED BY 'x'", 8),
            "CREATE USER"
        );
    }
}

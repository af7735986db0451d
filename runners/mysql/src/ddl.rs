//! One table's definition, taken apart: what its rows need first, and what is quicker to add after them.

use crate::sql::ident;

/// A `CREATE TABLE`, and the statements that complete it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Split {
    pub(crate) create: String,
    /// Secondary indexes, to be added after the rows.
    pub(crate) indexes: Vec<String>,
    /// Foreign keys, to be added after all tables.
    pub(crate) foreign_keys: Vec<String>,
}

/// Splits what `SHOW CREATE TABLE` gave. What is not surely an index of InnoDB stays where it is.
pub(crate) fn split(table: &str, create: &str) -> Split {
    let Some((head, items, tail)) = items(create) else {
        return Split {
            create: create.to_owned(),
            ..Split::default()
        };
    };
    let is_innodb = tail.contains("ENGINE=InnoDB") && !tail.contains("SYSTEM VERSIONING");
    let has_primary = items.iter().any(|item| item.starts_with("PRIMARY KEY"));
    let needed = needed_key(&items);
    let (mut kept, mut added, mut fulltext, mut foreign) = (vec![], vec![], vec![], vec![]);
    for item in &items {
        let may_wait = is_innodb && Some(item) != needed.as_ref();
        match kind(item) {
            Item::ForeignKey => foreign.push(format!("ADD {item}")),
            Item::Key if may_wait => added.push(format!("ADD {item}")),
            // Without a primary key, rows are stored in the order of a unique one.
            Item::Unique if may_wait && has_primary => added.push(format!("ADD {item}")),
            Item::FullText if may_wait => fulltext.push(format!("ADD {item}")),
            _ => kept.push(format!("  {item}")),
        }
    }
    let alter = |clauses: &[String]| format!("ALTER TABLE {} {}", ident(table), clauses.join(", "));
    let mut indexes = Vec::new();
    if !added.is_empty() {
        indexes.push(alter(&added));
    }
    // InnoDB makes one full-text index at a time.
    indexes.extend(
        fulltext
            .iter()
            .map(|clause| alter(std::slice::from_ref(clause))),
    );
    Split {
        create: format!("{head}(\n{}\n){tail}", kept.join(",\n")),
        indexes,
        foreign_keys: match foreign.is_empty() {
            true => Vec::new(),
            false => vec![alter(&foreign)],
        },
    }
}

enum Item {
    Key,
    Unique,
    FullText,
    ForeignKey,
    Other,
}

fn kind(item: &str) -> Item {
    let outside = outside_quotes(item);
    if outside.contains("WITHOUT OVERLAPS") {
        return Item::Other;
    }
    match item.split_whitespace().next().unwrap_or_default() {
        "KEY" | "SPATIAL" => Item::Key,
        "UNIQUE" => Item::Unique,
        "FULLTEXT" => Item::FullText,
        "CONSTRAINT" | "FOREIGN" if outside.contains("FOREIGN KEY") => Item::ForeignKey,
        _ => Item::Other,
    }
}

/// The key that an `AUTO_INCREMENT` column must have from the start, if that is not the primary one.
fn needed_key(items: &[String]) -> Option<String> {
    let column = items
        .iter()
        .filter(|item| item.starts_with('`'))
        .find(|item| outside_quotes(item).contains(" AUTO_INCREMENT"))?;
    let name = quoted_name(column)?;
    let begins_with = |item: &&String| {
        let columns = item.split_once(" (").or_else(|| item.split_once('('));
        columns.is_some_and(|(_, columns)| columns.starts_with(name))
    };
    let keys = || {
        let is_key = |item: &&String| matches!(kind(item), Item::Key | Item::Unique);
        items.iter().filter(is_key)
    };
    let is_primary = items
        .iter()
        .filter(|item| item.starts_with("PRIMARY KEY"))
        .any(|item| begins_with(&item));
    if is_primary {
        return None;
    }
    keys().find(begins_with).cloned()
}

/// The quoted identifier at the front, with its quotes.
fn quoted_name(item: &str) -> Option<&str> {
    let bytes = item.as_bytes();
    let mut at = 1;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'`', Some(b'`')) => at += 2,
            (b'`', _) => return item.get(..=at),
            _ => at += 1,
        }
    }
}

/// The text up to the first bracket, what the brackets hold cut at its commas, and the text after them.
pub(crate) fn items(create: &str) -> Option<(&str, Vec<String>, &str)> {
    let mut items = Vec::new();
    let (mut depth, mut open, mut start) = (0_usize, 0, 0);
    for (at, c) in Outside::of(create) {
        match c {
            '(' => {
                depth += 1;
                if depth == 1 {
                    (open, start) = (at, at + 1);
                }
            }
            ',' if depth == 1 => {
                items.push(create.get(start..at)?.trim().to_owned());
                start = at + 1;
            }
            ')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    items.push(create.get(start..at)?.trim().to_owned());
                    return Some((create.get(..open)?, items, create.get(at + 1..)?));
                }
            }
            _ => {}
        }
    }
    None
}

/// What stands outside of quotes.
pub(crate) fn outside_quotes(text: &str) -> String {
    Outside::of(text).map(|(_, c)| c).collect()
}

/// The characters outside of quotes, with their places.
pub(crate) struct Outside<'a> {
    chars: std::str::CharIndices<'a>,
    quote: Option<char>,
}

impl<'a> Outside<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Self {
            chars: text.char_indices(),
            quote: None,
        }
    }
}

impl Iterator for Outside<'_> {
    type Item = (usize, char);

    fn next(&mut self) -> Option<(usize, char)> {
        loop {
            let (at, c) = self.chars.next()?;
            match (self.quote, c) {
                (None, '\'' | '"' | '`') => self.quote = Some(c),
                (None, _) => return Some((at, c)),
                // A doubled quote ends and begins again, which comes to the same.
                (Some(quote), _) if c == quote => self.quote = None,
                (Some('\'' | '"'), '\\') => drop(self.chars.next()),
                (Some(_), _) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn check(create: &str, expected: &expect_test::Expect) {
        let split = split("t", create);
        let mut text = split.create;
        for statement in split.indexes.iter().chain(&split.foreign_keys) {
            text.push_str("\n--\n");
            text.push_str(statement);
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn secondary_keys_and_foreign_keys_wait() {
        check(
            "CREATE TABLE `t` (\n  `id` int(11) NOT NULL AUTO_INCREMENT,\n  `a``(,` decimal(10,2) DEFAULT NULL COMMENT 'KEY (, \\' ) it''s',\n  `e` enum('x,(','y)') NOT NULL,\n  PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`e`),\n  KEY `k` (`a``(,`,`e`(3)),\n  FULLTEXT KEY `f1` (`e`),\n  FULLTEXT KEY `f2` (`e`),\n  CONSTRAINT `fk` FOREIGN KEY (`a``(,`) REFERENCES `o` (`id`) ON DELETE CASCADE,\n  CONSTRAINT `c` CHECK ((`id` > 0))\n) ENGINE=InnoDB AUTO_INCREMENT=7 COMMENT='(x,'\n/*!50100 PARTITION BY HASH (id) PARTITIONS 2 */",
            &expect![[r#"
                CREATE TABLE `t` (
                  `id` int(11) NOT NULL AUTO_INCREMENT,
                  `a``(,` decimal(10,2) DEFAULT NULL COMMENT 'KEY (, \' ) it''s',
                  `e` enum('x,(','y)') NOT NULL,
                  PRIMARY KEY (`id`),
                  CONSTRAINT `c` CHECK ((`id` > 0))
                ) ENGINE=InnoDB AUTO_INCREMENT=7 COMMENT='(x,'
                /*!50100 PARTITION BY HASH (id) PARTITIONS 2 */
                --
                ALTER TABLE `t` ADD UNIQUE KEY `u` (`e`), ADD KEY `k` (`a``(,`,`e`(3))
                --
                ALTER TABLE `t` ADD FULLTEXT KEY `f1` (`e`)
                --
                ALTER TABLE `t` ADD FULLTEXT KEY `f2` (`e`)
                --
                ALTER TABLE `t` ADD CONSTRAINT `fk` FOREIGN KEY (`a``(,`) REFERENCES `o` (`id`) ON DELETE CASCADE"#]],
        );
    }

    #[test]
    fn what_rows_need_from_the_start_stays() {
        check(
            "CREATE TABLE `t` (\n  `a` int NOT NULL,\n  `n` bigint NOT NULL AUTO_INCREMENT,\n  PRIMARY KEY (`a`,`n`),\n  KEY `k` (`n`),\n  KEY `l` (`n`,`a`)\n) ENGINE=InnoDB",
            &expect![[r#"
                CREATE TABLE `t` (
                  `a` int NOT NULL,
                  `n` bigint NOT NULL AUTO_INCREMENT,
                  PRIMARY KEY (`a`,`n`),
                  KEY `k` (`n`)
                ) ENGINE=InnoDB
                --
                ALTER TABLE `t` ADD KEY `l` (`n`,`a`)"#]],
        );
        check(
            "CREATE TABLE `t` (\n  `a` int NOT NULL,\n  UNIQUE KEY `u` (`a`),\n  KEY `k` (`a`)\n) ENGINE=InnoDB",
            &expect![[r#"
                CREATE TABLE `t` (
                  `a` int NOT NULL,
                  UNIQUE KEY `u` (`a`)
                ) ENGINE=InnoDB
                --
                ALTER TABLE `t` ADD KEY `k` (`a`)"#]],
        );
        check(
            "CREATE TABLE `t` (\n  `a` int NOT NULL,\n  KEY `k` (`a`)\n) ENGINE=MyISAM",
            &expect![[r#"
                CREATE TABLE `t` (
                  `a` int NOT NULL,
                  KEY `k` (`a`)
                ) ENGINE=MyISAM"#]],
        );
    }
}

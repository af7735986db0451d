//! What only one of the two families knows: found in definitions when they are backed up, named when they would not
//! restore.

use std::collections::BTreeSet;

use crate::ddl::{self, Outside};
use crate::server::{Family, Server, numbers};

pub(crate) const SEQUENCES: &str = "sequences";
pub(crate) const PACKAGES: &str = "packages";
pub(crate) const LIBRARIES: &str = "libraries";
pub(crate) const JAVASCRIPT: &str = "routines in JavaScript";
pub(crate) const DUALITY_VIEWS: &str = "JSON duality views";
const VERSIONING: &str = "system versioning";
const FUNCTIONAL: &str = "indexes of expressions";
const DEFAULTS: &str = "defaults that are expressions without brackets";
const INVISIBLE: &str = "invisible columns";
/// Of columns.
const TYPES: [&str; 6] = [
    "inet4",
    "inet6",
    "uuid",
    "xmltype",
    "vector",
    "geomcollection",
];

/// What a table's definition uses.
pub(crate) fn of_table(create: &str) -> BTreeSet<String> {
    let mut features = BTreeSet::new();
    let Some((_, items, tail)) = ddl::items(create) else {
        return features;
    };
    if tail.contains("SYSTEM VERSIONING") {
        features.insert(VERSIONING.to_owned());
    }
    for item in &items {
        let text = ddl::outside_quotes(item);
        if !item.starts_with('`') {
            let is_key = item.split(' ').take(2).any(|word| word == "KEY");
            if is_key && has_expression(item) {
                features.insert(FUNCTIONAL.to_owned());
            }
            continue;
        }
        let kind = text
            .trim_start()
            .split([' ', '('])
            .next()
            .unwrap_or_default();
        if TYPES.contains(&kind) {
            features.insert(of_type(kind));
        }
        if text.contains(" INVISIBLE") && !text.contains("/*!") {
            features.insert(INVISIBLE.to_owned());
        }
        let default = text.split_once(" DEFAULT ").map(|(_, default)| default);
        if default.is_some_and(is_bare_expression) {
            features.insert(DEFAULTS.to_owned());
        }
    }
    features
}

/// Whether the definition of a view is of one that shows tables as documents.
pub(crate) fn is_duality_view(create: &[u8]) -> bool {
    let text = String::from_utf8_lossy(create);
    let head = text.split(" VIEW ").next().unwrap_or_default();
    head.ends_with(" JSON RELATIONAL DUALITY")
}

/// A bracket right after a bracket, with no name between them.
fn has_expression(key: &str) -> bool {
    let outside: Vec<(usize, char)> = Outside::of(key).collect();
    let mut pairs = outside.windows(2);
    pairs.any(|pair| matches!(pair, [(a, '('), (b, '(')] if a + 1 == *b))
}

fn of_type(name: &str) -> String {
    format!("the type {name}")
}

/// A call of a function, other than the one that every server takes there; `text` is without what stood in quotes.
fn is_bare_expression(text: &str) -> bool {
    let word = text
        .trim_start()
        .split([' ', ','])
        .next()
        .unwrap_or_default();
    let Some((name, _)) = word.split_once('(') else {
        return false;
    };
    !name.is_empty() && !name.eq_ignore_ascii_case("current_timestamp")
}

/// Those that this server does not know.
pub(crate) fn unknown(features: &BTreeSet<String>, server: &Server) -> Vec<String> {
    let version = numbers(&server.version);
    let is_unknown = |feature: &&String| match (server.family, feature.as_str()) {
        (Family::MySql, INVISIBLE) => version < [8, 0, 23],
        (Family::MySql, "the type vector") => version < [9, 0, 0],
        (Family::MySql, LIBRARIES) => version < [9, 2, 0],
        (Family::MySql, JAVASCRIPT) => version < [9, 0, 0],
        (Family::MySql, DUALITY_VIEWS) => version < [9, 4, 0],
        (Family::MySql, FUNCTIONAL) => version < [8, 0, 13],
        (Family::MySql, "the type geomcollection") => version < [8, 0, 11],
        (Family::MySql, _) => true,
        (
            Family::MariaDb,
            FUNCTIONAL | "the type geomcollection" | LIBRARIES | JAVASCRIPT | DUALITY_VIEWS,
        ) => true,
        (Family::MariaDb, "the type vector") => version < [11, 7, 0],
        (Family::MariaDb, "the type uuid") => version < [10, 7, 0],
        (Family::MariaDb, "the type inet4") => version < [10, 10, 0],
        (Family::MariaDb, _) => false,
    };
    features.iter().filter(is_unknown).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(create: &str, expected: &[&str]) {
        let found = of_table(create);
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found, expected, "{create}");
    }

    #[test]
    fn what_only_one_family_knows_is_found() {
        check(
            "CREATE TABLE `t` (\n  `id` int(11) NOT NULL DEFAULT 7,\n  `a` varchar(9) DEFAULT 'uuid(1)' COMMENT 'INVISIBLE ((',\n  `d` datetime DEFAULT current_timestamp(),\n  `e` int DEFAULT (1 + 1),\n  `n` int DEFAULT NULL CHECK (`n` > (1)),\n  KEY `k` (`a`(5),`id`),\n  CONSTRAINT `c` CHECK ((`id` > 0))\n) ENGINE=InnoDB",
            &[],
        );
        check(
            "CREATE TABLE `t` (\n  `n` bigint(20) DEFAULT nextval(`s`.`x`),\n  `u` uuid NOT NULL,\n  `h` int(11) DEFAULT 7 INVISIBLE\n) ENGINE=InnoDB WITH SYSTEM VERSIONING",
            &[DEFAULTS, INVISIBLE, VERSIONING, "the type uuid"],
        );
        check(
            "CREATE TABLE `t` (\n  `g` geomcollection DEFAULT NULL,\n  `j` json DEFAULT NULL,\n  `h` int DEFAULT '7' /*!80023 INVISIBLE */,\n  UNIQUE KEY `f` ((lower(`a`))),\n  KEY `m` ((cast(`j` as unsigned array)))\n) ENGINE=InnoDB",
            &[FUNCTIONAL, "the type geomcollection"],
        );
    }
}

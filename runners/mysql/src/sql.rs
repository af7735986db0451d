//! SQL text: quoting, and the settings that make a session's bytes reproducible.

/// An identifier, always quoted.
pub(crate) fn ident(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// `` `database`.`name` ``.
pub(crate) fn qualified(database: &str, name: &str) -> String {
    format!("{}.{}", ident(database), ident(name))
}

/// A string literal without `NO_BACKSLASH_ESCAPES`.
pub(crate) fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('\'');
    for c in text.chars() {
        match c {
            '\'' | '\\' => literal.extend(['\\', c]),
            '\0' => literal.push_str("\\0"),
            '\n' => literal.push_str("\\n"),
            c => literal.push(c),
        }
    }
    literal.push('\'');
    literal
}

/// Bytes as a literal, in a character set's own or in none.
pub(crate) fn hex_literal(bytes: &[u8], charset: Option<&str>) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    match charset {
        Some(charset) => format!("_{charset} X'{digits}'"),
        None => format!("X'{digits}'"),
    }
}

/// `database.name`, quoted only where it must be: what people read in manifests and messages.
pub(crate) fn display_name(database: &str, name: &str) -> String {
    format!("{}.{}", display_ident(database), display_ident(name))
}

fn display_ident(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || c == '-';
    if !name.is_empty() && name.chars().all(plain) {
        name.to_owned()
    } else {
        ident(name)
    }
}

/// What every server served understands, pinned for every session: how values are written, which values are taken, and
/// that neither a slow store nor a long statement ends the session.
pub(crate) const PIN_SESSION: [&str; 2] = [
    "SET NAMES utf8mb4",
    "SET SESSION time_zone = '+00:00', \
     sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION', \
     sql_quote_show_create = 1, sql_auto_is_null = 0, sql_select_limit = DEFAULT, autocommit = 1, \
     net_read_timeout = 86400, net_write_timeout = 86400, wait_timeout = 2147483, interactive_timeout = 2147483, \
     group_concat_max_len = 1073741824, lock_wait_timeout = 60, innodb_lock_wait_timeout = 60, \
     foreign_key_checks = 0, unique_checks = 0",
];

/// What only some servers know; each is set where it is there and the login may.
pub(crate) const PIN_WHERE_KNOWN: [(&str, &str); 10] = [
    ("max_execution_time", "0"),
    ("max_statement_time", "0"),
    ("information_schema_stats_expiry", "0"),
    ("idle_transaction_timeout", "0"),
    ("idle_readonly_transaction_timeout", "0"),
    ("sql_generate_invisible_primary_key", "0"),
    // What the source had is let in: tables without a primary key, and references to keys that are not unique.
    ("sql_require_primary_key", "0"),
    ("restrict_fk_on_non_standard_key", "0"),
    ("system_versioning_alter_history", "'KEEP'"),
    ("print_identified_with_as_hex", "1"),
];

/// Values as they are stored, each in its own character set.
pub(crate) const RAW_RESULTS: &str = "SET SESSION character_set_results = NULL";
/// Names and definitions.
pub(crate) const TEXT_RESULTS: &str = "SET SESSION character_set_results = utf8mb4";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_names() {
        assert_eq!(ident("a`; DROP"), "`a``; DROP`");
        assert_eq!(literal("it's \\ \n"), r"'it\'s \\ \n'");
        assert_eq!(hex_literal(b"a\xff", Some("latin1")), "_latin1 X'61FF'");
        assert_eq!(display_name("shop", "orders"), "shop.orders");
        assert_eq!(display_name("a.b", "c`d"), "`a.b`.`c``d`");
    }
}

//! SQL text: quoting, and the settings that make a session's bytes reproducible.

/// An identifier, always quoted.
pub(crate) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string literal under `standard_conforming_strings`.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What follows `SET` in `ALTER DATABASE` and `ALTER ROLE`: lists are stored as they must be written; everything
/// else is one value.
pub(crate) fn assignment(setting: &str, value: &str) -> String {
    const LISTS: [&str; 5] = [
        "search_path",
        "temp_tablespaces",
        "local_preload_libraries",
        "session_preload_libraries",
        "shared_preload_libraries",
    ];
    let value = match LISTS.contains(&setting) {
        true if !value.is_empty() => value.to_owned(),
        _ => literal(value),
    };
    let setting: Vec<String> = setting.split('.').map(ident).collect();
    format!("{} TO {value}", setting.join("."))
}

/// `schema.table`, quoted only where it must be: what people read in manifests and messages.
pub(crate) fn display_name(schema: &str, name: &str) -> String {
    format!("{}.{}", display_ident(schema), display_ident(name))
}

fn display_ident(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(plain) {
        name.to_owned()
    } else {
        ident(name)
    }
}

/// Settings that change how values are written or how long a statement may take, pinned for every session.
/// The last statement silences whichever timeouts this server knows.
pub(crate) const PIN_SESSION: &str = "\
SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; SET extra_float_digits = 3; \
SET bytea_output = 'hex'; SET timezone = 'UTC'; SET xmloption = 'content'; SET lc_monetary = 'C'; \
SET standard_conforming_strings = on; SET row_security = off; SET synchronize_seqscans = off; \
SET search_path = ''; SET jit = off; SET max_parallel_workers_per_gather = 0; \
SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN \
('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', \
'transaction_timeout')";

/// Begins the view that all sessions of a dump share.
pub(crate) const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_names() {
        assert_eq!(ident("a\"; DROP"), "\"a\"\"; DROP\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(assignment("my.app", "it's"), r#""my"."app" TO 'it''s'"#);
        assert_eq!(
            assignment("search_path", "a, \"B\""),
            r#""search_path" TO a, "B""#
        );
        assert_eq!(display_name("public", "orders"), "public.orders");
        assert_eq!(display_name("a.b", "C"), "\"a.b\".\"C\"");
        assert_eq!(display_name("a", "b.c"), "a.\"b.c\"");
        assert_eq!(display_name("", "1a"), "\"\".\"1a\"");
    }
}

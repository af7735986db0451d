//! Names of objects: where a backup lies, and what its name tells.

use std::fmt::Write as _;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::error::{Error, Kind, Result};

/// Below a `file` store's root: files being written. No object may have it in its name.
pub(crate) const TEMPORARY: &str = ".planb-tmp";

/// The longest `BACKUP_PATH`, in bytes: artifacts are named below it, and S3 keys end at 1024.
const MAX_BACKUP_PATH: usize = 512;
/// The longest component that [`safe_component`] makes, in bytes.
const MAX_COMPONENT: usize = 100;
/// Hexadecimal digits of the SHA-256 that keep a shortened component unique.
const HASH_DIGITS: usize = 24;

/// The contract's default: `{engine}/{host}/{db}/{YYYY-MM-DD}/{HH-MM-SS}-{job id}`, in UTC.
pub fn backup_path(
    engine: &str,
    host: &str,
    database: &str,
    started: Timestamp,
    job_id: &str,
) -> String {
    format!(
        "{}{}/{}-{}",
        database_prefix(engine, host, database),
        started.strftime("%Y-%m-%d"),
        started.strftime("%H-%M-%S"),
        safe_component(job_id),
    )
}

/// The prefix that all default backup paths of one database share, with a trailing `/`.
pub fn database_prefix(engine: &str, host: &str, database: &str) -> String {
    let [engine, host, database] = [engine, host, database].map(safe_component);
    format!("{engine}/{host}/{database}/")
}

/// Any name as one component of an object's name: `A-Z a-z 0-9 . _ -` stay, other bytes become `%XX`,
/// so that no two names share a component (`/run/pg` is `%2Frun%2Fpg`, `*` is `%2A`). A leading dot is
/// encoded too, an empty name is `%00`, and one longer than 100 bytes ends in a hash.
pub fn safe_component(name: &str) -> String {
    if name.is_empty() {
        return "%00".to_owned(); // no server allows NUL in a name
    }
    let mut safe = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'.' if at == 0 => safe.push_str("%2E"),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' => safe.push(byte.into()),
            _ => {
                let _ = write!(safe, "%{byte:02X}"); // writing to a String cannot fail
            }
        }
    }
    if safe.len() <= MAX_COMPONENT {
        return safe;
    }
    let mut keep = MAX_COMPONENT - 1 - HASH_DIGITS;
    // Not through the middle of a `%XX`.
    if let Some(percent) = safe[keep - 2..keep].find('%') {
        keep = keep - 2 + percent;
    }
    safe.truncate(keep);
    safe.push('-');
    for byte in Sha256::digest(name).iter().take(HASH_DIGITS / 2) {
        let _ = write!(safe, "{byte:02x}");
    }
    safe
}

/// `BACKUP_PATH` and `STORAGE_PREFIX` as they are used, or what is wrong with them.
pub fn validate_backup_path(path: &str) -> Result<String, String> {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return Err("it is empty; name a prefix such as shop/nightly".to_owned());
    }
    if trimmed.len() > MAX_BACKUP_PATH {
        return Err(format!(
            "it has {} bytes and at most {MAX_BACKUP_PATH} are possible",
            trimmed.len()
        ));
    }
    problem(trimmed).map_or_else(|| Ok(trimmed.to_owned()), Err)
}

/// Refuses a name that would leave the store's root, or that no store could keep.
pub(crate) fn check_name(name: &str) -> Result<()> {
    match problem(name) {
        None => Ok(()),
        Some(problem) => Err(Error::new(
            Kind::Integrity,
            format!("{name:?} cannot be an object's name: {problem}"),
        )),
    }
}

/// Like [`check_name`], for the beginning of a name: it may be empty or end with `/`.
pub(crate) fn check_prefix(prefix: &str) -> Result<()> {
    match prefix.strip_suffix('/').unwrap_or(prefix) {
        "" if prefix.is_empty() => Ok(()),
        name => check_name(name),
    }
}

fn problem(name: &str) -> Option<String> {
    if name.starts_with('/') {
        return Some("it must be relative; drop the leading /".to_owned());
    }
    if name.chars().any(char::is_control) {
        return Some("it has a control character".to_owned());
    }
    for component in name.split('/') {
        match component {
            "" => return Some("it has an empty component".to_owned()),
            "." | ".." => {
                return Some(format!("{component:?} is not allowed as a component"));
            }
            TEMPORARY => return Some(format!("{TEMPORARY:?} is reserved")),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(path: &str, expect: Expect) {
        expect.assert_eq(&match validate_backup_path(path) {
            Ok(path) => path,
            Err(problem) => format!("refused: {problem}"),
        });
    }

    #[test]
    fn a_backup_path_never_climbs_out() {
        check("shop/nightly/", expect!["shop/nightly"]);
        check("a b/ü", expect!["a b/ü"]);
        check(
            "/etc",
            expect!["refused: it must be relative; drop the leading /"],
        );
        check(
            "a/../../b",
            expect![[r#"refused: ".." is not allowed as a component"#]],
        );
        check(
            "./a",
            expect![[r#"refused: "." is not allowed as a component"#]],
        );
        check("a//b", expect!["refused: it has an empty component"]);
        check(
            "//",
            expect!["refused: it is empty; name a prefix such as shop/nightly"],
        );
        check("a\nb", expect!["refused: it has a control character"]);
        check(
            ".planb-tmp/a",
            expect![[r#"refused: ".planb-tmp" is reserved"#]],
        );
        check(
            &"a".repeat(600),
            expect!["refused: it has 600 bytes and at most 512 are possible"],
        );
    }

    #[test]
    fn the_default_path_sorts_by_time_and_keeps_hostile_names_inside() {
        let started: Timestamp = "2026-11-21T03:04:05.6Z".parse().unwrap();
        assert_eq!(
            backup_path("postgresql", "db.example", "shop", started, "j-1"),
            "postgresql/db.example/shop/2026-11-21/03-04-05-j-1"
        );
        assert_eq!(
            backup_path("postgresql", "/run/pg", "../*", started, "j/1"),
            "postgresql/%2Frun%2Fpg/%2E.%2F%2A/2026-11-21/03-04-05-j%2F1"
        );
    }

    #[test]
    fn different_names_have_different_components() {
        let long = "ü".repeat(200);
        let names = ["", ".", "..", "*", "%2A", "a", "A", "a.", &long, &long[2..]];
        let components: std::collections::BTreeSet<String> =
            names.iter().map(|name| safe_component(name)).collect();
        assert_eq!(components.len(), names.len());
        for component in components {
            assert!(component.len() <= MAX_COMPONENT, "{component}");
            assert!(check_name(&component).is_ok(), "{component}");
        }
        assert!(!safe_component(&long).contains("%-"));
    }
}

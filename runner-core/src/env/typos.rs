//! Finds variables that were probably meant to be ours.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::{Env, keys};

/// What images and other programs set; near some of our names, but not meant to be ours.
const FOREIGN: &[&str] = &["DB_TYPE", "DB_VERSION", "CONTAINER_VERSION", "RUST_LOG"];

/// Warns of near misses. One that is about encryption is a problem: a typo must not turn it off.
pub(super) fn report(env: &mut Env, vars: &BTreeMap<String, OsString>) {
    let ours = keys(env.groups())
        .flat_map(|key| [Some(key.name.to_owned()), key.file_twin()])
        .flatten()
        .collect::<Vec<_>>();
    for (name, value) in vars {
        if FOREIGN.contains(&name.as_str()) || ours.contains(name) || is_kubernetes(name, value) {
            continue;
        }
        let meant = meant(name, &ours);
        let hint = meant.map_or(String::new(), |meant| format!("; did you mean {meant}?"));
        let encryption = |name: &str| name.starts_with("ENCRYPTION_");
        if encryption(name) || meant.is_some_and(encryption) {
            env.problem(format!("{name} is not a known variable{hint}"));
        } else if meant.is_some() {
            env.warn(format!("{name} is not a known variable{hint}"));
        }
    }
}

/// Kubernetes injects such variables for each service of the namespace, whatever its name.
fn is_kubernetes(name: &str, value: &OsString) -> bool {
    let is_numbered_port = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.split("_PORT_").skip(1).any(is_numbered_port)
        || (name.ends_with("_PORT") && value.to_str().is_some_and(|text| text.contains("://")))
}

fn meant<'a>(name: &str, ours: &'a [String]) -> Option<&'a str> {
    let near = ours
        .iter()
        .map(|own| (distance(name, own), own))
        .filter(|(n_edits, own)| *n_edits <= allowed(own) || same_letters(name, own))
        .min_by_key(|(n_edits, _)| *n_edits);
    // `DB_PASS` and `DB_USER` are what other tools call theirs.
    let abbreviated = || {
        ours.iter()
            .find(|own| name.len() >= 6 && own.starts_with(name))
    };
    near.map(|(_, own)| own.as_str())
        .or_else(|| abbreviated().map(String::as_str))
}

/// Two edits turn a short name into another word.
fn allowed(own: &str) -> usize {
    if own.len() < 8 { 1 } else { 2 }
}

fn same_letters(a: &str, b: &str) -> bool {
    let sorted = |text: &str| {
        let mut letters = text
            .bytes()
            .filter(u8::is_ascii_alphanumeric)
            .map(|b| b.to_ascii_uppercase())
            .collect::<Vec<_>>();
        letters.sort_unstable();
        letters
    };
    sorted(a) == sorted(b)
}

/// The number of insertions, deletions and replacements between two names.
fn distance(a: &str, b: &str) -> usize {
    let b = b.as_bytes();
    let mut row = (0..=b.len()).collect::<Vec<_>>();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

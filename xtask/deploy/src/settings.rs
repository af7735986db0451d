//! The variables of a job: plain ones from a file, secret ones as references to Secret Manager, never the other way.

use std::collections::BTreeMap;
use std::path::Path;

use crate::wish::{Place, Settings};

/// Settings of the runner that hold a secret; a test holds the list to the runner's own.
pub(crate) const SECRETS: &[&str] = &[
    "CALLBACK_SECRET",
    "CALLBACK_TOKEN",
    "CALLBACK_URL",
    "DB_PASSWORD",
    "ENCRYPTION_IDENTITY",
    "ENCRYPTION_PASSPHRASE",
    "STORAGE_ACCESS_KEY",
    "STORAGE_SECRET_KEY",
    "STORAGE_SESSION_TOKEN",
];

/// Ends of names that say secret, for what is not the runner's own.
const SECRET_ENDS: &[&str] = &[
    "PASSWORD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "_KEY",
    "CREDENTIALS",
    "IDENTITY",
];

/// What Secret Manager keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRef {
    /// A name in the job's own project, else `projects/P/secrets/NAME`.
    pub secret: String,
    pub version: String,
}

/// Reads `NAME=value` lines as `docker run --env-file` does; problems name no value.
pub(crate) fn env_file(path: &Path) -> Settings<BTreeMap<String, String>> {
    let file = format!("--env-from {}", path.display());
    match std::fs::read_to_string(path) {
        Ok(text) => plain(&file, &text),
        Err(err) => Err(vec![format!("{file}: {err}")]),
    }
}

pub(crate) fn plain(file: &str, text: &str) -> Settings<BTreeMap<String, String>> {
    let (mut values, mut problems) = (BTreeMap::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut problem = |said: String| problems.push(format!("{file}:{}: {said}", at + 1));
        match line.split_once('=') {
            Some((name, _)) if !is_name(name) => {
                problem("no variable's name before the =".to_owned());
            }
            None => problem("no NAME=value".to_owned()),
            Some((name, value)) if is_secret(name, value) => problem(format!(
                "{name} holds a secret, and a job shows its plain values to whoever may read it: take it out and give \
                 --secret {name}=SECRET[:VERSION], after `gcloud secrets create SECRET --data-file=-`"
            )),
            // An empty variable counts as unset, and Cloud Run does not keep one.
            Some((_, "")) => {}
            Some((name, value)) => {
                if values.insert(name.to_owned(), value.to_owned()).is_some() {
                    problem(format!("{name} is there twice"));
                }
            }
        }
    }
    match problems.is_empty() {
        true => Ok(values),
        false => Err(problems),
    }
}

/// Reads `NAME=SECRET[:VERSION]`; what is not a reference may be a secret, and is not repeated.
pub(crate) fn secrets(args: &[String], place: &Place) -> Settings<BTreeMap<String, SecretRef>> {
    let (mut refs, mut problems) = (BTreeMap::new(), Vec::new());
    for arg in args {
        match arg.split_once('=') {
            Some((name, text)) if is_name(name) => match SecretRef::parse(text, place) {
                Some(it) if !refs.contains_key(name) => {
                    refs.insert(name.to_owned(), it);
                }
                Some(_) => problems.push(format!("--secret {name} is there twice")),
                None => problems.push(format!(
                    "--secret {name}: expected the name of a secret in Secret Manager, not its value: NAME, NAME:VERSION or \
                     projects/P/secrets/NAME"
                )),
            },
            _ => problems.push("--secret: expected NAME=SECRET[:VERSION]".to_owned()),
        }
    }
    match problems.is_empty() {
        true => Ok(refs),
        false => Err(problems),
    }
}

impl SecretRef {
    fn parse(text: &str, place: &Place) -> Option<Self> {
        let (path, version) = match (text.split_once("/versions/"), text.split_once(':')) {
            (Some(split), _) | (None, Some(split)) => split,
            (None, None) => (text, "latest"),
        };
        let secret = match path.split('/').collect::<Vec<_>>().as_slice() {
            [name] => is_id(name).then(|| (*name).to_owned()),
            ["projects", project, "secrets", name] if is_id(project) && is_id(name) => {
                Some(match *project == place.project {
                    true => (*name).to_owned(),
                    false => path.to_owned(),
                })
            }
            _ => None,
        }?;
        let version = is_id(version).then(|| version.to_owned())?;
        Some(Self { secret, version })
    }
}

/// Whether a variable must not be plain, by its name or by what it holds.
pub(crate) fn is_secret(name: &str, value: &str) -> bool {
    let has_password = |url: &str| {
        let authority = url.split(['/', '?', '#']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        user.is_some_and(|user| user.contains(':'))
    };
    SECRETS.contains(&name)
        || SECRET_ENDS.iter().any(|end| name.ends_with(end))
        || value.split("://").skip(1).any(has_password)
        || value.contains("AGE-SECRET-KEY-1")
        || value.contains("PRIVATE KEY-----")
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_id(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

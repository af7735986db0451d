//! The environment, read once: keys, where each value came from, and every problem found on the way.

pub mod parse;
mod sources;
#[cfg(test)]
mod tests;
mod typos;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::de::DeserializeOwned;

use crate::secret::Secret;

/// One setting: parsing, defaults, redaction, `--help` and the README's table all come from here.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As in the environment; the flag is `--` and the same in kebab case.
    pub name: &'static str,
    /// One sentence, for `--help` and the README.
    pub help: &'static str,
    /// As shown to people; empty when there is none.
    pub default: &'static str,
    /// Masked when shown; has a `*_FILE` twin.
    pub secret: bool,
}

impl Key {
    /// A setting that anybody may see.
    pub const fn plain(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            default,
            secret: false,
        }
    }

    /// A setting that nobody may see: no flag holds it, only a file's name.
    pub const fn secret(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            default,
            secret: true,
        }
    }

    /// The variable that names a file with the value, where there is one.
    pub fn file_twin(&self) -> Option<String> {
        self.secret.then(|| format!("{}_FILE", self.name))
    }

    /// Whether the setting is a switch, whose flag needs no value.
    pub fn is_switch(&self) -> bool {
        let default = self.default.split([' ', ',']).next().unwrap_or_default();
        matches!(default, "true" | "false")
    }
}

/// Keys under one heading of `--help` and the README.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    pub title: &'static str,
    pub keys: &'static [Key],
}

/// Settings that are read from an [`Env`].
pub trait FromEnv: Sized {
    const KEYS: &'static [Key];

    /// Reads its keys; records every problem in `env` and goes on with a default.
    fn from_env(env: &mut Env) -> Self;
}

/// Where a value came from, strongest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Flag,
    Environment,
    /// The file that a `*_FILE` twin names.
    File(PathBuf),
    /// Another setting that implies it.
    Implied(&'static str),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment => f.write_str("environment"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Implied(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}

#[derive(Clone)]
struct Value {
    text: String,
    origin: Origin,
}

/// Flags over environment over files, and the problems found in them.
#[derive(Default)]
pub struct Env {
    groups: Vec<Group>,
    values: BTreeMap<&'static str, Value>,
    /// What unset keys come to, where that is not their documented default.
    resolved: BTreeMap<&'static str, Value>,
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl Env {
    /// The value, or `None` when unset or empty.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.values.get(name).map(|value| value.text.clone())
    }

    /// The value of a secret key.
    pub fn secret(&mut self, name: &'static str) -> Option<Secret> {
        self.text(name).map(Secret::new)
    }

    /// `true`, `false`, `1`, `0`, `yes`, `no`, `on`, `off`, in any case.
    pub fn flag(&mut self, name: &'static str, default: bool) -> bool {
        self.parse(name, default, parse::boolean)
    }

    /// The value as `parse` reads it; its `Err` says what is expected.
    pub fn parse<T>(
        &mut self,
        name: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        let text = self.text(name);
        self.check(name, text, default, parse)
    }

    /// Like [`Env::parse`], for a value that [`Env::typed`] has read.
    pub fn check<T>(
        &mut self,
        name: &'static str,
        text: Option<String>,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        let Some(text) = text else { return default };
        parse(&text).unwrap_or_else(|expected| {
            let problem = if self.is_secret(name) {
                // The parser may quote what it was given.
                format!("{name}: {}", Secret::new(text).redact(&expected))
            } else {
                format!("{name} {:?}: {expected}", parse::without_userinfo(&text))
            };
            self.problem(problem);
            default
        })
    }

    /// All values as a struct of optional texts named as the keys in lower case.
    pub fn typed<T: DeserializeOwned + Default>(&mut self) -> T {
        let pairs = self
            .values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.text.clone()));
        envy::from_iter(pairs).unwrap_or_else(|err| {
            self.problem(format!("the environment cannot be read: {err}"));
            T::default()
        })
    }

    /// Records a problem; the job is refused after all are found.
    pub fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// Records something odd that does not stop the job.
    pub fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Every problem so far, in the order found.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub fn is_set(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Whether the command line, and not the surroundings, set it.
    pub fn is_from_flag(&self, name: &str) -> bool {
        let value = self.values.get(name);
        value.is_some_and(|value| value.origin == Origin::Flag)
    }

    /// Says what an unset key comes to, for [`Env::shown`].
    pub fn resolve(&mut self, name: &'static str, text: impl Into<String>, origin: Origin) {
        let text = text.into();
        self.resolved.insert(name, Value { text, origin });
    }

    /// What a person may see of a key, and where it came from.
    pub fn shown(&self, key: &Key) -> (String, Origin) {
        if let Some(value) = self.values.get(key.name) {
            let text = match key.secret {
                true => "***",
                false => &value.text,
            };
            return (parse::without_userinfo(text), value.origin.clone());
        }
        match self.resolved.get(key.name) {
            Some(value) => (value.text.clone(), value.origin.clone()),
            None => (key.default.to_owned(), Origin::Default),
        }
    }

    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    fn keys(&self) -> impl Iterator<Item = &'static Key> {
        keys(&self.groups)
    }

    fn is_secret(&self, name: &str) -> bool {
        self.keys().any(|key| key.name == name && key.secret)
    }
}

/// All keys of some groups, in order.
pub fn keys(groups: &[Group]) -> impl Iterator<Item = &'static Key> {
    groups.iter().flat_map(|group| group.keys)
}

/// Names only: some values are secret.
impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env")
            .field("values", &self.values.keys())
            .field("problems", &self.problems)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

//! The environment, read once: keys, where each value came from, and every problem found on the way.

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

/// Settings that are read from an [`Env`].
pub trait FromEnv: Sized {
    const KEYS: &'static [Key];

    /// Reads its keys; records every problem in `env` and goes on with a default.
    fn from_env(env: &mut Env) -> Self;
}

/// Flags over environment over files, and the problems found in them.
#[derive(Debug, Default)]
pub struct Env {}

impl Env {
    /// The value, or `None` when unset or empty.
    pub fn text(&mut self, _name: &'static str) -> Option<String> {
        None
    }

    pub fn secret(&mut self, _name: &'static str) -> Option<Secret> {
        None
    }

    /// `true`, `false`, `1`, `0`, `yes`, `no`, `on`, `off`, in any case.
    pub fn flag(&mut self, _name: &'static str, default: bool) -> bool {
        default
    }

    /// The value as `parse` reads it; its `Err` says what is expected.
    pub fn parse<T>(
        &mut self,
        _name: &'static str,
        default: T,
        _parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        default
    }

    /// Records a problem; the job is refused after all are found.
    pub fn problem(&mut self, _problem: String) {}
}

//! Settings that only NEWCOMER has.

use runner_core::env::{Env, FromEnv, Key};

/// What `KEYS` say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options;

impl FromEnv for Options {
    const KEYS: &'static [Key] = &[];

    fn from_env(_: &mut Env) -> Self {
        Self
    }
}

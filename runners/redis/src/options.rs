//! Settings that only Redis and Valkey have.

use runner_core::env::{Env, FromEnv, Key, parse};
use runner_core::secret::Secret;

use crate::wire::Sentinel;

/// What `KEYS` say.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) mode: Mode,
    pub(crate) acl: bool,
    pub(crate) sentinel: Option<Sentinel>,
}

/// How a backup reads the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As a replica, or, where that is refused, key by key.
    #[default]
    Auto,
    Replication,
    Scan,
}

impl FromEnv for Options {
    const KEYS: &'static [Key] = &[
        Key::plain(
            "REDIS_BACKUP_MODE",
            "auto",
            "How a backup reads the server: `replication` as a replica does, at one moment; `scan` key by key, each at a moment of its own; `auto` scans only where replication is refused",
        ),
        Key::plain(
            "REDIS_ACL",
            "false",
            "Users and their rights, unsalted SHA-256 hashes of passwords included, go into the backup of all databases, and are restored from it; users that exist stay as they are",
        ),
        Key::plain(
            "REDIS_SENTINEL_MASTER",
            "",
            "Name that Sentinel knows the master by; `DB_HOST` is then a comma-separated list of Sentinels, each with or without `:port`, and `DB_PORT` (26379) theirs",
        ),
        Key::plain("REDIS_SENTINEL_USERNAME", "", "Login to Sentinel"),
        Key::secret("REDIS_SENTINEL_PASSWORD", "", "Password of Sentinel"),
    ];

    fn from_env(env: &mut Env) -> Self {
        let mode = env.parse("REDIS_BACKUP_MODE", Mode::Auto, |text| {
            let choices = [
                ("auto", Mode::Auto),
                ("replication", Mode::Replication),
                ("scan", Mode::Scan),
            ];
            parse::choice(text, &choices)
        });
        let user = env.text("REDIS_SENTINEL_USERNAME");
        let password: Option<Secret> = env.secret("REDIS_SENTINEL_PASSWORD");
        let master = env.text("REDIS_SENTINEL_MASTER");
        if master.is_none() && (user.is_some() || password.is_some()) {
            env.problem(
                "REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASSWORD are for Sentinel; set REDIS_SENTINEL_MASTER too"
                    .to_owned(),
            );
        }
        Self {
            mode,
            acl: env.flag("REDIS_ACL", false),
            sentinel: master.map(|master| Sentinel {
                master,
                user,
                password,
            }),
        }
    }
}

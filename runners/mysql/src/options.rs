//! Settings that only MySQL and MariaDB have.

use std::time::Duration;

use runner_core::env::{Env, FromEnv, Key, parse};

/// What `KEYS` say.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) lock_timeout: Duration,
    /// `BACKUP_NONTRANSACTIONAL=refuse`.
    pub(crate) refuse_nontransactional: bool,
    pub(crate) definer: Definer,
}

/// Whose rights a restored view, trigger, routine or event runs with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Definer {
    /// The backed-up one.
    #[default]
    Kept,
    /// The login that restores.
    Stripped,
    /// Another account: user and host.
    Changed(String, String),
}

const fn key(name: &'static str, default: &'static str, help: &'static str) -> Key {
    Key {
        name,
        help,
        default,
        secret: false,
    }
}

impl FromEnv for Options {
    const KEYS: &'static [Key] = &[
        key(
            "BACKUP_LOCK_TIMEOUT",
            "10s",
            "How long to wait for the short lock that makes a backup consistent; other sessions may wait behind it, so the backup gives up after this",
        ),
        key(
            "BACKUP_NONTRANSACTIONAL",
            "lock",
            "Tables of engines without transactions, such as MyISAM: `lock` keeps writers off them until they are read, `refuse` refuses the backup",
        ),
        key(
            "RESTORE_NO_DEFINER",
            "false",
            "Views, triggers, routines and events belong to the login that restores; definers are not set",
        ),
        key(
            "RESTORE_DEFINER",
            "",
            "Account (`user@host`) that views, triggers, routines and events shall belong to",
        ),
    ];

    fn from_env(env: &mut Env) -> Self {
        let lock_timeout = env.parse(
            "BACKUP_LOCK_TIMEOUT",
            Duration::from_secs(10),
            parse::duration,
        );
        let refuse_nontransactional = env.parse("BACKUP_NONTRANSACTIONAL", false, |text| {
            parse::choice(text, &[("lock", false), ("refuse", true)])
        });
        let stripped = env.flag("RESTORE_NO_DEFINER", false);
        let changed = env.parse("RESTORE_DEFINER", None, |text| account(text).map(Some));
        if stripped && changed.is_some() {
            env.problem("RESTORE_NO_DEFINER and RESTORE_DEFINER are both set; keep one".to_owned());
        }
        Self {
            lock_timeout,
            refuse_nontransactional,
            definer: match changed {
                Some((user, host)) => Definer::Changed(user, host),
                None if stripped => Definer::Stripped,
                None => Definer::Kept,
            },
        }
    }
}

/// `user@host`, or a user alone for `%`.
fn account(text: &str) -> Result<(String, String), String> {
    let (user, host) = text.rsplit_once('@').unwrap_or((text, "%"));
    let bare = |part: &str| part.trim_matches(['`', '\'', '"']).to_owned();
    match user.is_empty() {
        true => Err("expected user@host".to_owned()),
        false => Ok((bare(user), bare(host))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_a_user_and_a_host() {
        let pair = |user: &str, host: &str| Ok((user.to_owned(), host.to_owned()));
        assert_eq!(account("app@10.0.0.%"), pair("app", "10.0.0.%"));
        assert_eq!(account("`a@b`@`%`"), pair("a@b", "%"));
        assert_eq!(account("app"), pair("app", "%"));
        assert!(account("@x").is_err());
    }
}

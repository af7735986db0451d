//! Settings that only MongoDB has.

use std::path::PathBuf;

use runner_core::env::{Env, FromEnv, Key, parse};
use runner_core::secret::Secret;

/// What `KEYS` say.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) bin: Option<PathBuf>,
    pub(crate) uri: Option<Secret>,
    pub(crate) auth_source: String,
    pub(crate) replica_set: Option<String>,
    pub(crate) read_preference: Option<String>,
    pub(crate) oplog: Oplog,
    pub(crate) backup_users: Users,
    pub(crate) restore_users: bool,
}

/// `BACKUP_OPLOG`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Oplog {
    /// Where the whole of a replica set is backed up.
    #[default]
    Auto,
    /// The backup is refused where it cannot be had.
    Required,
    Off,
}

/// `BACKUP_USERS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Users {
    /// Where every database is backed up.
    #[default]
    Auto,
    Always,
    Never,
}

impl FromEnv for Options {
    const KEYS: &'static [Key] = &[
        Key::plain(
            "MONGO_BIN",
            "",
            "Directory of `mongodump` and `mongorestore`; looked up in `PATH` when unset",
        ),
        Key::secret(
            "DB_URI",
            "",
            "Connection string, `mongodb://…` or `mongodb+srv://…`, in place of host, port and login; `DB_HOST` then only names the server in paths",
        ),
        Key::plain("DB_AUTH_SOURCE", "admin", "Database that knows the login"),
        Key::plain(
            "DB_REPLICA_SET",
            "",
            "Name of the replica set, whose members are then found by themselves; unset, only `DB_HOST` is spoken to",
        ),
        Key::plain(
            "BACKUP_READ_PREFERENCE",
            "the connection string's, else primary",
            "Which member a backup reads: `primary`, `primaryPreferred`, `secondary`, `secondaryPreferred` or `nearest`",
        ),
        Key::plain(
            "BACKUP_OPLOG",
            "auto",
            "`auto` takes the oplog along where that makes a backup consistent: of `DB_NAME=*` on a replica set; `required` refuses a backup without it; `off` never does",
        ),
        Key::plain(
            "BACKUP_USERS",
            "auto",
            "Users and roles: `auto` with `DB_NAME=*`, `true` also those of a single database, `false` never",
        ),
        Key::plain(
            "RESTORE_USERS",
            "false",
            "Restores the users and roles that a backup holds, beside those that are there",
        ),
    ];

    fn from_env(env: &mut Env) -> Self {
        let modes = [
            "primary",
            "primaryPreferred",
            "secondary",
            "secondaryPreferred",
            "nearest",
        ];
        let read_preference = env.parse("BACKUP_READ_PREFERENCE", None, |text| {
            let mode = modes.iter().find(|mode| mode.eq_ignore_ascii_case(text));
            let mode = mode.ok_or_else(|| format!("expected one of {}", modes.join(", ")));
            mode.map(|mode| Some((*mode).to_owned()))
        });
        let oplog = env.parse("BACKUP_OPLOG", Oplog::Auto, |text| {
            let choices = [
                ("auto", Oplog::Auto),
                ("required", Oplog::Required),
                ("off", Oplog::Off),
            ];
            parse::choice(text, &choices)
        });
        let backup_users = env.parse("BACKUP_USERS", Users::Auto, |text| {
            let choices = [
                ("auto", Users::Auto),
                ("true", Users::Always),
                ("false", Users::Never),
            ];
            parse::choice(text, &choices)
        });
        Self {
            bin: env.text("MONGO_BIN").map(PathBuf::from),
            uri: env.secret("DB_URI"),
            auth_source: env
                .text("DB_AUTH_SOURCE")
                .unwrap_or_else(|| "admin".to_owned()),
            replica_set: env.text("DB_REPLICA_SET"),
            read_preference,
            oplog,
            backup_users,
            restore_users: env.flag("RESTORE_USERS", false),
        }
    }
}

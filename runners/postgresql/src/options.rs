//! Settings that only PostgreSQL has.

use std::path::PathBuf;

use runner_core::env::{Env, FromEnv, Key};

use crate::wire::CopyFormat;

/// What `KEYS` say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) bin: Option<PathBuf>,
    /// `None` chooses per table.
    pub(crate) copy_format: Option<CopyFormat>,
    pub(crate) no_owner: bool,
    pub(crate) owner: Option<String>,
    pub(crate) no_privileges: bool,
    pub(crate) skip_extensions: Vec<String>,
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
            "PG_BIN",
            "",
            "Directory of `pg_dump`, `pg_restore` and `psql`; looked up in `PATH` when unset, set in the images",
        ),
        key(
            "PG_COPY_FORMAT",
            "auto",
            "`auto`: binary for tables of built-in types, which restores into the same or a newer major version; `text`: for any version, and slower",
        ),
        key(
            "RESTORE_NO_OWNER",
            "false",
            "Everything belongs to the login that restores; owners are not set",
        ),
        key(
            "RESTORE_OWNER",
            "",
            "Role that everything shall belong to; the login must be a member of it",
        ),
        key(
            "RESTORE_NO_PRIVILEGES",
            "false",
            "Grants (`GRANT … TO`) are not restored",
        ),
        key(
            "RESTORE_SKIP_EXTENSIONS",
            "",
            "Comma-separated extensions that are not created, such as those a managed service creates itself",
        ),
    ];

    fn from_env(env: &mut Env) -> Self {
        let list = env.text("RESTORE_SKIP_EXTENSIONS").unwrap_or_default();
        Self {
            bin: env.text("PG_BIN").map(PathBuf::from),
            copy_format: env.parse("PG_COPY_FORMAT", None, |text| {
                match text.to_lowercase().as_str() {
                    "auto" => Ok(None),
                    "text" => Ok(Some(CopyFormat::Text)),
                    _ => Err("expected auto or text".to_owned()),
                }
            }),
            no_owner: env.flag("RESTORE_NO_OWNER", false),
            owner: env.text("RESTORE_OWNER"),
            no_privileges: env.flag("RESTORE_NO_PRIVILEGES", false),
            skip_extensions: list
                .split(',')
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty())
                .collect(),
        }
    }
}

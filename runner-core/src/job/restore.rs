//! Where a restore goes, and how much proof it wants.

use serde::Deserialize;

use crate::engine::Verify;
use crate::env::{Env, Key, parse};
use crate::patterns::Patterns;

pub const KEYS: &[Key] = &[
    Key::plain(
        "RESTORE_CREATE_DATABASE",
        "true",
        "Create the target when it is missing",
    ),
    Key::plain(
        "RESTORE_DROP_EXISTING",
        "false",
        "Replace a target that is not empty, which is otherwise refused; old contents go only when the new are proven, where the engine can rename",
    ),
    Key::plain(
        "RESTORE_PRECHECK",
        "full",
        "`full` reads and hashes every object before the target is touched; `none` checks while restoring",
    ),
    Key::plain(
        "RESTORE_STAGING",
        "auto",
        "`auto` restores into a staging database that is renamed into place after the proof, where possible; `off` restores in place",
    ),
    Key::plain(
        "RESTORE_TABLES",
        "all",
        "Rows of only these tables: comma-separated patterns; definitions are restored whole",
    ),
    Key::plain(
        "RESTORE_POINT_IN_TIME",
        "",
        "Moment (RFC 3339) to restore to; not in this release, and refused when set",
    ),
    Key::plain(
        "RESTORE_VERIFY",
        "full",
        "`full` compares restored rows with the manifest's counts and fingerprints, `counts` only the counts, `none` nothing",
    ),
];

/// How to restore.
#[derive(Clone, Debug, Default)]
pub struct RestoreSettings {
    /// `None` for the backed-up name.
    pub database: Option<String>,
    pub create_database: bool,
    pub drop_existing: bool,
    pub precheck: Precheck,
    /// Whether to restore beside the target and rename, where the engine can.
    pub staging: bool,
    pub tables: Patterns,
    pub verify: Verify,
}

/// `RESTORE_PRECHECK`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precheck {
    /// Every object is read and hashed before the target is touched.
    #[default]
    Full,
    None,
}

#[derive(Default, Deserialize)]
struct Raw {
    restore_create_database: Option<String>,
    restore_drop_existing: Option<String>,
    restore_precheck: Option<String>,
    restore_staging: Option<String>,
    restore_tables: Option<String>,
    restore_point_in_time: Option<String>,
    restore_verify: Option<String>,
}

pub(super) fn read(env: &mut Env, database: Option<String>) -> RestoreSettings {
    let raw = env.typed::<Raw>();
    env.check(
        "RESTORE_POINT_IN_TIME",
        raw.restore_point_in_time,
        (),
        |_| Err("not in this release; unset it to restore the backup's own moment".to_owned()),
    );
    RestoreSettings {
        database,
        create_database: env.check(
            "RESTORE_CREATE_DATABASE",
            raw.restore_create_database,
            true,
            parse::boolean,
        ),
        drop_existing: env.check(
            "RESTORE_DROP_EXISTING",
            raw.restore_drop_existing,
            false,
            parse::boolean,
        ),
        precheck: env.check(
            "RESTORE_PRECHECK",
            raw.restore_precheck,
            Precheck::Full,
            |it| parse::choice(it, &[("full", Precheck::Full), ("none", Precheck::None)]),
        ),
        staging: env.check("RESTORE_STAGING", raw.restore_staging, true, |it| {
            parse::choice(it, &[("auto", true), ("off", false)])
        }),
        tables: env.check(
            "RESTORE_TABLES",
            raw.restore_tables,
            Patterns::default(),
            Patterns::parse,
        ),
        verify: env.check("RESTORE_VERIFY", raw.restore_verify, Verify::Full, |it| {
            let choices = [
                ("full", Verify::Full),
                ("counts", Verify::Counts),
                ("none", Verify::None),
            ];
            parse::choice(it, &choices)
        }),
    }
}

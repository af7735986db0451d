//! What the bench asks of an engine: a server, something big in it, and who copies it how.

use super::contests::{mongodb, mysql, postgresql, redis};
use crate::hooks::ServerSpec;
use crate::shell::Result;

/// The engines that can be measured.
pub(super) const ENGINES: [&str; 6] = [
    "postgresql",
    "mysql",
    "mariadb",
    "mongodb",
    "redis",
    "valkey",
];

/// One engine's contest.
pub(super) struct Contest {
    pub title: &'static str,
    /// The server's version, unless told otherwise.
    pub version: &'static str,
    /// How many bytes a row takes on the server's disk, measured.
    pub row_bytes: f64,
    /// What the one big thing is made of.
    pub unit: &'static str,
    pub server: ServerSpec,
    pub target: Target,
    pub peers: Peers,
    /// The variable that tells scripts the server's host.
    pub host: &'static str,
    /// What scripts need to log in, as superuser.
    pub login: Vec<(&'static str, String)>,
    /// What the runner needs, beside the host, to reach the database of this name.
    pub settings: fn(database: &str) -> Vec<(&'static str, String)>,
    pub chores: Chores,
    pub ways: &'static [Way],
}

/// Where restores go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// To another database of the same server.
    Database,
    /// To another server of the same kind.
    Server,
}

/// The image that peers' scripts run in.
pub(super) enum Peers {
    /// The server's own, with its client tools, and with codecs and an S3 client added.
    Upstream,
    /// This service of `images/versions.toml`.
    Service(&'static str),
}

/// Bash for what is not measured, in the peers' image.
pub(super) struct Chores {
    /// Fills the database `$DB` with `$ROWS` rows.
    pub fill: &'static str,
    /// Prints the server's version and the size of what `$DB` holds.
    pub describe: &'static str,
    /// Prints a measure of all that the database `$OF` on `$ON` holds.
    pub sum: &'static str,
    /// Lets the server come to rest.
    pub settle: &'static str,
    /// Makes `$TARGET` on `$TARGET_HOST`, empty.
    pub create_target: &'static str,
    pub drop_target: &'static str,
}

/// One contestant.
pub(super) struct Way {
    pub name: &'static str,
    /// Short, for `--only`, and its prefix in the bucket.
    pub key: &'static str,
    pub backup: Script,
    pub restore: &'static [(&'static str, Script)],
}

pub(super) enum Script {
    /// Bash in the peers' image, with `$HOST`, `$DB`, `$TARGET_HOST`, `$TARGET`, `$KEY` (an rclone path without suffix) and `/scratch`.
    Shell(&'static str),
    /// The runner, with these settings.
    Runner(&'static [(&'static str, &'static str)]),
}

/// The runner itself, which every contest ends with.
pub(super) const OURS: Way = Way {
    name: "**Plan B**",
    key: "ours",
    backup: Script::Runner(&[("OPERATION_TYPE", "backup")]),
    restore: &[
        (
            "no checks",
            Script::Runner(&[
                ("OPERATION_TYPE", "restore"),
                ("RESTORE_VERIFY", "none"),
                ("RESTORE_PRECHECK", "none"),
            ]),
        ),
        (
            "full checks",
            Script::Runner(&[("OPERATION_TYPE", "restore")]),
        ),
    ],
};

/// The contest of an engine.
pub(super) fn of(engine: &str) -> Result<Contest> {
    match engine {
        "postgresql" => Ok(postgresql::contest()),
        "mysql" => Ok(mysql::contest(&mysql::MYSQL)),
        "mariadb" => Ok(mysql::contest(&mysql::MARIADB)),
        "mongodb" => Ok(mongodb::contest()),
        "redis" => Ok(redis::contest(&redis::REDIS)),
        "valkey" => Ok(redis::contest(&redis::VALKEY)),
        engine => Err(format!("{engine} has no contest: see xtask/src/bench/contest.rs").into()),
    }
}

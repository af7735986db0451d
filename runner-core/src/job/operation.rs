//! What is to be done, on which backup, under which name.

use std::fmt;

use serde::Deserialize;

use super::Surroundings;
use crate::env::{Env, Key, Origin, parse};
use crate::store::layout::validate_backup_path;

pub const KEYS: &[Key] = &[
    Key::plain(
        "OPERATION_TYPE",
        "backup",
        "What to do: `backup`, `restore`, `verify`, `list`, `show`, `delete`, `prune` or `config`, in any case",
    ),
    Key::plain(
        "JOB_ID",
        "a new UUIDv7",
        "Name of this run in logs, callbacks and manifests",
    ),
    Key::plain(
        "BACKUP_PATH",
        "{engine}/{host}/{db}/{YYYY-MM-DD}/{HH-MM-SS}-{job id}",
        "Where the backup lies below `STORAGE_PREFIX`; to read one also `latest` (the newest complete one of `DB_HOST` and `DB_NAME`), or to restore one the key of a stock tool's dump",
    ),
    Key::plain(
        "PARALLELISM",
        "CPUs + 1, at most 8",
        "Tables or streams at work at the same time, 1 to 64",
    ),
    Key::plain(
        "PRUNE_OLDER_THAN",
        "24h",
        "Age from which `prune` removes incomplete backups and orphaned multipart uploads",
    ),
    Key::plain(
        "JSON",
        "false",
        "`list`, `show`, `config`, `verify` and `prune` print one JSON document",
    ),
];

/// What a run does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operation {
    #[default]
    Backup,
    Restore,
    Verify,
    List,
    Show,
    Delete,
    Prune,
    Config,
}

impl Operation {
    pub const ALL: [Self; 8] = [
        Self::Backup,
        Self::Restore,
        Self::Verify,
        Self::List,
        Self::Show,
        Self::Delete,
        Self::Prune,
        Self::Config,
    ];

    /// As users write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Verify => "verify",
            Self::List => "list",
            Self::Show => "show",
            Self::Delete => "delete",
            Self::Prune => "prune",
            Self::Config => "config",
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        parse::choice(text.trim(), &Self::ALL.map(|it| (it.as_str(), it)))
    }

    /// Whether it works on one backup that exists.
    pub fn reads_one(self) -> bool {
        matches!(
            self,
            Self::Restore | Self::Verify | Self::Show | Self::Delete
        )
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which backup is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupPath {
    /// The newest complete backup of `DB_HOST`/`DB_NAME`.
    Latest,
    /// Relative, never climbing out, without slashes at its ends.
    Path(String),
}

impl BackupPath {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        validate_backup_path(text).map(Self::Path)
    }
}

#[derive(Default, Deserialize)]
struct Raw {
    operation_type: Option<String>,
    job_id: Option<String>,
    backup_path: Option<String>,
    parallelism: Option<String>,
}

pub(super) struct Asked {
    /// `None` when it is not understood.
    pub(super) operation: Option<Operation>,
    pub(super) job_id: String,
    pub(super) backup_path: Option<BackupPath>,
    pub(super) parallelism: usize,
}

pub(super) fn read(env: &mut Env, around: &Surroundings) -> Asked {
    let raw = env.typed::<Raw>();
    let default = Some(Operation::default());
    let operation = match raw.operation_type {
        None => default,
        some => env.check("OPERATION_TYPE", some, None, |it| {
            Operation::parse(it).map(Some)
        }),
    };
    let cpus = around.n_cpus.saturating_add(1).min(8);
    env.resolve("JOB_ID", &around.fresh_id, Origin::Default);
    env.resolve("PARALLELISM", cpus.to_string(), Origin::Default);
    let job_id = env.check("JOB_ID", raw.job_id, around.fresh_id.clone(), job_id);
    let parallelism = env.check("PARALLELISM", raw.parallelism, cpus, |text| {
        parse::number(text, 1..=64)
    });
    let is_given = raw.backup_path.is_some();
    let backup_path = env.check("BACKUP_PATH", raw.backup_path, None, |text| {
        BackupPath::parse(text).map(Some)
    });
    if let Some(operation) = operation {
        if operation.reads_one() && !is_given {
            env.problem(format!(
                "BACKUP_PATH is required for {operation}: a path that `list` shows, or latest"
            ));
        }
        let takes_path = operation.reads_one() || operation == Operation::Backup;
        if env.is_from_flag("BACKUP_PATH") && !takes_path {
            env.problem(format!("{operation} takes no BACKUP_PATH"));
        }
        // What is newest may change between looking and deleting.
        let needs_path = matches!(operation, Operation::Backup | Operation::Delete);
        if needs_path && backup_path == Some(BackupPath::Latest) {
            env.problem(format!(
                "BACKUP_PATH \"latest\": {operation} needs a path of its own"
            ));
        }
    }
    Asked {
        operation,
        job_id,
        backup_path,
        parallelism,
    }
}

/// It becomes part of object names, logs and the database's own views.
fn job_id(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    match text.len() <= 128 && text.chars().all(is_plain) && !text.contains("..") {
        true => Ok(text.to_owned()),
        false => Err("expected at most 128 letters, digits and -_.:".to_owned()),
    }
}

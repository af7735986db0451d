//! Job: the typed request; every problem found is listed, not only the first.

pub mod backup;
pub mod config;
pub mod database;
mod flags;
pub mod log;
pub mod notify;
pub mod operation;
pub mod restore;
pub mod store;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::time::Duration;

use crate::codec::{Codec, Keys};
use crate::engine::{self, Content};
use crate::env::{Env, FromEnv, Group, parse};
use crate::error::{Error, Kind};
use crate::patterns::Patterns;

pub use config::{Setting, env_table_markdown, with_env_tables};
pub use log::{LogFormat, LogSettings};
pub use notify::Notify;
pub use operation::{BackupPath, Operation};
pub use restore::{Precheck, RestoreSettings};
pub use store::{S3Settings, Sse, StoreSettings};

/// The single list of settings, whatever the engine; the engine's own come from its options.
pub const KEYS: &[Group] = &[
    Group {
        title: "Job",
        keys: operation::KEYS,
    },
    Group {
        title: "Database",
        keys: database::KEYS,
    },
    Group {
        title: "Store",
        keys: store::KEYS,
    },
    Group {
        title: "Backup",
        keys: backup::KEYS,
    },
    Group {
        title: "Restore",
        keys: restore::KEYS,
    },
    Group {
        title: "Notification",
        keys: notify::KEYS,
    },
    Group {
        title: "Logs",
        keys: log::KEYS,
    },
];

/// What settings need to know of the engine.
#[derive(Clone, Copy, Debug)]
pub struct EngineFacts {
    pub name: &'static str,
    pub default_port: u16,
    /// Whether `DB_NAME` is required for a backup.
    pub has_databases: bool,
    /// The crate that does the work, whose words the log has.
    pub crate_name: &'static str,
}

impl EngineFacts {
    /// The facts of an engine type.
    pub fn of<E: engine::Engine>() -> Self {
        Self {
            name: E::NAME,
            default_port: E::DEFAULT_PORT,
            has_databases: E::HAS_DATABASES,
            // Two engines may share one.
            crate_name: std::any::type_name::<E>()
                .split("::")
                .next()
                .unwrap_or_default(),
        }
    }
}

/// What defaults depend on beside the environment; read once, in `run.rs`.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// A fresh UUIDv7, for a job that has no `JOB_ID`.
    pub fresh_id: String,
    pub n_cpus: usize,
    /// Whether stderr is a terminal.
    pub terminal: bool,
}

/// What the command line and the environment ask for.
#[derive(Debug)]
pub enum Request<O> {
    Run(Box<Job<O>>),
    /// `--help` or `--version`: the text for stdout.
    Print(String),
}

/// One valid request: a `Job` in hand needs no more checks.
#[derive(Clone, Debug)]
pub struct Job<O> {
    pub operation: Operation,
    pub job_id: String,
    pub database: engine::Database,
    /// The engine's own settings.
    pub options: O,
    pub store: StoreSettings,
    /// `None` for the default path of a new backup, or where an operation needs none.
    pub backup_path: Option<BackupPath>,
    pub codec: Codec,
    /// What opens encrypted backups.
    pub keys: Keys,
    pub content: Content,
    pub include: Patterns,
    pub exclude: Patterns,
    pub restore: RestoreSettings,
    pub parallelism: usize,
    pub notify: Option<Notify>,
    pub prune_older_than: Duration,
    /// One JSON document on stdout in place of a table.
    pub json: bool,
    pub log: LogSettings,
    /// Oddities to log once logging works.
    pub warnings: Vec<String>,
    settings: Vec<Setting>,
}

/// A request that is refused, and what is needed to say so.
#[derive(Debug)]
pub struct Rejected {
    /// [`Kind::Config`], with every problem in its text.
    pub error: Error,
    pub job_id: String,
    /// `None` when the operation itself is not understood.
    pub operation: Option<Operation>,
    pub host: String,
    pub database: Option<String>,
    /// Where to report the failure, if that much could be read.
    pub notify: Option<Notify>,
    pub log: LogSettings,
    pub warnings: Vec<String>,
}

impl<O: FromEnv> Job<O> {
    /// Reads flags over environment over files, and refuses all that is wrong with them at once.
    pub fn from_env(
        facts: &EngineFacts,
        args: impl IntoIterator<Item = OsString>,
        vars: impl IntoIterator<Item = (OsString, OsString)>,
        around: &Surroundings,
    ) -> Result<Request<O>, Box<Rejected>> {
        let groups = groups::<O>(facts);
        let vars = vars.into_iter().collect::<Vec<_>>();
        let flags = match flags::parse(facts, &groups, args) {
            flags::Parsed::Flags(flags) => flags,
            flags::Parsed::Print(text) => return Ok(Request::Print(text)),
        };
        let filter = log::rust_log(&vars);
        let mut env = Env::merge(&groups, flags.values, vars);
        flags.problems.into_iter().for_each(|it| env.problem(it));

        // What a refusal needs comes first.
        let log = log::read(&mut env, facts, filter, around.terminal);
        let notify = notify::read(&mut env);
        let asked = operation::read(&mut env, around);
        let operation = asked.operation.unwrap_or_default();
        let database = database::read(&mut env, facts, operation, &asked.job_id);
        let job = Self {
            operation,
            job_id: asked.job_id,
            options: O::from_env(&mut env),
            store: store::read(&mut env),
            backup_path: asked.backup_path,
            codec: backup::codec(&mut env, operation),
            keys: backup::keys(&mut env),
            content: backup::content(&mut env),
            include: env.parse("INCLUDE_TABLES", Patterns::default(), Patterns::parse),
            exclude: env.parse("EXCLUDE_TABLES", Patterns::default(), Patterns::parse),
            restore: restore::read(&mut env, database.name.clone()),
            parallelism: asked.parallelism,
            prune_older_than: env.parse(
                "PRUNE_OLDER_THAN",
                Duration::from_secs(24 * 3600),
                parse::duration,
            ),
            json: env.flag("JSON", false),
            warnings: env.warnings().to_vec(),
            settings: config::settings(&env),
            database,
            notify,
            log,
        };
        match env.problems() {
            [] => Ok(Request::Run(Box::new(job))),
            problems => Err(Box::new(job.rejected(asked.operation, problems))),
        }
    }

    /// Every setting as it took effect, secrets masked, and where it came from.
    pub fn effective(&self) -> &[Setting] {
        &self.settings
    }

    fn rejected(self, operation: Option<Operation>, problems: &[String]) -> Rejected {
        let text = match problems {
            [problem] => format!("invalid configuration: {problem}"),
            _ => format!(
                "invalid configuration, {} problems:\n- {}",
                problems.len(),
                problems.join("\n- ")
            ),
        };
        Rejected {
            error: Error::new(Kind::Config, text),
            job_id: self.job_id,
            operation,
            host: self.database.host,
            database: self.database.name,
            notify: self.notify,
            log: self.log,
            warnings: self.warnings,
        }
    }
}

/// Every group of settings of a runner, its engine's own among them.
pub fn groups<O: FromEnv>(facts: &EngineFacts) -> Vec<Group> {
    let mut groups = KEYS.to_vec();
    if !O::KEYS.is_empty() {
        groups.push(Group {
            title: facts.name,
            keys: O::KEYS,
        });
    }
    groups
}

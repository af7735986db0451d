//! The seam that a new database engine implements.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::env::FromEnv;
use crate::error::{Error, Kind, Result};
use crate::foreign::ForeignDirectory;
use crate::manifest::{Data, Manifest};
use crate::patterns::Patterns;
use crate::progress::Progress;
use crate::secret::Secret;
use crate::source::Backup;
use crate::stream::ByteStream;

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct Database {
    /// A name, an address, or the directory of a Unix socket when it starts with `/`.
    pub host: String,
    /// `None` for the engine's own.
    pub port: Option<u16>,
    /// `None` where the engine has no databases; `*` for every user database.
    pub name: Option<String>,
    /// `None` for the engine's convention.
    pub username: Option<String>,
    pub password: Option<Secret>,
    pub tls: Tls,
    /// How long to wait for the database to accept connections.
    pub connect_timeout: Duration,
    /// Names this job in the database's own views, such as `pg_stat_activity`.
    pub job_id: String,
}

/// `DB_TLS_*`.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    pub mode: TlsMode,
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}

/// How far TLS is insisted on, in libpq's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    Disable,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Which part of a database is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    #[default]
    All,
    SchemaOnly,
    DataOnly,
}

/// What one backup takes in, and how.
#[derive(Clone, Debug)]
pub struct Scope {
    pub parallelism: usize,
    pub content: Content,
    /// `INCLUDE_TABLES`; empty means all.
    pub include: Patterns,
    /// `EXCLUDE_TABLES`.
    pub exclude: Patterns,
    pub progress: Progress,
    pub cancel: CancellationToken,
}

impl Scope {
    /// Refuses patterns that match none of `names`: a slip would leave out of the backup what was meant to be in it.
    /// `what` is the engine's word for what they name, such as `table`.
    pub fn refuse_unmatched(&self, names: &[String], what: &str) -> Result<()> {
        for (key, patterns) in [
            ("INCLUDE_TABLES", &self.include),
            ("EXCLUDE_TABLES", &self.exclude),
        ] {
            let unmatched = patterns.unmatched(names.iter().map(String::as_str));
            if !unmatched.is_empty() {
                let unmatched = unmatched.join(", ");
                let text = format!("{key}: no {what} matches {unmatched}");
                return Err(Error::new(Kind::Config, text));
            }
        }
        Ok(())
    }
}

/// For a `DB_NAME` that chooses one of the databases of a backup which does not hold it.
pub fn no_database(held: &[String], wanted: &str) -> Error {
    let held: Vec<String> = held.iter().map(|name| format!("{name:?}")).collect();
    Error::new(
        Kind::NotFound,
        format!(
            "the backup holds the databases {} and no {wanted:?}; DB_NAME chooses one of them, `*` all",
            held.join(", ")
        ),
    )
}

/// Where a restore goes, and how.
#[derive(Clone, Debug)]
pub struct Target {
    pub parallelism: usize,
    /// `DB_NAME`, or the backed-up name.
    pub database: String,
    pub create_database: bool,
    pub drop_existing: bool,
    /// `RESTORE_STAGING=auto`.
    pub staging: bool,
    /// `RESTORE_TABLES`; empty means all.
    pub tables: Patterns,
    pub verify: Verify,
    pub progress: Progress,
    pub cancel: CancellationToken,
}

/// `RESTORE_VERIFY`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// Row counts and fingerprints.
    #[default]
    Full,
    Counts,
    None,
}

/// What the server is and can do.
#[derive(Clone, Debug, Default)]
pub struct Probe {
    pub engine_version: String,
    pub tools: BTreeMap<String, String>,
    /// Expected logical bytes of a backup, 0 when unknown.
    pub size_bytes: u64,
    /// For the log: names and values a person would want to know.
    pub facts: BTreeMap<String, String>,
}

/// One artifact to be: what `Dump::open` produces.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The artifact's path before the codec adds its suffixes, such as `data/public.orders/00003.copy`.
    pub name: String,
    /// The engine's word for it; becomes the manifest's `kind`.
    pub kind: &'static str,
    pub estimated_bytes: u64,
}

/// An open piece: its bytes, and what they turned out to hold once they have ended well.
pub struct Opened {
    pub body: ByteStream,
    /// Set by the engine before the body's good end; left unset for a piece without rows.
    pub proof: Proof,
}

/// Filled in by the producer of a body just before its good end.
#[derive(Clone, Debug, Default)]
pub struct Proof(Arc<OnceLock<Vec<Data>>>);

impl Proof {
    pub fn set(&self, data: Vec<Data>) {
        // A second value would be a bug of the engine; the first, which the stream vouches for, stays.
        let _ = self.0.set(data);
    }

    pub fn get(&self) -> Vec<Data> {
        self.0.get().cloned().unwrap_or_default()
    }
}

/// What a finished dump knows of itself.
#[derive(Clone, Debug, Default)]
pub struct Finished {
    /// The consistency point.
    pub consistency: Value,
    /// What this engine's restore needs to know.
    pub details: Value,
}

/// What a restore did.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// Tables compared with the manifest.
    pub n_verified: u64,
    pub rows: u64,
    /// One line for a person: what stands where now.
    pub summary: String,
}

/// A dump made by a stock tool, found at `BACKUP_PATH` in place of a backup of ours.
pub struct Foreign {
    /// The object's base name without compression or encryption suffixes, such as `shop.sql`.
    pub name: String,
    /// Its bytes, decrypted and decompressed; the store is asked for them when they are.
    pub body: ByteStream,
}

/// A database engine.
pub trait Engine: Send + Sync + Sized + 'static {
    /// As in `DB_ENGINE`.
    const NAME: &'static str;
    const DEFAULT_PORT: u16;
    /// Whether `DB_NAME` is required.
    const HAS_DATABASES: bool;
    type Options: FromEnv + Clone + Send + Sync;
    type Dump: Dump;

    fn new(database: Database, options: Self::Options) -> Result<Self>;

    /// Waits for the server, then reads facts; decides nothing.
    fn probe(&self) -> impl Future<Output = Result<Probe>> + Send;

    /// Takes the snapshot and plans the pieces; refuses here what cannot be backed up.
    fn begin(&self, scope: &Scope) -> impl Future<Output = Result<Self::Dump>> + Send;

    /// Refuses a target that is not fit for this backup, touching nothing.
    fn check_target(
        &self,
        manifest: &Manifest,
        target: &Target,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Restores and proves; on failure the error says what state the target is in.
    fn restore(
        &self,
        backup: &Backup,
        target: &Target,
    ) -> impl Future<Output = Result<Restored>> + Send;

    /// Reads a stock tool's dump to its end before it is restored, where its format can tell damage; touches nothing.
    /// Whoever reads nothing of it here checks it while it is restored.
    fn check_foreign(&self, _: Foreign, _: &Target) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Restores a stock tool's dump.
    fn restore_foreign(
        &self,
        foreign: Foreign,
        target: &Target,
    ) -> impl Future<Output = Result<Restored>> + Send;

    /// Whether a directory is a stock tool's dump.
    fn is_foreign_directory(_: &ForeignDirectory) -> bool {
        false
    }

    /// Restores a stock tool's dump that [`Self::is_foreign_directory`] recognized.
    fn restore_foreign_directory(
        &self,
        directory: ForeignDirectory,
        _: &Target,
    ) -> impl Future<Output = Result<Restored>> + Send {
        let text = format!("{} is a directory, and no dump of ours", directory.path());
        std::future::ready(Err(Error::new(Kind::Unfit, text)))
    }

    /// `RESTORE.md`: exact stock commands for this backup.
    fn restore_by_hand(&self, manifest: &Manifest) -> String;
}

/// A snapshot held open, and the plan of what to read in it.
pub trait Dump: Send + Sync + 'static {
    fn pieces(&self) -> &[Piece];

    fn open(&self, piece: &Piece) -> impl Future<Output = Result<Opened>> + Send;

    /// Checks that the snapshot lived to the end, and releases it.
    fn finish(self) -> impl Future<Output = Result<Finished>> + Send;
}

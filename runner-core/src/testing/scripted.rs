//! An engine whose pieces, failures and target are a script, and a record of what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};

use super::Gate;
use super::bodies::{body, collect, failing_body};
use crate::engine::{
    Database, Dump, Engine, Finished, Foreign, Opened, Piece, Probe, Proof, Restored, Scope, Target,
};
use crate::env::{Env, FromEnv, Key};
use crate::error::{Error, Kind, Result};
use crate::fingerprint::Fingerprint;
use crate::foreign::ForeignDirectory;
use crate::manifest::{Data, Manifest};
use crate::progress::Progress;
use crate::source::Backup;

/// How a piece ends after its bytes.
#[derive(Clone, Debug)]
pub enum Ending {
    Good,
    /// With this error in place of an end.
    Failing(Kind),
    /// Well, once the test has opened the gate; never, as a database that hangs, when it does not.
    Held(Gate),
}

/// A database that exists only in a test.
#[derive(Clone, Default)]
pub struct Scripted {
    pieces: Vec<(Piece, Ending)>,
    finish: Option<Kind>,
    recorder: Recorder,
}

/// What an engine was asked, in order, and what a restore has brought back.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Record>>);

#[derive(Default)]
struct Record {
    calls: Vec<String>,
    restored: BTreeMap<String, Bytes>,
}

impl Recorder {
    /// Every call so far: `begin`, `open a`, `finish`, `check_target`, `restore`, …
    pub fn calls(&self) -> Vec<String> {
        self.record().calls.clone()
    }

    /// What reached the target, by the name of its piece.
    pub fn restored(&self) -> BTreeMap<String, Bytes> {
        self.record().restored.clone()
    }

    fn call(&self, call: impl Into<String>) {
        self.record().calls.push(call.into());
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scripted {
    /// Adds a piece of `n_bytes` that only its name determines.
    #[must_use]
    pub fn piece(self, name: &str, n_bytes: u64) -> Self {
        self.piece_that_ends(name, n_bytes, Ending::Good)
    }

    /// Adds a piece that ends otherwise.
    #[must_use]
    pub fn piece_that_ends(mut self, name: &str, n_bytes: u64, ending: Ending) -> Self {
        let piece = Piece {
            name: name.to_owned(),
            kind: "data",
            estimated_bytes: n_bytes,
        };
        self.pieces.push((piece, ending));
        self
    }

    /// The snapshot turns out to be lost at the very end.
    #[must_use]
    pub fn failing_finish(mut self, kind: Kind) -> Self {
        self.finish = Some(kind);
        self
    }

    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// What a whole restore brings back.
    pub async fn content(&self) -> Result<BTreeMap<String, Bytes>> {
        let mut content = BTreeMap::new();
        for (piece, _) in &self.pieces {
            let bytes = collect(body(seed(&piece.name), piece.estimated_bytes)).await?;
            content.insert(piece.name.clone(), bytes);
        }
        Ok(content)
    }
}

fn seed(name: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(name.as_bytes())
}

/// It has no settings.
#[derive(Clone, Default)]
pub struct NoOptions;

impl FromEnv for NoOptions {
    const KEYS: &'static [Key] = &[];

    fn from_env(_: &mut Env) -> Self {
        Self
    }
}

impl Engine for Scripted {
    const NAME: &'static str = "scripted";
    const DEFAULT_PORT: u16 = 1;
    const HAS_DATABASES: bool = true;
    type Options = NoOptions;
    type Dump = ScriptedDump;

    fn new(_: Database, _: NoOptions) -> Result<Self> {
        Ok(Self::default())
    }

    async fn probe(&self) -> Result<Probe> {
        self.recorder.call("probe");
        Ok(Probe {
            engine_version: "1.2".to_owned(),
            ..Probe::default()
        })
    }

    async fn begin(&self, _: &Scope) -> Result<ScriptedDump> {
        self.recorder.call("begin");
        Ok(ScriptedDump {
            pieces: self.pieces.iter().map(|(piece, _)| piece.clone()).collect(),
            script: self.clone(),
        })
    }

    async fn check_target(&self, _: &Manifest, _: &Target) -> Result<()> {
        self.recorder.call("check_target");
        Ok(())
    }

    async fn restore(&self, backup: &Backup, _: &Target) -> Result<Restored> {
        self.recorder.call("restore");
        for artifact in backup.artifacts() {
            let bytes = collect(backup.open(artifact, Progress::default())).await?;
            let name = backup.manifest().name(artifact);
            let name = name.split(".zst").next().unwrap_or(name).to_owned();
            self.recorder.record().restored.insert(name, bytes);
        }
        Ok(Restored::default())
    }

    async fn check_foreign(&self, foreign: Foreign, _: &Target) -> Result<()> {
        self.recorder.call("check_foreign");
        collect(foreign.body).await.map(drop)
    }

    async fn restore_foreign(&self, foreign: Foreign, _: &Target) -> Result<Restored> {
        self.recorder.call("restore_foreign");
        let bytes = collect(foreign.body).await?;
        self.recorder.record().restored.insert(foreign.name, bytes);
        Ok(Restored::default())
    }

    fn is_foreign_directory(directory: &ForeignDirectory) -> bool {
        directory.names().any(|name| name == "metadata")
    }

    async fn restore_foreign_directory(
        &self,
        directory: ForeignDirectory,
        _: &Target,
    ) -> Result<Restored> {
        self.recorder.call("restore_foreign_directory");
        for name in directory.names() {
            let bytes = collect(directory.open(name).await?).await?;
            let name = name.to_owned();
            self.recorder.record().restored.insert(name, bytes);
        }
        Ok(Restored::default())
    }

    fn restore_by_hand(&self, manifest: &Manifest) -> String {
        format!("cat {}/*\n", manifest.backup_id)
    }
}

/// The script at work.
pub struct ScriptedDump {
    pieces: Vec<Piece>,
    script: Scripted,
}

impl Dump for ScriptedDump {
    fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    async fn open(&self, piece: &Piece) -> Result<Opened> {
        self.script.recorder.call(format!("open {}", piece.name));
        let mut pieces = self.script.pieces.iter();
        let ending = pieces.find(|(it, _)| it.name == piece.name);
        let (_, ending) =
            ending.ok_or_else(|| Error::new(Kind::Bug, "opened what was not planned"))?;
        let (seed, n_bytes) = (seed(&piece.name), piece.estimated_bytes);
        let whole = body(seed, n_bytes);
        let proof = Proof::default();
        let body = match ending.clone() {
            Ending::Good => whole,
            Ending::Failing(kind) => failing_body(seed, n_bytes, kind),
            Ending::Held(gate) => whole.chain(wait(gate)).boxed(),
        };
        proof.set(vec![Data {
            table: piece.name.clone(),
            rows: n_bytes,
            fingerprint: Fingerprint::default(),
            member: None,
        }]);
        Ok(Opened { body, proof })
    }

    async fn finish(self) -> Result<Finished> {
        self.script.recorder.call("finish");
        match self.script.finish {
            Some(kind) => Err(Error::new(kind, "the snapshot is gone")),
            None => Ok(Finished {
                consistency: json!({"at": 7}),
                details: Value::Null,
            }),
        }
    }
}

/// No bytes: only a wait.
fn wait(gate: Gate) -> impl stream::Stream<Item = Result<Bytes>> {
    stream::once(async move { gate.wait().await }).filter_map(|()| std::future::ready(None))
}

//! What operations print: a table for people, one JSON document with `--json`.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::catalog::Committed;
use crate::error::{Error, Kind, Result};
use crate::job::Job;
use crate::manifest::Manifest;
use crate::prune::Pruned;
use crate::source::Backup;
use crate::telemetry::human::{self, bytes};

/// What an operation has to say: on stdout, and in its last log line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub stdout: String,
    pub message: String,
}

impl Shown {
    pub fn message(message: String) -> Self {
        Self {
            stdout: String::new(),
            message,
        }
    }
}

/// One line of `list`.
#[derive(Serialize)]
struct Line<'a> {
    backup_path: &'a str,
    backup_id: &'a str,
    engine: &'a str,
    engine_version: &'a str,
    host: &'a str,
    database: &'a str,
    backup_type: &'a str,
    started_at: String,
    finished_at: String,
    logical_bytes: u64,
    stored_bytes: u64,
    artifacts: usize,
    encrypted: bool,
}

impl<'a> Line<'a> {
    fn of(backup: &'a Committed) -> Self {
        let manifest = &backup.manifest;
        Self {
            backup_path: &backup.path,
            backup_id: &manifest.backup_id,
            engine: &manifest.engine,
            engine_version: &manifest.engine_version,
            host: &manifest.host,
            database: &manifest.database,
            backup_type: &manifest.backup_type,
            started_at: manifest.started_at.to_string(),
            finished_at: manifest.finished_at.to_string(),
            logical_bytes: manifest.logical_bytes,
            stored_bytes: manifest.stored_bytes,
            artifacts: manifest.artifacts.len(),
            encrypted: manifest.encryption.is_some(),
        }
    }
}

/// `backup`: the summary.
pub fn backed_up(path: &str, manifest: &Manifest, time: Duration) -> Shown {
    let tallies = manifest.tallies();
    let rows = tallies.values().map(|tally| tally.rows).sum();
    Shown::message(format!(
        "backup {path} is complete: {} tables, {} rows, {} stored as {} in {}, {}/s",
        tallies.len(),
        human::count(rows),
        bytes(manifest.logical_bytes),
        bytes(manifest.stored_bytes),
        human::duration(time),
        bytes(human::per_second(manifest.logical_bytes, time)),
    ))
}

/// `list`.
pub fn list(backups: &[Committed], as_json: bool) -> Shown {
    let lines: Vec<Line<'_>> = backups.iter().map(Line::of).collect();
    let stdout = if as_json {
        document(&lines)
    } else {
        let mut rows = vec![
            [
                "TAKEN", "ENGINE", "HOST", "DATABASE", "SIZE", "STORED", "PATH",
            ]
            .map(str::to_owned),
        ];
        rows.extend(lines.iter().map(|line| {
            [
                line.started_at
                    .get(..19)
                    .unwrap_or(&line.started_at)
                    .replace('T', " "),
                format!("{} {}", line.engine, line.engine_version),
                line.host.to_owned(),
                line.database.to_owned(),
                bytes(line.logical_bytes),
                format!(
                    "{}{}",
                    bytes(line.stored_bytes),
                    if line.encrypted { " encrypted" } else { "" }
                ),
                line.backup_path.to_owned(),
            ]
        }));
        table(&rows)
    };
    Shown {
        stdout,
        message: format!("{} complete backups", lines.len()),
    }
}

/// `show`.
pub fn manifest(backup: &Backup, as_json: bool) -> Result<Shown> {
    let manifest = backup.manifest();
    let message = format!("backup {}", backup.path());
    if as_json {
        let text = String::from_utf8(manifest.render()?);
        let stdout =
            text.map_err(|err| Error::new(Kind::Bug, "a manifest is text").because(err))? + "\n";
        return Ok(Shown { stdout, message });
    }
    let encryption = match &manifest.encryption {
        None => "none".to_owned(),
        Some(encryption) if encryption.recipients.is_empty() => "age, by passphrase".to_owned(),
        Some(encryption) => format!("age, to {}", encryption.recipients.join(", ")),
    };
    let mut rows = vec![
        ["path".to_owned(), backup.path().to_owned()],
        [
            "database".to_owned(),
            format!(
                "{} on {} ({} {})",
                manifest.database, manifest.host, manifest.engine, manifest.engine_version
            ),
        ],
        [
            "taken".to_owned(),
            format!("{} to {}", manifest.started_at, manifest.finished_at),
        ],
        ["consistency".to_owned(), manifest.consistency.to_string()],
        [
            "size".to_owned(),
            format!(
                "{}, stored as {}",
                bytes(manifest.logical_bytes),
                bytes(manifest.stored_bytes)
            ),
        ],
        ["compression".to_owned(), manifest.compression.clone()],
        ["encryption".to_owned(), encryption],
        ["artifacts".to_owned(), manifest.artifacts.len().to_string()],
        [
            "job".to_owned(),
            format!("{} (runner {})", manifest.job_id, manifest.runner_version),
        ],
    ];
    for (name, tally) in manifest.tallies() {
        rows.push([
            format!("  {name}"),
            format!("{} rows, fingerprint {}", tally.rows, tally.fingerprint),
        ]);
    }
    Ok(Shown {
        stdout: table(&rows),
        message,
    })
}

/// `verify`.
pub fn verified(backup: &Backup, as_json: bool) -> Shown {
    let manifest = backup.manifest();
    let n_artifacts = manifest.artifacts.len();
    let message = format!(
        "{} is whole: {n_artifacts} artifacts, {} stored, all read to their end",
        backup.path(),
        bytes(manifest.stored_bytes)
    );
    let stdout = match as_json {
        true => document(&json!({
            "backup_path": backup.path(),
            "backup_id": manifest.backup_id,
            "ok": true,
            "artifacts": n_artifacts,
            "logical_bytes": manifest.logical_bytes,
            "stored_bytes": manifest.stored_bytes,
        })),
        false => format!("{message}\n"),
    };
    Shown { stdout, message }
}

/// `prune`.
pub fn pruned(pruned: &Pruned, as_json: bool) -> Shown {
    let message = format!(
        "removed {} unfinished runs ({} objects, {}) and aborted {} uploads",
        pruned.incomplete.len(),
        pruned.objects,
        bytes(pruned.stored_bytes),
        pruned.aborted_uploads
    );
    let stdout = match as_json {
        true => document(pruned),
        false => format!("{message}\n"),
    };
    Shown { stdout, message }
}

/// `config`.
pub fn config<O: crate::env::FromEnv>(job: &Job<O>) -> String {
    if job.json {
        return document(&job.effective());
    }
    let mut rows = vec![["SETTING", "VALUE", "FROM"].map(str::to_owned)];
    rows.extend(job.effective().iter().map(|setting| {
        [
            setting.name.to_owned(),
            setting.value.clone(),
            setting.origin.to_string(),
        ]
    }));
    table(&rows)
}

fn document<T: Serialize + ?Sized>(value: &T) -> String {
    // Our own types have no keys that JSON could not write.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// Left-aligned columns, two spaces apart.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut text = String::new();
    let width = |n: usize| {
        rows.iter()
            .filter_map(|row| row.get(n))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

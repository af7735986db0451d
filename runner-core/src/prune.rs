//! Removing: one backup by name, or what interrupted runs have left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use crate::backup::remove_all;
use crate::catalog::{self, manifest_name};
use crate::error::{Kind, Result};
use crate::manifest::{MANIFEST, RESTORE_MD};
use crate::store::Store;

/// What `prune` did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Directories of runs that never committed.
    pub incomplete: Vec<String>,
    pub objects: u64,
    pub stored_bytes: u64,
    /// Uploads that were begun and never ended.
    pub aborted_uploads: u64,
}

/// Objects of one run.
#[derive(Default)]
struct Leftover {
    objects: u64,
    stored_bytes: u64,
    newest: Option<Timestamp>,
}

/// Removes the objects of runs that have no manifest and wrote nothing for `age`, and aborts uploads begun
/// that long ago. A run's directory is known by its UUID, so nothing else is ever touched.
pub async fn incomplete(store: &dyn Store, age: Duration, now: Timestamp) -> Result<Pruned> {
    let suffix = format!("/{MANIFEST}");
    let mut committed = BTreeSet::new();
    let mut listing = store.list("");
    while let Some(listed) = listing.try_next().await? {
        committed.extend(listed.name.strip_suffix(&suffix).map(str::to_owned));
    }
    let mut runs = BTreeMap::<(String, String), Leftover>::new();
    let mut listing = store.list("");
    while let Some(listed) = listing.try_next().await? {
        if let Some(run) = run_of(&listed.name, &committed) {
            let leftover = runs.entry(run).or_default();
            leftover.objects += 1;
            leftover.stored_bytes += listed.stored_bytes;
            leftover.newest = leftover.newest.max(listed.modified);
        }
    }
    let mut pruned = Pruned {
        aborted_uploads: store.abort_stale("", age, now).await?,
        ..Pruned::default()
    };
    for ((path, id), leftover) in runs {
        if !leftover.is_older_than(age, now) {
            continue;
        }
        let has_manifest = match catalog::read(store, &path).await {
            Ok(manifest) if manifest.backup_id == id => continue,
            Ok(_) => true,
            Err(err) if err.kind() == Kind::NotFound => false,
            // Damaged, or of a newer format: it may be a backup, and that is for a person to say.
            Err(err) => {
                tracing::warn!(path, reason = %err, "left alone");
                continue;
            }
        };
        let directory = format!("{path}/{id}/");
        remove_own(store, &directory, &(path.clone(), id), &committed).await?;
        if !has_manifest {
            store.delete(&format!("{path}/{RESTORE_MD}")).await?;
        }
        tracing::info!(
            directory,
            objects = leftover.objects,
            "removed what an unfinished run had left"
        );
        pruned.objects += leftover.objects;
        pruned.stored_bytes += leftover.stored_bytes;
        pruned.incomplete.push(directory);
    }
    Ok(pruned)
}

/// Deletes the objects of one run. Not all that lies below its directory: a `BACKUP_PATH` may have a UUID in it,
/// and then whole backups lie below what looks like a run's.
async fn remove_own(
    store: &dyn Store,
    directory: &str,
    run: &(String, String),
    committed: &BTreeSet<String>,
) -> Result<()> {
    let mut own = Vec::new();
    let mut listing = store.list(directory);
    while let Some(listed) = listing.try_next().await? {
        if run_of(&listed.name, committed).as_ref() == Some(run) {
            own.push(listed.name);
        }
    }
    for name in own {
        store.delete(&name).await?;
    }
    Ok(())
}

impl Leftover {
    fn is_older_than(&self, age: Duration, now: Timestamp) -> bool {
        let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
        self.newest
            .is_none_or(|newest| now.duration_since(newest) >= age)
    }
}

/// The backup path and the run's id that an object's name tells, if it may be left over. Whoever chose a
/// `BACKUP_PATH` may have put a UUID or a whole other backup into it, so below a committed backup only the
/// directory right beside its manifest counts, and elsewhere the last one.
fn run_of(name: &str, committed: &BTreeSet<String>) -> Option<(String, String)> {
    let mut found = None;
    let (mut path, mut rest) = ("", name);
    if name.ends_with(&format!("/{RESTORE_MD}")) {
        return None; // it lies beside a run's directory, and goes with it
    }
    while let Some((component, after)) = rest.split_once('/') {
        if committed.contains(path) {
            return is_run(component).then(|| (path.to_owned(), component.to_owned()));
        }
        if is_run(component) && !path.is_empty() {
            found = Some((path.to_owned(), component.to_owned()));
        }
        path = name.get(..name.len() - after.len() - 1)?;
        rest = after;
    }
    match committed.contains(path) {
        true => None, // an object beside the manifest is not in a run's directory
        false => found,
    }
}

fn is_run(component: &str) -> bool {
    component.len() == 36 && Uuid::try_parse(component).is_ok_and(|id| id.get_version_num() == 7)
}

/// Removes one backup: the manifest first, so that it is never seen half gone.
pub async fn delete(store: &dyn Store, path: &str) -> Result<()> {
    let manifest = catalog::read(store, path).await?;
    store.delete(&manifest_name(path)).await?;
    for segment in manifest
        .artifacts
        .iter()
        .flat_map(|artifact| artifact.objects())
    {
        store.delete(&format!("{path}/{}", segment.path)).await?;
    }
    remove_all(store, &format!("{path}/{}/", manifest.backup_id)).await?;
    store.delete(&format!("{path}/{RESTORE_MD}")).await?;
    tracing::info!(path, manifest = MANIFEST, "deleted");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_run_without_a_manifest_is_left_over() {
        let id = "0198f2c0-0000-7000-8000-000000000000";
        let other = "0198f2c0-0000-7000-8000-000000000001";
        let check = |name: String, committed: &[String], expected: Option<(&str, &str)>| {
            let committed = committed.iter().cloned().collect();
            let expected = expected.map(|(path, id)| (path.to_owned(), id.to_owned()));
            assert_eq!(run_of(&name, &committed), expected, "{name}");
        };
        let nothing = &[][..];
        check(
            format!("a/b/{id}/data/x.copy.zst"),
            nothing,
            Some(("a/b", id)),
        );
        check("a/b/manifest.json".into(), nothing, None);
        check(format!("{id}/x"), nothing, None);
        check(format!("a/{id}"), nothing, None);
        check(
            "a/9f1c8a52-7b0e-4f6e-9a3a-000000000000/x".into(),
            nothing,
            None,
        );
        // A UUID in the chosen path is not the run's.
        check(format!("a/{id}/RESTORE.md"), nothing, None);
        check(
            format!("a/{id}/{other}/x"),
            nothing,
            Some((&format!("a/{id}"), other)),
        );
        let committed = &[format!("a/{id}")][..];
        check(
            format!("a/{id}/{other}/x"),
            committed,
            Some((&format!("a/{id}"), other)),
        );
        check(format!("a/{id}/RESTORE.md"), committed, None);
        check(format!("a/{id}/notes/{other}/x"), committed, None);
    }
}

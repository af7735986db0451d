//! A backup as it lies in the store, read by rclone and held against its manifest: nothing here is the runner's code.

use std::collections::BTreeMap;
use std::fmt;

use crate::docker::docker;
use crate::project::Project;
use crate::server::{Minio, Network};
use crate::shell::{Context, Result};
use crate::testbed;

/// Name, size and SHA-256 of an object.
type Object = (String, u64, String);

/// A backup that is what its manifest says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Backup {
    pub(super) n_objects: usize,
    pub(super) stored_bytes: u64,
}

impl fmt::Display for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, mb) = (self.n_objects, self.stored_bytes as f64 / 1e6);
        write!(
            f,
            "{n} objects, {mb:.1} MB: names, sizes and SHA-256 as rclone reads them are the manifest's"
        )
    }
}

/// Lists and reads every object below a path, and holds it against the manifest there.
pub(super) fn verify(
    project: &Project,
    network: &Network<'_>,
    minio: &Minio,
    bucket: &str,
    path: &str,
) -> Result<Backup> {
    let image = &project.versions.service("rclone")?.upstream;
    testbed::ready(project, Some(&[image]))?;
    let place = format!("s3:{bucket}/{path}");
    let rclone = |args: &[&str]| {
        docker(["run", "--rm"])
            .args(network.docker_args())
            .with(&minio.rclone())
            .arg(image)
            .args(args)
            .read()
            .context(format!("rclone {}", args[0]))
    };
    let listed = rclone(&["lsjson", "--recursive", "--files-only", &place])?;
    let hashed = rclone(&["hashsum", "sha256", "--download", &place])?;
    let manifest = rclone(&["cat", &format!("{place}/manifest.json")])?;
    let manifest = serde_json::from_str(&manifest).context("manifest.json")?;
    compare(objects(&listed, &hashed)?, &manifest)
}

fn objects(listed: &str, hashed: &str) -> Result<Vec<Object>> {
    let listed: Vec<serde_json::Value> = serde_json::from_str(listed).context("rclone lsjson")?;
    let hashes = hashed.lines().filter_map(|line| line.split_once("  "));
    let mut hashes: BTreeMap<&str, &str> = hashes.map(|(hash, name)| (name, hash)).collect();
    let object = |it: &serde_json::Value| {
        let name = it["Path"].as_str()?.to_owned();
        let hash = hashes.remove(name.as_str())?.to_owned();
        Some((name, it["Size"].as_u64()?, hash))
    };
    let objects: Option<Vec<_>> = listed.iter().map(object).collect();
    Ok(objects.ok_or("rclone lists what it has no hash for")?)
}

/// Every object has to be in the manifest, and everything in the manifest has to be an object.
fn compare(objects: Vec<Object>, manifest: &serde_json::Value) -> Result<Backup> {
    let artifacts = manifest["artifacts"].as_array().filter(|it| !it.is_empty());
    let artifacts = artifacts.ok_or("a manifest without artifacts")?;
    let restore_md = &manifest["restore_md"];
    let mut expected = vec![("RESTORE.md", restore_md)];
    for artifact in artifacts {
        expected.push((
            artifact["path"]
                .as_str()
                .ok_or("an artifact without a path")?,
            artifact,
        ));
    }
    let (mut problems, n_objects) = (Vec::new(), objects.len());
    let mut found: BTreeMap<_, _> = objects
        .into_iter()
        .map(|(name, size, hash)| (name, (size, hash)))
        .collect();
    if found.remove("manifest.json").is_none() {
        problems.push("manifest.json is not listed".to_owned());
    }
    let mut stored_bytes = 0;
    for (name, said) in expected {
        let (bytes, sha256) = (said["stored_bytes"].as_u64(), said["sha256"].as_str());
        match found.remove(name) {
            None => problems.push(format!("{name} is not there")),
            Some((size, hash)) if bytes != Some(size) || sha256 != Some(&hash) => {
                problems.push(format!(
                    "{name} is {size} bytes, {hash}; the manifest says {bytes:?}, {sha256:?}"
                ));
            }
            Some((size, _)) => stored_bytes += size,
        }
    }
    problems.extend(
        found
            .into_keys()
            .map(|name| format!("{name} is in no manifest")),
    );
    if problems.is_empty() {
        return Ok(Backup {
            n_objects,
            stored_bytes,
        });
    }
    Err(problems.join("\n").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = r#"[{"Path":"manifest.json","Size":9},{"Path":"RESTORE.md","Size":2},{"Path":"id/schema dump","Size":5}]"#;

    fn check(listed: &str, hashed: &str) -> Result<Backup, String> {
        let manifest = serde_json::json!({
            "artifacts": [{"path": "id/schema dump", "stored_bytes": 5, "sha256": "cc"}],
            "restore_md": {"stored_bytes": 2, "sha256": "bb"},
        });
        let objects = objects(listed, hashed).map_err(|err| err.to_string())?;
        compare(objects, &manifest).map_err(|err| err.to_string())
    }

    #[test]
    fn a_backup_is_good_when_every_object_is_what_the_manifest_says() {
        let good = check(
            LISTED,
            "aa  manifest.json\nbb  RESTORE.md\ncc  id/schema dump\n",
        );
        assert_eq!(
            good,
            Ok(Backup {
                n_objects: 3,
                stored_bytes: 7
            })
        );
    }

    #[test]
    fn another_hash_another_size_a_stray_and_a_missing_object_are_told() {
        let err = check(
            LISTED,
            "aa  manifest.json\nbb  RESTORE.md\nxx  id/schema dump\n",
        )
        .unwrap_err();
        assert!(err.starts_with("id/schema dump is 5 bytes, xx"), "{err}");
        let hashed = "aa  manifest.json\nbb  RESTORE.md\ncc  id/schema dump\ndd  stray\n";
        let short = LISTED.replace(":5", ":4");
        assert!(check(&short, hashed).unwrap_err().contains("is 4 bytes"));
        let stray = LISTED.replace('[', r#"[{"Path":"stray","Size":1},"#);
        assert_eq!(
            check(&stray, hashed).unwrap_err(),
            "stray is in no manifest"
        );
        let lost = r#"[{"Path":"manifest.json","Size":9},{"Path":"RESTORE.md","Size":2}]"#;
        assert_eq!(
            check(lost, hashed).unwrap_err(),
            "id/schema dump is not there"
        );
        assert!(
            check(LISTED, "aa  manifest.json")
                .unwrap_err()
                .contains("no hash")
        );
    }
}

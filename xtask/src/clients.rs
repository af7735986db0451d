//! Client tools for this machine, taken out of the images with the libraries and the loader they were built for.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::docker::{self, docker};
use crate::project::{Project, make_dir};
use crate::shell::{Context, Result};
use crate::versions::Row;

const LIBRARIES: [(&str, &str); 3] = [
    ("/lib", "lib"),
    ("/usr/lib", "usr-lib"),
    ("/lib64", "lib64"),
];

/// The facts that name a directory of client tools.
const FACTS: [&str; 2] = ["PG_BIN", "MONGO_BIN"];

/// Where a row's image has client tools that nothing but it has.
pub fn tools_of(row: &Row) -> Option<&str> {
    let fact = FACTS.iter().find_map(|fact| row.facts.get(*fact))?;
    let is_own = row.base() == row.upstream;
    is_own.then_some(fact)
}

/// The directory that such a fact may name: the row's own tools, whatever libc this machine has.
pub fn ready(project: &Project, row: &Row, image: &str) -> Result<PathBuf> {
    let dir = project
        .target()
        .join("clients")
        .join(&row.engine)
        .join(&row.version);
    let (_, upstream) = docker::image_facts(&row.upstream)?;
    let mark = dir.join("upstream");
    if std::fs::read_to_string(&mark).is_ok_and(|it| it == upstream) {
        return Ok(dir.join("bin"));
    }
    if dir.exists() {
        std::fs::remove_dir_all(&dir).context(dir.display())?;
    }
    make_dir(&dir)?;
    let container = docker(["create", image]).read()?;
    let copied = copy(&container, row, &dir);
    docker(["rm", "--volumes", &container]).read()?;
    copied?;
    wrap(&dir)?;
    std::fs::write(&mark, upstream).context(mark.display())?;
    Ok(dir.join("bin"))
}

fn copy(container: &str, row: &Row, dir: &Path) -> Result<()> {
    let tools = tools_of(row).ok_or("the row has no tools of its own")?;
    docker([
        "cp",
        &format!("{container}:{tools}"),
        &dir.join("bin").to_string_lossy(),
    ])
    .read()?;
    for (from, to) in LIBRARIES {
        // Where the libraries are differs by suite and architecture: what is not there is not needed.
        docker([
            "cp",
            &format!("{container}:{from}"),
            &dir.join(to).to_string_lossy(),
        ])
        .output()?;
    }
    Ok(())
}

/// Each tool becomes `tool.real` beside a script that starts it through its own loader.
fn wrap(dir: &Path) -> Result<()> {
    let mut libs = Vec::new();
    let mut loader = None;
    for (_, to) in LIBRARIES {
        for path in entries(&dir.join(to)) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with("-linux-gnu") {
                libs.push(path.display().to_string());
            } else if name.starts_with("ld-linux") {
                loader = Some(path);
            }
        }
    }
    // Static programs came without one, and need none.
    let Some(loader) = loader else {
        return Ok(());
    };
    for tool in entries(&dir.join("bin")) {
        let real = tool.with_added_extension("real");
        std::fs::rename(&tool, &real)?;
        let (loader, libs, real) = (loader.display(), libs.join(":"), real.display());
        let options = format!("--inhibit-cache --library-path '{libs}'");
        let script = format!("#!/bin/sh\nexec '{loader}' {options} '{real}' \"$@\"\n");
        std::fs::write(&tool, script)?;
        std::fs::set_permissions(&tool, PermissionsExt::from_mode(0o755))?;
    }
    Ok(())
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

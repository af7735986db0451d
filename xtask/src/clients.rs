//! Client tools for this machine, taken out of the images with the libraries and the loader they were built for.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::docker::{self, docker};
use crate::project::{Project, make_dir};
use crate::shell::{Context, Result};
use crate::versions::Row;

/// The directory that `PG_BIN` may name: the row's own tools, whatever libc this machine has.
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
    docker(["rm", &container]).read()?;
    copied?;
    wrap(&dir)?;
    std::fs::write(&mark, upstream).context(mark.display())?;
    Ok(dir.join("bin"))
}

fn copy(container: &str, row: &Row, dir: &Path) -> Result<()> {
    let tools = row.facts.get("PG_BIN").ok_or("the row has no PG_BIN")?;
    for (from, to) in [
        (tools.as_str(), "bin"),
        ("/lib", "lib"),
        ("/lib64", "lib64"),
    ] {
        let to = dir.join(to);
        let copied = docker(["cp", &format!("{container}:{from}"), &to.to_string_lossy()]).read();
        // Not every architecture has its loader in /lib64.
        if from != "/lib64" {
            copied?;
        }
    }
    Ok(())
}

/// Each tool becomes `tool.real` beside a script that starts it through its own loader.
fn wrap(dir: &Path) -> Result<()> {
    let loader = loader(&dir.join("lib64")).or_else(|| loader(&dir.join("lib")));
    let loader = loader.ok_or(format!("no loader in {}", dir.display()))?;
    let libs = std::fs::read_dir(dir.join("lib"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.to_string_lossy().ends_with("-linux-gnu"));
    let libs = libs.ok_or(format!("no libraries in {}", dir.display()))?;
    for entry in std::fs::read_dir(dir.join("bin"))? {
        let tool = entry?.path();
        let real = tool.with_added_extension("real");
        std::fs::rename(&tool, &real)?;
        let (loader, libs, real) = (loader.display(), libs.display(), real.display());
        let script =
            format!("#!/bin/sh\nexec '{loader}' --library-path '{libs}' '{real}' \"$@\"\n");
        std::fs::write(&tool, script)?;
        std::fs::set_permissions(&tool, PermissionsExt::from_mode(0o755))?;
    }
    Ok(())
}

fn loader(dir: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(dir).ok()?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.find(|path| {
        path.file_name()
            .is_some_and(|it| it.to_string_lossy().starts_with("ld-linux"))
    })
}

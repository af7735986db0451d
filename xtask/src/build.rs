//! One static runner per engine, one image per row.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::docker::{self, Build};
use crate::project::{Project, make_dir};
use crate::published;
use crate::shell::{Context, Result, cmd};
use crate::testbed::{self, in_parallel};
use crate::versions::{Row, suite_of};

#[derive(Default, clap::Args)]
pub struct Options {
    /// ENGINE or ENGINE:VERSION; all without it.
    pub what: Option<String>,
    /// Put the dev build of the runner in, under tags that end in -dev: quick to make, slower to run.
    #[arg(long)]
    pub dev: bool,
}

/// An image as built.
pub struct Built {
    pub image: String,
    pub bytes: u64,
    pub digest: String,
    pub time: Duration,
}

/// Builds the selected images and prints the table of them.
pub fn run(project: &Project, options: &Options) -> Result<Vec<Built>> {
    let rows = project.versions.select(options.what.as_deref())?;
    let built = images(project, &rows, options.dev)?;
    println!(
        "\n{:<36} {:>8}  {:<19} {:>6}",
        "image", "size", "digest", "time"
    );
    for it in &built {
        let (mb, digest) = (it.bytes as f64 / 1e6, &it.digest[..19.min(it.digest.len())]);
        println!(
            "{:<36} {mb:>5.1} MB  {digest} {:>4.1} s",
            it.image,
            it.time.as_secs_f64()
        );
    }
    Ok(built)
}

/// Builds the images of rows, with the runners that go into them, as many at a time as there are cores.
pub fn images(project: &Project, rows: &[&Row], dev: bool) -> Result<Vec<Built>> {
    let bases: Vec<_> = rows.iter().map(|row| row.base()).collect();
    testbed::ready(project, Some(&bases))?;
    let mut contexts = BTreeMap::new();
    for row in rows {
        if !contexts.contains_key(&row.engine) {
            contexts.insert(row.engine.clone(), context(project, &row.engine, dev)?);
        }
    }
    let revision = cmd("git")
        .args(["rev-parse", "HEAD"])
        .dir(&project.root)
        .read();
    let revision = revision.unwrap_or_default();
    in_parallel(rows.to_vec(), |row| {
        image(project, row, &contexts[&row.engine], &revision, dev)
    })
}

/// The tag of a row's image; the dev build never takes the place of the one that ships.
pub fn tag(row: &Row, dev: bool) -> String {
    format!("{}{}", row.image(), if dev { "-dev" } else { "" })
}

/// A build context with nothing but the runner in it.
fn context(project: &Project, engine: &str, dev: bool) -> Result<PathBuf> {
    let runner = project.build_runner(engine, !dev)?;
    let profile = if dev { "dev" } else { "release" };
    let dir = project.target().join("images").join(engine).join(profile);
    make_dir(&dir)?;
    let (from, to) = (
        runner.to_string_lossy(),
        dir.with_extension(std::process::id().to_string()),
    );
    // The dev build carries line tables that an image has no use for.
    let strip = cmd("strip").args(["--strip-debug", "-o", &to.to_string_lossy(), &from]);
    if !dev || !strip.succeeds() {
        std::fs::copy(&runner, &to).context(format!("copy {from}"))?;
    }
    // At once, as another build may be reading the one before.
    std::fs::rename(&to, dir.join("runner")).context(to.display())?;
    Ok(dir)
}

fn image(project: &Project, row: &Row, context: &Path, revision: &str, dev: bool) -> Result<Built> {
    let start = Instant::now();
    let image = tag(row, dev);
    let dir = project
        .root
        .join("images")
        .join(&row.engine)
        .join(&row.version);
    let mut labels = vec![("org.opencontainers.image.revision", revision)];
    let digest = docker::registry_digest(row.base());
    labels.extend(digest.as_deref().map(|it| (published::BASE_DIGEST, it)));
    // What was made here is in no registry, and has no digest that the row could name.
    let arg = match suite_of(row.base()) {
        Some(_) => "BASE",
        None => "CLIENT",
    };
    let made_here = [(arg, row.base())];
    Build {
        tag: &image,
        dockerfile: &dir.join("Dockerfile"),
        context,
        args: if digest.is_none() { &made_here } else { &[] },
        labels: &labels,
    }
    .run()
    .context(format!("build {image}"))?;
    let (bytes, digest) = docker::image_facts(&image)?;
    Ok(Built {
        image,
        bytes,
        digest,
        time: start.elapsed(),
    })
}

//! Real servers as images: pulled where a registry answers, else built from packages under the same names.

mod base;
mod go;
mod packaged;
mod pull;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crate::docker::{self, Build};
use crate::project::{Project, make_dir};
use crate::setup;
use crate::shell::{Context, Result};
use crate::versions::{Row, StandIn, suite_of};

use go::program_name;
pub use go::{go, go_program};
use pull::{Pull, pull};

/// On every stand-in: of what it was made, so that a changed recipe is noticed. An image without it is upstream's.
const LABEL: &str = "planb.stand-in";

/// Makes the named images available, or all: upstream's, and `debian:SUITE-slim`.
pub fn ready(project: &Project, only: Option<&[&str]>) -> Result<()> {
    setup::docker_answers(project)?;
    let testbed = Testbed::new(project);
    let mut missing = Vec::new();
    // `latest` shares its server with a version.
    let servers: BTreeMap<_, _> = project.versions.servers().into_iter().collect();
    for (image, stand_in) in servers {
        if only.is_none_or(|only| only.contains(&image)) && !testbed.is_fresh(image, stand_in)? {
            missing.push((image, stand_in));
        }
    }
    // What has to be compiled takes longest: it goes first.
    missing.sort_by_key(|(_, stand_in)| {
        stand_in.is_none_or(|it| it.module.is_empty() && it.go.is_empty())
    });
    let mut still_missing = Vec::new();
    for (image, stand_in) in missing {
        match (testbed.pulled(image), stand_in) {
            (true, _) => {}
            (false, Some(stand_in)) => still_missing.push((image, stand_in)),
            (false, None) if only.is_some() => return Err(nowhere(image).into()),
            (false, None) => println!("  {}: its rows stay unproven", nowhere(image)),
        }
    }
    let asked_for = only.into_iter().flatten();
    let suites: BTreeSet<_> = still_missing
        .iter()
        .map(|(_, it)| it.suite.as_str())
        .chain(asked_for.filter_map(|image| suite_of(image)))
        .collect();
    in_parallel(suites.into_iter().collect(), |suite| testbed.base(suite))?;
    in_parallel(still_missing, |(image, stand_in)| {
        testbed.stand_in(image, stand_in)
    })
    .map(drop)
}

/// Why a row cannot be proven on this machine, if so: its server is neither here nor in a registry that answers, and
/// nothing stands in for it.
pub fn unproven(project: &Project, row: &Row) -> Option<String> {
    let there = row.stand_in.is_some()
        || docker::has_image(&row.upstream)
        || Testbed::new(project).pulled(&row.upstream);
    (!there).then(|| nowhere(&row.upstream))
}

fn nowhere(image: &str) -> String {
    format!("{image}: no server to be had here, from no registry and from no packages")
}

/// Whether the image of this name was built here, from packages.
pub fn is_stand_in(image: &str) -> bool {
    docker::image_label(image, LABEL).is_some_and(|it| !it.is_empty())
}

/// The version of a row's client where that is not its server's: in some stand-ins, and never upstream.
pub fn stand_in_client(row: &Row) -> Option<&str> {
    let client = row.stand_in.as_ref()?.client.as_str();
    (!client.is_empty() && is_stand_in(&row.upstream)).then_some(client)
}

struct Testbed<'a> {
    project: &'a Project,
    registry_is_dead: AtomicBool,
}

impl<'a> Testbed<'a> {
    fn new(project: &'a Project) -> Self {
        let registry_is_dead = AtomicBool::new(false);
        Self {
            project,
            registry_is_dead,
        }
    }

    fn is_fresh(&self, image: &str, stand_in: Option<&StandIn>) -> Result<bool> {
        let Some(stand_in) = stand_in else {
            return Ok(docker::has_image(image));
        };
        let recipe = self.fingerprint(stand_in)?;
        Ok(docker::image_label(image, LABEL).is_some_and(|it| it.is_empty() || it == recipe))
    }

    fn pulled(&self, image: &str) -> bool {
        if self.registry_is_dead.load(Ordering::Relaxed) {
            return false;
        }
        let pulled = (0..3).find_map(|_| match pull(image) {
            Pull::Done => Some(true),
            Pull::Refused => Some(false),
            Pull::Silent => {
                self.registry_is_dead.store(true, Ordering::Relaxed);
                Some(false)
            }
            Pull::Broken => None,
        });
        if pulled == Some(true) {
            println!("  {image}: pulled");
        }
        pulled.unwrap_or(false)
    }

    fn base(&self, suite: &str) -> Result<()> {
        let image = format!("debian:{suite}-slim");
        if docker::has_image(&image) || self.pulled(&image) {
            return Ok(());
        }
        base::make(self.project, suite)
    }

    fn stand_in(&self, image: &str, stand_in: &StandIn) -> Result<()> {
        let start = Instant::now();
        let context = self.context(image, stand_in)?;
        Build {
            tag: image,
            dockerfile: &self.dockerfile(stand_in),
            context: &context,
            args: &[
                ("BASE", &format!("debian:{}-slim", stand_in.suite)),
                ("MAJOR", &stand_in.major),
                ("CLIENT", &stand_in.client),
            ],
            labels: &[(LABEL, &self.fingerprint(stand_in)?)],
        }
        .run()
        .context(format!("build a stand-in for {image}"))?;
        println!(
            "  {image}: built from packages in {} s",
            start.elapsed().as_secs()
        );
        Ok(())
    }

    fn dockerfile(&self, stand_in: &StandIn) -> PathBuf {
        self.recipes()
            .join(format!("{}.Dockerfile", stand_in.recipe))
    }

    fn recipes(&self) -> PathBuf {
        self.project.root.join("images/testbed")
    }

    /// Of what a stand-in is made: its row, its Dockerfile and what that copies.
    fn fingerprint(&self, stand_in: &StandIn) -> Result<String> {
        let mut hasher = DefaultHasher::new();
        format!("{stand_in:?}").hash(&mut hasher);
        let dockerfile = self.dockerfile(stand_in);
        std::fs::read(&dockerfile)
            .context(dockerfile.display())?
            .hash(&mut hasher);
        for file in self.files(stand_in)? {
            std::fs::read(&file)
                .context(file.display())?
                .hash(&mut hasher);
        }
        for module in &stand_in.go {
            go::fingerprint(&self.recipes().join(module))?.hash(&mut hasher);
        }
        Ok(format!("{:016x}", hasher.finish()))
    }

    /// The files beside a Dockerfile that it names.
    fn files(&self, stand_in: &StandIn) -> Result<Vec<PathBuf>> {
        let dockerfile = self.dockerfile(stand_in);
        let text = std::fs::read_to_string(&dockerfile).context(dockerfile.display())?;
        let named = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            path.is_file() && text.contains(&format!("COPY {name} "))
        };
        let entries = std::fs::read_dir(self.recipes()).context("images/testbed")?;
        let mut files: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(named)
            .collect();
        files.sort();
        Ok(files)
    }

    /// A directory with what the Dockerfile names, and with the server where no distribution packages it.
    fn context(&self, image: &str, stand_in: &StandIn) -> Result<PathBuf> {
        let name = image.replace(['/', ':'], "-");
        let dir = self.project.target().join("testbed").join(name);
        if dir.exists() {
            std::fs::remove_dir_all(&dir).context(dir.display())?;
        }
        make_dir(&dir)?;
        for file in self.files(stand_in)? {
            copy(&file, &dir.join(file.file_name().unwrap_or_default()))?;
        }
        if !stand_in.module.is_empty() {
            let (from, name) = (
                go_program(self.project, &stand_in.module)?,
                program_name(&stand_in.module),
            );
            copy(&from.join(name), &dir.join(name))?;
        }
        for module in &stand_in.go {
            let programs = go::go_module(self.project, &self.recipes().join(module))?;
            for entry in std::fs::read_dir(&programs).context(programs.display())? {
                let entry = entry?;
                copy(&entry.path(), &dir.join(entry.file_name()))?;
            }
        }
        if let Some(file) = packaged::file(self.project, stand_in)? {
            copy(&file, &dir.join("server"))?;
        }
        Ok(dir)
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to)
        .map(drop)
        .context(format!("copy {}", from.display()))
}

/// Runs all of the work, as much at a time as there are cores; the results come in the order of the work.
pub fn in_parallel<T: Send, R: Send>(
    work: Vec<T>,
    run: impl Fn(T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let n_items = work.len();
    let n_cores = thread::available_parallelism().map_or(1, usize::from);
    let n_workers = n_cores.max(2).min(n_items);
    let queue = Mutex::new(work.into_iter().enumerate());
    let done = Mutex::new(Vec::with_capacity(n_items));
    let worker = || {
        // A worker that panicked has poisoned the locks: the others end, and so do we.
        while let Some((at, item)) = queue.lock().ok().and_then(|mut queue| queue.next()) {
            let result = run(item);
            if let Ok(mut done) = done.lock() {
                done.push((at, result));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..n_workers {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner().map_err(|_| "a worker panicked")?;
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

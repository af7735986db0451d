//! Builds, proves and ships the runners: `cargo xtask --help`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a developer's tool, not a job: it prints, runs programs, reads its environment and writes files"
)]

pub mod all;
pub mod bench;
pub mod build;
pub mod clients;
pub mod demo;
pub mod deploy;
pub mod docker;
pub mod hooks;
pub mod index;
pub mod interrupt;
pub mod leash;
pub mod matrix;
pub mod new_engine;
pub mod new_version;
pub mod project;
pub mod published;
pub mod push;
pub mod render;
pub mod server;
pub mod setup;
pub mod shell;
pub mod table;
pub mod test;
pub mod testbed;
pub mod tidy;
pub mod verify;
pub mod versions;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use interrupt::Interrupted;
use project::Project;
use shell::Result;

/// Builds, proves and ships the runners.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Make this machine ready: Docker, real servers as images. The others do it when they need it.
    Setup,
    /// Back up a real database to a directory, destroy it, restore it and prove it.
    Demo(demo::Options),
    /// Run every test, on real servers.
    Test(test::Options),
    /// Build images.
    Build(build::Options),
    /// Prove images end to end in twelve steps, against real servers, a real store and a real registry.
    BuildVerify(verify::Options),
    /// Push images that are built, by digest.
    Push(push::Options),
    /// Build, test, prove and push everything.
    All(all::Options),
    /// Create or update the Cloud Run jobs of images in a registry.
    Deploy(deploy::Options),
    /// Measure against the tools a user would pick instead.
    Bench(bench::Options),
    /// Print what a workflow has to build, as JSON: rows by platform.
    Matrix(matrix::Options),
    /// Give the images of all platforms that were pushed one name.
    Index(index::Options),
    /// Add a row to images/versions.toml, and render what hangs on it.
    NewVersion(new_version::Options),
    /// Begin an engine: crate, Dockerfile template, stand-in and row.
    NewEngine(new_engine::Options),
    /// Write what follows from images/versions.toml: Dockerfiles, and the table in README.md.
    Render,
    /// Check format, lints, dependencies and rendered files.
    Tidy,
}

/// What `cargo xtask` runs.
pub fn main() -> ExitCode {
    let args = Args::parse();
    match Project::load().and_then(|project| args.task.run(&project)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("error: {err}");
            let interrupted = err.downcast_ref::<Interrupted>();
            interrupted.map_or(ExitCode::FAILURE, |it| it.exit_code().into())
        }
    }
}

impl Task {
    fn run(self, project: &Project) -> Result<()> {
        match self {
            Self::Setup => testbed::ready(project, None),
            Self::Demo(options) => demo::run(project, &options),
            Self::Test(options) => test::run(project, &options),
            Self::Build(options) => build::run(project, &options).map(drop),
            Self::BuildVerify(options) => verify::run(project, &options).map(drop),
            Self::Push(options) => push::run(project, &options),
            Self::All(options) => all::run(project, &options),
            Self::Deploy(options) => deploy::run(project, &options),
            Self::Bench(options) => bench::run(project, &options),
            Self::Matrix(options) => matrix::run(project, &options),
            Self::Index(options) => index::run(project, &options),
            Self::NewVersion(options) => new_version::run(project, &options),
            Self::NewEngine(options) => new_engine::run(project, &options),
            Self::Render => render::write(project),
            Self::Tidy => tidy::run(project),
        }
    }
}

//! Builds, proves and ships the runners: `cargo xtask --help`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a developer's tool, not a job: it prints, runs programs, reads its environment and writes files"
)]

pub mod bench;
pub mod build;
pub mod clients;
pub mod demo;
pub mod deploy;
pub mod docker;
pub mod leash;
pub mod project;
pub mod render;
pub mod server;
pub mod setup;
pub mod shell;
pub mod test;
pub mod testbed;
pub mod tidy;
pub mod versions;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// Create or update the Cloud Run jobs of images in a registry.
    Deploy(deploy::Options),
    /// Measure against the tools a user would pick instead.
    Bench(bench::Options),
    /// Write the Dockerfiles that images/versions.toml describes.
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
            ExitCode::FAILURE
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
            Self::Deploy(options) => deploy::run(project, &options),
            Self::Bench(options) => bench::run(project, &options),
            Self::Render => render::write(project),
            Self::Tidy => tidy::run(project),
        }
    }
}

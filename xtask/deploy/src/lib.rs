//! Cloud Run jobs from rows: create, update, run. Read `deploy.rs` first.
//!
//! ```text
//! flags, --env-from ──> Wish ─┐
//! Cloud::job (what is there) ─┴─> job::desired ──> diff ──> Cloud::create | Cloud::update | nothing ──> follow
//!                                      └──> yaml
//! ```
//!
//! `stand_in` is Google for tests and for the proof of an image: it checks each request and each answer against
//! Google's discovery document.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a developer's tool, not a job: it prints, reads its environment and writes files"
)]

pub mod cloud;
mod deploy;
mod diff;
mod fault;
mod follow;
pub mod job;
mod prove;
mod settings;
pub mod stand_in;
#[cfg(test)]
mod tests;
mod wish;
mod yaml;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use xtask::project::Project;
use xtask::shell::{Context, Result};

pub use wish::Options;

/// Creates, updates and runs the Cloud Run jobs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Create or update the Cloud Run jobs of images in a registry.
    Deploy(Box<Options>),
    /// Deploy one image to the stand-in, twice, and print what came of it.
    #[command(hide = true)]
    Prove { row: String, image: String },
    /// Write run.v1.json and run.v2.json anew from the directory of Google's discovery documents.
    #[command(hide = true)]
    Discovery { from: PathBuf },
}

/// What the program does.
pub fn main() -> ExitCode {
    let task = Args::parse().task;
    match Project::load().and_then(|project| run(&project, task)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("error: {err}");
            ExitCode::FAILURE
        }
    }
}

fn run(project: &Project, task: Task) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    match task {
        Task::Deploy(options) => runtime.block_on(deploy::run(project, &options)),
        Task::Prove { row, image } => {
            let (engine, version) = row.split_once(':').ok_or("ENGINE:VERSION, please")?;
            let row = project.versions.row(engine, version)?;
            println!("{}", runtime.block_on(prove::prove(row, &image))?);
            Ok(())
        }
        Task::Discovery { from } => stand_in::reduce::write(&from, &project.root),
    }
}

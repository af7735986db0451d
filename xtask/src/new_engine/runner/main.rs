//! Backs up, restores and proves NEWCOMER databases.
//!
//! `engine.rs` implements the core's seam; `options.rs` has the settings that only NEWCOMER has.

mod engine;
mod options;

use std::process::ExitCode;

fn main() -> ExitCode {
    runner_core::main::<engine::Newcomer>()
}

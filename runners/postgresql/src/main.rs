//! Backs up, restores and proves PostgreSQL databases.

mod by_hand;
mod describe;
mod details;
mod dump;
mod engine;
mod foreign;
mod largeobjects;
mod options;
mod plan;
#[cfg(test)]
mod readme;
mod restore;
mod roles;
mod rows;
mod sequences;
mod session;
mod sql;
mod tables;
mod tar_in;
mod tools;
mod types;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    runner_core::main::<engine::Postgres>()
}

//! Backs up, restores and proves Valkey databases; the code is `redis_runner`'s.

use std::process::ExitCode;

fn main() -> ExitCode {
    runner_core::main::<redis_runner::Valkey>()
}

//! Backs up, restores and proves Redis databases.

use std::process::ExitCode;

fn main() -> ExitCode {
    runner_core::main::<redis_runner::Redis>()
}

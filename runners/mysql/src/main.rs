//! Backs up, restores and proves MySQL databases.

use std::process::ExitCode;

fn main() -> ExitCode {
    runner_core::main::<mysql_runner::MySql>()
}

//! Backs up, restores and proves MariaDB databases; the code is `mysql_runner`'s.

use std::process::ExitCode;

fn main() -> ExitCode {
    runner_core::main::<mysql_runner::MariaDb>()
}

//! `cargo xtask deploy …`: see `cargo xtask deploy --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    xtask_deploy::main()
}

//! Cloud Run jobs, by a program of its own: Google's SDK takes minutes to compile, and nothing else here needs it.

use std::path::PathBuf;

use crate::project::Project;
use crate::shell::{Cmd, Result, cmd};
use crate::versions::Row;

const PACKAGE: &str = "xtask-deploy";

/// `--help` among them: the other program knows them.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Options {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Creates or updates jobs; a failure has been explained by then.
pub fn run(project: &Project, options: &Options) -> Result<()> {
    let deploy = program(project)?.arg("deploy").args(&options.args);
    Ok(deploy
        .run()
        .map_err(|_| "not deployed as asked: the reason is above")?)
}

/// Creates the job of a row on the stand-in for Google, repeats that, reads it back, and says what came of it in a line.
pub fn prove(project: &Project, row: &Row, image_by_digest: &str) -> Result<String> {
    program(project)?
        .args(["prove", &row.name(), image_by_digest])
        .read()
}

/// Compiles the other program, so that who proves or tests does not wait for it in the middle.
pub fn build(project: &Project) -> Result<()> {
    program(project).map(drop)
}

fn program(project: &Project) -> Result<Cmd> {
    let build = [
        "build",
        "--package",
        PACKAGE,
        "--message-format=json-render-diagnostics",
    ];
    let said = project.cargo(build).read_aloud()?;
    let executable = said
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    Ok(cmd(
        executable.ok_or(format!("cargo built no executable {PACKAGE}"))?
    ))
}

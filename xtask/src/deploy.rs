//! Cloud Run jobs, by a program of its own: Google's SDK takes minutes to compile, and nothing else here needs it.

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

fn program(project: &Project) -> Result<Cmd> {
    project.build(PACKAGE, false).map(cmd)
}

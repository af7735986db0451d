//! Every test: unit tests, and whole jobs against real servers.

use crate::build::{self, tag};
use crate::clients;
use crate::docker::docker;
use crate::project::Project;
use crate::shell::Result;
use crate::testbed;

/// On everything that tests start; see `tests/src/world.rs`.
const LABEL: &str = "planb-test";

#[derive(clap::Args)]
pub struct Options {
    /// Only tests whose name contains this.
    filter: Option<String>,
    /// Passed to the test binaries, e.g. `-- --nocapture`.
    #[arg(last = true)]
    rest: Vec<String>,
}

pub fn run(project: &Project, options: &Options) -> Result<()> {
    testbed::ready(project, None)?;
    let dev = build::Options {
        what: None,
        dev: true,
    };
    build::run(project, &dev)?;
    let mut test = project
        .cargo(["test", "--workspace", "--features", "runner-core/testing"])
        .env(
            "PLANB_VERSIONS",
            project.root.join("images/versions.toml").to_string_lossy(),
        )
        .env("PLANB_RUNNERS", runners(project)?);
    for row in &project.versions.images {
        let tools = clients::ready(project, row, &tag(row, true))?;
        let name = format!("PLANB_TOOLS_{}_{}", row.engine, row.version);
        test = test.env(&name, tools.to_string_lossy());
    }
    if !options.rest.is_empty() || options.filter.is_some() {
        test = test.args(&options.filter).arg("--").args(&options.rest);
    }
    let tested = test.run();
    sweep()?;
    tested
}

/// The directory of the dev binaries.
fn runners(project: &Project) -> Result<String> {
    let runner = project.build_runner("postgresql", false)?;
    let dir = runner.parent().ok_or("a runner without a directory")?;
    Ok(dir.to_string_lossy().into_owned())
}

/// Removes what a test binary that died could not.
fn sweep() -> Result<()> {
    let ids = docker([
        "ps",
        "--all",
        "--quiet",
        "--filter",
        &format!("label={LABEL}"),
    ])
    .read()?;
    if ids.is_empty() {
        return Ok(());
    }
    docker(["rm", "--force", "--volumes"])
        .args(ids.lines())
        .read()
        .map(drop)
}

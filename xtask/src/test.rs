//! Every test: unit tests, and whole jobs against real servers.

use std::path::Path;

use crate::build::{self, tag};
use crate::clients;
use crate::leash::Leash;
use crate::project::Project;
use crate::shell::{Context, Result};
use crate::testbed;
use crate::versions::Row;

#[derive(Default, clap::Args)]
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
    // Each test binary cleans up after itself; this waits for that, and sees to what it could not.
    let leash = Leash::new(format!("planb-run={}", std::process::id()))?;
    let mut test = project
        .cargo(["test", "--workspace", "--features", "runner-core/testing"])
        .env(
            "PLANB_VERSIONS",
            project.root.join("images/versions.toml").to_string_lossy(),
        )
        .env("PLANB_LABEL", leash.label())
        .env("PLANB_XTASK", std::env::current_exe()?.to_string_lossy())
        .env("PLANB_RUNNERS", runners(project)?);
    let has_tools = |row: &&Row| clients::tools_of(row).is_some();
    for row in project.versions.images.iter().filter(has_tools) {
        let tools = clients::ready(project, row, &tag(row, true))?;
        let name = format!("PLANB_TOOLS_{}_{}", row.engine, row.version);
        test = test.env(&name, tools.to_string_lossy());
    }
    if !options.rest.is_empty() || options.filter.is_some() {
        test = test.args(&options.filter).arg("--").args(&options.rest);
    }
    let tested = test.run();
    drop(leash);
    tested
}

/// The directory of the dev binaries.
fn runners(project: &Project) -> Result<String> {
    let mut dir = None;
    for entry in std::fs::read_dir(project.root.join("runners")).context("runners")? {
        let engine = entry?.file_name();
        let runner = project.build_runner(&engine.to_string_lossy(), false)?;
        dir = runner.parent().map(Path::to_owned);
    }
    let dir = dir.ok_or("there is no engine in runners/")?;
    Ok(dir.to_string_lossy().into_owned())
}

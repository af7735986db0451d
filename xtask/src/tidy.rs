//! What must hold before a commit: format, lints, dependencies, rendered files.

use crate::project::Project;
use crate::render;
use crate::shell::{Context, Result};

pub fn run(project: &Project) -> Result<()> {
    render::check(project)?;
    project
        .cargo(["fmt", "--all", "--check"])
        .run()
        .context("run `cargo fmt`")?;
    let lint = [
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--features",
        "runner-core/testing",
    ];
    project
        .cargo(lint)
        .args(["--", "--deny", "warnings"])
        .run()?;
    if project.cargo(["deny", "--version"]).succeeds() {
        // It finds .cargo/deny.toml by itself; where `--config` stands has changed between its versions.
        project
            .cargo(["deny", "check", "bans", "sources", "licenses"])
            .run()?;
    } else {
        println!("  cargo-deny is not installed: dependencies not checked");
    }
    println!("tidy");
    Ok(())
}

//! Everything there is to show before a release, and then the release: build, test, prove, push.

use crate::project::Project;
use crate::shell::Result;
use crate::{build, push, test, verify};

#[derive(clap::Args)]
pub struct Options {
    /// Where to push what has been proven; nothing is pushed without it.
    #[arg(long)]
    registry: Option<String>,
    /// The release, which is part of the immutable tags.
    #[arg(long = "tag", value_name = "RELEASE", default_value = env!("CARGO_PKG_VERSION"))]
    release: String,
}

/// Stops at the first of them that fails: nothing is pushed that is not proven.
pub fn run(project: &Project, options: &Options) -> Result<()> {
    build::run(project, &build::Options::default())?;
    test::run(project, &test::Options::default())?;
    let proven = verify::run(project, &verify::Options::default())?;
    let Some(registry) = options.registry.clone() else {
        println!("\nNot pushed: there is no --registry.");
        return Ok(());
    };
    for row in proven {
        let options = push::Options {
            what: Some(row),
            registry: registry.clone(),
            release: options.release.clone(),
            dev: false,
        };
        push::run(project, &options)?;
    }
    Ok(())
}

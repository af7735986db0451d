use crate::project::Project;
use crate::shell::Result;
#[derive(clap::Args)]
pub struct Options {}
pub fn run(_: &Project, _: &Options) -> Result<()> {
    Ok(())
}

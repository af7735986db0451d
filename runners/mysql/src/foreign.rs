//! Dumps that stock tools made.

use runner_core::engine::{Foreign, Restored, Target};
use runner_core::error::{Error, Kind, Result};

use crate::engine::Site;

/// Refuses them all, for now.
pub(crate) async fn run(_: &Site, foreign: Foreign, _: &Target) -> Result<Restored> {
    Err(Error::new(
        Kind::Unfit,
        format!(
            "{:?} is no backup of ours; dumps of stock tools are not restored in this release, use the client `mysql`",
            foreign.name
        ),
    ))
}

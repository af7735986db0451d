//! One image through the whole of `deploy` against the stand-in.

use std::time::Duration;

use xtask::shell::Result;
use xtask::versions::Row;

use crate::cloud::{Cloud, Endpoint};
use crate::deploy::{Outcome, apply, plan};
use crate::job::container;
use crate::stand_in::StandIn;
use crate::wish::{Place, Wish, job_id};

/// Creates the job, repeats that, reads it back, and says so in a line.
pub(crate) async fn prove(row: &Row, image: &str) -> Result<String> {
    let stand_in = StandIn::start()?;
    let place = Place {
        project: "planb-proof".to_owned(),
        region: "us-central1".to_owned(),
    };
    let endpoint = Endpoint::Anonymous(stand_in.url());
    let cloud = Cloud::connect(endpoint, place, Duration::from_secs(30)).await?;
    let id = job_id(row);
    for expected in [Outcome::Created, Outcome::Unchanged] {
        let (now, then, changes) = plan(&cloud, row, image, &Wish::default()).await?;
        let outcome = apply(&cloud, now.as_ref(), &then, &changes).await?;
        if outcome != expected {
            return Err(
                format!("{id}: {outcome:?} where {expected:?} was due: {changes:?}").into(),
            );
        }
    }
    let job = cloud.job(&cloud.place.job(row)).await?;
    let stored = job.as_ref().and_then(container).map(|it| it.image.as_str());
    if stored != Some(image) {
        return Err(format!("{id}: the job runs {stored:?}, not {image}").into());
    }
    Ok(format!("{id} created, unchanged on repeat"))
}

//! `cargo xtask deploy`: each selected row's image becomes a job; what is as it shall be stays untouched.

use google_cloud_run_v2::model::Job;

use xtask::docker::docker;
use xtask::project::Project;
use xtask::shell::Result;
use xtask::versions::Row;

use crate::cloud::{Cloud, Endpoint};
use crate::wish::{Options, Wish, job_id};
use crate::{diff, follow, job, yaml};

/// What came of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Created,
    Updated,
    Unchanged,
}

/// Deploys the selected rows, one after the other; the first that fails ends it.
pub(crate) async fn run(project: &Project, options: &Options) -> Result<()> {
    let rows = project.versions.select(options.what.as_deref())?;
    let place = options.place()?;
    let (wish, wait) = (options.wish(&place)?, options.wait()?);
    let images = images(options, &rows)?;
    if options.yaml {
        for (row, image) in rows.iter().zip(&images) {
            let job = job::desired(&place, row, image, &wish, None)?;
            print!("---\n{}", yaml::render(&yaml::document(&place, &job)));
        }
        return Ok(());
    }
    let cloud = Cloud::connect(Endpoint::Google, place, wait).await?;
    for (row, image) in rows.iter().zip(&images) {
        one(&cloud, options, row, image, &wish).await?;
    }
    Ok(())
}

/// Deploys one row, says what it did, and runs the job where that is asked for.
pub(crate) async fn one(
    cloud: &Cloud,
    options: &Options,
    row: &Row,
    image: &str,
    wish: &Wish,
) -> Result<()> {
    let (now, then, changes) = plan(cloud, row, image, wish).await?;
    let id = job_id(row);
    if options.dry_run {
        let would = match (&now, changes.is_empty()) {
            (None, _) => "would be created",
            (Some(_), true) => "is as it shall be",
            (Some(_), false) => "would be updated",
        };
        println!("{id} {would}");
        show(&changes);
        return Ok(());
    }
    match apply(cloud, now.as_ref(), &then, &changes).await? {
        Outcome::Unchanged => println!("{id} unchanged: it is as it shall be"),
        Outcome::Created => println!("{id} created"),
        Outcome::Updated => {
            println!("{id} updated");
            show(&changes);
        }
    }
    match options.run {
        true => follow::run(cloud, &then.name).await,
        false => Ok(()),
    }
}

/// The job as it is, as it shall be, and what differs.
pub(crate) async fn plan(
    cloud: &Cloud,
    row: &Row,
    image: &str,
    wish: &Wish,
) -> Result<(Option<Job>, Job, Vec<String>)> {
    let now = cloud.job(&cloud.place.job(row)).await?;
    let then = job::desired(&cloud.place, row, image, wish, now.as_ref())?;
    let changes = diff::diff(now.as_ref(), &then)?;
    Ok((now, then, changes))
}

/// Makes the job what it shall be, if it is not.
pub(crate) async fn apply(
    cloud: &Cloud,
    now: Option<&Job>,
    then: &Job,
    changes: &[String],
) -> Result<Outcome> {
    match now {
        None => cloud.create(then).await.map(|()| Outcome::Created),
        Some(now) if changes.is_empty() => {
            cloud.settle(&now.name).await.map(|()| Outcome::Unchanged)
        }
        Some(_) => cloud.update(then).await.map(|()| Outcome::Updated),
    }
}

fn show(changes: &[String]) {
    for line in changes {
        println!("  {line}");
    }
}

/// Each row's image by digest: what is deployed is what was tested, whatever becomes of its tag.
pub(crate) fn images(options: &Options, rows: &[&Row]) -> Result<Vec<String>> {
    match (&options.image, &options.registry) {
        (Some(_), _) if rows.len() > 1 => {
            Err("--image is one image: say which row it is, as ENGINE:VERSION".into())
        }
        (Some(image), _) if is_by_digest(image) => Ok(vec![image.clone()]),
        (Some(image), _) => Err(format!(
            "--image {image}: a tag can move, so give the digest (REGISTRY/NAME@sha256:…, as `cargo xtask push` prints it), \
             or --registry in place of it"
        )
        .into()),
        (None, Some(registry)) => rows.iter().map(|row| pushed(registry, row)).collect(),
        (None, None) => Err("which image? Give --registry R, where `cargo xtask push` has put it, or --image R/NAME@sha256:…".into()),
    }
}

/// What the registry holds under the row's name.
fn pushed(registry: &str, row: &Row) -> Result<String> {
    let tag = format!("{}/{}", registry.trim_end_matches('/'), row.image());
    let name = tag.rsplit_once(':').map_or(tag.as_str(), |(name, _)| name);
    docker(["pull", "--quiet", &tag]).read().map_err(|err| {
        format!("{tag} cannot be had: `cargo xtask push --registry {registry}` puts it there, `docker login` gives access\n  {err}")
    })?;
    let format = "{{range .RepoDigests}}{{println .}}{{end}}";
    let digests = docker(["image", "inspect", "--format", format, &tag]).read()?;
    let mut digests = digests.lines().map(str::trim);
    let own = digests.find(|digest| digest.split_once('@').is_some_and(|(it, _)| it == name));
    Ok(own
        .ok_or(format!("{tag}: Docker knows no digest of it; give --image"))?
        .to_owned())
}

fn is_by_digest(image: &str) -> bool {
    let hex = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    image
        .split_once("@sha256:")
        .is_some_and(|(name, digest)| !name.is_empty() && hex(digest))
}

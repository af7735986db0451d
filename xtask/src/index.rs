//! One name for the images of all platforms: what each platform's machine built, proved and pushed, and nothing rebuilt.

use std::collections::BTreeMap;

use crate::docker::docker;
use crate::matrix::{arch, outputs};
use crate::project::Project;
use crate::published::{self, Published};
use crate::shell::{Context, Result, cmd};
use crate::versions::Row;

#[derive(clap::Args)]
pub struct Options {
    /// ENGINE:VERSION
    what: String,
    /// Where the platforms' images are, each below its architecture: ghcr.io/you for ghcr.io/you/amd64/….
    #[arg(long)]
    registry: String,
    /// The release under which they were pushed.
    #[arg(long = "tag", value_name = "RELEASE", default_value = env!("CARGO_PKG_VERSION"))]
    release: String,
    /// Sign the index with cosign, by the identity of the workflow that runs this.
    #[arg(long)]
    sign: bool,
}

/// Puts the index together under the version's tag and the release's, which never changes.
pub fn run(project: &Project, options: &Options) -> Result<()> {
    let rows = project.versions.select(Some(&options.what))?;
    let [row] = rows[..] else {
        return Err(format!("{} is more than one row: name ENGINE:VERSION", options.what).into());
    };
    let registry = options.registry.trim_end_matches('/');
    let version = format!("{registry}/{}", row.image());
    let release = format!("{version}-{}", options.release);
    let sources = sources(row, registry, &options.release);
    let mut expected = BTreeMap::new();
    for (platform, source) in &sources {
        let image = published::inspect(source)?;
        let image = image.ok_or(format!("{source} is not there: push it first"))?;
        expected.insert(platform.clone(), image.digest);
    }
    unchanged(&release, published::inspect(&release)?.as_ref(), &expected)?;
    docker([
        "buildx",
        "imagetools",
        "create",
        "--tag",
        &release,
        "--tag",
        &version,
    ])
    .args(sources.values())
    .read()
    .context(format!("make {version}"))?;
    let index = published::inspect(&version)?.ok_or(format!("{version} is not there"))?;
    let (name, _) = version.rsplit_once(':').unwrap_or((&version, ""));
    let reference = format!("{name}@{}", index.digest);
    if options.sign {
        cmd("cosign").args(["sign", "--yes", &reference]).run()?;
    }
    println!("{release}\n{version}\n    {reference}");
    outputs(&[
        ("name", name.to_owned()),
        ("digest", index.digest),
        ("reference", reference),
    ])
}

/// Where each platform's image is.
fn sources(row: &Row, registry: &str, release: &str) -> BTreeMap<String, String> {
    let source =
        |platform: &String| format!("{registry}/{}/{}-{release}", arch(platform), row.image());
    row.platforms
        .iter()
        .map(|it| (it.clone(), source(it)))
        .collect()
}

/// Refuses to give a release other content than it has.
fn unchanged(
    release: &str,
    there: Option<&Published>,
    new: &BTreeMap<String, String>,
) -> Result<()> {
    match there {
        Some(there) if there.platforms != *new => Err(format!(
            "{release} is released, with other images: {:?} there, {new:?} here. A release never changes: \
             give this one another name with --tag",
            there.platforms
        )
        .into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::Versions;

    #[test]
    fn each_platform_has_its_own_place_below_the_registry() {
        let versions = Versions::parse(include_str!("../../images/versions.toml")).unwrap();
        let row = versions.row("postgresql", "17").unwrap();
        let sources = sources(row, "ghcr.io/you", "1.2.0");
        assert_eq!(
            sources["linux/arm64"],
            "ghcr.io/you/arm64/plan-b-backup-postgresql:17-1.2.0"
        );
        assert_eq!(sources.len(), 2);
    }

    #[test]
    fn a_release_may_be_made_again_but_never_of_other_images() {
        let digests =
            |digest: &str| BTreeMap::from([("linux/amd64".to_owned(), digest.to_owned())]);
        let there = Published {
            digest: "sha256:index".into(),
            platforms: digests("sha256:a"),
            bases: vec![],
        };
        unchanged("r", None, &digests("sha256:a")).unwrap();
        unchanged("r", Some(&there), &digests("sha256:a")).unwrap();
        let err = unchanged("r", Some(&there), &digests("sha256:b")).unwrap_err();
        assert!(err.to_string().contains("A release never changes"), "{err}");
    }
}

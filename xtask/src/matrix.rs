//! What a workflow has to build: a job for each row and platform, and one for each row.

use std::io::Write;

use serde_json::{Value, json};

use crate::project::Project;
use crate::published::{self, Published};
use crate::shell::{Context, Result};
use crate::versions::Row;

#[derive(clap::Args)]
pub struct Options {
    /// ENGINE or ENGINE:VERSION; all without it.
    what: Option<String>,
    /// Only what is out of date in this registry: not published, or made of a base that has moved on.
    #[arg(long, value_name = "REGISTRY")]
    stale: Option<String>,
}

/// Prints the matrix as JSON; in a GitHub workflow it becomes the step's outputs too.
pub fn run(project: &Project, options: &Options) -> Result<()> {
    let mut rows = project.versions.select(options.what.as_deref())?;
    if let Some(registry) = &options.stale {
        let mut stale = Vec::new();
        for row in rows {
            let published = published::inspect(&format!("{registry}/{}", row.image()))?;
            let base = published::inspect(row.base())?.ok_or(format!("no image {}", row.base()))?;
            if let Some(why) = is_stale(row, published.as_ref(), &base) {
                eprintln!("{}: {why}", row.name());
                stale.push(row);
            }
        }
        rows = stale;
    }
    let matrix = matrix(&rows);
    println!("{matrix:#}");
    outputs(&[
        ("platforms", matrix["platforms"].to_string()),
        ("images", matrix["images"].to_string()),
        ("any", (!rows.is_empty()).to_string()),
    ])
}

/// Hands values to the later steps of a GitHub workflow; elsewhere it does nothing.
pub fn outputs(values: &[(&str, String)]) -> Result<()> {
    let Some(path) = std::env::var_os("GITHUB_OUTPUT") else {
        return Ok(());
    };
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .context("GITHUB_OUTPUT")?;
    for (name, value) in values {
        writeln!(file, "{name}={value}").context("GITHUB_OUTPUT")?;
    }
    Ok(())
}

/// The architecture in a platform's name.
pub fn arch(platform: &str) -> &str {
    platform.rsplit('/').next().unwrap_or(platform)
}

fn matrix(rows: &[&Row]) -> Value {
    // Each platform is built and proven on a machine of its own kind.
    let runner = |arch: &str| match arch {
        "arm64" => "ubuntu-24.04-arm",
        _ => "ubuntu-24.04",
    };
    let job = |row: &Row, platform: &String| {
        let arch = arch(platform);
        json!({"image": row.name(), "arch": arch, "runner": runner(arch)})
    };
    let platforms: Vec<_> = rows
        .iter()
        .flat_map(|row| row.platforms.iter().map(|platform| job(row, platform)))
        .collect();
    let images: Vec<_> = rows
        .iter()
        .map(|row| json!({"image": row.name()}))
        .collect();
    json!({"platforms": {"include": platforms}, "images": {"include": images}})
}

fn is_stale(row: &Row, published: Option<&Published>, base: &Published) -> Option<String> {
    let Some(published) = published else {
        return Some("not published".into());
    };
    let missing: Vec<_> = row
        .platforms
        .iter()
        .filter(|it| !published.platforms.contains_key(*it))
        .collect();
    if !missing.is_empty() {
        return Some(format!("published without {missing:?}"));
    }
    if published.bases.len() == row.platforms.len()
        && published.bases.iter().all(|it| *it == base.digest)
    {
        return None;
    }
    Some(format!(
        "{} is {} now, the image is of {:?}",
        row.base(),
        base.digest,
        published.bases
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::Versions;

    fn rows() -> Versions {
        Versions::parse(include_str!("../../images/versions.toml")).unwrap()
    }

    #[test]
    fn every_row_has_a_job_for_each_platform_on_a_machine_of_that_kind() {
        let versions = rows();
        let rows = versions.select(Some("postgresql:17")).unwrap();
        let expected = json!({
            "platforms": {"include": [
                {"image": "postgresql:17", "arch": "amd64", "runner": "ubuntu-24.04"},
                {"image": "postgresql:17", "arch": "arm64", "runner": "ubuntu-24.04-arm"},
            ]},
            "images": {"include": [{"image": "postgresql:17"}]},
        });
        assert_eq!(matrix(&rows), expected);
        // Upstream's is for amd64 alone; a row without a stand-in is proven by its workflow like any other.
        let rows = versions.select(Some("mysql")).unwrap();
        let jobs = matrix(&rows)["platforms"]["include"].to_string();
        let expected = [
            ("5.7", 1),
            ("8.0", 2),
            ("8.4", 2),
            ("9.4", 2),
            ("latest", 2),
        ];
        for (version, n_jobs) in expected {
            let image = format!("\"mysql:{version}\"");
            assert_eq!(jobs.matches(&image).count(), n_jobs, "{image} in {jobs}");
        }
    }

    #[test]
    fn a_rebuild_is_due_when_the_base_has_moved_on_and_not_before() {
        let versions = rows();
        let row = versions.row("postgresql", "17").unwrap();
        let image = |digest: &str, platforms: &[&str], bases: &[&str]| Published {
            digest: digest.into(),
            platforms: platforms
                .iter()
                .map(|it| ((*it).to_owned(), "sha256:x".into()))
                .collect(),
            bases: bases.iter().map(|it| (*it).to_owned()).collect(),
        };
        let both = ["linux/amd64", "linux/arm64"];
        let base = image("sha256:new", &both, &[]);
        let why = |published: Option<&Published>| is_stale(row, published, &base);
        assert_eq!(why(None).unwrap(), "not published");
        assert_eq!(
            why(Some(&image("sha256:1", &both, &["sha256:new"; 2]))),
            None
        );
        let old = why(Some(&image(
            "sha256:1",
            &both,
            &["sha256:new", "sha256:old"],
        )))
        .unwrap();
        assert!(old.starts_with("postgres:17 is sha256:new now"), "{old}");
        let one = why(Some(&image("sha256:1", &both[..1], &["sha256:new"]))).unwrap();
        assert_eq!(one, "published without [\"linux/arm64\"]");
        assert!(why(Some(&image("sha256:1", &both, &[]))).is_some());
    }
}

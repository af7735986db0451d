//! What lies in a registry under a name, as `docker buildx imagetools` tells it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::docker::docker;
use crate::shell::{Context, Result};

/// Of what an image was made; the build writes it, and a rebuild is due when the base's tag has moved on.
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// An image, or an index of images for several platforms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// What the name stands for: the index, where there is one.
    pub digest: String,
    /// Each platform's own digest; empty where the name stands for one image.
    pub platforms: BTreeMap<String, String>,
    /// The digests of the bases that the images say they were made of.
    pub bases: Vec<String>,
}

/// Asks a registry; `None` when it has nothing of that name.
pub fn inspect(name: &str) -> Result<Option<Published>> {
    let format = [
        "buildx",
        "imagetools",
        "inspect",
        name,
        "--format",
        "{{json .}}",
    ];
    let output = docker(format).output()?;
    if output.status.success() {
        return parse(&output.stdout).context(name).map(Some);
    }
    let said = output.stderr.trim();
    // Not to be confused with a registry that is away, or refuses.
    if said.ends_with(": not found") {
        return Ok(None);
    }
    Err(format!("ask the registry for {name}: {said}").into())
}

fn parse(text: &str) -> Result<Published> {
    let said: Value = serde_json::from_str(text).context("docker buildx imagetools inspect")?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let manifests = said["manifest"]["manifests"].as_array();
    let platforms = manifests.into_iter().flatten().filter_map(|it| {
        let platform = &it["platform"];
        let (os, arch) = (platform["os"].as_str()?, platform["architecture"].as_str()?);
        // Attestations lie in an index as images of no platform.
        (os != "unknown").then_some((format!("{os}/{arch}"), text(&it["digest"])?))
    });
    let image = &said["image"];
    let images: Vec<&Value> = match image.get("config") {
        Some(_) => vec![image],
        None => image.as_object().map_or(vec![], |it| it.values().collect()),
    };
    let base = |image: &&Value| text(&image["config"]["Labels"][BASE_DIGEST]);
    Ok(Published {
        digest: text(&said["manifest"]["digest"]).ok_or("no digest")?,
        platforms: platforms.collect(),
        bases: images.iter().filter_map(base).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_has_a_digest_for_itself_and_one_for_each_platform() {
        let index = parse(include_str!("published/index.json")).unwrap();
        assert!(index.digest.starts_with("sha256:01676ee4"), "{index:?}");
        let platforms: Vec<_> = index
            .platforms
            .iter()
            .map(|(name, digest)| (name.as_str(), &digest[..15]))
            .collect();
        assert_eq!(
            platforms,
            [
                ("linux/amd64", "sha256:abd2f0cd"),
                ("linux/arm64", "sha256:bf0e1d8c")
            ]
        );
        assert_eq!(index.bases, vec![format!("sha256:{}", "1".repeat(64)); 2]);
    }

    #[test]
    fn a_single_image_has_one_digest_and_one_base() {
        let image = parse(include_str!("published/single.json")).unwrap();
        assert!(image.digest.starts_with("sha256:abd2f0cd"), "{image:?}");
        assert!(image.platforms.is_empty());
        assert_eq!(image.bases.len(), 1);
    }
}

//! What is built goes to a registry as it is: by digest, under a version tag, and under a release tag that never changes.

use std::path::Path;

use crate::build::tag;
use crate::docker::{self, docker};
use crate::leash::Leash;
use crate::project::Project;
use crate::shell::{Cmd, Context, Result};

#[derive(clap::Args)]
pub struct Options {
    /// ENGINE or ENGINE:VERSION; all without it.
    pub what: Option<String>,
    /// Where to, such as ghcr.io/you; log in with `docker login` first.
    #[arg(long)]
    pub registry: String,
    /// The release, which is part of the immutable tag: plan-b-backup-postgresql:17-RELEASE.
    #[arg(long = "tag", value_name = "RELEASE", default_value = env!("CARGO_PKG_VERSION"))]
    pub release: String,
    /// Push the dev build, as VERSION-dev.
    #[arg(long)]
    pub dev: bool,
}

/// An image as it lies in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// `REGISTRY/NAME@sha256:…`: what to deploy.
    pub reference: String,
    /// The release tag, then the version tag.
    pub tags: [String; 2],
    pub digest: String,
    /// Whether the release was there already, with this very content.
    pub was_there: bool,
}

/// A registry, and whose login it gets: that of a directory of Docker's settings, or the user's own.
#[derive(Clone, Copy)]
pub struct Registry<'a> {
    pub address: &'a str,
    pub docker_config: Option<&'a Path>,
}

/// Pushes the selected images and prints where they are.
pub fn run(project: &Project, options: &Options) -> Result<()> {
    let registry = Registry {
        address: options.registry.trim_end_matches('/'),
        docker_config: None,
    };
    let leash = Leash::new(format!("planb-push={}", std::process::id()))?;
    for row in project.versions.select(options.what.as_deref())? {
        let image = tag(row, options.dev);
        if !docker::has_image(&image) {
            let dev = if options.dev { " --dev" } else { "" };
            let build = format!("`cargo xtask build {}{dev}`", row.name());
            return Err(format!("{image} is not built: {build}; a push builds nothing").into());
        }
        let pushed = registry.push(&image, &image, &options.release, &leash)?;
        let [release, version] = &pushed.tags;
        let was_there = if pushed.was_there { ", was there" } else { "" };
        println!(
            "{release} (immutable{was_there})\n{version}\n    {}",
            pushed.reference
        );
    }
    leash.end()
}

impl Registry<'_> {
    /// Pushes an image that is here, as `NAME:VERSION` and `NAME:VERSION-RELEASE`; tags that this needs are on the leash.
    pub fn push(&self, image: &str, name: &str, release: &str, leash: &Leash) -> Result<Pushed> {
        let (_, id) = docker::image_facts(image)?;
        let version_tag = format!("{}/{name}", self.address);
        let release_tag = format!("{version_tag}-{release}");
        let there = self.remote(&release_tag)?;
        if let Some(there) = &there
            && !there.is(&id)
        {
            return Err(format!(
                "{release_tag} is released, and is another image: {} there, {id} here. A release never changes: \
                 give this one another name with --tag, or raise the version in Cargo.toml",
                there.image
            )
            .into());
        }
        // A release that is there stays untouched; the version tag follows it in any case.
        let released = match &there {
            Some(there) => there.digest.clone(),
            None => self.push_tag(image, &release_tag, leash)?,
        };
        let digest = self.push_tag(image, &version_tag, leash)?;
        if digest != released {
            return Err(
                format!("{version_tag} became {digest}, {release_tag} is {released}").into(),
            );
        }
        let (name, _) = version_tag.rsplit_once(':').unwrap_or((&version_tag, ""));
        Ok(Pushed {
            reference: format!("{name}@{digest}"),
            tags: [release_tag, version_tag],
            digest,
            was_there: there.is_some(),
        })
    }

    /// `docker …` with the registry's login.
    pub fn docker<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Cmd {
        let cmd = docker(args);
        match self.docker_config {
            Some(dir) => cmd.env("DOCKER_CONFIG", dir.to_string_lossy()),
            None => cmd,
        }
    }

    fn push_tag(&self, image: &str, tag: &str, leash: &Leash) -> Result<String> {
        leash.tag(tag)?;
        docker(["tag", image, tag]).read()?;
        let pushed = self.docker(["push", tag]).read();
        let said = pushed.map_err(|err| self.explain(&err.to_string()))?;
        // The last line is `17: digest: sha256:… size: 1234`.
        let digest = said
            .split_whitespace()
            .find(|word| word.starts_with("sha256:"));
        let digest = digest.ok_or(format!("docker push {tag} named no digest: {said}"))?;
        Ok(digest.to_owned())
    }

    /// What lies under a tag; `None` when nothing does.
    fn remote(&self, tag: &str) -> Result<Option<Remote>> {
        let mut inspect = self.docker(["manifest", "inspect", "--verbose"]);
        // As the daemon does, which takes loopback addresses at their word.
        if self.address.starts_with("localhost") || self.address.starts_with("127.") {
            inspect = inspect.arg("--insecure");
        }
        let output = inspect.arg(tag).output()?;
        if output.status.success() {
            return Remote::parse(&output.stdout)
                .context(format!("manifest of {tag}"))
                .map(Some);
        }
        let said = output.stderr.to_lowercase();
        let missing = [
            "no such manifest",
            "manifest unknown",
            "not found",
            "name unknown",
        ];
        if missing.iter().any(|words| said.contains(words)) {
            return Ok(None);
        }
        Err(self.explain(output.stderr.trim()))
    }

    /// An error with the way out, where the registry has refused us.
    fn explain(&self, said: &str) -> crate::shell::Error {
        let refusals = [
            "unauthorized",
            "denied",
            "no basic auth credentials",
            "401",
            "403",
        ];
        let host = self.address.split('/').next().unwrap_or_default();
        let lower = said.to_lowercase();
        if refusals.iter().any(|words| lower.contains(words)) {
            return format!(
                "{host} refuses this login: `docker login {host}` as somebody who may push to {}\n{said}",
                self.address
            )
            .into();
        }
        said.to_owned().into()
    }
}

/// An image in a registry.
struct Remote {
    /// Of its manifest.
    digest: String,
    /// Of its configuration, which is what Docker calls the image's ID.
    image: String,
}

impl Remote {
    fn parse(text: &str) -> Result<Self> {
        let value: serde_json::Value = serde_json::from_str(text)?;
        if value.is_array() {
            let digest = "an index of several platforms".to_owned();
            return Ok(Self {
                image: digest.clone(),
                digest,
            });
        }
        let manifests = ["SchemaV2Manifest", "OCIManifest"];
        let config = manifests
            .iter()
            .find_map(|name| value[*name]["config"]["digest"].as_str());
        let digest = value["Descriptor"]["digest"].as_str();
        let (Some(config), Some(digest)) = (config, digest) else {
            return Err("no digest in it".into());
        };
        Ok(Self {
            digest: digest.to_owned(),
            image: config.to_owned(),
        })
    }

    /// Whether it is the image that Docker here knows by this ID: by its configuration's digest, or by its manifest's.
    fn is(&self, id: &str) -> bool {
        self.image == id || self.digest == id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_names_the_image_and_an_index_names_none() {
        let text = r#"{"Ref": "r/n:17", "Descriptor": {"digest": "sha256:aa"},
                       "SchemaV2Manifest": {"config": {"digest": "sha256:bb"}}}"#;
        let remote = Remote::parse(text).unwrap();
        assert!(remote.is("sha256:bb") && remote.is("sha256:aa") && !remote.is("sha256:cc"));
        assert!(!Remote::parse("[]").unwrap().is("sha256:aa"));
        assert!(Remote::parse("{}").is_err());
    }

    #[test]
    fn a_refusal_says_how_to_log_in() {
        let registry = Registry {
            address: "registry.example/team",
            docker_config: None,
        };
        let err = registry
            .explain("unauthorized: authentication required")
            .to_string();
        assert!(
            err.contains(
                "`docker login registry.example` as somebody who may push to registry.example/team"
            ),
            "{err}"
        );
        assert_eq!(
            registry.explain("no space left").to_string(),
            "no space left"
        );
    }
}

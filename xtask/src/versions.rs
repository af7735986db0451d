//! `images/versions.toml`: a row per engine and version, parsed and checked; a wrong row names its line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use crate::shell::{Context, Result};

/// The table, from the root of the repository.
pub const FILE: &str = "images/versions.toml";
const SUITES: [&str; 6] = [
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "sid",
    "experimental",
];
/// The engines that a row, and so an image, may be of.
pub const ENGINES: [&str; 8] = [
    "mysql",
    "mariadb",
    "postgresql",
    "mongodb",
    "redis",
    "valkey",
    "mssql",
    "oracle",
];

/// One image that we ship.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub engine: String,
    pub version: String,
    /// The server's own image: what tests run against, and where the client tools come from.
    pub upstream: String,
    /// `debian:SUITE-slim` where the runner needs no client, so that its image is not made from the server's; or the image
    /// of another version of the server, where one version's client programs serve all.
    #[serde(default)]
    pub base: String,
    /// Which of its base's builds, as `sha256:…`; without it, the newest of its tag.
    #[serde(default)]
    pub digest: String,
    pub port: u16,
    /// `YYYY-MM-DD`, or `unknown`.
    pub end_of_life: String,
    pub platforms: Vec<String>,
    /// What the runner is told about its image, as `ENV`.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
    /// Without one, the image is built but can be proven only where a registry has the server.
    pub stand_in: Option<StandIn>,
}

/// A server that tests need beside the databases.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    pub name: String,
    pub upstream: String,
    pub stand_in: StandIn,
}

/// How an upstream image is made from packages where no registry answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandIn {
    /// `images/testbed/{recipe}.Dockerfile`
    pub recipe: String,
    /// The Debian suite of its base.
    pub suite: String,
    /// The server's major version, where the recipe asks for one.
    #[serde(default)]
    pub major: String,
    /// The client's major version where no client of the server's own is to be had.
    #[serde(default)]
    pub client: String,
    /// The Go module of a server that no distribution packages.
    #[serde(default)]
    pub module: String,
    /// Directories of `images/testbed`, each with a Go module and the list of its `programs`, compiled for the image.
    #[serde(default)]
    pub go: Vec<String>,
    /// What the server really is, where it is another one that speaks the same protocol.
    #[serde(default)]
    pub imitator: String,
    /// The file of a jar that holds such a server, `group:artifact:version!/file`, for amd64.
    #[serde(default)]
    pub jar: String,
    /// The file of a Python package that holds such a server, `name==version!/file`, for amd64.
    #[serde(default)]
    pub wheel: String,
    /// The SHA-256 of that file.
    #[serde(default)]
    pub sha256: String,
}

/// The whole table.
#[derive(Clone, Debug)]
pub struct Versions {
    pub images: Vec<Row>,
    pub services: Vec<Service>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    image: Vec<Spanned<Row>>,
    service: Vec<Spanned<Service>>,
}

impl Versions {
    /// Reads the table of the repository at `root`.
    pub fn load(root: &Path) -> Result<Self> {
        Self::parse(&std::fs::read_to_string(root.join(FILE)).context(FILE)?)
    }

    /// Parses and checks the table; every wrong row is listed with its line.
    pub fn parse(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text).context(FILE)?;
        let line = |at: usize| text[..at].matches('\n').count() + 1;
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        for row in &file.image {
            let mut said = row.get_ref().problems();
            if !seen.insert(row.get_ref().name()) {
                said.push(format!("{} is there twice", row.get_ref().name()));
            }
            problems.extend(said.into_iter().map(|said| (line(row.span().start), said)));
        }
        for service in &file.service {
            let said = service.get_ref().stand_in.problems();
            problems.extend(
                said.into_iter()
                    .map(|said| (line(service.span().start), said)),
            );
        }
        if problems.is_empty() {
            let images = file.image.into_iter().map(Spanned::into_inner).collect();
            let services = file.service.into_iter().map(Spanned::into_inner).collect();
            return Ok(Self { images, services });
        }
        let said: Vec<_> = problems
            .iter()
            .map(|(line, said)| format!("{FILE}:{line}: {said}"))
            .collect();
        Err(said.join("\n").into())
    }

    /// The rows of `ENGINE[:VERSION]`, or all.
    pub fn select(&self, what: Option<&str>) -> Result<Vec<&Row>> {
        let Some(what) = what else {
            return Ok(self.images.iter().collect());
        };
        let (engine, version) = what
            .split_once(':')
            .map_or((what, None), |(e, v)| (e, Some(v)));
        let rows: Vec<_> = self
            .images
            .iter()
            .filter(|row| row.engine == engine && version.is_none_or(|v| row.version == v))
            .collect();
        if rows.is_empty() {
            let known: Vec<_> = self.images.iter().map(Row::name).collect();
            return Err(format!("no row {what} in {FILE}: there are {}", known.join(", ")).into());
        }
        Ok(rows)
    }

    /// The row of one engine and version.
    pub fn row(&self, engine: &str, version: &str) -> Result<&Row> {
        Ok(self.select(Some(&format!("{engine}:{version}")))?[0])
    }

    /// A server that tests need beside the databases.
    pub fn service(&self, name: &str) -> Result<&Service> {
        let service = self.services.iter().find(|service| service.name == name);
        Ok(service.ok_or(format!("no service {name} in {FILE}"))?)
    }

    /// Everything that the testbed runs: servers, and what stands in for them.
    pub fn servers(&self) -> Vec<(&str, Option<&StandIn>)> {
        let images = self.images.iter();
        let images = images.map(|row| (row.upstream.as_str(), row.stand_in.as_ref()));
        let services = self.services.iter();
        let services = services.map(|it| (it.upstream.as_str(), Some(&it.stand_in)));
        images.chain(services).collect()
    }
}

impl Row {
    /// `engine:version`, as on our command line.
    pub fn name(&self) -> String {
        format!("{}:{}", self.engine, self.version)
    }

    /// The server's version: that of the row, or what its `latest` is today.
    pub fn server(&self) -> &str {
        self.upstream
            .rsplit_once(':')
            .map_or(&self.version, |(_, tag)| tag)
    }

    /// What its image is made from: the server's own image, unless the row names another.
    pub fn base(&self) -> &str {
        match self.base.as_str() {
            "" => &self.upstream,
            base => base,
        }
    }

    /// The same, pinned where the row has a digest.
    pub fn pinned_base(&self) -> String {
        match self.digest.as_str() {
            "" => self.base().to_owned(),
            digest => format!("{}@{digest}", self.base()),
        }
    }

    /// The image that we build from this row.
    pub fn image(&self) -> String {
        format!("plan-b-backup-{}:{}", self.engine, self.version)
    }

    fn problems(&self) -> Vec<String> {
        let mut said = self.stand_in.as_ref().map_or(vec![], StandIn::problems);
        if !ENGINES.contains(&self.engine.as_str()) {
            said.push(format!(
                "engine {:?} is none of {}",
                self.engine,
                ENGINES.join(", ")
            ));
        }
        if !is_tag(&self.version) {
            said.push(format!("version {:?} cannot be an image tag", self.version));
        }
        if !self.upstream.contains(':') {
            said.push(format!("upstream {:?} has no tag", self.upstream));
        }
        let repository = self.upstream.split(':').next();
        let is_sibling = self.base.split(':').next() == repository && self.base.contains(':');
        if !self.base.is_empty() && suite_of(&self.base).is_none() && !is_sibling {
            said.push(format!(
                "base {:?} is neither debian:SUITE-slim nor another version of {}",
                self.base, self.upstream
            ));
        }
        let digest = self.digest.strip_prefix("sha256:");
        if !self.digest.is_empty() && !digest.is_some_and(is_sha256) {
            said.push(format!(
                "digest {:?} is not sha256: and 64 hexadecimal digits",
                self.digest
            ));
        }
        if self.end_of_life != "unknown" && !is_date(&self.end_of_life) {
            said.push(format!(
                "end_of_life {:?} is neither YYYY-MM-DD nor unknown",
                self.end_of_life
            ));
        }
        for platform in &self.platforms {
            if !["linux/amd64", "linux/arm64"].contains(&platform.as_str()) {
                said.push(format!(
                    "platform {platform:?} is neither linux/amd64 nor linux/arm64"
                ));
            }
        }
        if self.platforms.is_empty() {
            said.push("platforms is empty".into());
        }
        if self.port == 0 {
            said.push("port is 0".into());
        }
        said
    }
}

impl StandIn {
    /// Of what kind the package is that holds the server, if one does, its name with its version, and the file in it.
    pub fn packaged(&self) -> Option<(&'static str, &str, &str)> {
        let (kind, packaged) = match (self.jar.as_str(), self.wheel.as_str()) {
            ("", wheel) => ("wheel", wheel),
            (jar, _) => ("jar", jar),
        };
        let (package, file) = packaged.split_once("!/")?;
        Some((kind, package, file))
    }

    fn problems(&self) -> Vec<String> {
        let mut said = Vec::new();
        if !SUITES.contains(&self.suite.as_str()) {
            said.push(format!(
                "suite {:?} is none of {}",
                self.suite,
                SUITES.join(", ")
            ));
        }
        if !self.module.is_empty() && !self.module.contains('@') {
            said.push(format!("module {:?} has no @version", self.module));
        }
        let is_packaged = !self.jar.is_empty() || !self.wheel.is_empty();
        for (kind, packaged) in [("jar", &self.jar), ("wheel", &self.wheel)] {
            if !packaged.is_empty() && !packaged.contains("!/") {
                said.push(format!("{kind} {packaged:?} names no !/file"));
            }
        }
        if is_packaged && !is_sha256(&self.sha256) {
            said.push(format!(
                "sha256 {:?} is not 64 hexadecimal digits",
                self.sha256
            ));
        }
        said
    }
}

/// The suite in `debian:SUITE-slim`, if it is one that packages come from.
pub fn suite_of(base: &str) -> Option<&str> {
    let suite = base.strip_prefix("debian:")?.strip_suffix("-slim")?;
    SUITES.contains(&suite).then_some(suite)
}

/// Whether an image can have this tag.
pub fn is_tag(text: &str) -> bool {
    let tag_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !text.is_empty() && !text.starts_with(['.', '-']) && text.chars().all(tag_char)
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

fn is_date(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    shape == "0000-00-00"
}

#[cfg(test)]
mod tests;

//! Docker by its command line: is it there, is an image there, build, run, wait.

use std::path::Path;
use std::time::Duration;

use crate::shell::{Cmd, Context, Result, cmd};

const ANSWER: Duration = Duration::from_secs(20);

/// `docker …`
pub fn docker<S: AsRef<str>>(args: impl IntoIterator<Item = S>) -> Cmd {
    cmd("docker").args(args)
}

/// The version of the daemon that answers, or what the client said instead.
pub fn server_version() -> Result<String> {
    docker(["version", "--format", "{{.Server.Version}}"])
        .limit(ANSWER)
        .read()
}

/// Whether an image is here; nothing is pulled.
pub fn has_image(image: &str) -> bool {
    docker(["image", "inspect", image]).succeeds()
}

/// A label of an image: empty when the image is there without it, `None` when there is no image.
pub fn image_label(image: &str, label: &str) -> Option<String> {
    let format = format!("{{{{with .Config.Labels}}}}{{{{index . {label:?}}}}}{{{{end}}}}");
    docker(["image", "inspect", "--format", &format, image])
        .read()
        .ok()
}

/// An image's bytes, and the digest that names its content.
pub fn image_facts(image: &str) -> Result<(u64, String)> {
    let said = docker(["image", "inspect", "--format", "{{.Size}} {{.Id}}", image]).read()?;
    let (size, id) = said
        .split_once(' ')
        .ok_or("docker image inspect: no size and id")?;
    Ok((size.parse().context("image size")?, id.to_owned()))
}

/// The digest that the registry knows an image by; `None` for one that came from none.
pub fn registry_digest(image: &str) -> Option<String> {
    let format = "{{with .RepoDigests}}{{index . 0}}{{end}}";
    let said = docker(["image", "inspect", "--format", format, image]).read();
    let said = said.ok()?;
    said.rsplit_once('@').map(|(_, digest)| digest.to_owned())
}

/// A build, silent unless it fails.
pub struct Build<'a> {
    pub tag: &'a str,
    pub dockerfile: &'a Path,
    pub context: &'a Path,
    pub args: &'a [(&'a str, &'a str)],
    pub labels: &'a [(&'a str, &'a str)],
}

impl Build<'_> {
    pub fn run(&self) -> Result<()> {
        let before = image_facts(self.tag).ok();
        self.build()?;
        if let Some((_, id)) = before
            && image_facts(self.tag)?.1 != id
        {
            // Nobody asks for it any more; where a container still runs it, it stays.
            docker(["rmi", &id]).output()?;
        }
        Ok(())
    }

    fn build(&self) -> Result<()> {
        let mut build = docker([
            "build",
            "--quiet",
            "--force-rm",
            "--tag",
            self.tag,
            "--file",
        ])
        .arg(self.dockerfile.to_string_lossy());
        for (name, value) in self.args {
            build = build.args(["--build-arg", &format!("{name}={value}")]);
        }
        for (name, value) in self.labels {
            build = build.args(["--label", &format!("{name}={value}")]);
        }
        build.arg(self.context.to_string_lossy()).read().map(drop)
    }
}

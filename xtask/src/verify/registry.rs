//! A registry as strict as a real one: TLS by an authority that only this machine is told of, and a password.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::docker::{self, docker};
use crate::leash::Leash;
use crate::project::{Project, make_dir};
use crate::push::{self, Pushed};
use crate::server::{Network, last_words};
use crate::setup::{self, as_root};
use crate::shell::{Context, Result, cmd, poll};
use crate::testbed;

const READY: Duration = Duration::from_secs(30);
const USER: &str = "planb";
const PASSWORD: &str = "push s3cret";
/// The password as the registry wants it: bcrypt.
const HTPASSWD: &str = "planb:$2y$05$PlanBRegistryProofSaleTXnh761GuCMYlZLapowRl.FNMBSa/Pu\n";
const CERTS: &str = "/etc/docker/certs.d";

/// A registry that runs, with one login.
pub struct Registry {
    /// `host:port`
    address: String,
    /// Docker's settings, with the login of this registry and no other.
    config: PathBuf,
    name: String,
}

impl Registry {
    /// Starts it on this machine's address in the network: Docker takes loopback addresses at their word, others not.
    pub fn start(project: &Project, network: &Network<'_>, leash: &Leash) -> Result<Self> {
        let image = &project.versions.service("registry")?.upstream;
        testbed::ready(project, Some(&[image]))?;
        setup::program("openssl")?;
        let gateway = network.gateway()?;
        let scratch = project
            .target()
            .join("verify")
            .join(network.container("registry"));
        leash.tree(&scratch)?;
        let served = scratch.join("served");
        make_dir(&served)?;
        std::fs::set_permissions(&scratch, PermissionsExt::from_mode(0o700))?;
        certificates(&scratch, &gateway)?;
        std::fs::write(served.join("htpasswd"), HTPASSWD)?;
        let name = network.container("registry");
        run(network, &name, image, &gateway, &served)?;
        let address = docker(["port", &name, "5000/tcp"]).read()?;
        let address = address
            .lines()
            .next()
            .ok_or("a registry without a port")?
            .to_owned();
        trust(&address, &scratch.join("ca.crt"), leash)?;
        let config = scratch.join("docker");
        make_dir(&config)?;
        let registry = Self {
            address,
            config,
            name,
        };
        registry.ready()?;
        registry.login(PASSWORD)?;
        Ok(registry)
    }

    /// As somebody who may push.
    pub fn logged_in(&self) -> push::Registry<'_> {
        push::Registry {
            address: &self.address,
            docker_config: Some(&self.config),
        }
    }

    /// As nobody: with a directory of Docker's settings that has no login.
    pub fn anonymous<'a>(&'a self, docker_config: &'a Path) -> push::Registry<'a> {
        push::Registry {
            docker_config: Some(docker_config),
            ..self.logged_in()
        }
    }

    /// Takes an image and gives it back as it was.
    pub(super) fn prove(&self, image: &str, leash: &Leash) -> Result<(Pushed, String)> {
        let registry = self.logged_in();
        let pushed = registry.push(image, image, env!("CARGO_PKG_VERSION"), leash)?;
        let (_, id) = docker::image_facts(&pushed.tags[0])?;
        for tag in &pushed.tags {
            docker(["rmi", tag]).read()?;
        }
        leash.tag(&pushed.reference)?;
        registry
            .docker(["pull", "--quiet", &pushed.reference])
            .read()?;
        let (_, pulled) = docker::image_facts(&pushed.reference)?;
        if pulled != id {
            return Err(format!("pushed {id}, pulled {pulled}").into());
        }
        let said = format!(
            "{}, over TLS with a login; pulled back, equal",
            pushed.digest
        );
        Ok((pushed, said))
    }

    /// Returns when the registry refuses a wrong password.
    fn ready(&self) -> Result<()> {
        let answer = || match self.login("wrong") {
            Ok(()) => Some(false),
            Err(err) => err
                .to_string()
                .to_lowercase()
                .contains("unauthorized")
                .then_some(true),
        };
        match poll(READY, answer) {
            Some(true) => Ok(()),
            Some(false) => Err(format!("{} lets anybody in", self.address).into()),
            None => {
                Err(format!("the registry does not come up: {}", last_words(&self.name)).into())
            }
        }
    }

    fn login(&self, password: &str) -> Result<()> {
        docker([
            "login",
            "--username",
            USER,
            "--password-stdin",
            &self.address,
        ])
        .env("DOCKER_CONFIG", self.config.to_string_lossy())
        .input(format!("{password}\n"))
        .read()
        .map(drop)
    }
}

/// Its files reach the container by a copy, which works wherever the daemon runs.
fn run(network: &Network<'_>, name: &str, image: &str, address: &str, served: &Path) -> Result<()> {
    let settings = [
        (
            "REGISTRY_HTTP_TLS_CERTIFICATE",
            "/served/tls.crt".to_owned(),
        ),
        ("REGISTRY_HTTP_TLS_KEY", "/served/tls.key".to_owned()),
        ("REGISTRY_AUTH", "htpasswd".to_owned()),
        ("REGISTRY_AUTH_HTPASSWD_REALM", "planb".to_owned()),
        ("REGISTRY_AUTH_HTPASSWD_PATH", "/served/htpasswd".to_owned()),
    ];
    docker([
        "create",
        "--name",
        name,
        "--publish",
        &format!("{address}::5000"),
    ])
    .args(network.docker_args())
    .with(&settings)
    .arg(image)
    .read()?;
    docker(["cp", &served.to_string_lossy(), &format!("{name}:/served")]).read()?;
    docker(["start", name]).read().map(drop)
}

/// An authority of our own, and a certificate for one address.
fn certificates(dir: &Path, address: &str) -> Result<()> {
    let openssl = |args: &[&str]| {
        let new = [
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ];
        cmd("openssl")
            .args(new)
            .args(args)
            .dir(dir)
            .read()
            .context("make a certificate")
    };
    let authority = "basicConstraints=critical,CA:TRUE";
    openssl(&[
        "-subj",
        "/CN=Plan B test authority",
        "-keyout",
        "ca.key",
        "-out",
        "ca.crt",
        "-addext",
        authority,
    ])?;
    let name = format!("subjectAltName=IP:{address}");
    openssl(&[
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-subj",
        "/CN=registry",
        "-addext",
        &name,
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-keyout",
        "served/tls.key",
        "-out",
        "served/tls.crt",
    ])?;
    std::fs::remove_file(dir.join("ca.key")).context("remove the authority's key")
}

/// Tells Docker's daemon of the authority, for this address only; it goes with the leash.
fn trust(address: &str, authority: &Path, leash: &Leash) -> Result<()> {
    let certs = Path::new(CERTS);
    let dir = certs.join(address);
    let file = dir.join("ca.crt");
    leash.root_dir(certs)?;
    leash.root_dir(&dir)?;
    leash.root_file(&file)?;
    let install = || {
        as_root(["install", "-D", "-m", "644"])?
            .args([authority.to_string_lossy(), file.to_string_lossy()])
            .read()
    };
    // Whoever ends meanwhile takes the empty directory away.
    let installed = install().or_else(|_| install()).or_else(|_| install());
    installed.map(drop).context(format!(
        "tell Docker of the registry's authority, in {}",
        file.display()
    ))
}

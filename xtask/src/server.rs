//! An engine's server and a MinIO in containers, on a network of their own, for the proof, the demo and the bench.

use std::time::Duration;

use crate::docker::docker;
use crate::hooks::ServerSpec;
use crate::leash::Leash;
use crate::shell::{Cmd, Context, Result, poll, tail};

/// Where a MinIO answers on the network.
pub const MINIO_URL: &str = "http://minio:9000";
const ACCESS_KEY: &str = "planb-access";
const SECRET_KEY: &str = "planb-secret";
const READY: Duration = Duration::from_secs(60);

/// A network that lives as long as its leash, and all that joins it.
pub struct Network<'a> {
    leash: &'a Leash,
    name: String,
}

impl<'a> Network<'a> {
    /// Named as the leash's label.
    pub fn create(leash: &'a Leash) -> Result<Self> {
        let name = leash.label().replace('=', "-");
        docker(["network", "create", "--label", leash.label(), &name]).read()?;
        Ok(Self { leash, name })
    }

    /// What lets a container join, and takes it away with the leash.
    pub fn docker_args(&self) -> [&str; 4] {
        ["--network", &self.name, "--label", self.leash.label()]
    }

    /// The name of the container that has this host name here.
    pub fn container(&self, host: &str) -> String {
        format!("{}-{host}", self.name)
    }

    /// This machine's own address on the network.
    pub fn gateway(&self) -> Result<String> {
        let format = "{{(index .IPAM.Config 0).Gateway}}";
        docker(["network", "inspect", "--format", format, &self.name]).read()
    }

    /// `docker run --detach` of a container with this host name; image and arguments are still to come.
    pub fn start(&self, host: &str) -> Cmd {
        docker(["run", "--detach", "--network-alias", host, "--name"])
            .arg(self.container(host))
            .args(self.docker_args())
    }
}

/// A server in a container.
pub struct Server {
    name: String,
    host: String,
    /// The label that puts what runs beside it on the same leash.
    label: Option<String>,
}

impl Server {
    /// Starts a server with this host name and returns when it accepts connections.
    pub fn start(
        network: &Network<'_>,
        host: &str,
        image: &str,
        spec: &ServerSpec,
    ) -> Result<Self> {
        let mut server = Self::at(network.container(host), host);
        server.label = Some(network.leash.label().to_owned());
        network
            .start(host)
            .arg("--shm-size=512m")
            .with(&spec.environment)
            .arg(image)
            .args(&spec.args)
            .read()?;
        let ready = || {
            let lives = is_running(&server.name);
            let serves = lives && server.exec(&spec.ready).succeeds();
            (serves || !lives).then_some(serves)
        };
        match poll(READY, ready) {
            Some(true) => Ok(server),
            Some(false) => Err(format!("{image} ended: {}", last_words(&server.name)).into()),
            None => {
                let said = last_words(&server.name);
                let limit = READY.as_secs();
                Err(format!("{image} accepts no connections after {limit} s: {said}").into())
            }
        }
    }

    /// A server that runs already, in the container `name`, under this host name for its neighbours.
    pub fn at(name: impl Into<String>, host: impl Into<String>) -> Self {
        let (name, host, label) = (name.into(), host.into(), None);
        Self { name, host, label }
    }

    /// The container's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its host name on the network.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// A program of another image, for which the server is at 127.0.0.1; it reads our input.
    pub fn beside(
        &self,
        image: &str,
        environment: &[(&'static str, String)],
        program: &[&str],
    ) -> Cmd {
        let network = format!("--network=container:{}", self.name);
        let label = self.label.iter().map(|label| format!("--label={label}"));
        docker(["run", "--rm", "--interactive", "--entrypoint"])
            .args(program.first())
            .arg(network)
            .args(label)
            .with(environment)
            .arg(image)
            .args(&program[1..])
    }

    /// A program in the server's container, which reads our input.
    pub fn exec(&self, program: &[&str]) -> Cmd {
        docker(["exec", "--interactive", &self.name]).args(program)
    }
}

/// An object store.
pub struct Minio(());

impl Minio {
    /// Starts the store and returns when it answers.
    pub fn start(network: &Network<'_>, image: &str) -> Result<Self> {
        network
            .start("minio")
            .with(&[
                ("MINIO_ROOT_USER", ACCESS_KEY.into()),
                ("MINIO_ROOT_PASSWORD", SECRET_KEY.into()),
            ])
            .args([image, "server", "/data"])
            .read()?;
        let name = network.container("minio");
        let logs = || {
            docker(["logs", &name])
                .output()
                .is_ok_and(|it| it.stdout.contains("API:") || it.stderr.contains("API:"))
        };
        match poll(READY, || logs().then_some(())) {
            Some(()) => Ok(Self(())),
            None => Err(format!("{image} does not come up: {}", last_words(&name)).into()),
        }
    }

    /// The runner's settings.
    pub fn environment(&self, bucket: &str) -> Vec<(&'static str, String)> {
        vec![
            ("STORAGE_TYPE", "s3".into()),
            ("STORAGE_BUCKET", bucket.into()),
            ("STORAGE_ENDPOINT", MINIO_URL.into()),
            ("STORAGE_ACCESS_KEY", ACCESS_KEY.into()),
            ("STORAGE_SECRET_KEY", SECRET_KEY.into()),
        ]
    }

    /// The same for rclone's remote `s3:`.
    pub fn rclone(&self) -> Vec<(&'static str, String)> {
        vec![
            ("RCLONE_CONFIG_S3_TYPE", "s3".into()),
            ("RCLONE_CONFIG_S3_PROVIDER", "Minio".into()),
            ("RCLONE_CONFIG_S3_ENDPOINT", MINIO_URL.into()),
            ("RCLONE_CONFIG_S3_ACCESS_KEY_ID", ACCESS_KEY.into()),
            ("RCLONE_CONFIG_S3_SECRET_ACCESS_KEY", SECRET_KEY.into()),
        ]
    }
}

fn is_running(container: &str) -> bool {
    docker([
        "container",
        "inspect",
        "--format",
        "{{.State.Running}}",
        container,
    ])
    .read()
    .is_ok_and(|it| it == "true")
}

/// What a container said last.
pub(crate) fn last_words(container: &str) -> String {
    let logs = docker(["logs", "--tail=5", container]).output();
    let logs = logs.context(container);
    logs.map_or_else(
        |err| err.to_string(),
        |it| tail(&format!("{}\n{}", it.stdout, it.stderr), 5),
    )
}

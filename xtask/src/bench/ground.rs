//! Where the ways are measured: a server, an object store, and containers of limited size that come and go.

use super::Options;
use super::contest::{Contest, Peers, Script, Target, Way};
use super::meter::{self, Usage, measure};
use crate::build::tag;
use crate::docker::{Build, docker};
use crate::leash::Leash;
use crate::project::Project;
use crate::server::{Minio, Network, Server};
use crate::shell::{Cmd, Context, Result};
use crate::testbed;
use crate::versions::Row;

const BUCKET: &str = "bench";
const DATABASE: &str = "bench";
const TARGET: &str = "restored";
/// The same for everybody.
const LIMITS: [&str; 2] = ["--cpus=2", "--memory=1g"];

/// One backup and its restores.
pub(super) struct Round {
    pub backup: Usage,
    pub server_cpu: f64,
    pub temp_bytes: u64,
    pub stored_bytes: u64,
    pub restores: Vec<f64>,
}

impl Round {
    pub(super) fn line(&self) -> String {
        let restores: Vec<_> = self
            .restores
            .iter()
            .map(|wall| format!("{wall:.1} s"))
            .collect();
        format!(
            "{:>5.1} s, restored in {}",
            self.backup.wall,
            restores.join(" and ")
        )
    }
}

/// What all copy.
pub(super) struct Facts {
    pub line: String,
    /// Rows and a sum over them, to hold every restore against.
    pub sum: String,
}

/// The ground of one contest.
pub(super) struct Ground<'a> {
    contest: &'a Contest,
    options: &'a Options,
    network: Network<'a>,
    server: Server,
    /// The server itself, unless restores need one of their own.
    target: Server,
    minio: Minio,
    image: String,
    peers: String,
}

impl<'a> Ground<'a> {
    pub(super) fn prepare(
        project: &Project,
        row: &Row,
        contest: &'a Contest,
        options: &'a Options,
        leash: &'a Leash,
    ) -> Result<Self> {
        let peers = peers(project, row, contest)?;
        let network = Network::create(leash)?;
        let start = |host: &str| Server::start(&network, host, &row.upstream, &contest.server);
        let server = start("db")?;
        let target = match contest.target {
            Target::Database => Server::at(server.name(), server.host()),
            Target::Server => start("target")?,
        };
        Ok(Self {
            server,
            target,
            minio: Minio::start(&network, &project.versions.service("minio")?.upstream)?,
            contest,
            options,
            network,
            image: tag(row, options.dev),
            peers,
        })
    }

    pub(super) fn fill(&self) -> Result<Facts> {
        let rows = self.options.n_rows(self.contest);
        let (title, unit) = (self.contest.title, self.contest.unit);
        println!("  filling a database with {rows} {unit} …");
        self.chore(&format!(
            "rclone mkdir --s3-no-check-bucket=false s3:{BUCKET}"
        ))?;
        self.chore(self.contest.chores.fill)?;
        let described = self.chore(self.contest.chores.describe)?;
        Ok(Facts {
            line: format!("{title} {described}, {rows} {unit}"),
            sum: self.sum(&self.server, DATABASE)?,
        })
    }

    pub(super) fn round(&self, way: &Way, sum: &str) -> Result<Round> {
        self.chore(self.contest.chores.settle)?;
        let before = meter::cpu_seconds(self.server.name())?;
        let backup = measure(self.script(&way.backup, way.key)).context("backup")?;
        let server_cpu = meter::cpu_seconds(self.server.name())? - before;
        let size = self.chore(&format!("rclone size --json s3:{BUCKET}/{}", way.key))?;
        let size: serde_json::Value = serde_json::from_str(&size).context("rclone size")?;
        let mut restores = Vec::new();
        for (name, script) in way.restore {
            restores.push(
                self.restore(script, way.key, sum)
                    .context(format!("restore, {name}"))?,
            );
        }
        self.chore(&format!("rclone purge s3:{BUCKET}/{}", way.key))?;
        Ok(Round {
            // What `du` said last, where there was anything on disk.
            temp_bytes: backup
                .stdout
                .split_whitespace()
                .next()
                .and_then(|it| it.parse().ok())
                .unwrap_or(0),
            stored_bytes: size["bytes"].as_u64().unwrap_or(0),
            backup,
            server_cpu,
            restores,
        })
    }

    fn restore(&self, script: &Script, key: &str, sum: &str) -> Result<f64> {
        self.chore(self.contest.chores.create_target)?;
        let usage = measure(self.script(script, key))?;
        let restored = self.sum(&self.target, TARGET)?;
        if restored != sum {
            return Err(format!("restored {restored}, not {sum}").into());
        }
        self.chore(self.contest.chores.drop_target)?;
        Ok(usage.wall)
    }

    fn sum(&self, server: &Server, database: &str) -> Result<String> {
        let (host, sum) = (server.host(), self.contest.chores.sum);
        self.chore(&format!("ON={host}; OF={database}; {sum}"))
    }

    /// What has to be done and is not measured; what it printed.
    fn chore(&self, script: &str) -> Result<String> {
        let done = measure(self.shell(script, ""))?;
        Ok(done.stdout.trim().to_owned())
    }

    fn script(&self, script: &Script, key: &str) -> Cmd {
        match script {
            Script::Shell(script) => self.shell(script, key),
            Script::Runner(settings) => self.runner(settings, key),
        }
    }

    fn shell(&self, script: &str, key: &str) -> Cmd {
        let rows = self.options.n_rows(self.contest);
        let create = docker(["create"])
            .args(self.network.docker_args())
            .args(LIMITS)
            .args(["--volume", "/scratch"]);
        let create = create
            .with(&self.contest.login)
            .with(&self.minio.rclone())
            .args([
                format!("--env={}={}", self.contest.host, self.server.host()),
                format!("--env=TARGET_HOST={}", self.target.host()),
                format!("--env=DB={DATABASE}"),
                format!("--env=TARGET={TARGET}"),
                format!("--env=KEY=s3:{BUCKET}/{key}"),
                format!("--env=ROWS={rows}"),
            ]);
        create
            .args(["--entrypoint", "/bin/bash", &self.peers])
            .args(["-euo", "pipefail", "-c", script])
    }

    fn runner(&self, settings: &[(&str, &str)], key: &str) -> Cmd {
        let restores = settings.contains(&("OPERATION_TYPE", "restore"));
        let (server, database) = match restores {
            true => (&self.target, TARGET),
            false => (&self.server, DATABASE),
        };
        let mut create = docker(["create", "--read-only"])
            .args(self.network.docker_args())
            .args(LIMITS);
        create = create
            .args(["--env", &format!("DB_HOST={}", server.host())])
            .with(&(self.contest.settings)(database))
            .with(&self.minio.environment(BUCKET));
        create = create.args([
            format!("--env=PARALLELISM={}", self.options.parallelism),
            format!("--env=BACKUP_PATH={key}/backup"),
        ]);
        for (name, value) in settings {
            create = create.args([format!("--env={name}={value}")]);
        }
        for setting in &self.options.settings {
            create = create.args(["--env", setting]);
        }
        create.arg(&self.image)
    }
}

/// The image that peers' scripts run in, made if need be.
fn peers(project: &Project, row: &Row, contest: &Contest) -> Result<String> {
    let tag = match contest.peers {
        Peers::Service(name) => {
            let image = &project.versions.service(name)?.upstream;
            testbed::ready(project, Some(&[image]))?;
            return Ok(image.clone());
        }
        Peers::Upstream => format!("planb-bench-peers:{}", row.engine),
    };
    let recipes = project.root.join("images/testbed");
    Build {
        tag: &tag,
        dockerfile: &recipes.join("peers.Dockerfile"),
        context: &recipes,
        args: &[("BASE", &row.upstream)],
        labels: &[],
    }
    .run()
    .context("build the image of the peers")?;
    Ok(tag)
}

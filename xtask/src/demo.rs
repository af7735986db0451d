//! The product in one command: back a database up, lose it, restore it, and prove it by a measure of our own.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::build::{self, tag};
use crate::docker::docker;
use crate::hooks::postgresql::{self, DATABASE, Postgresql, psql};
use crate::hooks::{Hooks, Measure, ServerSpec};
use crate::leash::Leash;
use crate::project::{Project, make_dir};
use crate::server::{Network, Server};
use crate::shell::{Context, Output, Result, cmd, tail};
use crate::versions::Row;

/// About 200 MB.
const SIZE: u32 = 100;
/// What a small container grants: the runner needs no more.
const LIMITS: [&str; 5] = [
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=256m",
    "--cpus=2",
];

/// What anybody who loads data sets; durability stays on.
const TUNED: [&str; 6] = [
    "-c",
    "shared_buffers=512MB",
    "-c",
    "maintenance_work_mem=256MB",
    "-c",
    "max_wal_size=4GB",
];

#[derive(clap::Args)]
pub struct Options {
    /// The version of PostgreSQL.
    #[arg(long, default_value = "17")]
    version: String,
    /// Use the dev build of the runner: quick to make, slower to run.
    #[arg(long)]
    dev: bool,
}

pub fn run(project: &Project, options: &Options) -> Result<()> {
    let row = project.versions.row("postgresql", &options.version)?;
    build::run(
        project,
        &build::Options {
            what: Some(row.name()),
            dev: options.dev,
        },
    )?;
    let leash = Leash::new(format!("planb-demo={}", std::process::id()))?;
    println!(
        "\nA PostgreSQL {} is filled, backed up, destroyed, restored and compared.\n",
        row.version
    );
    let mut steps = Steps::default();
    let demo = Demo::start(project, row, options, &leash, &mut steps)?;
    demo.story(&mut steps)?;
    println!("\nThe backup lies in {}", demo.backup()?.display());
    println!("RESTORE.md there says how to restore it without this software.");
    println!(
        "All of it took {:.1} s.",
        steps.start.elapsed().as_secs_f64()
    );
    Ok(())
}

struct Demo<'a> {
    network: Network<'a>,
    server: Server,
    image: String,
    store: PathBuf,
}

impl<'a> Demo<'a> {
    fn start(
        project: &Project,
        row: &Row,
        options: &Options,
        leash: &'a Leash,
        steps: &mut Steps,
    ) -> Result<Self> {
        let store = project
            .target()
            .join("demo")
            .join(std::process::id().to_string());
        make_dir(&store)?;
        let network = Network::create(leash)?;
        let server = steps.time(&format!("start {}", row.upstream), || {
            let spec = ServerSpec {
                args: TUNED.map(str::to_owned).to_vec(),
                ..Postgresql.server()
            };
            let server = Server::start(&network, "db", &row.upstream, &spec)?;
            let version = Postgresql.server_version(&server)?;
            Ok((server, version))
        })?;
        Ok(Self {
            network,
            server,
            image: tag(row, options.dev),
            store,
        })
    }

    fn story(&self, steps: &mut Steps) -> Result<()> {
        steps.time("fill a sample database", || {
            postgresql::fill(&self.server, SIZE)?;
            let size = "select pg_size_pretty(pg_database_size(current_database()))";
            Ok(((), psql(&self.server, DATABASE, size)?))
        })?;
        let before = steps.time("take its measure", || self.measure())?;
        steps.time("back up: 256 MB of memory, read-only root", || {
            self.runner("backup", &[])?;
            Ok(((), figures(&self.backup()?)?))
        })?;
        let listed = steps.time("list", || Ok((self.runner("list", &[])?, String::new())))?;
        println!("{}\n", indent(&listed.stdout));
        let verified = steps.time("verify: read every object again", || {
            Ok((
                self.runner("verify", &[("BACKUP_PATH", "latest")])?,
                String::new(),
            ))
        })?;
        println!("{}\n", indent(&verified.stdout));
        steps.time("drop the database", || {
            psql(
                &self.server,
                "postgres",
                &format!("drop database {DATABASE}"),
            )?;
            let gone = psql(&self.server, DATABASE, "select 1").is_err();
            if gone {
                Ok(((), "gone".into()))
            } else {
                Err("it is still there".into())
            }
        })?;
        steps.time("restore, and the runner's own proof", || {
            let restore = [("BACKUP_PATH", "latest"), ("RESTORE_VERIFY", "full")];
            self.runner("restore", &restore)
                .map(|_| ((), String::new()))
        })?;
        steps.time("take its measure again and compare", || {
            Ok(((), Postgresql.verify_restored_data(&self.server, &before)?))
        })
    }

    /// What must survive, by the server's own means.
    fn measure(&self) -> Result<(Measure, String)> {
        let measure = postgresql::measure(&self.server, DATABASE)?;
        let said = postgresql::summary(&measure);
        Ok((measure, said))
    }

    fn runner(&self, operation: &str, settings: &[(&str, &str)]) -> Result<Output> {
        let owner = ["-u", "-g"].map(|flag| cmd("id").arg(flag).read());
        let [user, group] = owner;
        let mut run = docker(["run", "--rm"])
            .args(self.network.docker_args())
            .args(LIMITS)
            .args(["--user", &format!("{}:{}", user?, group?)])
            .args(["--volume", &format!("{}:/backups", self.store.display())])
            .args(["--env", &format!("DB_HOST={}", self.server.host())])
            .with(&postgresql::environment(DATABASE))
            .args(["--env=STORAGE_TYPE=file", "--env=LOG_FORMAT=text"])
            .args(["--env", &format!("OPERATION_TYPE={operation}")]);
        for (name, value) in settings {
            run = run.args(["--env", &format!("{name}={value}")]);
        }
        let output = run.arg(&self.image).output()?;
        if output.status.success() {
            return Ok(output);
        }
        let said = tail(&output.stderr, 30);
        Err(format!("the runner's {operation} failed: {}\n{said}", output.status).into())
    }

    /// The directory of the one backup that was made.
    fn backup(&self) -> Result<PathBuf> {
        find(&self.store, "manifest.json")
            .ok_or(format!("no manifest in {}", self.store.display()).into())
    }
}

fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    if dir.join(name).is_file() {
        return Some(dir.to_owned());
    }
    let entries = std::fs::read_dir(dir).ok()?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|it| it.is_dir())
        .find_map(|it| find(&it, name))
}

fn figures(backup: &Path) -> Result<String> {
    let text = std::fs::read_to_string(backup.join("manifest.json"))?;
    let manifest: serde_json::Value = serde_json::from_str(&text).context("manifest.json")?;
    let artifacts = manifest["artifacts"]
        .as_array()
        .ok_or("a manifest without artifacts")?;
    let sum = |field: &str| {
        artifacts
            .iter()
            .filter_map(|it| it[field].as_u64())
            .sum::<u64>() as f64
            / 1e6
    };
    let (logical, stored) = (sum("logical_bytes"), sum("stored_bytes"));
    Ok(format!(
        "{logical:.1} MB became {stored:.1} MB in {} objects",
        artifacts.len()
    ))
}

fn indent(text: &str) -> String {
    text.trim_end()
        .lines()
        .map(|line| format!("        {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Numbered steps with their times.
struct Steps {
    n: usize,
    start: Instant,
}

impl Default for Steps {
    fn default() -> Self {
        Self {
            n: 0,
            start: Instant::now(),
        }
    }
}

impl Steps {
    /// Does one step, which yields its result and what to say about it.
    fn time<T>(&mut self, name: &str, step: impl FnOnce() -> Result<(T, String)>) -> Result<T> {
        self.n += 1;
        let start = Instant::now();
        let (result, said) = step().context(format!("step {}, {name}", self.n))?;
        println!(
            "{:>4}  {name:<46} {:>5.1} s  {said}",
            self.n,
            seconds(start.elapsed())
        );
        Ok(result)
    }
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

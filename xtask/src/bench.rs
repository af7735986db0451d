//! The runner beside the tools a user would pick instead: one server, one object store, one machine, one run.

mod meter;
mod ways;

use crate::build::{self, tag};
use crate::docker::{Build, docker};
use crate::hooks::postgresql::{Postgresql, environment, psql};
use crate::hooks::{Hooks, ServerSpec};
use crate::leash::Leash;
use crate::project::{Project, make_dir};
use crate::server::{MINIO_URL, Minio, Network, Server};
use crate::shell::{Cmd, Context, Result};
use crate::testbed;
use crate::versions::Row;
use meter::{Usage, measure};
use ways::{Script, WAYS, Way};

const PEERS: &str = "planb-bench-peers";
const BUCKET: &str = "bench";
const DATABASE: &str = "bench";
const TARGET: &str = "restored";
/// As it lies on disk, measured: heap of `bench.sql`.
const ROW_BYTES: f64 = 341.0;
/// The same for everybody.
const LIMITS: [&str; 2] = ["--cpus=2", "--memory=1g"];
const TUNED: [&str; 8] = [
    "-c",
    "shared_buffers=1GB",
    "-c",
    "maintenance_work_mem=256MB",
    "-c",
    "max_wal_size=8GB",
    "-c",
    "fsync=off",
];

#[derive(clap::Args)]
pub struct Options {
    /// The engine to measure.
    #[arg(value_parser = ["postgresql"])]
    engine: String,
    /// The version of the server.
    #[arg(long, default_value = "17")]
    version: String,
    /// The size of the one big table.
    #[arg(long, default_value_t = 1.0)]
    gib: f64,
    /// Rows instead of a size.
    #[arg(long)]
    rows: Option<u64>,
    /// Each figure is the median of so many.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// The runner's PARALLELISM.
    #[arg(long, default_value_t = 2)]
    parallelism: u32,
    /// Only these: gzip, custom, zstd, directory, ours.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// A further setting of the runner, e.g. COMPRESSION=zstd:3.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// Use the dev build of the runner: its figures mean nothing.
    #[arg(long)]
    dev: bool,
}

pub fn run(project: &Project, options: &Options) -> Result<()> {
    let row = project.versions.row(&options.engine, &options.version)?;
    let minio = project.versions.service("minio")?;
    testbed::ready(project, Some(&[&row.upstream, &minio.upstream]))?;
    build::run(
        project,
        &build::Options {
            what: Some(row.name()),
            dev: options.dev,
        },
    )?;
    build_peers(project, row)?;
    let leash = Leash::new(format!("planb-bench={}", std::process::id()))?;
    let network = Network::create(&leash)?;
    let spec = ServerSpec {
        args: TUNED.map(str::to_owned).to_vec(),
        ..Postgresql.server()
    };
    let server = Server::start(&network, "db", &row.upstream, &spec)?;
    let minio = Minio::start(&network, &minio.upstream)?;
    let bench = Bench {
        network,
        server,
        minio,
        options,
        image: tag(row, options.dev),
    };
    let facts = bench.fill()?;
    let mut results: Vec<(&Way, Vec<Round>)> = bench.ways().map(|way| (way, Vec::new())).collect();
    for n in 1..=options.runs {
        // Everybody in turn, so that a slow minute of the machine hits all of them.
        for (way, rounds) in &mut results {
            let round = bench
                .round(way, &facts.sum)
                .context(format!("{}, run {n}", way.key))?;
            println!("  run {n}: {:<10} {}", way.key, round.line());
            rounds.push(round);
        }
    }
    let table = table(&results, &facts.line, options);
    println!("\n{table}");
    let path = project.target().join("bench").join("postgresql.md");
    path.parent().map_or(Ok(()), make_dir)?;
    std::fs::write(&path, table).context(path.display())
}

/// One backup and its restores.
struct Round {
    backup: Usage,
    server_cpu: f64,
    temp_bytes: u64,
    stored_bytes: u64,
    restores: Vec<f64>,
}

impl Round {
    fn line(&self) -> String {
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

struct Facts {
    line: String,
    /// Rows and a sum over them, to hold every restore against.
    sum: String,
}

struct Bench<'a> {
    network: Network<'a>,
    server: Server,
    minio: Minio,
    options: &'a Options,
    image: String,
}

impl Bench<'_> {
    fn ways(&self) -> impl Iterator<Item = &'static Way> {
        let only = &self.options.only;
        WAYS.iter()
            .filter(|way| only.is_empty() || only.iter().any(|key| key == way.key))
    }

    fn fill(&self) -> Result<Facts> {
        let by_size = self.options.gib * (1u64 << 30) as f64 / ROW_BYTES;
        let rows = self.options.rows.unwrap_or(by_size as u64);
        println!("  filling a table with {rows} rows …");
        psql(
            &self.server,
            "postgres",
            &format!("create database {DATABASE}"),
        )?;
        let sql = include_str!("bench.sql");
        psql(&self.server, DATABASE, &format!("\\set rows {rows}\n{sql}"))?;
        let size = psql(
            &self.server,
            DATABASE,
            "select pg_size_pretty(pg_table_size('big'))",
        )?;
        let version = psql(&self.server, DATABASE, "show server_version")?;
        self.shell(
            &format!("rclone mkdir --s3-no-check-bucket=false s3:{BUCKET}"),
            "none",
        )
        .and_then(measure)?;
        let line = format!("PostgreSQL {version}, one table of {rows} rows, {size}");
        Ok(Facts {
            line,
            sum: self.sum(DATABASE)?,
        })
    }

    fn sum(&self, database: &str) -> Result<String> {
        psql(
            &self.server,
            database,
            "select count(*), sum(hashtextextended(big::text, 0)) from big",
        )
    }

    fn round(&self, way: &Way, sum: &str) -> Result<Round> {
        psql(&self.server, "postgres", "checkpoint")?;
        let before = meter::cpu_seconds(self.server.name())?;
        let backup = measure(self.script(&way.backup, way.key)?).context("backup")?;
        let server_cpu = meter::cpu_seconds(self.server.name())? - before;
        let size = format!("rclone size --json s3:{BUCKET}/{}", way.key);
        let size = measure(self.shell(&size, way.key)?)?;
        let size: serde_json::Value = serde_json::from_str(&size.stdout).context("rclone size")?;
        let mut restores = Vec::new();
        for (name, script) in way.restore {
            restores.push(
                self.restore(script, way.key, sum)
                    .context(format!("restore, {name}"))?,
            );
        }
        measure(self.shell(&format!("rclone purge s3:{BUCKET}/{}", way.key), way.key)?)?;
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
        psql(
            &self.server,
            "postgres",
            &format!("create database {TARGET}; checkpoint"),
        )?;
        let usage = measure(self.script(script, key)?)?;
        let restored = self.sum(TARGET)?;
        if restored != sum {
            return Err(format!("restored {restored}, not {sum}").into());
        }
        psql(&self.server, "postgres", &format!("drop database {TARGET}"))?;
        Ok(usage.wall)
    }

    fn script(&self, script: &Script, key: &str) -> Result<Cmd> {
        match script {
            Script::Shell(script) => self.shell(script, key),
            Script::Runner(settings) => Ok(self.runner(settings, key)),
        }
    }

    fn shell(&self, script: &str, key: &str) -> Result<Cmd> {
        let create = docker(["create"])
            .args(self.network.docker_args())
            .args(LIMITS);
        let create = create
            .args(["--volume", "/scratch"])
            .args(["--env", &format!("PGHOST={}", self.server.host())]);
        let login = environment(DATABASE)
            .into_iter()
            .filter_map(|(name, value)| {
                let name = match name {
                    "DB_USERNAME" => "PGUSER",
                    "DB_PASSWORD" => "PGPASSWORD",
                    _ => return None,
                };
                Some((name, value))
            });
        let login: Vec<_> = login.collect();
        let create = create.with(&login).with(&self.minio.rclone());
        let create = create.args([
            format!("--env=DB={DATABASE}"),
            format!("--env=TARGET={TARGET}"),
        ]);
        let create = create.args([format!("--env=KEY=s3:{BUCKET}/{key}")]);
        Ok(create.arg(PEERS).arg(script))
    }

    fn runner(&self, settings: &[(&str, &str)], key: &str) -> Cmd {
        let restores = settings.contains(&("OPERATION_TYPE", "restore"));
        let database = if restores { TARGET } else { DATABASE };
        let mut create = docker(["create", "--read-only"])
            .args(self.network.docker_args())
            .args(LIMITS);
        create = create
            .args(["--env", &format!("DB_HOST={}", self.server.host())])
            .with(&environment(database))
            .with(&self.minio.environment(BUCKET));
        create = create.args([format!("--env=PARALLELISM={}", self.options.parallelism)]);
        create = create.args([format!("--env=BACKUP_PATH={key}/backup")]);
        for (name, value) in settings {
            create = create.args([format!("--env={name}={value}")]);
        }
        for setting in &self.options.settings {
            create = create.args(["--env", setting]);
        }
        create.arg(&self.image)
    }
}

fn build_peers(project: &Project, row: &Row) -> Result<()> {
    let recipes = project.root.join("images/testbed");
    let args = [("BASE", row.upstream.as_str())];
    let dockerfile = recipes.join("peers.Dockerfile");
    Build {
        tag: PEERS,
        dockerfile: &dockerfile,
        context: &recipes,
        args: &args,
        labels: &[],
    }
    .run()
    .context("build the image of the peers")
}

fn table(results: &[(&Way, Vec<Round>)], facts: &str, options: &Options) -> String {
    let ours = results.iter().find(|(way, _)| way.key == "ours");
    let base = |of: &dyn Fn(&Round) -> f64| ours.map_or(f64::NAN, |(_, rounds)| median(rounds, of));
    let (base_backup, base_restore) = (base(&|it| it.backup.wall), base(&|it| it.restores[0]));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let settings = options.settings.join(" ");
    let mut text = format!(
        "{facts}; {cores} cores shared by server, MinIO ({MINIO_URL}) and tool; median of {}; ours with PARALLELISM={} {settings}\n\n\
         | way | backup | ratio | CPU of tool | CPU of server | peak memory | temporary disk | stored | restore | ratio |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        options.runs, options.parallelism,
    );
    for (way, rounds) in results {
        let figure = |of: &dyn Fn(&Round) -> f64| median(rounds, of);
        let backup = figure(&|it| it.backup.wall);
        let restores: Vec<_> = (0..way.restore.len())
            .map(|at| figure(&|it| it.restores[at]))
            .collect();
        let list = |show: &dyn Fn(usize, f64) -> String| {
            restores
                .iter()
                .enumerate()
                .map(|(at, wall)| show(at, *wall))
                .collect::<Vec<_>>()
                .join("; ")
        };
        text += &format!(
            "| {} | {backup:.1} s | {} | {:.1} s | {:.1} s | {:.0} MiB | {:.0} MB | {:.0} MB | {} | {} |\n",
            way.name,
            ratio(backup / base_backup),
            figure(&|it| it.backup.cpu),
            figure(&|it| it.server_cpu),
            figure(&|it| it.backup.peak_bytes as f64) / f64::from(1 << 20),
            figure(&|it| it.temp_bytes as f64) / 1e6,
            figure(&|it| it.stored_bytes as f64) / 1e6,
            list(&|at, wall| format!("{wall:.1} s ({})", way.restore[at].0)),
            list(&|_, wall| ratio(wall / base_restore)),
        );
    }
    text + "\nRatios are to ours (restore: without checks). CPU is the container's control group's, sampled 20 times a \
            second, as is peak memory: the sum of its processes' proportional set sizes.\n"
}

fn ratio(value: f64) -> String {
    if value.is_nan() {
        "–".into()
    } else {
        format!("{value:.2}")
    }
}

fn median(rounds: &[Round], of: &dyn Fn(&Round) -> f64) -> f64 {
    let mut values: Vec<_> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

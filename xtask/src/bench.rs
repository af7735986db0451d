//! The runner beside the tools a user would pick instead: one server, one object store, one machine, one run.

mod contest;
mod contests;
mod ground;
mod meter;
mod table;

use crate::build;
use crate::leash::Leash;
use crate::project::{Project, make_dir};
use crate::shell::{Context, Result};
use crate::testbed;
use contest::{Contest, ENGINES, Way};
use ground::{Ground, Round};

#[derive(clap::Args)]
pub struct Options {
    /// The engine to measure.
    #[arg(value_parser = ENGINES)]
    engine: String,
    /// The version of the server, unless it is the one that all peers know.
    #[arg(long)]
    version: Option<String>,
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
    /// Only these ways, by their prefixes in the bucket, e.g. gzip, zstd, ours.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// A further setting of the runner, e.g. COMPRESSION=zstd:3.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// Use the dev build of the runner: its figures mean nothing.
    #[arg(long)]
    dev: bool,
}

impl Options {
    fn n_rows(&self, contest: &Contest) -> u64 {
        let by_size = self.gib * (1u64 << 30) as f64 / contest.row_bytes;
        self.rows.unwrap_or(by_size as u64)
    }

    fn takes_part(&self, way: &Way) -> bool {
        self.only.is_empty() || self.only.iter().any(|key| key == way.key)
    }
}

pub fn run(project: &Project, options: &Options) -> Result<()> {
    let contest = contest::of(&options.engine)?;
    let version = options.version.as_deref().unwrap_or(contest.version);
    let row = project.versions.row(&options.engine, version)?;
    let minio = project.versions.service("minio")?;
    testbed::ready(project, Some(&[&row.upstream, &minio.upstream]))?;
    build::run(
        project,
        &build::Options {
            what: Some(row.name()),
            dev: options.dev,
        },
    )?;
    let leash = Leash::new(format!("planb-bench={}", std::process::id()))?;
    let ground = Ground::prepare(project, row, &contest, options, &leash)?;
    let facts = ground.fill()?;
    let ways = contest.ways.iter().filter(|way| options.takes_part(way));
    let mut results: Vec<(&Way, Vec<Round>)> = ways.map(|way| (way, Vec::new())).collect();
    for n in 1..=options.runs {
        // Everybody in turn, so that a slow minute of the machine hits all of them.
        for (way, rounds) in &mut results {
            let round = ground
                .round(way, &facts.sum)
                .context(format!("{}, run {n}", way.key))?;
            println!("  run {n}: {:<10} {}", way.key, round.line());
            rounds.push(round);
        }
    }
    let table = table::render(&results, &facts.line, options);
    println!("\n{table}");
    let path = project
        .target()
        .join("bench")
        .join(format!("{}.md", options.engine));
    path.parent().map_or(Ok(()), make_dir)?;
    std::fs::write(&path, table).context(path.display())
}

//! The twelve steps that prove an image: a real server, a real store, a real registry, and everything comes back.

mod objects;
pub mod registry;
mod report;
mod row;

use std::path::PathBuf;

use crate::docker;
use crate::interrupt;
use crate::project::{Project, make_dir};
use crate::shell::{Context, Result, cmd};
use crate::testbed;
use crate::versions::{Row, Versions};
use report::{Report, RowReport};

#[derive(Default, clap::Args)]
pub struct Options {
    /// ENGINE or ENGINE:VERSION; all without it.
    pub what: Option<String>,
    /// Use the dev build of the runner: quick to make, slower to run.
    #[arg(long)]
    pub dev: bool,
    /// Leave the containers of each row as they are at its end, to look into them.
    #[arg(long)]
    pub keep: bool,
    /// Where the report goes, as FILE.json and FILE.md; under target/verify without it.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Another table than images/versions.toml, to try a row out.
    #[arg(long, value_name = "FILE")]
    pub versions: Option<PathBuf>,
}

/// Proves the selected images, one after the other; the failure of one does not keep the next from its turn. Yields
/// the rows that are proven: those whose server is not to be had on this machine are not.
pub fn run(project: &Project, options: &Options) -> Result<Vec<String>> {
    let versions = match &options.versions {
        Some(file) => {
            let text = std::fs::read_to_string(file).context(file.display())?;
            Versions::parse(&text).context(file.display())?
        }
        None => project.versions.clone(),
    };
    let project = &Project {
        root: project.root.clone(),
        versions,
    };
    let rows = project.versions.select(options.what.as_deref())?;
    crate::setup::docker_answers(project)?;
    interrupt::watch()?;
    let mut report = begin(project, options)?;
    for (at, row) in rows.iter().enumerate() {
        println!("\n{} of {}: {}", at + 1, rows.len(), row.name());
        let (proved, interrupted) = match testbed::unproven(project, row) {
            Some(why) => (row::unproven(row, options, why), None),
            None => row::prove(project, row, options),
        };
        report.rows.push(proved);
        report.passed = report.rows.len() == rows.len() && report.rows.iter().all(|row| row.passed);
        let written = write(project, options, &report)?;
        if let Some(interrupted) = interrupted {
            return Err(interrupted.into());
        }
        if at + 1 == rows.len() {
            println!(
                "\n{}Report: {}.md and .json",
                table(&report),
                written.display()
            );
        }
    }
    verdict(&report)
}

/// A row that cannot be proven here is no failure beside others that are, but it is one if nothing was proven.
fn verdict(report: &Report) -> Result<Vec<String>> {
    let names = |of: fn(&&RowReport) -> bool| -> Vec<_> {
        let rows = report.rows.iter().filter(of);
        rows.map(|row| row.row.clone()).collect()
    };
    let failed = names(|row| !row.passed && row.unproven.is_none());
    if !failed.is_empty() {
        return Err(format!("not proven: {}", failed.join(", ")).into());
    }
    let proven = names(|row| row.passed);
    let unproven = names(|row| row.unproven.is_some()).join(", ");
    if proven.is_empty() {
        let why = "no server to be had here; where a registry answers, the same command proves it";
        return Err(format!("unproven: {unproven}: {why}").into());
    }
    if !unproven.is_empty() {
        println!("Unproven, as there is no server to be had here: {unproven}");
    }
    Ok(proven)
}

fn begin(project: &Project, options: &Options) -> Result<Report> {
    let revision = cmd("git").args(["describe", "--always", "--dirty", "--abbrev=12"]);
    Ok(Report {
        started_at: cmd("date").args(["-u", "+%FT%TZ"]).read()?,
        runner_version: env!("CARGO_PKG_VERSION"),
        revision: revision.dir(&project.root).read().unwrap_or_default(),
        docker: docker::server_version()?,
        dev: options.dev,
        passed: false,
        rows: Vec::new(),
    })
}

/// Where it was asked for, or under target/verify.
fn write(project: &Project, options: &Options, report: &Report) -> Result<PathBuf> {
    let stem = match &options.report {
        Some(file)
            if file
                .extension()
                .is_some_and(|it| it == "json" || it == "md") =>
        {
            file.with_extension("")
        }
        Some(file) => file.clone(),
        None => {
            let what = options.what.as_deref().unwrap_or("all").replace(':', "-");
            project.target().join("verify").join(what)
        }
    };
    stem.parent().map_or(Ok(()), make_dir)?;
    report.write(&stem)?;
    Ok(stem)
}

fn table(report: &Report) -> String {
    let line = |row: &RowReport| {
        let result = row.result();
        let stand_in = if row.facts.stand_in_client.is_some() {
            ", stand-in client"
        } else {
            ""
        };
        let size = row.facts.image_bytes.unwrap_or_default() as f64 / 1e6;
        format!(
            "{:<20} {size:>6.1} MB {:>6.1} s  {result}{stand_in}\n",
            row.row, row.seconds
        )
    };
    report.rows.iter().map(line).collect()
}

/// What a step needs that is not the row's own.
struct Ground<'a> {
    project: &'a Project,
    row: &'a Row,
    options: &'a Options,
}

//! `cargo xtask new-version`: a row in the table, made after the nearest one, and what follows from it.

use std::path::Path;

use crate::project::Project;
use crate::render;
use crate::shell::{Context, Result};
use crate::table;
use crate::versions::{ENGINES, FILE, Versions, is_tag};

#[derive(clap::Args)]
pub struct Options {
    /// An engine that has rows already, such as postgresql; the first row comes with `new-engine`.
    pub engine: String,
    /// The version, which becomes the image's tag, such as 16.
    pub version: String,
    /// The server's own image; the nearest row's with this version in place of its own, unless given.
    #[arg(long)]
    pub upstream: Option<String>,
    /// The last day on which this version is supported, as YYYY-MM-DD.
    #[arg(long, default_value = "unknown")]
    pub end_of_life: String,
}

/// Adds the row, renders what hangs on it, and says what to look at next.
pub fn run(project: &Project, options: &Options) -> Result<()> {
    println!("{}", add(&project.root, options)?);
    Ok(())
}

/// Adds the row to the tree at `root`; yields what is left to do.
pub fn add(root: &Path, options: &Options) -> Result<String> {
    let path = root.join(FILE);
    let text = std::fs::read_to_string(&path).context(FILE)?;
    let (changed, example) = with_row(&text, options)?;
    std::fs::write(&path, &changed).context(FILE)?;
    let project = Project::at(root.to_owned())?;
    render::write(&project)?;
    next_steps(&changed, options, &example)
}

/// The table with the new row in its place, and the name of the row that it was made after.
fn with_row(text: &str, options: &Options) -> Result<(String, String)> {
    let versions = Versions::parse(text)?;
    let Options {
        engine, version, ..
    } = options;
    if !ENGINES.contains(&engine.as_str()) {
        return Err(format!("engine {engine:?} is none of {}", ENGINES.join(", ")).into());
    }
    if !is_tag(version) {
        return Err(format!("version {version:?} cannot be an image tag").into());
    }
    if versions.images.iter().all(|row| row.engine != *engine) {
        return Err(format!(
            "{engine} has no row yet: begin with `cargo xtask new-engine {engine}`"
        )
        .into());
    }
    if versions.row(engine, version).is_ok() {
        return Err(format!("{engine}:{version} is in {FILE} already").into());
    }
    let example = table::nearest(&versions, engine, version)?;
    let row = like(
        table::text_of(text, &versions, example)?,
        &example.version,
        options,
    );
    let changed = table::insert(text, &versions, &row, (engine, version))?;
    // The row is checked like any other before a byte is written.
    Versions::parse(&changed)?;
    Ok((changed, example.name()))
}

/// The example's lines with another version in them; its comments and its digest are its own.
fn like(example: &str, old: &str, options: &Options) -> String {
    let quoted = |text: &str| toml_string(text);
    let mut row = String::new();
    for line in example
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
    {
        let key = line.split('=').next().unwrap_or_default().trim();
        let line = match (key, &options.upstream) {
            ("digest", _) => continue,
            ("version", _) => format!("version = {}", quoted(&options.version)),
            ("end_of_life", _) => format!("end_of_life = {}", quoted(&options.end_of_life)),
            ("upstream", Some(upstream)) => format!("upstream = {}", quoted(upstream)),
            ("upstream", None) => {
                let (image, _) = line
                    .split_once('@')
                    .unwrap_or((line.trim_end_matches('"'), ""));
                table::replace_word(image, old, &options.version) + "\""
            }
            _ => table::replace_word(line, old, &options.version),
        };
        row.push_str(&line);
        row.push('\n');
    }
    row
}

/// A TOML basic string; what it may not hold is escaped as JSON does.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn next_steps(text: &str, options: &Options, example: &str) -> Result<String> {
    let Options {
        engine, version, ..
    } = options;
    let versions = Versions::parse(text)?;
    let row = versions.row(engine, version)?;
    let name = row.name();
    let own = table::text_of(text, &versions, row)?;
    let at = text.find(own).unwrap_or(0);
    let stand_in = own.lines().find(|line| line.starts_with("stand_in"));
    let stand_in = stand_in.unwrap_or("nothing yet");
    let line = text[..at].matches('\n').count() + 1;
    let facts: Vec<_> = row
        .facts
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let mut steps = vec![format!(
        "that {} exists and is the server's own image: `docker pull {}`",
        row.upstream, row.upstream
    )];
    if !facts.is_empty() {
        let facts = facts.join(" ");
        steps.push(format!("the facts, taken from {example}: {facts}"));
    }
    steps.extend([format!(
        "what stands in for the server where no registry answers, also taken from {example}: \
             is there such a package?\n     {stand_in}"
    )]);
    if row.end_of_life == "unknown" {
        steps.push("end_of_life, which is \"unknown\": the day is on the vendor's page".into());
    }
    steps.extend([
        format!("`cargo xtask build {name}` makes the image: its size, and no library missing"),
        format!("`cargo xtask build-verify {name}` proves it, from a real server and back"),
        "`cargo xtask test` takes the new row into every test that runs over all rows".into(),
        format!("commit {FILE}, README.md and images/{engine}/{version}/Dockerfile together"),
    ]);
    let steps: Vec<_> = steps
        .iter()
        .enumerate()
        .map(|(i, step)| format!("  {}. {step}", i + 1))
        .collect();
    Ok(format!(
        "{FILE}:{line}: {name}, after {example}. Check next:\n{}",
        steps.join("\n")
    ))
}

#[cfg(test)]
mod tests;

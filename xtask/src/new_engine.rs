//! `cargo xtask new-engine`: everything a new engine consists of, which compiles, and says by name what it lacks.

use std::path::Path;

use crate::project::{Project, make_dir};
use crate::render;
use crate::shell::{Context, Result};
use crate::table;
use crate::versions::{ENGINES, FILE, Versions, is_tag};

#[derive(clap::Args)]
pub struct Options {
    /// The engine, such as mssql.
    pub name: String,
    /// The version of its first row, which becomes the image's tag.
    #[arg(default_value = "latest")]
    pub version: String,
    /// The server's own image, unless it is the one that everybody takes.
    #[arg(long)]
    pub upstream: Option<String>,
}

/// What is commonly known of an engine before a line is written.
struct Known {
    name: &'static str,
    type_name: &'static str,
    title: &'static str,
    port: u16,
    upstream: &'static str,
    has_databases: bool,
}

const fn known(
    [name, type_name, title, upstream]: [&'static str; 4],
    port: u16,
    has_databases: bool,
) -> Known {
    Known {
        name,
        type_name,
        title,
        port,
        upstream,
        has_databases,
    }
}

const KNOWN: [Known; 8] = [
    known(["mysql", "MySql", "MySQL", "mysql"], 3306, true),
    known(["mariadb", "MariaDb", "MariaDB", "mariadb"], 3306, true),
    known(
        ["postgresql", "Postgres", "PostgreSQL", "postgres"],
        5432,
        true,
    ),
    known(["mongodb", "MongoDb", "MongoDB", "mongo"], 27017, true),
    known(["redis", "Redis", "Redis", "redis"], 6379, false),
    known(["valkey", "Valkey", "Valkey", "valkey/valkey"], 6379, false),
    known(
        [
            "mssql",
            "SqlServer",
            "SQL Server",
            "mcr.microsoft.com/mssql/server",
        ],
        1433,
        true,
    ),
    known(
        [
            "oracle",
            "Oracle",
            "Oracle Database",
            "container-registry.oracle.com/database/free",
        ],
        1521,
        true,
    ),
];

const HOOKS: &str = "xtask/src/hooks.rs";

/// Where each file goes, and what it is made of.
const FILES: [(&str, &str); 7] = [
    (
        "runners/@NAME@/Cargo.toml",
        include_str!("new_engine/Cargo.toml.template"),
    ),
    (
        "runners/@NAME@/src/main.rs",
        include_str!("new_engine/runner/main.rs"),
    ),
    (
        "runners/@NAME@/src/engine.rs",
        include_str!("new_engine/runner/engine.rs"),
    ),
    (
        "runners/@NAME@/src/options.rs",
        include_str!("new_engine/runner/options.rs"),
    ),
    (
        "xtask/src/hooks/@NAME@.rs",
        include_str!("new_engine/hooks.rs"),
    ),
    (
        "images/@NAME@/Dockerfile.template",
        include_str!("new_engine/Dockerfile.template"),
    ),
    (
        "images/testbed/@NAME@.Dockerfile",
        include_str!("new_engine/stand-in.Dockerfile.template"),
    ),
];

/// Writes the engine's files and its row, renders, and says what to write next.
pub fn run(project: &Project, options: &Options) -> Result<()> {
    println!("{}", add(&project.root, options)?);
    Ok(())
}

/// Adds the engine to the tree at `root`; yields what is left to do.
pub fn add(root: &Path, options: &Options) -> Result<String> {
    let Options { name, version, .. } = options;
    let known = KNOWN.iter().find(|it| it.name == *name);
    let known = known.ok_or(format!("engine {name:?} is none of {}", ENGINES.join(", ")))?;
    if !is_tag(version) {
        return Err(format!("version {version:?} cannot be an image tag").into());
    }
    let text = std::fs::read_to_string(root.join(FILE)).context(FILE)?;
    let versions = Versions::parse(&text)?;
    if versions.select(Some(name)).is_ok() {
        return Err(format!(
            "{name} has rows in {FILE} already: `cargo xtask new-version {name} …` adds one"
        )
        .into());
    }
    let fill = |text: &str| known.fill(text, options);
    let files = FILES.map(|(path, text)| (fill(path), fill(text)));
    if let Some((path, _)) = files.iter().find(|(path, _)| root.join(path).exists()) {
        return Err(format!("{path} is there already").into());
    }
    let row = fill(include_str!("new_engine/row.toml.template"));
    let changed = table::insert(&text, &versions, &row, (name, version))?;
    Versions::parse(&changed)?;
    let hooks = std::fs::read_to_string(root.join(HOOKS)).context(HOOKS)?;
    let hooks = with_hooks(&hooks, known)?;
    for (path, text) in &files {
        root.join(path).parent().map_or(Ok(()), make_dir)?;
        std::fs::write(root.join(path), text).context(path)?;
    }
    std::fs::write(root.join(FILE), changed).context(FILE)?;
    std::fs::write(root.join(HOOKS), hooks).context(HOOKS)?;
    render::write(&Project::at(root.to_owned())?)?;
    Ok(next_steps(known, options, &files))
}

impl Known {
    fn fill(&self, text: &str, options: &Options) -> String {
        let upstream = format!("{}:{}", self.upstream, options.version);
        let has_databases = format!("bool = {}", self.has_databases);
        // The Rust files are real ones, of an engine that is called newcomer: they are compiled like any other.
        text.replace("newcomer", self.name)
            .replace("Newcomer", self.type_name)
            .replace("NEWCOMER", self.title)
            .replace("4711", &self.port.to_string())
            .replace("bool = true", &has_databases)
            .replace("@NAME@", self.name)
            .replace("@TITLE@", self.title)
            .replace("@PORT@", &self.port.to_string())
            .replace("@UPSTREAM@", options.upstream.as_ref().unwrap_or(&upstream))
            .replace("@VERSION@", &options.version)
    }
}

/// The list of hooks with an engine more, in its place.
fn with_hooks(text: &str, known: &Known) -> Result<String> {
    let Known {
        name, type_name, ..
    } = known;
    let lost = |what| format!("{HOOKS}: no {what} to put {name} beside");
    let module = format!("pub mod {name};\n");
    let modules: Vec<_> = text.match_indices("pub mod ").map(|(at, _)| at).collect();
    let last = *modules.last().ok_or_else(|| lost("`pub mod`"))?;
    let end = last + text[last..].find('\n').map_or(0, |n| n + 1);
    let next = modules.iter().find(|at| text[**at..] > *module);
    let (before, rest) = text.split_at(next.copied().unwrap_or(end));
    let text = format!("{before}{module}{rest}");
    let other = "        engine => Err(";
    let (before, rest) = text
        .split_once(other)
        .ok_or_else(|| lost("`engine => Err(`"))?;
    let arm = format!("        \"{name}\" => Ok(&{name}::{type_name}),\n");
    Ok(format!("{before}{arm}{other}{rest}"))
}

fn next_steps(known: &Known, options: &Options, files: &[(String, String)]) -> String {
    let (name, version) = (known.name, &options.version);
    let mut steps: Vec<_> = files
        .iter()
        .map(|(path, _)| format!("  new: {path}"))
        .collect();
    steps.push(format!(
        "  new: a row of {FILE}, what is rendered from it, and a line of {HOOKS}"
    ));
    let todo = [
        format!(
            "`cargo test -p {name}-runner` compiles it all, and fails until `probe` and `begin` are written"
        ),
        "`runners/postgresql/src/main.rs` has the map of an engine that is complete".into(),
        format!("{FILE}: the row's upstream, its end_of_life, linux/arm64 if upstream has it"),
        format!(
            "xtask/src/hooks/{name}.rs: test data, and the eye that holds a restore against them"
        ),
        format!("images/{name}/Dockerfile.template: the client tools, if the engine needs any"),
        format!(
            "images/testbed/{name}.Dockerfile: a server from packages; `cargo xtask test` starts it where no registry answers"
        ),
        format!(
            "`cargo xtask build-verify {name}:{version}` proves it, from a real server and back"
        ),
    ];
    let todo = todo
        .iter()
        .enumerate()
        .map(|(i, it)| format!("  {}. {it}", i + 1));
    steps.push("Write next:".into());
    steps.extend(todo);
    steps.join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::shell::cmd;

    fn tree() -> tempfile::TempDir {
        let (dir, from) = (
            tempfile::tempdir().unwrap(),
            Path::new(env!("CARGO_MANIFEST_DIR")).join(".."),
        );
        let mut files: BTreeSet<_> = [FILE, HOOKS, "README.md"].map(str::to_owned).into();
        let rows = Versions::load(&from).unwrap().images.into_iter();
        files.extend(rows.map(|row| format!("images/{}/Dockerfile.template", row.engine)));
        for file in &files {
            make_dir(dir.path().join(file).parent().unwrap()).unwrap();
            std::fs::copy(from.join(file), dir.path().join(file)).unwrap();
        }
        dir
    }

    fn options(name: &str) -> Options {
        Options {
            name: name.into(),
            version: "2022-latest".into(),
            upstream: None,
        }
    }

    #[test]
    fn a_new_engine_has_every_file_a_row_and_nothing_left_to_fill_in() {
        let tree = tree();
        let said = add(tree.path(), &options("mssql")).unwrap();
        for (path, _) in FILES {
            let path = path.replace("@NAME@", "mssql");
            let text = std::fs::read_to_string(tree.path().join(&path)).unwrap();
            assert!(
                !text.contains('@') && !text.to_lowercase().contains("newcomer"),
                "{path}: {text}"
            );
            assert!(said.contains(&path), "{said}");
        }
        let project = Project::at(tree.path().to_owned()).unwrap();
        let row = project.versions.row("mssql", "2022-latest").unwrap();
        assert_eq!(row.upstream, "mcr.microsoft.com/mssql/server:2022-latest");
        render::check(&project).unwrap();
        let hooks = std::fs::read_to_string(tree.path().join(HOOKS)).unwrap();
        assert!(hooks.contains("\npub mod mssql;\npub mod "), "{hooks}");
        let arm = "        \"mssql\" => Ok(&mssql::SqlServer),\n        engine => Err(";
        assert!(hooks.contains(arm), "{hooks}");
        let dockerfile = tree.path().join("images/mssql/2022-latest/Dockerfile");
        assert!(
            std::fs::read_to_string(dockerfile)
                .unwrap()
                .contains("DB_TYPE=mssql")
        );
    }

    #[test]
    fn an_engine_that_is_there_or_is_none_is_refused_and_nothing_is_written() {
        let tree = tree();
        let table = || std::fs::read_to_string(tree.path().join(FILE)).unwrap();
        let before = table();
        let refused = |name: &str| add(tree.path(), &options(name)).unwrap_err().to_string();
        assert!(refused("postgresql").contains("new-version postgresql"));
        assert!(refused("sqlite").contains("none of mysql"));
        make_dir(&tree.path().join("runners/oracle/src")).unwrap();
        std::fs::write(tree.path().join("runners/oracle/src/main.rs"), "mine").unwrap();
        assert_eq!(
            refused("oracle"),
            "runners/oracle/src/main.rs is there already"
        );
        assert_eq!(table(), before);
        assert!(!tree.path().join("images/oracle").exists());
    }

    #[test]
    fn what_is_written_is_formatted_whatever_the_engine_is_called() {
        let tree = tree();
        for name in ["mssql", "oracle"] {
            add(tree.path(), &options(name)).unwrap();
            let main = tree.path().join(format!("runners/{name}/src/main.rs"));
            let hooks = tree.path().join(format!("xtask/src/hooks/{name}.rs"));
            let rustfmt = cmd("rustfmt").args(["--check", "--edition=2024"]);
            rustfmt
                .args([main.to_string_lossy(), hooks.to_string_lossy()])
                .read()
                .unwrap();
        }
    }

    #[test]
    fn every_engine_that_a_row_may_be_of_is_known() {
        assert_eq!(KNOWN.map(|it| it.name), ENGINES);
    }
}

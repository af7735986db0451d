//! PostgreSQL's part of the proof, and of the demo and the bench.

use super::{Client, Hooks, Measure, Program, ServerSpec};
use crate::server::Server;
use crate::shell::{Context, Result};

/// What the test data fill.
pub const DATABASE: &str = "shop";
const PASSWORD: &str = "demo s3cret";
const DATA: &str = include_str!("postgresql/data.sql");
const MEASURE: &str = include_str!("postgresql/measure.sql");
/// The proof is about kinds of things, not about their number.
const SMALL: u32 = 4;

/// The engine's hooks.
pub struct Postgresql;

impl Hooks for Postgresql {
    fn server(&self) -> ServerSpec {
        ServerSpec {
            environment: vec![("POSTGRES_PASSWORD", PASSWORD.into())],
            args: vec![],
            ready: vec!["pg_isready", "--quiet", "--host=127.0.0.1"],
        }
    }

    fn server_version(&self, server: &Server) -> Result<String> {
        psql(server, "postgres", "show server_version")
    }

    fn client(&self, run: Program<'_>, server_version: &str) -> Result<Client> {
        Client::judge(&run(&["pg_dump", "--version"])?, server_version, 1)
    }

    fn create_test_data(&self, server: &Server) -> Result<Measure> {
        fill(server, SMALL)?;
        measure(server, DATABASE)
    }

    fn backup_environment(&self) -> Vec<(&'static str, String)> {
        environment(DATABASE)
    }

    fn verify_restored_data(&self, server: &Server, before: &Measure) -> Result<String> {
        before.compare(&measure(server, DATABASE)?)?;
        Ok(summary(before) + ": all equal")
    }
}

/// Makes the sample database; 100 makes about 200 MB.
pub fn fill(server: &Server, n: u32) -> Result<()> {
    psql(server, "postgres", &format!("create database {DATABASE}"))?;
    psql(server, DATABASE, &format!("\\set n {n}\n{DATA}")).map(drop)
}

/// Runs SQL as superuser; yields unaligned rows.
pub fn psql(server: &Server, database: &str, sql: &str) -> Result<String> {
    let program = ["psql", "--username=postgres", "--no-psqlrc", "--quiet"];
    server
        .exec(&program)
        .args(["-At", "--set=ON_ERROR_STOP=1", "--dbname", database])
        .input(sql)
        .read()
        .context(format!("SQL in {database}"))
}

/// Everything that a restore must bring back, by the server's own means: rows and their content, sequences, large
/// objects, indexes, constraints, and all definitions.
pub fn measure(server: &Server, database: &str) -> Result<Measure> {
    let content = psql(server, database, MEASURE)?;
    let dump = ["pg_dump", "--username=postgres", "--schema-only", database];
    let schema = server.exec(&dump).read()?;
    // Recent versions fence their dumps with a random word.
    let lines = schema
        .lines()
        .filter(|it| !it.starts_with("\\restrict") && !it.starts_with("\\unrestrict"));
    Ok(Measure::new(lines.fold(content, |measure, line| {
        measure + "\nschema|" + line
    })))
}

/// What there is, in a few words.
pub fn summary(measure: &Measure) -> String {
    let counts = [
        ("table", "tables"),
        ("index", "indexes"),
        ("constraint", "constraints"),
        ("sequence", "sequences"),
        ("large object", "large objects"),
    ];
    let counts = counts.map(|(kind, plural)| format!("{} {plural}", measure.count(kind)));
    format!("{} rows, {}", measure.sum("table", 2), counts.join(", "))
}

/// What the runner needs to reach a database as superuser, beside host and port.
pub fn environment(database: &str) -> Vec<(&'static str, String)> {
    vec![
        ("DB_NAME", database.into()),
        ("DB_USERNAME", "postgres".into()),
        ("DB_PASSWORD", PASSWORD.into()),
    ]
}

//! The part of MySQL and MariaDB in the proof: one for both, as their runner is.

use super::{Client, Hooks, Measure, Program, ServerSpec};
use crate::server::Server;
use crate::shell::{Context, Result};

/// The superuser's.
pub const PASSWORD: &str = "demo s3cret";
/// Whose stock client looks at every server; images of MySQL do not have one everywhere.
const CLIENT: &str = "mariadb:11.8";
const DATA: &str = include_str!("mysql/data.sql");
const MARIADB_DATA: &str = include_str!("mysql/mariadb.sql");
const MEASURE: &str = include_str!("mysql/measure.sql");
/// What a line begins with that says of which kind the next ones are.
const KIND: &str = "planb-kind:";

/// The engines' hooks.
pub enum Family {
    MySql,
    MariaDb,
}

impl Hooks for Family {
    fn server(&self) -> ServerSpec {
        ServerSpec {
            environment: vec![
                ("MYSQL_ROOT_PASSWORD", PASSWORD.into()),
                ("MARIADB_ROOT_PASSWORD", PASSWORD.into()),
            ],
            args: vec![],
            // While upstream's entrypoint sets a server up, that listens to no port.
            ready: vec!["bash", "-c", "</dev/tcp/127.0.0.1/3306"],
        }
    }

    fn tools(&self) -> &'static [&'static str] {
        &[CLIENT]
    }

    fn server_version(&self, server: &Server) -> Result<String> {
        sql(server, &[], "SELECT version()")
    }

    fn client(&self, run: Program<'_>, _: &str) -> Result<Client> {
        let runner = run(&["/usr/local/bin/runner", "--version"])?;
        Ok(Client::Own(format!("none needed by {runner}")))
    }

    fn create_test_data(&self, server: &Server) -> Result<Measure> {
        sql(server, &[], DATA)?;
        if matches!(self, Self::MariaDb) {
            sql(server, &[], MARIADB_DATA)?;
        }
        measure(server)
    }

    /// Every database and every account.
    fn backup_environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("DB_NAME", "*".into()),
            ("DB_USERNAME", "root".into()),
            ("DB_PASSWORD", PASSWORD.into()),
        ]
    }

    fn verify_restored_data(&self, server: &Server, before: &Measure) -> Result<String> {
        before.compare(&measure(server)?)?;
        Ok(summary(before) + ": all equal")
    }
}

/// Runs a script as superuser; yields rows, fields parted by tabs.
pub fn sql(server: &Server, options: &[&str], script: &str) -> Result<String> {
    // The server's certificate is its own.
    let client = ["mariadb", "--skip-ssl-verify-server-cert", "--batch"];
    let address = ["--host=127.0.0.1", "--user=root", "--skip-column-names"];
    server
        .beside(CLIENT, &[("MYSQL_PWD", PASSWORD.into())], &client)
        .args(address)
        .args(["--default-character-set=utf8mb4", "--binary-as-hex"])
        .args(options)
        .input(script)
        .read()
        .context("SQL by the stock client")
}

/// Everything that a restore must bring back, as the server itself tells it: rows, their checksums, definitions,
/// accounts and grants.
fn measure(server: &Server) -> Result<Measure> {
    let statements = sql(server, &["--raw"], MEASURE)?;
    let mut script = String::new();
    for line in statements.lines() {
        let (kind, statement) = line.split_once('\t').ok_or(format!("{line:?}: no kind"))?;
        script += &format!("SELECT '{KIND}{kind}';\n{statement};\n");
    }
    let (mut lines, mut kind) = (String::new(), "");
    for line in sql(server, &[], &script)?.lines() {
        match line.strip_prefix(KIND) {
            Some(next) => kind = next,
            None => lines += &format!("{kind}|{}\n", line.replace('\t', "|")),
        }
    }
    Ok(Measure::new(lines))
}

/// What there is, in a few words.
fn summary(measure: &Measure) -> String {
    let counts = [
        ("table", "tables"),
        ("checksum", "checksums"),
        ("constraint", "constraints"),
        ("view", "views"),
        ("routine", "routines"),
        ("trigger", "triggers"),
        ("event", "events"),
        ("sequence", "sequences"),
        ("account", "accounts"),
        ("grant", "grants"),
    ];
    let counts = counts.map(|(kind, plural)| format!("{} {plural}", measure.count(kind)));
    format!("{} rows, {}", measure.sum("table", 2), counts.join(", "))
}

//! MongoDB's part of the proof: documents of every type, by the stock tools alone, which every server image has.

use super::{Client, Hooks, Measure, Program, ServerSpec};
use crate::server::Server;
use crate::shell::{Context, Result};

const DATABASE: &str = "shop";
const USER: &str = "root";
const PASSWORD: &str = "demo s3cret";
const FILL: &str = include_str!("mongodb/fill.sh");
const MEASURE: &str = include_str!("mongodb/measure.sh");

/// Logs a tool in beside the server by TCP, with the password in a file. Upstream's image first starts a server for itself
/// alone, on the loopback address: hence the container's own name.
const LOGIN: &str = r#"
tool() {
  printf 'password: "%s"\n' "$MONGO_INITDB_ROOT_PASSWORD" >/tmp/login.yaml
  program=$1; shift
  "$program" --quiet --config=/tmp/login.yaml --host="$(hostname)" --username="$MONGO_INITDB_ROOT_USERNAME" \
    --authenticationDatabase=admin "$@"
}
set -eu
"#;

/// The engine's hooks.
pub struct Mongodb;

impl Hooks for Mongodb {
    fn server(&self) -> ServerSpec {
        ServerSpec {
            environment: vec![
                ("MONGO_INITDB_ROOT_USERNAME", USER.into()),
                ("MONGO_INITDB_ROOT_PASSWORD", PASSWORD.into()),
            ],
            args: vec![],
            ready: vec!["sh", "-c", READY],
        }
    }

    fn server_version(&self, server: &Server) -> Result<String> {
        // An archive says of which server it is.
        let said = shell(
            server,
            "tool mongodump --db=none --archive | tr -d '\\000-\\037' | grep -ao 'server_version[0-9.]*'\n\
             if command -v ferretdb >/dev/null; then echo '(FerretDB)'; fi",
        )?;
        let said = said.replace("server_version", "").replace('\n', " ");
        Ok(said.trim().to_owned())
    }

    fn client(&self, run: Program<'_>, _: &str) -> Result<Client> {
        // One release of the tools serves every version of the server.
        let said = run(&["mongodump", "--version"])?;
        let line = said.lines().next().unwrap_or_default();
        match line.starts_with("mongodump version: 100.") {
            true => Ok(Client::Own(line.to_owned())),
            false => Err(format!("mongodump --version says {said:?}").into()),
        }
    }

    fn create_test_data(&self, server: &Server) -> Result<Measure> {
        shell(server, FILL).context("fill the server")?;
        measure(server)
    }

    fn backup_environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("DB_NAME", DATABASE.into()),
            ("DB_USERNAME", USER.into()),
            ("DB_PASSWORD", PASSWORD.into()),
        ]
    }

    fn verify_restored_data(&self, server: &Server, before: &Measure) -> Result<String> {
        before.compare(&measure(server)?)?;
        Ok(format!(
            "{} documents, {} definitions of collections: all equal",
            before.count("document"),
            before.count("definition")
        ))
    }
}

const READY: &str = r#"printf 'password: "%s"\n' "$MONGO_INITDB_ROOT_PASSWORD" >/tmp/ready.yaml
exec mongodump --quiet --config=/tmp/ready.yaml --host="$(hostname)" --username="$MONGO_INITDB_ROOT_USERNAME" \
  --authenticationDatabase=admin --db=none --archive=/dev/null"#;

/// Runs a script beside the server; `tool` in it is a tool that is logged in.
fn shell(server: &Server, script: &str) -> Result<String> {
    server
        .exec(&["sh", "-s"])
        .input(format!("{LOGIN}{script}"))
        .read()
}

/// Every document as JSON, and every collection's options and indexes, without identities.
fn measure(server: &Server) -> Result<Measure> {
    Ok(Measure::new(shell(server, MEASURE).context("measure")?))
}

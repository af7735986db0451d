//! The part of Redis and Valkey in the proof: one for both, as their runner is.

use super::{Client, Hooks, Measure, Program, ServerSpec};
use crate::server::Server;
use crate::shell::{Context, Result};

const PASSWORD: &str = "demo-s3cret";
const DATA: &str = include_str!("redis/data.txt");
/// Prints a line for each key, and a digest of its value where the server makes one.
const MEASURE: &str = include_str!("redis/measure.sh");

/// The engines' hooks.
pub enum Family {
    Redis,
    Valkey,
}

impl Family {
    fn cli(&self) -> &'static str {
        match self {
            Self::Redis => "redis-cli",
            Self::Valkey => "valkey-cli",
        }
    }
}

impl Hooks for Family {
    fn server(&self) -> ServerSpec {
        ServerSpec {
            environment: vec![("REDISCLI_AUTH", PASSWORD.into())],
            args: vec!["--requirepass".into(), PASSWORD.into()],
            ready: vec![
                "sh",
                "-c",
                "$(command -v valkey-cli || command -v redis-cli) ping | grep -q PONG",
            ],
        }
    }

    fn server_version(&self, server: &Server) -> Result<String> {
        let script = r#""$0" INFO server | tr -d '\r' | sed -n 's/^valkey_version://p; s/^redis_version://p' | tail -n1"#;
        server.exec(&["sh", "-c", script, self.cli()]).read()
    }

    fn client(&self, run: Program<'_>, _: &str) -> Result<Client> {
        let runner = run(&["/usr/local/bin/runner", "--version"])?;
        Ok(Client::Own(format!("none needed by {runner}")))
    }

    fn create_test_data(&self, server: &Server) -> Result<Measure> {
        let said = server
            .exec(&[self.cli()])
            .input(DATA)
            .read()
            .context("commands by the stock client")?;
        // Functions came with Redis 7.
        let is_wrong = |line: &&str| line.contains("ERR ") && !line.contains("unknown command");
        if let Some(wrong) = said.lines().find(is_wrong) {
            return Err(format!("the test data: {wrong}").into());
        }
        self.measure(server)
    }

    /// Every database, functions included.
    fn backup_environment(&self) -> Vec<(&'static str, String)> {
        vec![("DB_PASSWORD", PASSWORD.into())]
    }

    fn verify_restored_data(&self, server: &Server, before: &Measure) -> Result<String> {
        before.compare(&self.measure(server)?)?;
        Ok(format!(
            "{} keys, {} groups of streams, {} functions: all equal",
            before.count("key"),
            before.count("group"),
            before.count("function")
        ))
    }
}

impl Family {
    /// Everything that a restore must bring back, as the server itself tells it.
    fn measure(&self, server: &Server) -> Result<Measure> {
        let lines = server.exec(&["sh", "-c", MEASURE, self.cli()]).read();
        lines
            .map(Measure::new)
            .context("measure by the stock client")
    }
}

//! What a database holds, as stock tools tell it: nothing here shares code with the runner.

use std::io::Write;

use tests::{Postgres, Seat, spawn_program};

/// Everything that a restore must bring back, a line each.
pub(crate) struct Content {
    lines: Vec<String>,
}

impl Content {
    pub(crate) fn of(server: &Postgres, database: &str) -> Self {
        let mut content = Self::rows(server, database);
        content.lines.extend(Self::schema(server, database).lines);
        content
    }

    /// Definitions, as the server's own `pg_dump` writes them.
    pub(crate) fn schema(server: &Postgres, database: &str) -> Self {
        let dump = client(server, server, "pg_dump", database, &["--schema-only"]);
        let lines = dump
            .lines()
            // Recent versions fence their dumps with a random word.
            .filter(|it| !it.starts_with("\\restrict") && !it.starts_with("\\unrestrict"));
        Self {
            lines: lines.map(str::to_owned).collect(),
        }
    }

    /// All but the schema.
    pub(crate) fn rows(server: &Postgres, database: &str) -> Self {
        let rows = script(server, database, include_str!("compare.sql"));
        Self {
            lines: rows.lines().map(str::to_owned).collect(),
        }
    }

    /// Without the lines that begin like this.
    pub(crate) fn without(mut self, start: &str) -> Self {
        self.lines.retain(|line| !line.starts_with(start));
        self
    }

    /// Fails with the lines that only one of the two has.
    #[track_caller]
    pub(crate) fn assert_same(&self, other: &Self) {
        let only = |here: &Self, there: &Self| -> Vec<String> {
            let lines = here.lines.iter().filter(|it| !there.lines.contains(it));
            lines.take(30).cloned().collect()
        };
        assert!(!self.lines.is_empty());
        let (lost, new) = (only(self, other), only(other, self));
        assert!(
            lost.is_empty() && new.is_empty(),
            "lost or changed:\n{}\n\nnew or changed:\n{}",
            lost.join("\n"),
            new.join("\n")
        );
        assert_eq!(self.lines, other.lines, "the order differs");
    }
}

/// Runs a client program of `tools` against a database; it must end well.
pub(crate) fn client(
    tools: &Postgres,
    server: &Postgres,
    program: &str,
    database: &str,
    args: &[&str],
) -> String {
    let (host, port) = server.address(Seat::Host);
    let settings = [
        format!("PGHOST={host}"),
        format!("PGPORT={port}"),
        format!("PGUSER={}", server.user),
        format!("PGPASSWORD={}", server.password),
        format!("PGDATABASE={database}"),
        format!("{}/{program}", tools.tools()),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let run = spawn_program("env", &[&settings[..], args].concat()).wait();
    run.good().stdout
}

/// Runs a script with `psql`, meta-commands and all; yields unaligned rows.
#[track_caller]
pub(crate) fn script(server: &Postgres, database: &str, script: &str) -> String {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(script.as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    let args = ["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-f", path];
    client(server, server, "psql", database, &args)
}

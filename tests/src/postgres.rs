//! PostgreSQL servers: databases of one's own, queries, and the settings a runner needs to reach them.

use std::time::Duration;

use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::run::{Env, tools};
use crate::world::{Launch, Seat, Server, Started, docker, world};

const PORT: u16 = 5432;
const PASSWORD: &str = "s3cret & sound";
const READY: Duration = Duration::from_secs(60);
/// Nothing here survives the machine: durability would only cost time.
const QUICK: [&str; 5] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=200",
    "max_wal_size=4GB",
];

/// A server with a superuser.
pub struct Postgres {
    pub major: u32,
    pub user: &'static str,
    pub password: &'static str,
    server: Started,
}

impl Postgres {
    pub(crate) fn start(major: u32, launch: Launch) -> Self {
        let server = world().start(Server {
            image: world().upstream("postgresql", major),
            name: "postgres",
            port: PORT,
            env: vec![("POSTGRES_PASSWORD", PASSWORD.into())],
            launch: launch.with_defaults(QUICK.iter().flat_map(|it| ["-c", it])),
        });
        let postgres = Self {
            major,
            user: "postgres",
            password: PASSWORD,
            server,
        };
        postgres.ready();
        postgres
    }

    /// The container's name, and its host name on the test network.
    pub fn name(&self) -> &str {
        &self.server.name
    }

    /// Where it listens, seen from this machine or from a container.
    pub fn address(&self, seat: Seat) -> (String, u16) {
        match seat {
            Seat::Host => ("127.0.0.1".into(), self.server.port),
            Seat::Container => (self.server.name.clone(), PORT),
        }
    }

    /// Its address on the test network, which this machine reaches too.
    pub fn inner_address(&self) -> (String, u16) {
        (self.server.inner_address(), PORT)
    }

    /// Makes an empty database with a name of its own.
    pub fn create_database(&self, stem: &str) -> String {
        let name = world().unique(stem);
        self.psql("postgres", &format!("create database \"{name}\""));
        name
    }

    /// Runs one or more statements and yields the rows as `psql -At` prints them.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        self.try_psql(database, sql)
            .unwrap_or_else(|err| panic!("{err}\nin {database}: {sql}"))
    }

    /// As [`Self::psql`], where an error is what a test wants to see.
    pub fn try_psql(&self, database: &str, sql: &str) -> Result<String, String> {
        let (config, sql) = (self.config(database), sql.to_owned());
        world().wait(async move { query(config, &sql).await.map_err(|err| said(&err)) })
    }

    /// Runs a program inside the server's container, e.g. its own `pg_dump`; yields what it printed.
    pub fn exec(&self, program: &[&str]) -> String {
        let login = format!("PGPASSWORD={}", self.password);
        let exec = [
            "exec",
            "--env",
            &login,
            "--env",
            "PGUSER=postgres",
            "--env",
            "PGHOST=127.0.0.1",
        ];
        docker(&[&exec[..], &[self.name()], program].concat())
    }

    /// The schema of a database as its own server's `pg_dump` prints it, free of what differs per run.
    pub fn schema(&self, database: &str) -> String {
        let dump = self.exec(&["pg_dump", "--schema-only", database]);
        // Recent versions fence their dumps with a random word.
        let lines = dump
            .lines()
            .filter(|it| !it.starts_with("\\restrict") && !it.starts_with("\\unrestrict"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Stops the server as a crash would.
    pub fn kill(&self) {
        docker(&["kill", self.name()]);
    }

    /// What a runner needs to reach `database` as superuser, client tools of this very version included.
    pub fn env(&self, database: &str, seat: Seat) -> Env {
        let (host, port) = self.address(seat);
        let env = Env::default()
            .with("DB_HOST", host)
            .with("DB_PORT", port.to_string())
            .with("DB_NAME", database)
            .with("DB_USERNAME", self.user)
            .with("DB_PASSWORD", self.password);
        match seat {
            Seat::Host => env.with("PG_BIN", self.tools()),
            Seat::Container => env,
        }
    }

    /// The directory of this version's client tools, which run on this machine.
    pub fn tools(&self) -> String {
        tools("postgresql", self.major)
    }

    fn config(&self, database: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config
            .host("127.0.0.1")
            .port(self.server.port)
            .dbname(database);
        config
            .user(self.user)
            .password(self.password)
            .connect_timeout(Duration::from_secs(10));
        config
    }

    fn ready(&self) {
        let config = self.config("postgres");
        let ready = world().wait(async move {
            tokio::time::timeout(READY, async {
                while query(config.clone(), "select 1").await.is_err() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            })
            .await
        });
        if ready.is_err() {
            panic!(
                "PostgreSQL {} is not ready:\n{}",
                self.major,
                docker(&["logs", self.name()])
            );
        }
    }
}

async fn query(config: tokio_postgres::Config, sql: &str) -> Result<String, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    let connection = tokio::spawn(connection);
    let messages = client.simple_query(sql).await;
    drop(client);
    // How the connection ended is of no interest: the answer is there, or its error.
    let _ = connection.await;
    let rows = messages?.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            let fields = (0..row.len()).map(|at| row.get(at).unwrap_or_default());
            Some(fields.collect::<Vec<_>>().join("|"))
        }
        _ => None,
    });
    Ok(rows.collect::<Vec<_>>().join("\n"))
}

fn said(err: &tokio_postgres::Error) -> String {
    err.as_db_error().map_or_else(
        || err.to_string(),
        |it| format!("{}: {}", it.severity(), it.message()),
    )
}

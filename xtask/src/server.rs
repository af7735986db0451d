//! A PostgreSQL in a container, on a network of its own, and a MinIO beside it, for the demo and the bench.

use std::time::Duration;

use crate::docker::docker;
use crate::leash::Leash;
use crate::shell::{Cmd, Context, Result, poll};

const PASSWORD: &str = "demo s3cret";
const HOST: &str = "db";
/// Where a MinIO answers on the network.
pub const MINIO_URL: &str = "http://minio:9000";
const ACCESS_KEY: &str = "planb-access";
const SECRET_KEY: &str = "planb-secret";
const READY: Duration = Duration::from_secs(60);
const MEASURE: &str = include_str!("measure.sql");

/// A server that lives as long as its leash.
pub struct Postgres<'a> {
    leash: &'a Leash,
    name: String,
}

impl<'a> Postgres<'a> {
    /// Starts the server and returns when it accepts connections.
    pub fn start(image: &str, leash: &'a Leash, options: &[&str]) -> Result<Self> {
        let name = leash.label().replace('=', "-");
        docker(["network", "create", "--label", leash.label(), &name]).read()?;
        let server = Self { leash, name };
        server
            .with_password(docker([
                "run",
                "--detach",
                "--shm-size=512m",
                "--network-alias",
                HOST,
            ]))
            .args(["--name", &server.name, "--env", "POSTGRES_PASSWORD"])
            .args(server.docker_args())
            .arg(image)
            .args(options)
            .read()?;
        let ready = || {
            docker([
                "exec",
                &server.name,
                "pg_isready",
                "--quiet",
                "--host=127.0.0.1",
            ])
            .succeeds()
        };
        match poll(READY, || ready().then_some(())) {
            Some(()) => Ok(server),
            None => Err(format!("{image} does not accept connections").into()),
        }
    }

    /// Runs SQL as superuser; yields unaligned rows.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String> {
        docker([
            "exec",
            "--interactive",
            &self.name,
            "psql",
            "--username=postgres",
            "--no-psqlrc",
        ])
        .args([
            "--quiet",
            "-At",
            "--set=ON_ERROR_STOP=1",
            "--dbname",
            database,
        ])
        .input(sql)
        .read()
        .context(format!("SQL in {database}"))
    }

    /// Everything that a restore must bring back, a line each, by means that share no code with the runner.
    pub fn measure(&self, database: &str) -> Result<String> {
        let content = self.psql(database, MEASURE)?;
        let schema = docker([
            "exec",
            &self.name,
            "pg_dump",
            "--username=postgres",
            "--schema-only",
            database,
        ]);
        let schema = schema.read()?;
        // Recent versions fence their dumps with a random word.
        let lines = schema
            .lines()
            .filter(|it| !it.starts_with("\\restrict") && !it.starts_with("\\unrestrict"));
        Ok(lines.fold(content, |measure, line| measure + "\nschema|" + line))
    }

    /// The container's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its host name on the network, as the variable `name`.
    pub fn address(&self, name: &str) -> [String; 1] {
        [format!("--env={name}={HOST}")]
    }

    /// What lets a container join the server's network, and takes it away with the leash.
    pub fn docker_args(&self) -> [&str; 4] {
        ["--network", &self.name, "--label", self.leash.label()]
    }

    /// The runner's settings for `docker run`; the password comes by [`Self::with_password`].
    pub fn settings(&self, database: &str) -> [String; 4] {
        [
            format!("--env=DB_HOST={HOST}"),
            format!("--env=DB_NAME={database}"),
            "--env=DB_USERNAME=postgres".into(),
            "--env=DB_PASSWORD".into(),
        ]
    }

    /// Hands the password over by the environment: a command line is no place for it.
    pub fn with_password(&self, run: Cmd) -> Cmd {
        ["DB_PASSWORD", "POSTGRES_PASSWORD", "PGPASSWORD"]
            .iter()
            .fold(run, |run, name| run.env(name, PASSWORD))
    }
}

/// An object store beside a server.
pub struct Minio {
    name: String,
}

impl Minio {
    /// Starts the store on the server's network and returns when it is healthy.
    pub fn start(server: &Postgres<'_>, image: &str) -> Result<Self> {
        let name = format!("{}-minio", server.name);
        let minio = Self { name };
        docker([
            "run",
            "--detach",
            "--network-alias=minio",
            "--name",
            &minio.name,
        ])
        .args(server.docker_args())
        .args([
            "--env",
            &format!("MINIO_ROOT_USER={ACCESS_KEY}"),
            "--env",
            "MINIO_ROOT_PASSWORD",
        ])
        .env("MINIO_ROOT_PASSWORD", SECRET_KEY)
        .args([image, "server", "/data"])
        .read()?;
        let logs = || {
            docker(["logs", &minio.name])
                .output()
                .is_ok_and(|it| it.stdout.contains("API:") || it.stderr.contains("API:"))
        };
        match poll(READY, || logs().then_some(())) {
            Some(()) => Ok(minio),
            None => Err(format!("{image} does not come up").into()),
        }
    }

    /// The runner's settings for `docker run`; the secret comes by [`Self::with_secret`].
    pub fn settings(&self, bucket: &str) -> [String; 5] {
        [
            "--env=STORAGE_TYPE=s3".into(),
            format!("--env=STORAGE_BUCKET={bucket}"),
            format!("--env=STORAGE_ENDPOINT={MINIO_URL}"),
            format!("--env=STORAGE_ACCESS_KEY={ACCESS_KEY}"),
            "--env=STORAGE_SECRET_KEY".into(),
        ]
    }

    /// The same for rclone's remote `s3:`.
    pub fn rclone(&self) -> [String; 3] {
        [
            format!("--env=RCLONE_CONFIG_S3_ENDPOINT={MINIO_URL}"),
            format!("--env=RCLONE_CONFIG_S3_ACCESS_KEY_ID={ACCESS_KEY}"),
            "--env=RCLONE_CONFIG_S3_SECRET_ACCESS_KEY".into(),
        ]
    }

    /// Hands the secret over by the environment.
    pub fn with_secret(&self, run: Cmd) -> Cmd {
        run.env("STORAGE_SECRET_KEY", SECRET_KEY)
            .env("RCLONE_CONFIG_S3_SECRET_ACCESS_KEY", SECRET_KEY)
    }
}

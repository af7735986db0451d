//! MySQL and MariaDB servers: databases of one's own, statements and dumps by stock clients, and the settings a runner
//! needs to reach them.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::run::{Env, Running, spawn_program};
use crate::world::{Launch, Seat, Server, Started, docker, world};

const PORT: u16 = 3306;
const PASSWORD: &str = "s3cret & 'sound'";
const READY: Duration = Duration::from_secs(120);
/// Whose client is used for servers whose image has none here.
const CLIENT: &str = "mariadb:11.8";
/// Oracle's server with Oracle's client.
const WITH_CLIENT: &str = "mysql:9.7";
/// Nothing here survives the machine: durability would only cost time.
const QUICK: [&str; 6] = [
    "--log-bin=binlog",
    "--server-id=1",
    "--local-infile=1",
    "--sync-binlog=0",
    "--innodb-flush-log-at-trx-commit=2",
    "--max-allowed-packet=64M",
];

/// A server with a superuser.
pub struct MySql {
    /// Such as `mysql:8.0`.
    pub image: &'static str,
    pub user: &'static str,
    pub password: &'static str,
    server: Started,
}

impl MySql {
    pub(crate) fn start(image: &'static str, launch: Launch) -> Self {
        let server = world().start(Server {
            image: image.to_owned(),
            name: "mysql",
            port: PORT,
            env: vec![
                ("MYSQL_ROOT_PASSWORD", PASSWORD.into()),
                ("MARIADB_ROOT_PASSWORD", PASSWORD.into()),
            ],
            launch: launch.with_defaults(QUICK),
        });
        let mysql = Self {
            image,
            user: "root",
            password: PASSWORD,
            server,
        };
        mysql.ready();
        mysql
    }

    /// As in `DB_ENGINE`.
    pub fn engine(&self) -> &'static str {
        self.image.split(':').next().unwrap()
    }

    /// Its host name on the test network.
    pub fn name(&self) -> &str {
        &self.server.name
    }

    /// Its address on the test network, with nothing in between that would hold much of what it sends.
    pub fn inner_address(&self) -> String {
        format!("{}:{PORT}", self.server.inner_address())
    }

    /// Where it listens, seen from this machine.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// Makes an empty database with a name of its own.
    pub fn create_database(&self, stem: &str) -> String {
        let name = world().unique(stem);
        self.sql(
            "",
            &format!("create database `{name}` character set utf8mb4"),
        );
        name
    }

    /// Runs a script with the stock client, `DELIMITER` and all; yields rows, fields parted by tabs.
    #[track_caller]
    pub fn sql(&self, database: &str, script: &str) -> String {
        self.try_sql(database, script)
            .unwrap_or_else(|err| panic!("{err}\nin {database}: {:.2000}", script))
    }

    /// As [`Self::sql`], where an error is what a test wants to see.
    pub fn try_sql(&self, database: &str, script: &str) -> Result<String, String> {
        let args = self.client("", &["-N", "-B", "--default-character-set=utf8mb4"]);
        let mut child = Command::new("docker")
            .args(args)
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A client that gave up does not read on.
        let _ = child.stdin.take().unwrap().write_all(script.as_bytes());
        let output = child.wait_with_output().unwrap();
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout)
                .trim_end()
                .to_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Starts a script with the stock client, which is not waited for.
    pub fn spawn_sql(&self, database: &str, statement: &str) -> Running {
        let args = self.client("", &["-e", statement, database]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        spawn_program("docker", &args)
    }

    /// A database as `mysqldump` or `mariadb-dump` writes it, without what differs by name or moment.
    pub fn dump(&self, database: &str, args: &[&str]) -> String {
        let fixed = [
            "--hex-blob",
            "--routines",
            "--events",
            "--triggers",
            "--skip-dump-date",
            "--skip-extended-insert",
            "--order-by-primary",
            "--default-character-set=utf8mb4",
        ];
        let mut all = self.client("dump", &fixed);
        all.extend(args.iter().map(|it| (*it).to_owned()));
        all.push(database.to_owned());
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let mut lines: Vec<String> = docker(&all)
            .replace(database, "DATABASE")
            .lines()
            .map(str::to_owned)
            .collect();
        for line in &mut lines {
            if let Some((set, _)) = line.split_once("*/ '")
                && set.starts_with("SET @@GLOBAL.GTID_PURGED=")
            {
                *line = format!("{set}*/ '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5';");
            }
        }
        lines.join("\n") + "\n"
    }

    /// Exports a database with mydumper into a directory that is there.
    pub fn mydumper(&self, database: &str, directory: &std::path::Path, args: &[&str]) {
        use std::os::unix::fs::MetadataExt;
        let owner = directory.metadata().unwrap();
        let (user, volume) = (
            format!("--user={}:{}", owner.uid(), owner.gid()),
            format!("--volume={}:/out", directory.display()),
        );
        let image = world().service("by-hand-mysql");
        let fixed = ["mydumper", "--host", &self.server.name, "--user", self.user];
        let login = ["--password", self.password, "--outputdir", "/out"];
        let run = [&["run", "--rm", &user, &volume][..], &world().docker_args()];
        let what = [
            "--database",
            database,
            "--triggers",
            "--events",
            "--routines",
        ];
        docker(
            &[
                run.concat().as_slice(),
                &[&image],
                &fixed,
                &login,
                &what,
                args,
            ]
            .concat(),
        );
    }

    /// Runs a shell script, with this server's address in `~/.my.cnf`, where the stock client is.
    #[track_caller]
    pub fn shell(&self, directory: &std::path::Path, script: &str) -> String {
        let client = self.client_container();
        let inside = format!("/{}", world().unique("hand"));
        docker(&[
            "cp",
            directory.to_str().unwrap(),
            &format!("{client}:{inside}"),
        ]);
        let config = format!(
            "[client]\nhost={}\nuser=root\npassword=\"{PASSWORD}\"\n{}\n",
            self.server.name,
            self.tls().trim_start_matches('-')
        );
        let script = format!(
            "mkdir -p /tmp/h; export HOME=/tmp/h; cat >$HOME/.my.cnf <<'END'\n{config}END\n\
             command -v mysql >/dev/null || mysql() {{ mariadb \"$@\"; }}\nset -eo pipefail; cd {inside}\n{script}"
        );
        docker(&["exec", &client, "bash", "-c", &script])
    }

    /// What a runner on this machine needs to reach `database` as superuser.
    pub fn env(&self, database: &str) -> Env {
        self.env_at(database, Seat::Host)
    }

    /// What a runner needs to reach `database` as superuser.
    pub fn env_at(&self, database: &str, seat: Seat) -> Env {
        let (host, port) = match seat {
            Seat::Host => ("127.0.0.1", self.server.port),
            Seat::Container => (self.server.name.as_str(), PORT),
        };
        Env::default()
            .with("DB_HOST", host)
            .with("DB_PORT", port.to_string())
            .with("DB_NAME", database)
            .with("DB_USERNAME", self.user)
            .with("DB_PASSWORD", self.password)
    }

    fn tls(&self) -> &'static str {
        match self.image {
            // Its accounts' plugin wants it.
            "mysql:8.0" => "--skip-ssl-verify-server-cert",
            WITH_CLIENT => "--ssl-mode=REQUIRED",
            _ => "--skip-ssl",
        }
    }

    fn client_container(&self) -> String {
        match self.image {
            CLIENT | WITH_CLIENT => self.server.name.clone(),
            _ => world().mysql(CLIENT).server.name.clone(),
        }
    }

    /// The client, or its `dump` program.
    fn client(&self, kind: &str, args: &[&str]) -> Vec<String> {
        let program = match (self.image, kind) {
            (WITH_CLIENT, "dump") => "mysqldump",
            (WITH_CLIENT, _) => "mysql",
            (_, "dump") => "mariadb-dump",
            _ => "mariadb",
        };
        let password = format!("MYSQL_PWD={PASSWORD}");
        let container = self.client_container();
        let login = [
            "exec",
            "-i",
            "-e",
            &password,
            &container,
            program,
            "-h",
            &self.server.name,
            "-uroot",
            self.tls(),
        ];
        login
            .iter()
            .chain(args)
            .map(|it| (*it).to_owned())
            .collect()
    }

    fn ready(&self) {
        let begun = Instant::now();
        while let Err(err) = self.try_sql("", "select 1") {
            assert!(
                begun.elapsed() < READY,
                "{} is not ready: {err}\n{}",
                self.image,
                docker(&["logs", &self.server.name])
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

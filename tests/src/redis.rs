//! Redis and Valkey servers: commands by the stock client, what a server holds as text, and the settings a runner needs.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::certificates::Certificates;
use crate::run::Env;
use crate::world::{Launch, Server, Started, docker, world};

const PORT: u16 = 6379;
const READY: Duration = Duration::from_secs(60);
const SENTINEL_PASSWORD: &str = "s3ntinel";

/// A server for one test, without a password unless its arguments set one.
pub struct Redis {
    /// Such as `valkey/valkey:8`.
    pub image: &'static str,
    server: Started,
    password: Option<String>,
}

impl Redis {
    pub(crate) fn start(image: &'static str, launch: Launch) -> Self {
        // `--requirepass secret` among the arguments is the client's password too.
        let mut words = launch.args.iter().skip_while(|it| *it != "--requirepass");
        let password = words.nth(1).cloned();
        // Redis 6 lets anybody, later ones nobody, unless told so.
        let n_settings = if image == "redis:6" { 0 } else { 2 };
        let debuggable = ["--enable-debug-command", "local"];
        let launch = launch.with_defaults(debuggable.into_iter().take(n_settings));
        Self::launch(image, launch, password)
    }

    /// How to start one that speaks TLS at port 6380, beside the plain port by which the tests look.
    pub fn secure(certificates: &Certificates, more: &[&str]) -> Launch {
        let files = ["cert", "key", "ca-cert"].map(|it| format!("--tls-{it}-file"));
        let defaults = [
            ("--tls-port", "6380"),
            (&files[0], "/tls/server.pem"),
            (&files[1], "/tls/server-key.pem"),
            (&files[2], "/tls/ca.pem"),
        ];
        Launch::from(more)
            .with_defaults(defaults.into_iter().flat_map(|(name, value)| [name, value]))
            .after(&certificates.prologue("/data"))
    }

    pub(crate) fn start_sentinel(master: &Self, name: &str) -> Self {
        let config = format!(
            "port {PORT}\nprotected-mode no\nrequirepass {SENTINEL_PASSWORD}\nsentinel monitor {name} {} {PORT} 1\n\
             sentinel down-after-milliseconds {name} 2000\nsentinel failover-timeout {name} 10000\n",
            master.ip()
        );
        // It writes what it learns into the file, and so into the directory.
        let launch = Launch::from(&["/data/sentinel.conf", "--sentinel"])
            .after(&format!("cat >/data/sentinel.conf <<'END'\n{config}END"));
        Self::launch(master.image, launch, Some(SENTINEL_PASSWORD.into()))
    }

    fn launch(image: &'static str, launch: Launch, password: Option<String>) -> Self {
        let server = world().start(Server {
            image: image.to_owned(),
            name: "redis",
            port: PORT,
            env: Vec::new(),
            launch,
        });
        let redis = Self {
            image,
            server,
            password,
        };
        redis.ready();
        redis
    }

    /// As in `DB_ENGINE`.
    pub fn engine(&self) -> &'static str {
        match self.image.starts_with("valkey") {
            true => "valkey",
            false => "redis",
        }
    }

    /// What the client says to it, if it asks.
    pub fn password(&self) -> &str {
        self.password.as_deref().unwrap_or_default()
    }

    /// Where it listens, seen from this machine.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// Where it is on the test network, which this machine reaches too.
    pub fn ip(&self) -> String {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        docker(&["inspect", "--format", format, self.name()])
    }

    /// Its name on the test network.
    pub fn name(&self) -> &str {
        &self.server.name
    }

    /// Runs one command after the other, as lines; yields what the client prints.
    #[track_caller]
    pub fn run(&self, commands: &str) -> String {
        let cli = format!("{}-cli", self.engine());
        let mut args = vec!["exec", "-i"];
        let password;
        if let Some(secret) = &self.password {
            password = format!("REDISCLI_AUTH={secret}");
            args.extend(["-e", &password]);
        }
        args.extend([self.name(), &cli]);
        let mut child = Command::new("docker")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(commands.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    }

    /// As [`Self::run`], where a command that fails fails the test.
    #[track_caller]
    pub fn fill(&self, commands: &str) {
        let said = self.run(commands);
        let bad = said.lines().find(|line| {
            let word = line.split(' ').next().unwrap_or_default();
            let is_code = word.len() > 2 && word.bytes().all(|it| it.is_ascii_uppercase());
            is_code && !["OK", "QUEUED"].contains(&word) && line.contains(' ')
        });
        assert_eq!(bad, None, "{said}");
    }

    /// A digest of everything that the server holds, made by the server itself, whatever the encoding of values.
    pub fn digest(&self) -> String {
        self.run("DEBUG DIGEST")
    }

    /// Runs a shell script in a copy of a directory, where a new server's data shall lie in `$DATA`; what that server then
    /// says of its data.
    #[track_caller]
    pub fn digest_by_hand(&self, directory: &std::path::Path, script: &str) -> String {
        let engine = self.engine();
        docker(&[
            "cp",
            directory.to_str().unwrap(),
            &format!("{}:/hand", self.name()),
        ]);
        let script = format!(
            "set -eu; export DATA=/tmp/data; mkdir $DATA; cd /hand; {script}\n\
             {engine}-server --port 7000 --dir $DATA --dbfilename dump.rdb --appendonly no --enable-debug-command local \
             --daemonize yes >/dev/null\n\
             until {engine}-cli -p 7000 PING 2>/dev/null | grep -q PONG; do sleep 0.1; done\n\
             {engine}-cli -p 7000 DEBUG DIGEST"
        );
        docker(&["exec", self.name(), "sh", "-c", &script])
    }

    /// Takes a file out of the server's container.
    pub fn copy_out(&self, from: &str, to: &std::path::Path) {
        docker(&[
            "cp",
            &format!("{}:{from}", self.name()),
            to.to_str().unwrap(),
        ]);
    }

    /// How many keys a database holds.
    pub fn n_keys(&self, database: u32) -> u64 {
        let said = self.run(&format!("SELECT {database}\nDBSIZE"));
        said.lines().last().unwrap().parse().unwrap()
    }

    /// What a runner on this machine needs to reach it.
    pub fn env(&self) -> Env {
        let env = Env::default()
            .with("DB_HOST", "127.0.0.1")
            .with("DB_PORT", self.port().to_string())
            .with("CONNECT_TIMEOUT", "10s");
        match &self.password {
            Some(password) => env.with("DB_PASSWORD", password),
            None => env,
        }
    }

    fn ready(&self) {
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port())).is_err()
            || !self.run("PING").contains("PONG")
        {
            assert!(
                begun.elapsed() < READY,
                "{} is not ready\n{}",
                self.image,
                docker(&["logs", self.name()])
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

//! A server that speaks MongoDB's protocol: documents in and out by the stock tools beside it, and the settings that a
//! runner needs to reach it.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::run::{Env, tools};
use crate::world::{Server, Started, docker, world};

const PORT: u16 = 27017;
const USER: &str = "root";
const PASSWORD: &str = "s3cret & 'sound': 100%/@";
const READY: Duration = Duration::from_secs(120);
const VERSION: &str = "7.0";

/// In a script, `tool` is a stock tool that is logged in. Upstream's image first starts a server for itself alone, on the
/// loopback address: hence the container's own name.
const LOGIN: &str = r#"
tool() {
  program=$1; shift
  "$program" --quiet --config=/tmp/login.yaml --host="$(hostname)" --username=root --authenticationDatabase=admin "$@"
}
login=$(mktemp)
cat >$login <<'END'
password: "s3cret & 'sound': 100%/@"
END
mv $login /tmp/login.yaml
set -eu
"#;

/// A server with a superuser.
pub struct Mongo {
    server: Started,
}

impl Mongo {
    pub(crate) fn start(args: &[&str]) -> Self {
        let server = world().start(Server {
            image: world().upstream("mongodb", VERSION),
            name: "mongo",
            port: PORT,
            env: vec![
                ("MONGO_INITDB_ROOT_USERNAME", USER.into()),
                ("MONGO_INITDB_ROOT_PASSWORD", PASSWORD.into()),
            ],
            args: args.iter().map(|it| (*it).to_owned()).collect(),
        });
        let mongo = Self { server };
        mongo.ready();
        mongo
    }

    /// Whether this is another program that speaks the same protocol.
    pub fn is_stand_in() -> bool {
        xtask::testbed::is_stand_in(&world().upstream("mongodb", VERSION))
    }

    /// Its address on the test network, where every port of it can be reached.
    pub fn inner_address(&self) -> String {
        let format = "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        docker(&["inspect", format, &self.server.name])
    }

    /// Where it listens, seen from this machine.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// Its name among containers.
    pub fn name(&self) -> &str {
        &self.server.name
    }

    /// The directory of the stock tools, for this machine.
    pub fn tools(&self) -> String {
        tools("mongodb", VERSION)
    }

    /// What a runner needs to reach `database` as superuser.
    pub fn env(&self, database: &str) -> Env {
        Env::default()
            .with("DB_HOST", "127.0.0.1")
            .with("DB_PORT", self.server.port.to_string())
            .with("DB_NAME", database)
            .with("DB_USERNAME", USER)
            .with("DB_PASSWORD", PASSWORD)
            .with("MONGO_BIN", self.tools())
    }

    /// The same, as one connection string.
    pub fn uri(&self) -> String {
        let password = "s3cret%20%26%20%27sound%27%3A%20100%25%2F%40";
        format!(
            "mongodb://{USER}:{password}@127.0.0.1:{}/?authSource=admin",
            self.server.port
        )
    }

    /// Adds documents, as lines of extended JSON.
    #[track_caller]
    pub fn import(&self, database: &str, collection: &str, documents: &str) {
        let script = format!(
            "cat >/tmp/{database}.json <<'PLANB'\n{documents}\nPLANB\n\
             tool mongoimport --db='{database}' --collection='{collection}' --file=/tmp/{database}.json"
        );
        self.shell(&script);
    }

    /// Makes an empty collection of these indexes and options, which are extended JSON.
    #[track_caller]
    pub fn define(&self, database: &str, collection: &str, options: &str, indexes: &[&str]) {
        let id = r#"{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"}"#;
        let indexes: Vec<&str> = std::iter::once(id).chain(indexes.iter().copied()).collect();
        let metadata = format!(
            r#"{{"options":{options},"indexes":[{}],"uuid":"","collectionName":"{collection}","type":"collection"}}"#,
            indexes.join(",")
        );
        let dir = format!("/tmp/define-{database}");
        self.shell(&format!(
            "mkdir -p {dir}/{database}; : >{dir}/{database}/{collection}.bson\n\
             cat >{dir}/{database}/{collection}.metadata.json <<'PLANB'\n{metadata}\nPLANB\n\
             tool mongorestore --dir={dir}; rm -r {dir}"
        ));
    }

    /// All that a database holds, by the stock tools: a line for each document, each index and
    /// each collection's options. The tool makes indexes in any order.
    #[track_caller]
    pub fn content(&self, database: &str) -> String {
        let dir = world().unique("/tmp/content");
        let dumped = self.shell(&format!(
            "tool mongodump --db='{database}' --out={dir}\n[ -d {dir}/{database} ] || exit 0; cd {dir}/{database}\n\
             for file in *.bson; do bsondump --quiet $file | sort | sed \"s/^/$file /\"; done\n\
             for file in *.metadata.json; do\n\
             sed -E 's/\"uuid\":\"[0-9a-f]*\"//; s/,?\\{{\"v\":/\\n&/g; s/\\],/\\n&/g' $file | sed 's/^,//' | sort; done; rm -r {dir}"
        ));
        dumped.replace(database, "DATABASE")
    }

    /// Runs a shell script beside the server.
    #[track_caller]
    pub fn shell(&self, script: &str) -> String {
        self.try_shell(script)
            .unwrap_or_else(|err| panic!("{err}\nin {script:.2000}"))
    }

    /// As [`Self::shell`], where an error is what a test wants to see.
    pub fn try_shell(&self, script: &str) -> Result<String, String> {
        let mut child = Command::new("docker")
            .args(["exec", "-i", &self.server.name, "sh", "-s"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A shell that gave up does not read on.
        let _ = stdin.write_all(format!("{LOGIN}{script}\n").as_bytes());
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    fn ready(&self) {
        let begun = Instant::now();
        while let Err(err) = self.try_shell("tool mongodump --db=none --archive=/dev/null") {
            assert!(
                begun.elapsed() < READY,
                "{} is not ready: {err}\n{}",
                self.server.name,
                docker(&["logs", &self.server.name])
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

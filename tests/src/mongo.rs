//! A MongoDB server: documents in and out by the stock tools beside it, commands by the official driver, and the settings
//! that a runner needs to reach it.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use mongodb::Client;
use mongodb::bson::{Document, doc};

use crate::run::{Env, tools};
use crate::world::{Launch, Server, Started, docker, world};

const PORT: u16 = 27017;
const USER: &str = "root";
const PASSWORD: &str = "s3cret & 'sound': 100%/@";
const READY: Duration = Duration::from_secs(120);
/// Whose tools serve all versions of the server.
const TOOLS: &str = "7.0";

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

/// Members of a replica set that ask for passwords share a key.
const WITH_KEY: &str = r#"
echo cGxhbmItdGVzdHM= >/data/key; chmod 400 /data/key; chown --reference=/data/db /data/key
"#;

/// A server with a superuser.
pub struct Mongo {
    version: &'static str,
    server: Started,
    client: OnceLock<Client>,
}

impl Mongo {
    /// The newest that can be had everywhere.
    pub const NEWEST: &str = "6.0";
    /// The row that FerretDB stands in for where no registry answers.
    pub const FERRETDB: &str = "7.0";

    pub(crate) fn start(version: &'static str, launch: Launch) -> Self {
        let mongo = Self::launch(version, launch, true);
        mongo.ready();
        mongo
    }

    fn launch(version: &'static str, launch: Launch, makes_user: bool) -> Self {
        let user = [
            ("MONGO_INITDB_ROOT_USERNAME", USER.into()),
            ("MONGO_INITDB_ROOT_PASSWORD", PASSWORD.into()),
        ];
        let server = world().start(Server {
            image: world().upstream("mongodb", version),
            name: "mongo",
            port: PORT,
            env: user.into_iter().filter(|_| makes_user).collect(),
            launch,
        });
        Self {
            version,
            server,
            client: OnceLock::new(),
        }
    }

    /// The members of a replica set, of which the first is its primary.
    pub(crate) fn start_replica_set<const N: usize>(version: &'static str) -> [Self; N] {
        let launch = Launch::from(&["--keyFile=/data/key", "--replSet=rs0"]).after(WITH_KEY);
        // The others have to be empty until they join.
        let set = std::array::from_fn(|n| Self::launch(version, launch.clone(), n == 0));
        let member = |(n, mongo): (usize, &Self)| {
            let host = format!("{}:{PORT}", mongo.inner_address());
            doc! { "_id": i32::try_from(n).unwrap(), "host": host, "priority": if n == 0 { 2 } else { 1 } }
        };
        let members: Vec<_> = set.iter().enumerate().map(member).collect();
        let initiate = doc! { "replSetInitiate": { "_id": "rs0", "members": members } };
        set[0].poll(|| set[0].try_command("admin", initiate.clone()));
        for (n, mongo) in set.iter().enumerate() {
            let state = if n == 0 {
                "isWritablePrimary"
            } else {
                "secondary"
            };
            // The primary is elected before it serves; who reads before is refused.
            mongo.poll(|| {
                let hello = mongo.try_command("admin", doc! { "hello": 1 })?;
                match hello.get_bool(state) {
                    Ok(true) => Ok(()),
                    _ => Err(mongodb::error::Error::custom(format!("no {state} yet"))),
                }
            });
        }
        set
    }

    /// Whether FerretDB is what runs as [`Self::FERRETDB`].
    pub fn is_ferretdb() -> bool {
        xtask::testbed::is_stand_in(&world().upstream("mongodb", Self::FERRETDB))
    }

    /// Such as `6.0`.
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// Runs a command, as a shell would.
    #[track_caller]
    pub fn command(&self, database: &str, command: Document) -> Document {
        let said = format!("{command:.300}");
        self.try_command(database, command)
            .unwrap_or_else(|err| panic!("{err}\nin {said}"))
    }

    /// As [`Self::command`], where an error is what a test wants to see.
    pub fn try_command(
        &self,
        database: &str,
        command: Document,
    ) -> mongodb::error::Result<Document> {
        let database = self.client().database(database);
        world().wait(async move { database.run_command(command).await })
    }

    /// The driver, logged in.
    pub fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let uri = format!("{}&directConnection=true", self.uri());
            world().wait(Client::with_uri_str(uri)).unwrap()
        })
    }

    /// Its address on the test network, where every port of it can be reached.
    pub fn inner_address(&self) -> String {
        self.server.inner_address()
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
        tools("mongodb", TOOLS)
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
    /// each collection's options. The tool makes indexes in any order, and tells 4.4 their options in any order.
    #[track_caller]
    pub fn content(&self, database: &str) -> String {
        let dir = world().unique("/tmp/content");
        let dumped = self.shell(&format!(
            "tool mongodump --db='{database}' --out={dir}\n[ -d {dir}/{database} ] || exit 0; cd {dir}/{database}\n\
             for file in *.bson; do bsondump --quiet $file | sort | sed \"s/^/$file /\"; done\n\
             for file in *.metadata.json; do\n\
             sed -E 's/\"uuid\":\"[0-9a-f]*\"//; s/,?\\{{\"v\":/\\n&/g; s/\\],/\\n&/g' $file | sed 's/^,//' | sort; done; rm -r {dir}"
        ));
        let lines: Vec<String> = dumped.lines().map(in_order).collect();
        lines.join("\n").replace(database, "DATABASE")
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
        self.poll(|| self.try_shell("tool mongodump --db=none --archive=/dev/null"));
    }

    /// Tries again until it works; no client can tell a server that starts from one that never will.
    fn poll<T, E: std::fmt::Display>(&self, attempt: impl Fn() -> Result<T, E>) {
        let begun = Instant::now();
        while let Err(err) = attempt() {
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

/// A line that is an index, with its options sorted; the fields of its key stay as they are.
fn in_order(line: &str) -> String {
    let is_index = line.starts_with(r#"{"v":"#);
    match serde_json::from_str::<Document>(line) {
        Ok(index) if is_index => {
            let mut options: Vec<String> = index
                .iter()
                .map(|(name, it)| format!("{name}: {it}"))
                .collect();
            options.sort();
            options.join(", ")
        }
        _ => line.to_owned(),
    }
}

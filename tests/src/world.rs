//! The servers that a test binary shares, and the only file that knows Docker: on loopback ports, on one network,
//! started when first asked for, removed when the process ends, however it ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock, mpsc};

use testcontainers::bollard::models::{HostConfig, PortBinding};
use testcontainers::core::{IntoContainerPort, Mount};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio::runtime::Runtime;
use xtask::leash::Leash;
use xtask::versions::{Row, Versions};

use crate::bucket::Minio;
use crate::mongo::Mongo;
use crate::mysql::MySql;
use crate::postgres::Postgres;
use crate::redis::Redis;

/// Where a runner sits, and so under which address it finds a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// A process on this machine.
    Host,
    /// A container on the test network.
    Container,
}

/// Everything that outlives a single test.
pub struct World {
    runtime: Runtime,
    versions: Versions,
    leash: Leash,
    network: String,
    run_label: String,
    postgres: Mutex<BTreeMap<u32, &'static OnceLock<Postgres>>>,
    mysql: Mutex<BTreeMap<&'static str, &'static OnceLock<MySql>>>,
    mongo: LazyLock<Mongo, fn() -> Mongo>,
    minio: LazyLock<Minio, fn() -> Minio>,
    names: AtomicU32,
}

/// The world of this test binary.
pub fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(World::new);
    &WORLD
}

impl World {
    fn new() -> Self {
        let network = format!("planb-test-{}", std::process::id());
        let leash = Leash::new(format!("planb-test={network}")).unwrap();
        let run_label = setting("PLANB_LABEL");
        docker(&[
            "network",
            "create",
            "--label",
            leash.label(),
            "--label",
            &run_label,
            &network,
        ]);
        let versions = std::fs::read_to_string(setting("PLANB_VERSIONS")).unwrap();
        Self {
            runtime: Runtime::new().unwrap(),
            versions: Versions::parse(&versions).unwrap(),
            leash,
            network,
            run_label,
            postgres: Mutex::default(),
            mysql: Mutex::default(),
            mongo: LazyLock::new(|| Mongo::start(Mongo::NEWEST, Launch::default())),
            minio: LazyLock::new(Minio::start),
            names: AtomicU32::new(0),
        }
    }

    /// The shared server of a major version; each test makes its own databases in it.
    pub fn postgres(&self, major: u32) -> &'static Postgres {
        let server = *self
            .postgres
            .lock()
            .unwrap()
            .entry(major)
            .or_insert_with(|| Box::leak(Box::default()));
        server.get_or_init(|| Postgres::start(major, Launch::default()))
    }

    /// A server for one test, which may do with it as it likes; it goes when it is dropped.
    pub fn own_postgres(&self, major: u32, launch: impl Into<Launch>) -> Postgres {
        Postgres::start(major, launch.into())
    }

    /// The shared server of an image such as `mysql:8.0`; each test makes its own databases in it.
    pub fn mysql(&self, image: &'static str) -> &'static MySql {
        let server = *self
            .mysql
            .lock()
            .unwrap()
            .entry(image)
            .or_insert_with(|| Box::leak(Box::default()));
        server.get_or_init(|| MySql::start(image, Launch::default()))
    }

    /// A server for one test, which may do with it as it likes; it goes when it is dropped.
    pub fn own_mysql(&self, image: &'static str, launch: impl Into<Launch>) -> MySql {
        MySql::start(image, launch.into())
    }

    /// A server of an image such as `redis:7`, for one test; it goes when it is dropped.
    pub fn own_redis(&self, image: &'static str, launch: impl Into<Launch>) -> Redis {
        Redis::start(image, launch.into())
    }

    /// A Sentinel that calls `master` so.
    pub fn own_sentinel(&self, master: &Redis, name: &str) -> Redis {
        Redis::start_sentinel(master, name)
    }

    /// The shared MongoDB server; each test makes its own databases in it.
    pub fn mongo(&self) -> &Mongo {
        &self.mongo
    }

    /// A server of a version such as `6.0`, for one test, with options of mongod; it goes when it is dropped.
    pub fn own_mongo(&self, version: &'static str, options: impl Into<Launch>) -> Mongo {
        Mongo::start(version, options.into())
    }

    /// The only member of a replica set, which has an oplog.
    pub fn own_replica_set(&self, version: &'static str) -> Mongo {
        let [member] = Mongo::start_replica_set(version);
        member
    }

    /// The members of a replica set that has lost nobody yet; the first is its primary.
    pub fn own_replica_set_of_three(&self, version: &'static str) -> [Mongo; 3] {
        Mongo::start_replica_set(version)
    }

    /// The shared object store; each test makes its own buckets in it.
    pub fn minio(&self) -> &Minio {
        &self.minio
    }

    /// The rows of an engine: what a matrix runs over.
    pub fn rows(&self, engine: &str) -> Vec<&Row> {
        self.versions.select(Some(engine)).unwrap()
    }

    /// Every row: what holds for all images.
    pub fn all_rows(&self) -> &[Row] {
        &self.versions.images
    }

    /// A name that no other test of this run has.
    pub fn unique(&self, stem: &str) -> String {
        format!("{stem}-{}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// The image of a runner with the dev build in it.
    pub fn image(&self, engine: &str, version: impl ToString) -> String {
        xtask::build::tag(
            self.versions.row(engine, &version.to_string()).unwrap(),
            true,
        )
    }

    /// What `docker run` needs so that a container joins the network and is removed with it.
    pub fn docker_args(&self) -> [&str; 6] {
        [
            "--network",
            &self.network,
            "--label",
            self.leash.label(),
            "--label",
            &self.run_label,
        ]
    }

    /// Runs a future to its end on the world's own runtime; works inside and outside of other runtimes.
    pub fn wait<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        let (send, receive) = mpsc::channel();
        self.runtime.spawn(async move {
            // The test that waited may have given up.
            let _ = send.send(future.await);
        });
        receive.recv().expect("the future panicked")
    }

    pub(crate) fn upstream(&self, engine: &str, version: impl ToString) -> String {
        self.versions
            .row(engine, &version.to_string())
            .unwrap()
            .upstream
            .clone()
    }

    /// The image of a service that tests need.
    pub fn service(&self, name: &str) -> String {
        self.versions.service(name).unwrap().upstream.clone()
    }

    /// Starts a server; where it listens on this machine comes with it.
    pub(crate) fn start(&self, server: Server) -> Started {
        let (image, tag) = server.image.rsplit_once(':').unwrap();
        let name = self.unique(&format!("{}-{}", self.network, server.name));
        let labels = [self.leash.label(), &self.run_label].map(|it| it.split_once('=').unwrap());
        let port = server.port;
        let mut request = GenericImage::new(image.to_owned(), tag.to_owned())
            .with_exposed_port(port.tcp())
            .with_network(&self.network)
            .with_container_name(&name)
            .with_labels(labels)
            .with_cmd(server.launch.command())
            .with_shm_size(256 << 20)
            .with_host_config_modifier(move |host| on_loopback(host, port));
        if let Some(dir) = &server.launch.sockets {
            let dir = dir.to_str().unwrap();
            request = request.with_mount(Mount::bind_mount(dir, Launch::SOCKETS));
        }
        for (key, value) in server.env {
            request = request.with_env_var(key, value);
        }
        self.wait(async move {
            let container = request.start().await.unwrap();
            let port = container.get_host_port_ipv4(port.tcp()).await.unwrap();
            Started {
                container: Some(container),
                name,
                port,
            }
        })
    }
}

/// The version of the client tools in a row's image: the server's own, or a stand-in's.
pub fn client_version(row: &Row) -> &str {
    xtask::testbed::stand_in_client(row).unwrap_or(row.server())
}

/// A server to be started.
pub(crate) struct Server {
    pub(crate) image: String,
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    pub(crate) env: Vec<(&'static str, String)>,
    pub(crate) launch: Launch,
}

/// A server's own arguments, and what it needs around it.
#[derive(Clone, Default)]
pub struct Launch {
    pub(crate) args: Vec<String>,
    prologue: String,
    sockets: Option<PathBuf>,
}

impl Launch {
    /// Where the server finds the directory for its sockets.
    pub const SOCKETS: &str = "/sockets";

    /// Runs a shell script in the container first, as root; for servers with an entrypoint, and at least one option.
    pub fn after(mut self, script: &str) -> Self {
        self.prologue.push_str(script);
        self.prologue.push('\n');
        self
    }

    /// Shows the server a directory of this machine's as [`Self::SOCKETS`]; anybody may write there from now on.
    pub fn with_sockets(mut self, dir: &Path) -> Self {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(dir, PermissionsExt::from_mode(0o777)).unwrap();
        self.sockets = Some(dir.to_owned());
        self
    }

    /// Puts arguments before the others, which win where both say something.
    pub(crate) fn with_defaults<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Self {
        self.args = args
            .into_iter()
            .map(str::to_owned)
            .chain(self.args)
            .collect();
        self
    }

    fn command(&self) -> Vec<String> {
        if self.prologue.is_empty() {
            return self.args.clone();
        }
        let script = format!("{}exec docker-entrypoint.sh \"$@\"", self.prologue);
        let shell = ["sh", "-euc", &script, "sh"].map(str::to_owned);
        shell.into_iter().chain(self.args.clone()).collect()
    }
}

impl From<&[&str]> for Launch {
    fn from(args: &[&str]) -> Self {
        Self::default().with_defaults(args.iter().copied())
    }
}

impl<const N: usize> From<&[&str; N]> for Launch {
    fn from(args: &[&str; N]) -> Self {
        args.as_slice().into()
    }
}

/// A server that runs while this lives.
pub(crate) struct Started {
    container: Option<ContainerAsync<GenericImage>>,
    /// Its name on the test network.
    pub(crate) name: String,
    /// Its port on 127.0.0.1.
    pub(crate) port: u16,
}

impl Started {
    /// Its address on the test network, where every port of it can be reached.
    pub(crate) fn inner_address(&self) -> String {
        let format = "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        docker(&["inspect", format, &self.name])
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(container) = self.container.take() {
            // On our runtime, and whatever comes of it: the leash holds what remains.
            let _ = world().wait(container.rm());
        }
    }
}

fn on_loopback(host: &mut HostConfig, port: u16) {
    let binding = PortBinding {
        host_ip: Some("127.0.0.1".into()),
        host_port: None,
    };
    host.publish_all_ports = Some(false);
    host.port_bindings = Some([(format!("{port}/tcp"), Some(vec![binding]))].into());
}

/// What `cargo xtask test` tells us.
pub(crate) fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"))
}

/// Runs `docker` and yields what it printed.
pub(crate) fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {}: {said}", args.join(" "));
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

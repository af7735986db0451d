//! MinIO: buckets of one's own, and their objects as an independent client sees them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;

use crate::run::Env;
use crate::world::{Seat, Server, Started, docker, world};

const PORT: u16 = 9000;
const USER: &str = "planb-access";
const PASSWORD: &str = "planb-secret";
const READY: Duration = Duration::from_secs(60);

/// An object store.
pub struct Minio {
    client: Client,
    server: Started,
}

/// A bucket in it.
#[derive(Clone)]
pub struct Bucket {
    pub name: String,
    client: Client,
}

impl Minio {
    pub(crate) fn start() -> Self {
        let server = world().start(Server {
            image: world().service("minio"),
            name: "minio",
            port: PORT,
            env: vec![
                ("MINIO_ROOT_USER", USER.into()),
                ("MINIO_ROOT_PASSWORD", PASSWORD.into()),
            ],
            launch: (&["server", "/data"]).into(),
        });
        let endpoint = format!("http://127.0.0.1:{}", server.port);
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Credentials::new(USER, PASSWORD, None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new("us-east-1"))
            .endpoint_url(endpoint)
            .force_path_style(true);
        let minio = Self {
            client: Client::from_conf(config.build()),
            server,
        };
        minio.ready();
        minio
    }

    /// The container's name, and its host name on the test network.
    pub fn name(&self) -> &str {
        &self.server.name
    }

    /// `host:port`, seen from this machine or from a container.
    pub fn address(&self, seat: Seat) -> String {
        match seat {
            Seat::Host => format!("127.0.0.1:{}", self.server.port),
            Seat::Container => format!("{}:{PORT}", self.server.name),
        }
    }

    /// The status of its health endpoint, or why there is none.
    pub fn health(&self) -> std::io::Result<u16> {
        let mut stream = TcpStream::connect(self.address(Seat::Host))?;
        stream.write_all(b"GET /minio/health/live HTTP/1.0\r\nHost: minio\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        status.ok_or_else(|| std::io::Error::other(answer))
    }

    /// Makes an empty bucket with a name of its own.
    pub fn create_bucket(&self, stem: &str) -> Bucket {
        let bucket = self.bucket(world().unique(stem));
        let request = bucket.client.create_bucket().bucket(&bucket.name);
        world().wait(request.send()).unwrap();
        bucket
    }

    /// A bucket that is there, or that a runner is to make.
    pub fn bucket(&self, name: impl Into<String>) -> Bucket {
        Bucket {
            name: name.into(),
            client: self.client.clone(),
        }
    }

    /// What a runner needs to use `bucket`.
    pub fn env(&self, bucket: &Bucket, seat: Seat) -> Env {
        self.env_through(bucket, &self.address(seat))
    }

    /// As [`Self::env`], through a proxy that stands at `address`.
    pub fn env_through(&self, bucket: &Bucket, address: &str) -> Env {
        Env::default()
            .with("STORAGE_TYPE", "s3")
            .with("STORAGE_BUCKET", &bucket.name)
            .with("STORAGE_ENDPOINT", format!("http://{address}"))
            .with("STORAGE_ACCESS_KEY", USER)
            .with("STORAGE_SECRET_KEY", PASSWORD)
    }

    fn ready(&self) {
        let start = Instant::now();
        while !self.health().is_ok_and(|status| status == 200) {
            if start.elapsed() > READY {
                panic!("MinIO is not ready:\n{}", docker(&["logs", self.name()]));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Bucket {
    /// Every object's key and size, in order of the keys; none when there is no such bucket.
    pub fn list(&self) -> Vec<(String, u64)> {
        let pages = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .into_paginator();
        let listed = world().wait(async move { pages.send().collect::<Result<Vec<_>, _>>().await });
        let pages = match listed {
            Ok(pages) => pages,
            Err(err)
                if err
                    .as_service_error()
                    .is_some_and(|it| it.is_no_such_bucket()) =>
            {
                return vec![];
            }
            Err(err) => panic!("list {}: {err:?}", self.name),
        };
        let objects = pages
            .into_iter()
            .flat_map(|page| page.contents.unwrap_or_default());
        let size = |size: Option<i64>| size.unwrap_or_default().unsigned_abs();
        objects.map(|it| (it.key.unwrap(), size(it.size))).collect()
    }

    /// The keys alone.
    pub fn keys(&self) -> Vec<String> {
        self.list().into_iter().map(|(key, _)| key).collect()
    }

    /// The manifests of complete backups: key and content.
    pub fn manifests(&self) -> Vec<(String, serde_json::Value)> {
        let keys = self
            .keys()
            .into_iter()
            .filter(|key| key.ends_with("manifest.json"));
        keys.map(|key| {
            (
                key.clone(),
                serde_json::from_slice(&self.get(&key)).unwrap(),
            )
        })
        .collect()
    }

    pub fn get(&self, key: &str) -> Vec<u8> {
        let request = self.client.get_object().bucket(&self.name).key(key);
        let body = world().wait(async move { request.send().await.unwrap().body.collect().await });
        body.unwrap().to_vec()
    }

    pub fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        let body = ByteStream::from(bytes.into());
        let request = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .body(body);
        world().wait(request.send()).unwrap();
    }

    pub fn delete(&self, key: &str) {
        let request = self.client.delete_object().bucket(&self.name).key(key);
        world().wait(request.send()).unwrap();
    }

    /// The keys of multipart uploads that were begun and neither completed nor aborted.
    pub fn open_uploads(&self, prefix: &str) -> Vec<String> {
        let request = self
            .client
            .list_multipart_uploads()
            .bucket(&self.name)
            .prefix(prefix);
        let listed = world().wait(request.send()).unwrap();
        listed
            .uploads
            .unwrap_or_default()
            .into_iter()
            .filter_map(|it| it.key)
            .collect()
    }

    /// Downloads everything below a prefix into a directory, as a person without our software would.
    pub fn download(&self, prefix: &str, dir: &std::path::Path) {
        for key in self.keys().iter().filter(|key| key.starts_with(prefix)) {
            let path = dir.join(key[prefix.len()..].trim_start_matches('/'));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, self.get(key)).unwrap();
        }
    }
}

//! What may go wrong, and what then must hold: exit code, last words, callback, store and target.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "in a test whatever goes wrong is a failure, and it damages files on purpose"
)]

mod configuration;
mod damage;
mod database;
mod memory;
mod secrets;
mod signals;
mod store;

use serde_json::Value;
use tests::{Bucket, Env, Postgres, Receiver, Run, Seat, run_runner, world};

const PATH: &str = "shop/nightly";
/// About 30 MB that do not compress: several parts of an upload.
const BIG: &str = "create table big as select g as id, md5(g::text) || md5('a' || g) || md5('b' || g) || md5('c' || g) as text
    from generate_series(1, 200000) g";

/// A database, a bucket and somebody who is told how jobs end.
struct Case {
    server: &'static Postgres,
    database: String,
    bucket: Bucket,
    receiver: Receiver,
}

impl Case {
    /// With two small tables, which share a tar artifact.
    fn small() -> Self {
        let server = world().postgres(17);
        let database = server.create_database("fail");
        let sql = "create table orders as select g as id, 'order ' || g as text from generate_series(1, 1000) g;
            create table items (id int primary key, price numeric); insert into items select g, g * 1.5 from generate_series(1, 10) g";
        server.psql(&database, sql);
        Self {
            server,
            database,
            bucket: world().minio().create_bucket("fail"),
            receiver: Receiver::start(),
        }
    }

    /// With one of several parts, too.
    fn big() -> Self {
        let case = Self::small();
        case.server.psql(&case.database, BIG);
        case
    }

    /// A job as a process on this machine.
    fn env(&self) -> Env {
        let minio = world().minio();
        self.server
            .env(&self.database, Seat::Host)
            .and(minio.env(&self.bucket, Seat::Host))
            .and(self.receiver.env())
            .with("BACKUP_PATH", PATH)
            .with("STORAGE_PART_BYTES", "5MiB")
            .with("COMPRESSION", "none")
            .with("PARALLELISM", "2")
    }

    /// As [`Self::env`], with the store behind this address.
    fn env_through(&self, address: &str) -> Env {
        let minio = world().minio();
        self.env().and(minio.env_through(&self.bucket, address))
    }

    /// As [`Self::env`], without anybody to be told.
    fn quiet(&self) -> Env {
        ["CALLBACK_URL", "CALLBACK_TOKEN", "CALLBACK_SECRET"]
            .iter()
            .fold(self.env(), |env, name| env.without(name))
    }

    fn backed_up(&self) {
        run_runner(self.quiet(), &["backup"]).good();
    }

    /// The failure has one reason, wherever it is told.
    #[track_caller]
    fn failed(&self, run: Run, code: i32, kind: &str) -> Value {
        let run = run.ended(code);
        let told = run.last_words()["error"].clone();
        assert_eq!(told["kind"], kind, "{told}");
        let event = self.receiver.event();
        assert_eq!(event["status"], "failure", "{event}");
        assert_eq!(event["error"], told);
        told
    }

    /// Neither objects nor unfinished uploads.
    #[track_caller]
    fn left_nothing(&self) {
        assert_eq!(self.bucket.keys(), [""; 0]);
        assert_eq!(self.bucket.open_uploads(""), [""; 0]);
    }

    /// The backup is there, and read to its end.
    #[track_caller]
    fn is_whole(&self) {
        run_runner(self.quiet(), &["verify"]).good();
        assert_eq!(self.bucket.manifests().len(), 1);
    }

    /// A database that is not there yet.
    fn target(&self) -> String {
        // The last letter sets it apart from a longer number: [`Self::exists`] looks for what begins like it.
        world().unique("fail-target") + "t"
    }

    fn exists(&self, database: &str) -> bool {
        let sql = format!("select count(*) from pg_database where datname like '{database}%'");
        self.server.psql("postgres", &sql) != "0"
    }

    fn sum(&self, database: &str) -> String {
        let sql = "select count(*), sum(hashtext(t::text)) from orders t";
        self.server.psql(database, sql)
    }
}

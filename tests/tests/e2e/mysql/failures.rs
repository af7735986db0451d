//! What may go wrong, and what then must hold: exit code, last words, callback, store and target.

mod damage;
mod database;
mod proof;
mod signals;
mod store;

use serde_json::Value;
use tests::{Bucket, Env, MySql, Receiver, Run, Running, Seat, spawn_engine, world};

use super::{MARIADB, MYSQL, MYSQL_9, sessions};

const PATH: &str = "shop/nightly";

/// A database, a bucket and somebody who is told how jobs end.
struct Case {
    server: &'static MySql,
    database: String,
    bucket: Bucket,
    receiver: Receiver,
}

impl Case {
    /// With two small tables, which share a tar artifact, and an object of each kind of script.
    fn small(image: &'static str) -> Self {
        let server = world().mysql(image);
        let database = server.create_database("fail");
        server.sql(
            &database,
            "create table orders (id int primary key, text varchar(50), key (text));
             create table items (id int primary key, price decimal(10, 2), foreign key (id) references orders (id));
             insert into orders values (1, 'one'), (2, 'two'), (3, 'three'); insert into items values (1, 1.5), (2, 2.5);
             create view v as select id from orders",
        );
        Self {
            server,
            database,
            bucket: world().minio().create_bucket("fail"),
            receiver: Receiver::start(),
        }
    }

    /// With one of about 25 MB that do not compress, too: several parts of an upload.
    fn big(image: &'static str) -> Self {
        Self::small(image).with_rows("big", 5)
    }

    /// With one that is just too large for a tar artifact, too.
    fn medium(image: &'static str) -> Self {
        Self::small(image).with_rows("medium", 1)
    }

    fn with_rows(self, table: &str, times: u32) -> Self {
        let digits = "(select 0 n union all select 1 union all select 2 union all select 3 union all select 4 union all \
                      select 5 union all select 6 union all select 7 union all select 8 union all select 9)";
        let row = "concat(sha2(n, 512), sha2(n + 0.5, 512))";
        self.server.sql(
            &self.database,
            &format!(
                "create table {table} (id int primary key, text varchar(300), v int, key (v));
                 insert into {table} select n, {row}, n % 7 from (select a.n + 10*b.n + 100*c.n + 1000*d.n + 10000*e.n as n \
                 from {digits} a, {digits} b, {digits} c, {digits} d, {digits} e) s where n < {times} * 20000;
                 analyze table {table}"
            ),
        );
        self
    }

    /// The settings of a job on this machine.
    fn env(&self) -> Env {
        let minio = world().minio();
        self.server
            .env(&self.database)
            .and(minio.env(&self.bucket, Seat::Host))
            .and(self.receiver.env())
            .with("BACKUP_PATH", PATH)
            .with("STORAGE_PART_BYTES", "5MiB")
            .with("COMPRESSION", "none")
            .with("PARALLELISM", "2")
            .with("LOG_FORMAT", "json")
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

    fn start(&self, operation: &str, env: Env) -> Running {
        spawn_engine(self.server.engine(), env, &[operation])
    }

    fn run(&self, operation: &str, env: Env) -> Run {
        self.start(operation, env).wait()
    }

    #[track_caller]
    fn backed_up(&self) {
        self.run("backup", self.quiet()).good();
    }

    /// The failure has one reason, wherever it is told.
    #[track_caller]
    fn failed(&self, run: Run, code: i32, kind: &str) -> String {
        let run = run.ended(code);
        let told: Value = run.last_words()["error"].clone();
        assert_eq!(told["kind"], kind, "{told}");
        let event = self.receiver.event();
        assert_eq!(event["status"], "failure", "{event}");
        assert_eq!(event["error"], told);
        told["message"].as_str().unwrap().to_owned()
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
        self.run("verify", self.quiet()).good();
        assert_eq!(self.bucket.manifests().len(), 1);
    }

    /// A database that is not there yet.
    fn target(&self) -> String {
        // The last letter sets it apart from a longer number: [`Self::databases`] looks for what begins like it.
        world().unique("fail-target") + "t"
    }

    /// One that holds something.
    fn filled_target(&self) -> String {
        let target = self.target();
        let fill = format!(
            "create database `{target}`; use `{target}`; create table mine (a int); insert into mine values (7)"
        );
        self.server.sql("", &fill);
        target
    }

    /// What [`Self::filled_target`] made is there, and nothing beside it.
    #[track_caller]
    fn is_as_it_was(&self, target: &str) {
        assert_eq!(self.databases(target), target);
        assert_eq!(self.server.sql(target, "show tables"), "mine");
        assert_eq!(self.server.sql(target, "select a from mine"), "7");
    }

    /// Those whose names begin like this: a target, and what a restore made to fill first.
    fn databases(&self, target: &str) -> String {
        let names = format!(
            "select schema_name from information_schema.schemata where schema_name like '{target}%' order by 1"
        );
        self.server.sql("", &names)
    }

    fn sum(&self, database: &str) -> String {
        self.server
            .sql(database, "checksum table orders, items")
            .replace(database, "")
    }

    /// Ends the session whose statement is like this; whether there was one.
    fn kill(&self, statement: &str) -> bool {
        let find = format!(
            "select id from {} where info like '{statement}' and id <> connection_id() limit 1",
            sessions(self.server)
        );
        let id = self.server.sql("", &find);
        // It may have ended meanwhile, by itself.
        !id.is_empty() && self.server.try_sql("", &format!("kill {id}")).is_ok()
    }
}

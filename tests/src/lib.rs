//! Whole jobs against real servers, run by `cargo xtask test`: what the tests in `tests/e2e` stand on.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "in a test whatever goes wrong is a failure, and it drives programs from outside"
)]

mod bucket;
mod certificates;
mod http_proxy;
mod mongo;
mod mysql;
mod postgres;
mod receiver;
mod redis;
mod redis_cluster;
mod run;
mod tcp_proxy;
mod world;

pub use bucket::{Bucket, Minio};
pub use certificates::Certificates;
pub use http_proxy::{HttpProxy, Trouble};
pub use mongo::Mongo;
pub use mysql::MySql;
pub use postgres::Postgres;
pub use receiver::Receiver;
pub use redis::Redis;
pub use redis_cluster::RedisCluster;
pub use run::{
    Env, Run, Running, run_image, run_runner, spawn_engine, spawn_program, spawn_runner,
    spawn_xtask,
};
pub use tcp_proxy::{Hitch, TcpProxy};
pub use world::{Launch, Seat, World, client_version, world};

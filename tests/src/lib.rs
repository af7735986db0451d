//! Whole jobs against real servers, run by `cargo xtask test`: what the tests in `tests/e2e` stand on.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "in a test whatever goes wrong is a failure, and it drives programs from outside"
)]

mod bucket;
mod postgres;
mod run;
mod world;

pub use bucket::{Bucket, Minio};
pub use postgres::Postgres;
pub use run::{Env, Run, Running, run_image, run_runner, spawn_program, spawn_runner};
pub use world::{Seat, World, world};

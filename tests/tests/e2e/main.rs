//! Whole jobs, black box: settings in; objects, databases and exit codes out.
#![expect(
    clippy::unwrap_used,
    reason = "in a test whatever goes wrong is a failure, and it drives programs from outside"
)]

mod by_hand;
mod cluster;
mod compare;
mod connect;
mod consistency;
mod failures;
mod foreign;
mod image;
mod kit;
mod large;
mod matrix;
mod mongodb;
mod mysql;
mod partial;
mod privileges;
mod proof;
mod redis;
mod refusals;
mod round_trip;
mod secure;
mod smoke;
mod standby;
mod zoo;

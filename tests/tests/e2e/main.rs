//! Whole jobs, black box: settings in; objects, databases and exit codes out.

mod compare;
mod failures;
mod kit;
mod round_trip;
mod smoke;
mod zoo;

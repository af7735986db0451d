//! Whole jobs, black box: settings in; objects, databases and exit codes out.

mod failures;
mod smoke;

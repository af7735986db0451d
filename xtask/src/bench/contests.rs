//! The engines' contests, a file each.

pub(super) mod mongodb;
pub(super) mod mysql;
pub(super) mod postgresql;
pub(super) mod redis;

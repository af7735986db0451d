//! The archive that `mongodump` writes, walked as it passes: which collections it holds, and what is in them.
//!
//! Blocks of a header, BSON documents and a terminator, as the tools' own `common/archive/spec.md` says. The first block,
//! after a magic number, describes every collection; each other one holds documents of the collection that its header
//! names. A last, empty block for each collection says that it is complete, with the CRC-64 of all its documents.

mod ahead;
mod census;
mod definition;
mod empty;
mod frames;
mod list;
mod operations;
mod oplog;
mod watch;

#[cfg(test)]
pub(crate) mod built;
#[cfg(test)]
mod tests;

pub(crate) use ahead::ahead;
pub(crate) use census::{Archive, BUCKETS, Namespace};
pub(crate) use definition::Definition;
pub(crate) use empty::empty;
pub(crate) use list::list;
pub(crate) use oplog::only_oplog;
pub(crate) use watch::watch;

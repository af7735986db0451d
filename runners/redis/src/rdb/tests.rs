//! RDBs of real servers, and damaged ones.

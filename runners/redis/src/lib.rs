//! Backs up, restores and proves Redis and Valkey databases, without a client tool.
//!
//! | files | answer |
//! |---|---|
//! | `rdb.rs`, `rdb/` | RDB files and streams: read key by key, judged, and written |

pub mod rdb;

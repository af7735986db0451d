//! Counters that a running job shares with whoever shows them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes and rows so far, and what is expected in all.
#[derive(Clone, Default, Debug)]
pub struct Progress(Arc<Counters>);

#[derive(Default, Debug)]
struct Counters {
    logical_bytes: AtomicU64,
    stored_bytes: AtomicU64,
    rows: AtomicU64,
    expected_bytes: AtomicU64,
}

/// One reading of the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub logical_bytes: u64,
    pub stored_bytes: u64,
    pub rows: u64,
    /// 0 while unknown.
    pub expected_bytes: u64,
}

impl Progress {
    pub fn add_logical(&self, n_bytes: u64) {
        self.0.logical_bytes.fetch_add(n_bytes, Ordering::Relaxed);
    }

    pub fn add_stored(&self, n_bytes: u64) {
        self.0.stored_bytes.fetch_add(n_bytes, Ordering::Relaxed);
    }

    pub fn add_rows(&self, n_rows: u64) {
        self.0.rows.fetch_add(n_rows, Ordering::Relaxed);
    }

    /// Logical bytes that the operation is expected to move in all.
    pub fn expect_bytes(&self, n_bytes: u64) {
        self.0.expected_bytes.store(n_bytes, Ordering::Relaxed);
    }

    /// Starts over, for an operation's next phase.
    pub fn reset(&self, expected_bytes: u64) {
        self.0.logical_bytes.store(0, Ordering::Relaxed);
        self.0.stored_bytes.store(0, Ordering::Relaxed);
        self.0.rows.store(0, Ordering::Relaxed);
        self.expect_bytes(expected_bytes);
    }

    pub fn read(&self) -> Reading {
        Reading {
            logical_bytes: self.0.logical_bytes.load(Ordering::Relaxed),
            stored_bytes: self.0.stored_bytes.load(Ordering::Relaxed),
            rows: self.0.rows.load(Ordering::Relaxed),
            expected_bytes: self.0.expected_bytes.load(Ordering::Relaxed),
        }
    }
}

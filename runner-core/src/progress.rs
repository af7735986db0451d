//! Counters that a running job shares with whoever shows them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes and rows so far, and what is expected in all.
#[derive(Clone, Default, Debug)]
pub struct Progress(Arc<Counters>);

#[derive(Default, Debug)]
struct Counters {
    logical_bytes: AtomicU64,
    stored_bytes: AtomicU64,
    rows: AtomicU64,
    expected_bytes: AtomicU64,
    phase: Mutex<Phase>,
}

/// What the counters count at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phase {
    /// As in "load rows"; empty before the first.
    pub name: &'static str,
    /// How many came before it.
    pub n: u32,
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

    /// Starts over, for an operation's next phase, which is expected to move that many logical bytes.
    pub fn begin(&self, name: &'static str, expected_bytes: u64) {
        let counters = &self.0;
        let mut phase = counters
            .phase
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *phase = Phase {
            name,
            n: phase.n + 1,
        };
        counters.logical_bytes.store(0, Ordering::Relaxed);
        counters.stored_bytes.store(0, Ordering::Relaxed);
        counters.rows.store(0, Ordering::Relaxed);
        counters
            .expected_bytes
            .store(expected_bytes, Ordering::Relaxed);
    }

    pub fn phase(&self) -> Phase {
        *self.0.phase.lock().unwrap_or_else(PoisonError::into_inner)
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

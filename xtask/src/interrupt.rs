//! Ctrl-C and its like, noticed instead of obeyed, so that who is stopped still cleans up.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::shell::Result;

static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// The error of what was stopped by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted(u8);

impl Interrupted {
    /// The exit code that a shell gives for it.
    pub fn exit_code(self) -> u8 {
        128 + self.0
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match i32::from(self.0) {
            SIGINT => write!(f, "interrupted"),
            signal => write!(f, "interrupted by signal {signal}"),
        }
    }
}

impl std::error::Error for Interrupted {}

/// From here on the first signal only stops what runs, with an error; the second one ends us.
pub fn watch() -> Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let again = Arc::new(AtomicBool::new(false));
        flag::register_conditional_shutdown(signal, 128 + signal, again.clone())?;
        flag::register(signal, again)?;
        flag::register_usize(signal, SIGNAL.clone(), signal as usize)?;
    }
    Ok(())
}

/// Whether a signal has come that nobody has taken.
pub fn pending() -> Option<Interrupted> {
    signal(SIGNAL.load(Ordering::Relaxed))
}

/// Takes the signal that has come: programs can be run again, to clean up.
pub fn take() -> Option<Interrupted> {
    signal(SIGNAL.swap(0, Ordering::Relaxed))
}

fn signal(number: usize) -> Option<Interrupted> {
    (number > 0).then_some(Interrupted(number as u8))
}

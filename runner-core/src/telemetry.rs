//! Logs and progress for people and for log collectors.

pub mod human;
pub mod json;
pub mod progress;

use std::io::{self, Write};

use indicatif::{MultiProgress, ProgressDrawTarget};
use jiff::Timestamp;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::error::Error;
use crate::job::{LogFormat, LogSettings};
use crate::progress::Progress;

pub use json::Context;
pub use progress::Ticker;

/// A running log; it also shows progress.
#[derive(Clone, Default)]
pub struct Telemetry {
    /// Present where a person watches.
    bars: Option<MultiProgress>,
}

impl Telemetry {
    /// Shows each phase's progress until the ticker is dropped: a bar where a person watches, else a line every
    /// ten seconds.
    pub fn ticker(&self, progress: &Progress) -> Ticker {
        Ticker::start(progress.clone(), self.bars.clone())
    }
}

/// Logs to stderr from here on; each line names the job and what it does.
pub fn init(log: &LogSettings, context: &Context, clock: fn() -> Timestamp) -> Telemetry {
    let (filter, refused) = match EnvFilter::try_new(&log.filter) {
        Ok(filter) => (filter, None),
        Err(err) => (EnvFilter::new("info"), Some(err)),
    };
    let registry = tracing_subscriber::registry().with(filter);
    let watched = log.terminal && log.format == LogFormat::Text;
    let bars = watched.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
    let stderr = Stderr(bars.clone());
    // A second subscriber in one process can only be a test's: the first one stays.
    let _ = match log.format {
        LogFormat::Json => registry
            .with(json::Lines::new(stderr, context, clock))
            .try_init(),
        LogFormat::Text => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .with_writer(stderr)
                    .with_ansi(log.terminal)
                    .with_target(false),
            )
            .try_init(),
    };
    if let Some(err) = refused {
        tracing::warn!(
            "RUST_LOG {:?} is not a filter, info is used: {err}",
            log.filter
        );
    }
    Telemetry { bars }
}

/// A failed run's last line: the same reason as in its callback.
pub fn final_error(message: &str, error: &Error) {
    tracing::error!(error.kind = error.kind().as_str(), error.message = %error, "{message}");
}

/// Stderr, a whole line at a time; a bar steps aside for it.
#[derive(Clone)]
struct Stderr(Option<MultiProgress>);

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_all(line).map(|()| line.len())
    }

    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        let write = || io::stderr().lock().write_all(line);
        match &self.0 {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

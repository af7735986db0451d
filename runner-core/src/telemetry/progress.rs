//! How far a phase is: a bar where a person watches, a line every ten seconds elsewhere.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::human;
use crate::progress::{Progress, Reading};

const LINE_EVERY: Duration = Duration::from_secs(10);
const BAR_EVERY: Duration = Duration::from_millis(200);

/// Shows a job's phases, one after the other, until it is dropped.
pub struct Ticker {
    task: JoinHandle<()>,
    bar: Option<ProgressBar>,
}

impl Ticker {
    pub(super) fn start(progress: Progress, bars: Option<MultiProgress>) -> Self {
        let bar = bars.map(|bars| bars.add(ProgressBar::new(0).with_style(style())));
        let task = tokio::spawn(tick(progress, bar.clone()));
        Self { task, bar }
    }
}

async fn tick(progress: Progress, bar: Option<ProgressBar>) {
    let mut ticks = interval(if bar.is_some() { BAR_EVERY } else { LINE_EVERY });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await; // the first one is immediate, and there is nothing to tell yet
    let (mut phase, mut start) = (progress.phase(), Instant::now());
    let mut last = Sample::default();
    loop {
        ticks.tick().await;
        if progress.phase() != phase {
            (phase, start, last) = (progress.phase(), Instant::now(), Sample::default());
        }
        let sample = Sample {
            reading: progress.read(),
            elapsed: start.elapsed(),
        };
        match &bar {
            _ if phase.name.is_empty() => {}
            Some(bar) => draw(bar, phase.name, &sample),
            None => log(phase.name, &last, &sample),
        }
        last = sample;
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The counters at one moment of a phase.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    reading: Reading,
    elapsed: Duration,
}

impl Sample {
    /// `None` while the whole is unknown, and once it is passed: an estimate that proved wrong says nothing.
    fn percent(&self) -> Option<u64> {
        let Reading {
            logical_bytes,
            expected_bytes,
            ..
        } = self.reading;
        let is_known = expected_bytes > 0 && logical_bytes <= expected_bytes;
        let percent = u128::from(logical_bytes) * 100 / u128::from(expected_bytes.max(1));
        is_known.then_some(u64::try_from(percent).unwrap_or(100))
    }

    /// What is left, at the average speed so far.
    fn eta(&self) -> Option<Duration> {
        self.percent()?;
        let rate = human::per_second(self.reading.logical_bytes, self.elapsed);
        let left = self.reading.expected_bytes - self.reading.logical_bytes;
        (rate > 0).then(|| Duration::from_secs(left.div_ceil(rate)))
    }

    /// Speed since an earlier sample, which shows a stall that an average hides.
    fn rate_since(&self, earlier: &Self) -> u64 {
        let n_bytes = self.reading.logical_bytes;
        // Counters start over with a phase.
        let moved = n_bytes.saturating_sub(earlier.reading.logical_bytes);
        human::per_second(moved, self.elapsed.saturating_sub(earlier.elapsed))
    }
}

/// ASCII: the width of other signs is unknown to a terminal's other end.
const TEMPLATE: &str = "{prefix} [{bar:24}] {msg}";

fn style() -> ProgressStyle {
    // A test holds the constant valid.
    ProgressStyle::with_template(TEMPLATE)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

fn draw(bar: &ProgressBar, phase: &'static str, sample: &Sample) {
    bar.set_prefix(phase);
    let reading = sample.reading;
    bar.update(|state| {
        state.set_len(reading.expected_bytes.max(reading.logical_bytes));
        state.set_pos(reading.logical_bytes);
    });
    let rate = human::per_second(reading.logical_bytes, sample.elapsed);
    bar.set_message(words(sample, rate));
}

fn log(phase: &str, last: &Sample, sample: &Sample) {
    let rate = sample.rate_since(last);
    tracing::info!(
        phase,
        logical_bytes = sample.reading.logical_bytes,
        stored_bytes = sample.reading.stored_bytes,
        rows = sample.reading.rows,
        bytes_per_second = rate,
        percent = sample.percent(),
        eta_seconds = sample.eta().map(|eta| eta.as_secs()),
        "{phase}: {}",
        words(sample, rate)
    );
}

/// `52 %, 1.20 GiB of 2.31 GiB, 1 234 rows, 250 MiB/s, 4.7s left`.
fn words(sample: &Sample, rate: u64) -> String {
    let reading = sample.reading;
    if reading.logical_bytes == 0 && reading.expected_bytes == 0 {
        // The server is busy by itself, as with indexes.
        return format!("at work for {}", human::duration(sample.elapsed));
    }
    let mut parts = Vec::new();
    let done = human::bytes(reading.logical_bytes);
    match sample.percent() {
        Some(percent) => {
            parts.push(format!("{percent} %"));
            parts.push(format!(
                "{done} of {}",
                human::bytes(reading.expected_bytes)
            ));
        }
        None => parts.push(done),
    }
    if reading.rows > 0 {
        parts.push(format!("{} rows", human::count(reading.rows)));
    }
    parts.push(format!("{}/s", human::bytes(rate)));
    if let Some(eta) = sample.eta() {
        parts.push(format!("{} left", human::duration(eta)));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn sample(logical_bytes: u64, expected_bytes: u64, rows: u64, seconds: u64) -> Sample {
        Sample {
            reading: Reading {
                logical_bytes,
                stored_bytes: 0,
                rows,
                expected_bytes,
            },
            elapsed: Duration::from_secs(seconds),
        }
    }

    fn check(last: &Sample, now: &Sample, expected: &Expect) {
        expected.assert_eq(&words(now, now.rate_since(last)));
    }

    #[test]
    fn a_line_tells_bytes_rows_rate_and_time_left() {
        let half = sample(5 << 30, 10 << 30, 1_234_567, 20);
        check(
            &Sample::default(),
            &half,
            &expect!["50 %, 5.00 GiB of 10.0 GiB, 1 234 567 rows, 256 MiB/s, 20.0s left"],
        );
        check(
            &sample(5 << 30, 10 << 30, 0, 10),
            &half,
            &expect!["50 %, 5.00 GiB of 10.0 GiB, 1 234 567 rows, 0 B/s, 20.0s left"],
        );
        check(
            &half,
            &sample(1 << 20, 0, 0, 21),
            &expect!["1.00 MiB, 0 B/s"],
        );
        check(
            &Sample::default(),
            &sample(0, 0, 0, 70),
            &expect!["at work for 1m10s"],
        );
        check(
            &Sample::default(),
            &sample(0, 1 << 30, 0, 10),
            &expect!["0 %, 0 B of 1.00 GiB, 0 B/s"],
        );
        check(
            &Sample::default(),
            &sample(3 << 20, 2 << 20, 9, 1),
            &expect!["3.00 MiB, 9 rows, 3.00 MiB/s"],
        );
        check(
            &Sample::default(),
            &sample(7, 7, 1, 0),
            &expect!["100 %, 7 B of 7 B, 1 rows, 0 B/s"],
        );
    }

    #[test]
    fn the_bars_template_is_valid() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }

    #[tokio::test]
    async fn a_dropped_ticker_stops() {
        let ticker = Ticker::start(Progress::default(), None);
        let task = ticker.task.abort_handle();
        drop(ticker);
        tokio::task::yield_now().await;
        assert!(task.is_finished());
    }
}

//! How long, and how often, a failing store is asked again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata;
use tokio::time::{Instant, sleep};

use super::fault::{Fault, Op, Sdk};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The time that a chain of failures may take, counted from its first.
pub(super) struct Budget {
    timeout: Duration,
    failing_since: Option<Instant>,
    n_failures: u32,
}

impl Budget {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            failing_since: None,
            n_failures: 0,
        }
    }

    /// The store did something useful: what fails next is a new chain.
    pub(super) fn progressed(&mut self) {
        self.failing_since = None;
        self.n_failures = 0;
    }

    /// Waits before a next attempt, or gives the fault back when the time is up or trying is futile.
    pub(super) async fn pause_after(&mut self, fault: Fault) -> Result<(), Fault> {
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        self.n_failures += 1;
        let left = self.timeout.saturating_sub(since.elapsed());
        if !fault.is_passing() || left.is_zero() {
            return Err(fault.after(self.n_failures, since.elapsed()));
        }
        let pause = self.pause().min(left); // a last attempt right at the end
        tracing::warn!(%fault, attempt = self.n_failures, "the store is asked again in {pause:?}");
        sleep(pause).await;
        Ok(())
    }

    /// Doubles each time; random, so that parallel requests do not come back all at once.
    fn pause(&self) -> Duration {
        let first = FIRST_PAUSE.min(self.timeout / 20);
        let longest = first
            .saturating_mul(1 << self.n_failures.min(16).saturating_sub(1))
            .min(LONGEST_PAUSE);
        let random = RandomState::new().build_hasher().finish() % 1000;
        longest.mul_f64(0.5 + random as f64 / 2000.0)
    }
}

/// Sends until it succeeds, fails for good, or has failed for `timeout`.
pub(super) async fn send<T, E, F>(
    timeout: Duration,
    op: Op,
    target: &str,
    mut call: impl FnMut() -> F,
) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Sdk<E>>>,
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let mut budget = Budget::new(timeout);
    loop {
        match call().await {
            Ok(output) => return Ok(output),
            Err(error) => {
                let fault = Fault::new(op, target, &error);
                budget.pause_after(fault).await?;
            }
        }
    }
}

//! `CONNECT_TIMEOUT`: a database that is not there yet is waited for; one that refuses is not.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Kind, Result};

/// The first pause between two attempts; each is twice the one before, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// What `connect` yields, tried again until `patience` is over for as long as it says `Unreachable`; any other error is
/// final at once.
pub async fn with_patience<T, F>(patience: Duration, mut connect: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let err = match connect().await {
            Err(err) if err.kind() == Kind::Unreachable => err,
            done => return done,
        };
        let left = patience.saturating_sub(begun.elapsed());
        if left.is_zero() {
            let waited = format!("waited {} s (CONNECT_TIMEOUT)", patience.as_secs());
            return Err(err.while_doing(waited));
        }
        tracing::info!(reason = %err, "the database is not ready; trying again");
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    async fn attempts(n_failures: usize, kind: Kind, patience: Duration) -> (usize, Result<()>) {
        let mut n = 0;
        let done = with_patience(patience, || {
            n += 1;
            let fails = n <= n_failures;
            async move {
                match fails {
                    true => Err(Error::new(kind, "connect")),
                    false => Ok(()),
                }
            }
        });
        let done = done.await;
        (n, done)
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_waited_for_until_patience_is_over() {
        let (n, done) = attempts(1, Kind::Unreachable, Duration::from_secs(60)).await;
        done.unwrap();
        assert_eq!(n, 2);
        let (n, done) = attempts(usize::MAX, Kind::Unreachable, Duration::ZERO).await;
        let err = done.unwrap_err();
        assert_eq!((n, err.kind()), (1, Kind::Unreachable));
        assert!(err.to_string().contains("waited 0 s (CONNECT_TIMEOUT)"));
    }

    #[tokio::test]
    async fn a_refusal_is_final() {
        let (n, done) = attempts(usize::MAX, Kind::Denied, Duration::from_secs(60)).await;
        assert_eq!((n, done.unwrap_err().kind()), (1, Kind::Denied));
    }
}

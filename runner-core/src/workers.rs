//! A few workers over many items: the first error stops the others, and all are awaited.

use std::future::Future;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Kind, Result};

/// Runs `work` on each item, `parallelism` at a time, each on a task of its own. After the first error the
/// token that the others were given is cancelled and they are awaited, not dropped, so that each can put
/// its things in order; then that first error is returned.
pub async fn each<T, F, Fut, R>(
    items: Vec<T>,
    parallelism: usize,
    cancel: &CancellationToken,
    work: F,
) -> Result<Vec<R>>
where
    F: Fn(T, CancellationToken) -> Fut,
    Fut: Future<Output = Result<R>> + Send + 'static,
    R: Send + 'static,
{
    let stop = cancel.child_token();
    let mut items = items.into_iter();
    let mut running = JoinSet::new();
    let mut done = Vec::new();
    let mut first_error = None;
    loop {
        while first_error.is_none() && !stop.is_cancelled() && running.len() < parallelism.max(1) {
            let Some(item) = items.next() else { break };
            running.spawn(work(item, stop.clone()));
        }
        let Some(joined) = running.join_next().await else {
            break;
        };
        let result = joined
            .unwrap_or_else(|err| Err(Error::new(Kind::Bug, "a worker panicked").because(err)));
        match result {
            Ok(result) => done.push(result),
            Err(err) => {
                stop.cancel();
                first_error.get_or_insert(err);
            }
        }
    }
    match first_error {
        // What a worker says when it is told to stop is not why it was told.
        _ if cancel.is_cancelled() => Err(interrupted()),
        Some(err) => Err(err),
        None => Ok(done),
    }
}

/// Awaits `work`, or drops it when `cancel` comes first.
pub async fn unless_cancelled<R>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<R>>,
) -> Result<R> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(interrupted()),
        result = work => result,
    }
}

/// The error of work that was told to stop.
pub fn interrupted() -> Error {
    Error::new(Kind::Interrupted, "interrupted before the end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_error_stops_the_others_and_all_are_awaited() {
        let cancel = CancellationToken::new();
        let (ended, mut endings) = tokio::sync::mpsc::channel(8);
        let result = each(vec![0, 1, 2, 3], 2, &cancel, |n, stop| {
            let ended = ended.clone();
            async move {
                if n == 1 {
                    return Err(Error::new(Kind::Tool, "one"));
                }
                stop.cancelled().await;
                let _ = ended.send(n).await;
                Err::<(), _>(interrupted())
            }
        });
        let error = result.await.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (Kind::Tool, "one")
        );
        assert_eq!(endings.try_recv().unwrap(), 0);
        assert!(endings.try_recv().is_err(), "items 2 and 3 never began");
    }

    #[tokio::test]
    async fn everything_is_done_once() {
        let cancel = CancellationToken::new();
        let mut done = each((0..100).collect(), 7, &cancel, |n, _| async move { Ok(n) })
            .await
            .unwrap();
        done.sort_unstable();
        assert!(done.into_iter().eq(0..100));
    }
}

//! Reads a tool on while what it wrote is dealt with.

use bytes::Bytes;
use futures::{StreamExt, stream};
use runner_core::error::{Error, Kind, Result};
use runner_core::stream::{BLOCK_BYTES, ByteStream};
use tokio::sync::mpsc;

/// How many blocks are read ahead: 8 MiB. `mongodump` makes a heap of 16 MiB before it writes it, and
/// asks the server for no more until that is gone.
const N_BLOCKS: usize = 8 * 1024 * 1024 / BLOCK_BYTES;

/// The same stream, up to its end or its error.
pub(crate) fn ahead(mut body: ByteStream) -> ByteStream {
    let (sender, receiver) = mpsc::channel::<Option<Result<Bytes>>>(N_BLOCKS);
    tokio::spawn(async move {
        loop {
            // Who no longer listens wants the tool to end, too, even one that is silent.
            let block = tokio::select! {
                () = sender.closed() => return,
                block = body.next() => block,
            };
            let is_last = !matches!(block, Some(Ok(_)));
            if sender.send(block).await.is_err() || is_last {
                return;
            }
        }
    });
    stream::unfold(Some(receiver), |state| async {
        let mut receiver = state?;
        match receiver.recv().await {
            Some(Some(Ok(block))) => Some((Ok(block), Some(receiver))),
            Some(Some(Err(err))) => Some((Err(err), None)),
            // Its good end was told.
            Some(None) => None,
            None => {
                let what = "what reads the tool ended without a word";
                Some((Err(Error::new(Kind::Bug, what)), None))
            }
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::archive::built::{collect, stream_of};

    #[tokio::test]
    async fn what_is_read_ahead_is_what_was_there() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
        let read = collect(ahead(stream_of(&bytes, 100))).await.unwrap();
        assert!(read == bytes);
    }

    #[tokio::test]
    async fn an_error_comes_where_it_was() {
        let failed = stream::iter([Err(Error::new(Kind::Tool, "on fire"))]);
        let mut body = ahead(stream_of(b"abc", 1).chain(failed).boxed());
        for _ in 0..3 {
            body.next().await.unwrap().unwrap();
        }
        assert_eq!(body.next().await.unwrap().unwrap_err().kind(), Kind::Tool);
        assert!(body.next().await.is_none());
    }

    /// Dropping the tool's stream kills it.
    #[tokio::test]
    async fn a_silent_tool_is_let_go_with_its_reader() {
        let held = Arc::new(());
        let tool = Arc::clone(&held);
        let silent = stream::pending::<Result<Bytes>>().map(move |block| {
            let _ = &tool;
            block
        });
        drop(ahead(silent.boxed()));
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_reader_that_panics_is_no_end() {
        let broken = stream::once(async { panic!("broken") });
        let mut body = ahead(broken.boxed());
        assert_eq!(body.next().await.unwrap().unwrap_err().kind(), Kind::Bug);
    }
}

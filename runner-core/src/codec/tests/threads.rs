//! Codec threads end with their streams, and do not wait for each other.

use std::sync::Mutex;
use std::time::Duration;

use futures::future;
use tokio::sync::oneshot;

use super::*;

/// Tells the receiver when it is dropped.
struct Told(Mutex<Option<oneshot::Sender<()>>>);

fn told() -> (Told, oneshot::Receiver<()>) {
    let (sender, receiver) = oneshot::channel();
    (Told(Mutex::new(Some(sender))), receiver)
}

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.lock().unwrap().take().unwrap().send(());
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .unwrap()
}

#[tokio::test]
async fn dropping_the_output_drops_the_input_and_ends_the_thread() {
    for endless in [false, true] {
        let (input, input_dropped) = told();
        let (work, work_dropped) = told();
        let first = stream::iter([Ok(Bytes::from_static(b"first"))]);
        let blocks = stream::repeat_with(move || {
            let _held = &input;
            Ok(Bytes::from_static(&[0; 100]))
        });
        let rest = if endless {
            blocks.boxed()
        } else {
            blocks.take(0).chain(stream::pending()).boxed()
        };
        let mut output = through(first.chain(rest).boxed(), move |mut source, sink| {
            let _held = &work;
            while let Some(block) = source.next()? {
                let sent = sink.put(block).and_then(|()| sink.finish());
                sent.map_err(|err| from_io(err, Kind::Bug, "send"))?;
            }
            Ok(())
        });
        assert_eq!(output.next().await.unwrap().unwrap(), "first");
        drop(output);
        soon(input_dropped).await.unwrap();
        soon(work_dropped).await.unwrap();
    }
}

#[tokio::test]
async fn a_panic_of_the_thread_or_of_the_input_is_a_bug_and_not_an_end() {
    let output = through(of_blocks(b"abc", 1), |_, _| panic!("boom"));
    let error = drain(output).await.1.unwrap_err();
    assert_eq!(error.kind(), Kind::Bug);
    assert_eq!(error.to_string(), "a codec thread panicked: boom");

    for codec in codecs() {
        let input = stream::iter([Ok(Bytes::from_static(b"abc"))])
            .chain(stream::poll_fn(|_| panic!("boom")));
        let (output, receipt) = codec.encode(input.boxed(), Progress::default());
        assert_eq!(drain(output).await.1.unwrap_err().kind(), Kind::Bug);
        assert_eq!(receipt.sums(), None);
    }
}

/// With the blocking pool's threads all taken, too: each stream has a thread of its own.
#[test]
fn many_streams_at_once_do_not_wait_for_each_other() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let taken = tokio::task::spawn_blocking(move || released.recv());
        let plain = rows(600_000);
        let streams = (0..32).map(|_| async {
            let codec = Codec::default();
            let (stored, receipt) = codec.encode(of_blocks(&plain, 60_000), Progress::default());
            let layers = codec.layers();
            let decoded = layers.decode(stored, &Keys::default(), None, Progress::default());
            let (decoded, end) = drain(decoded).await;
            end.unwrap();
            assert!(decoded == plain && receipt.sums().is_some());
        });
        soon(future::join_all(streams)).await;
        release.send(()).unwrap();
        soon(taken).await.unwrap().unwrap();
    });
}

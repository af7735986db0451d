//! Blocking work between two byte streams, on a thread of its own.
//!
//! Not the runtime's blocking pool: a codec thread lives as long as its stream and waits for its neighbours,
//! so enough of them in a bounded pool could wait for each other for ever.

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, Kind, Result};
use crate::stream::{BLOCK_BYTES, ByteStream};

/// Blocks that wait on either side of a thread.
pub const BLOCKS_WAITING: usize = 4;

/// What two full channels and the blocks in hand on their ends hold, in bytes.
pub(super) const CHANNEL_BYTES: u64 = (2 * (BLOCKS_WAITING + 2) * BLOCK_BYTES) as u64;

/// Smaller blocks than this are gathered; larger ones are passed on as they are.
const SMALL_BYTES: usize = 32 * 1024;

/// `None` is the good end; a channel that closes without it was abandoned.
type Item = Result<Option<Bytes>>;

/// Runs `work` on a thread of its own; what it writes is the stream, which ends well only when `work`
/// returns `Ok`. Dropping the stream drops `input` and ends the thread.
pub fn through<F>(input: ByteStream, work: F) -> ByteStream
where
    F: FnOnce(Source, &mut Sink) -> Result<()> + Send + 'static,
{
    let (input_sender, input_receiver) = channel(BLOCKS_WAITING);
    let (sender, receiver) = channel(BLOCKS_WAITING);
    let thread = std::thread::Builder::new()
        .name("codec".to_owned())
        .spawn(move || run(work, input_receiver, sender));
    if let Err(err) = thread {
        let error = Error::new(Kind::Bug, "start a codec thread; is there a thread limit?");
        return stream::once(async { Err(error.because(err)) }).boxed();
    }
    let pump = AbortOnDropHandle::new(tokio::spawn(pump(input, input_sender)));
    stream::unfold(Some((receiver, pump)), |state| async {
        let (mut receiver, pump) = state?;
        match receiver.recv().await {
            Some(Ok(Some(block))) => Some((Ok(block), Some((receiver, pump)))),
            Some(Ok(None)) => None,
            Some(Err(error)) => Some((Err(error), None)),
            None => Some((Err(Error::new(Kind::Bug, "a codec thread vanished")), None)),
        }
    })
    .boxed()
}

/// Carries the input to the thread; a task of its own, so that producer, thread and consumer overlap.
async fn pump(mut input: ByteStream, sender: Sender<Item>) {
    loop {
        let item = tokio::select! {
            item = input.next() => item,
            () = sender.closed() => return,
        };
        let item = item.transpose();
        let last = !matches!(item, Ok(Some(_)));
        if sender.send(item).await.is_err() || last {
            return;
        }
    }
}

fn run<F>(work: F, receiver: Receiver<Item>, sender: Sender<Item>)
where
    F: FnOnce(Source, &mut Sink) -> Result<()>,
{
    let broken = Rc::new(Cell::new(false));
    let source = Source {
        receiver,
        ended: false,
        broken: Rc::clone(&broken),
    };
    let mut sink = Sink {
        sender: sender.clone(),
        block: BytesMut::new(),
        broken,
    };
    let result = catch_unwind(AssertUnwindSafe(|| work(source, &mut sink)));
    let result = result.unwrap_or_else(|panic| Err(panicked(&*panic)));
    // Nobody listening any more is fine: then nobody needs the end either.
    let _ = sender.blocking_send(result.map(|()| None));
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Error::new(Kind::Bug, format!("a codec thread panicked: {message}"))
}

/// The input, seen from the thread.
pub struct Source {
    receiver: Receiver<Item>,
    ended: bool,
    broken: Rc<Cell<bool>>,
}

impl Source {
    /// The next block, which is never empty, or `None` at the good end.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator would go on after an error"
    )]
    pub fn next(&mut self) -> Result<Option<Bytes>> {
        while !self.ended {
            match self.receiver.blocking_recv() {
                Some(Ok(Some(block))) if block.is_empty() => {}
                Some(Ok(Some(block))) => return Ok(Some(block)),
                Some(Ok(None)) => self.ended = true,
                Some(Err(error)) => {
                    self.broken.set(true);
                    return Err(error);
                }
                None => {
                    self.broken.set(true);
                    return Err(Error::new(Kind::Bug, "the codec's input was abandoned"));
                }
            }
        }
        Ok(None)
    }
}

/// The output, seen from the thread.
pub struct Sink {
    sender: Sender<Item>,
    block: BytesMut,
    broken: Rc<Cell<bool>>,
}

impl Sink {
    /// Passes a block on without copying it, unless it is small.
    pub fn put(&mut self, mut block: Bytes) -> io::Result<()> {
        if block.len() < SMALL_BYTES {
            return io::Write::write_all(self, &block);
        }
        self.finish()?;
        while block.len() > BLOCK_BYTES {
            self.send(block.split_to(BLOCK_BYTES))?;
        }
        self.send(block)
    }

    /// Sends what is gathered. Without this, the last bytes never leave.
    pub fn finish(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let block = self.block.split().freeze();
        self.send(block)
    }

    /// Once the input has failed nothing more goes out: an encoder that writes its trailer when it is dropped
    /// (flate2's does) must not make a cut stream look whole.
    fn send(&mut self, block: Bytes) -> io::Result<()> {
        if self.broken.get() || std::thread::panicking() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.sender.blocking_send(Ok(Some(block))).map_err(|_| {
            self.broken.set(true);
            io::ErrorKind::BrokenPipe.into()
        })
    }
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.block.is_empty() {
            self.block.reserve(BLOCK_BYTES);
        }
        let n_bytes = bytes.len().min(BLOCK_BYTES - self.block.len());
        self.block.extend_from_slice(&bytes[..n_bytes]);
        if self.block.len() == BLOCK_BYTES {
            self.finish()?;
        }
        Ok(n_bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // blocks leave when they are full: a codec's flush must not make small ones
    }
}

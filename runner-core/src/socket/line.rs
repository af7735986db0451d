//! The raw connection, which can be read by events or, while rows flow, by the clock.
//!
//! A server writes 8 KiB at a time. Woken for each, a reader and the server take turns on the cores all the way
//! through a table, and on a busy machine those turns cost more than the rows. Read by the clock, what has come
//! in within a millisecond is taken at once.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Sleep, sleep};

/// Worth reading without a further wait, in bytes.
const WORTH: u64 = 96 * 1024;
/// The runtime's own granularity.
const NAP: Duration = Duration::from_millis(1);
/// Each nap that brought nothing is followed by one of twice the length, up to 2^4 ms.
const MOST_DOUBLINGS: u32 = 4;

/// A connection without its protocol.
pub enum Line {
    /// Over the network.
    Tcp(TcpStream),
    /// On this machine.
    Unix(UnixStream),
    /// Nobody is told when bytes arrive: they are looked for.
    Clocked(net::TcpStream, Pin<Box<Nap>>),
    /// Lost on the way between two of the others.
    Gone,
}

/// The clock.
pub struct Nap {
    sleep: Pin<Box<Sleep>>,
    is_over: bool,
    n_vain: u32,
}

impl Line {
    /// Reads by the clock from now on, or by events again. A Unix socket holds too little for the clock.
    pub fn read_by_clock(&mut self, by_clock: bool) -> io::Result<()> {
        *self = match (std::mem::replace(self, Self::Gone), by_clock) {
            (Self::Tcp(stream), true) => Self::Clocked(stream.into_std()?, Box::pin(Nap::new())),
            (Self::Clocked(stream, _), false) => Self::Tcp(TcpStream::from_std(stream)?),
            (other, _) => other,
        };
        Ok(())
    }
}

impl Nap {
    fn new() -> Self {
        Self {
            sleep: Box::pin(sleep(NAP)),
            is_over: true,
            n_vain: 0,
        }
    }

    fn begin(&mut self) {
        let length = NAP * 2u32.pow(self.n_vain.min(MOST_DOUBLINGS));
        self.sleep.as_mut().reset(Instant::now() + length);
        self.is_over = false;
    }

    /// Reads what has come, once it is worth it or a nap is over.
    fn poll_read(
        &mut self,
        mut stream: &net::TcpStream,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut rested = false;
        loop {
            if !self.is_over {
                ready!(self.sleep.as_mut().poll(cx));
                self.is_over = true;
                rested = true;
            }
            let n_waiting = rustix::io::ioctl_fionread(stream)?;
            if rested || n_waiting >= WORTH {
                // Reading at least one byte tells an end or an error from nothing.
                let n_bytes = usize::try_from(n_waiting.max(1)).unwrap_or(usize::MAX);
                let room = buf.initialize_unfilled_to(n_bytes.min(buf.remaining()));
                match stream.read(room) {
                    Ok(n_bytes) => {
                        buf.advance(n_bytes);
                        self.n_vain = 0;
                        return Poll::Ready(Ok(()));
                    }
                    Err(err) if err.kind() == io::ErrorKind::WouldBlock => self.n_vain += 1,
                    Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
                    Err(err) => return Poll::Ready(Err(err)),
                }
            }
            self.begin();
        }
    }
}

fn gone<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Clocked(stream, nap) => nap.poll_read(stream, cx, buf),
            Self::Gone => gone(),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Clocked(stream, _) => match stream.write(buf) {
                // While rows flow only TLS itself has something to say, and little: it always fits.
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                result => Poll::Ready(result),
            },
            Self::Gone => gone(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Clocked(..) => Poll::Ready(Ok(())),
            Self::Gone => gone(),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Clocked(stream, _) => Poll::Ready(stream.shutdown(net::Shutdown::Write)),
            Self::Gone => gone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (Line, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        (Line::Tcp(client.unwrap()), accepted.unwrap().0)
    }

    #[tokio::test]
    async fn every_byte_arrives_however_the_line_is_read() {
        let (mut line, mut server) = pair().await;
        let sent: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
        let expected = sent.clone();
        let writer = tokio::spawn(async move {
            for piece in sent.chunks(8191) {
                server.write_all(piece).await.unwrap();
            }
        });
        let mut seen = Vec::new();
        for by_clock in [true, false].into_iter().cycle() {
            line.read_by_clock(by_clock).unwrap();
            let mut part = (&mut line).take(100_003);
            if part.read_to_end(&mut seen).await.unwrap() == 0 {
                break;
            }
        }
        writer.await.unwrap();
        assert!(seen == expected);
    }

    #[tokio::test]
    async fn a_line_read_by_the_clock_notices_its_end_and_its_reset() {
        let (mut line, server) = pair().await;
        line.read_by_clock(true).unwrap();
        drop(server);
        assert_eq!(line.read(&mut [0; 10]).await.unwrap(), 0);

        let (mut line, server) = pair().await;
        line.read_by_clock(true).unwrap();
        server.set_zero_linger().unwrap();
        drop(server);
        let err = line.read(&mut [0; 10]).await.unwrap_err();
        assert_eq!(err.kind(), io::ErrorKind::ConnectionReset);
    }
}

//! The byte stream under a database session: TCP or a Unix socket, plain or in TLS.

mod line;
mod patience;

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use crate::error::{Error, Kind};
use crate::tls;

pub use line::Line;
pub use patience::with_patience;

/// A server that vanished without a word is noticed after a minute, not after the system's two hours.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(30))
    .with_interval(Duration::from_secs(10))
    .with_retries(3);

/// A connected stream.
pub enum Socket {
    Plain(Line),
    Tls(Box<TlsStream<Line>>),
}

impl Socket {
    /// Whether to look for bytes now and then, while rows flow, instead of being told of each.
    pub fn read_by_clock(&mut self, by_clock: bool) -> io::Result<()> {
        match self {
            Self::Plain(line) => line.read_by_clock(by_clock),
            Self::Tls(stream) => stream.get_mut().0.read_by_clock(by_clock),
        }
    }
}

/// Connects over TCP, without delay and with keepalive.
pub async fn connect_tcp(host: &str, port: u16) -> io::Result<Line> {
    let stream = TcpStream::connect((host, port)).await?;
    // A failure to set an option costs speed or patience, not correctness.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE);
    Ok(Line::Tcp(stream))
}

/// Connects to a Unix socket.
pub async fn connect_unix(path: impl AsRef<Path>) -> io::Result<Line> {
    Ok(Line::Unix(UnixStream::connect(path).await?))
}

/// The end of a connection that was not to end yet; `address` is the server's.
///
/// In TLS 1.3 a server may refuse a client's certificate only after the handshake: that is no accident of the line.
pub fn lost(address: &str, err: io::Error) -> Error {
    if tls::refused_certificate(&err) {
        let what = format!("TLS with {address}; check DB_TLS_CERT_FILE and DB_TLS_KEY_FILE");
        return Error::new(Kind::Denied, what).because(err);
    }
    let what = match err.kind() {
        io::ErrorKind::UnexpectedEof => format!("{address} closed the connection"),
        _ => format!("connection to {address} lost"),
    };
    Error::new(Kind::Unreachable, what).because(err)
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(line) => Pin::new(line).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(line) => Pin::new(line).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(line) => Pin::new(line).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(line) => Pin::new(line).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

//! The byte stream under a session: TCP or a Unix socket, with TLS as `DB_TLS_MODE` says.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use runner_core::engine::TlsMode;
use runner_core::error::{Error, Kind, Result};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use super::Endpoint;
use super::line::Line;
use super::tls;

/// A server that vanished without a word is noticed after a minute, not after the system's two hours.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(30))
    .with_interval(Duration::from_secs(10))
    .with_retries(3);

/// What SCRAM may bind the login to: the server certificate's hash, when there is TLS.
pub(super) type Binding = Option<Vec<u8>>;

/// A connected stream.
pub(super) enum Socket {
    Plain(Line),
    Tls(Box<TlsStream<Line>>),
}

impl Socket {
    /// Whether to look for bytes now and then, while rows flow, instead of being told of each.
    pub(super) fn read_by_clock(&mut self, by_clock: bool) -> io::Result<()> {
        match self {
            Self::Plain(line) => line.read_by_clock(by_clock),
            Self::Tls(stream) => stream.get_mut().0.read_by_clock(by_clock),
        }
    }
}

/// Connects, and negotiates TLS where it is wanted.
pub(super) async fn connect(endpoint: &Endpoint) -> Result<(Socket, Binding)> {
    if endpoint.host.starts_with('/') {
        let stream = UnixStream::connect(endpoint.address())
            .await
            .map_err(|err| unreachable(endpoint, err))?;
        return Ok((Socket::Plain(Line::Unix(stream)), None));
    }
    let mut stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port))
        .await
        .map_err(|err| unreachable(endpoint, err))?;
    // A failure to set an option costs speed or patience, not correctness.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE);
    let mode = endpoint.tls.mode;
    if mode == TlsMode::Disable {
        return Ok((Socket::Plain(Line::Tcp(stream)), None));
    }
    if !offers_tls(&mut stream)
        .await
        .map_err(|err| unreachable(endpoint, err))?
    {
        if mode == TlsMode::Prefer {
            return Ok((Socket::Plain(Line::Tcp(stream)), None));
        }
        return Err(Error::new(
            Kind::Denied,
            format!(
                "{} does not speak TLS and DB_TLS_MODE insists on it; turn on ssl in the server or set DB_TLS_MODE=disable",
                endpoint.address()
            ),
        ));
    }
    let (stream, binding) = tls::handshake(endpoint, Line::Tcp(stream)).await?;
    Ok((Socket::Tls(Box::new(stream)), binding))
}

async fn offers_tls(stream: &mut TcpStream) -> io::Result<bool> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    stream.write_all(&request).await?;
    Ok(stream.read_u8().await? == b'S')
}

fn unreachable(endpoint: &Endpoint, err: io::Error) -> Error {
    Error::new(
        Kind::Unreachable,
        format!("cannot connect to PostgreSQL on {}", endpoint.address()),
    )
    .because(err)
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

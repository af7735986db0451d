//! A connection to Redis or Valkey: commands out, replies in, pipelined; see <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

mod connect;
mod refusal;
mod reply;
mod sentinel;
mod snapshot;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use runner_core::engine::{Tls, TlsMode};
use runner_core::error::{Error, Kind, Result};
use runner_core::secret::Secret;
use runner_core::socket::{Socket, lost, with_patience};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) use refusal::is_forbidden;
pub(crate) use reply::Reply;
pub(crate) use sentinel::Sentinel;

/// Enough for several blocks of a fast server.
const READ_BYTES: usize = 256 * 1024;

/// Where a server is and who asks.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// A host name, an address, or the path of a Unix socket or of its directory.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) tls: Tls,
    /// Set once the port turned out to speak no TLS where that is merely preferred.
    pub(crate) without_tls: Arc<AtomicBool>,
    /// Shown in `CLIENT LIST`.
    pub(crate) client_name: String,
    /// For one attempt.
    pub(crate) attempt_timeout: Duration,
}

impl Endpoint {
    /// `host:port`, or the socket's path.
    pub(crate) fn address(&self) -> String {
        if self.host.starts_with('/') {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Without a login, for tests.
    #[cfg(test)]
    pub(crate) fn of(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
            user: None,
            password: None,
            tls: Tls::default(),
            without_tls: Arc::default(),
            client_name: "planb".to_owned(),
            attempt_timeout: Duration::from_secs(1),
        }
    }

    /// Connects, trying again until `patience` is over while the server is away or still loads its data.
    pub(crate) async fn connect(&self, patience: Duration) -> Result<Connection> {
        with_patience(patience, || Connection::open(self)).await
    }
}

/// One session.
pub(crate) struct Connection {
    socket: Socket,
    buf: BytesMut,
    address: String,
}

impl Connection {
    /// Connects and logs in, once.
    async fn open(endpoint: &Endpoint) -> Result<Self> {
        match tokio::time::timeout(endpoint.attempt_timeout, connect::open(endpoint)).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(
                Kind::Unreachable,
                format!(
                    "{} did not answer within {} s{}",
                    endpoint.address(),
                    endpoint.attempt_timeout.as_secs(),
                    match endpoint.tls.mode {
                        TlsMode::Disable | TlsMode::Prefer => "",
                        // It takes the greeting for a command, and waits for the rest of it.
                        _ => "; does this port speak TLS, as DB_TLS_MODE insists?",
                    }
                ),
            )),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Runs one command; an error that the server answers with is an `Err`.
    pub(crate) async fn call(&mut self, words: &[&[u8]]) -> Result<Reply> {
        let reply = self.ask(words).await?;
        self.good(reply, words)
    }

    /// Runs one command; an error that the server answers with is a [`Reply::Error`].
    pub(crate) async fn ask(&mut self, words: &[&[u8]]) -> Result<Reply> {
        let mut message = BytesMut::new();
        command(&mut message, words);
        self.send(&message).await?;
        self.reply().await
    }

    /// The reply to a command, unless it is a refusal.
    pub(crate) fn good(&self, reply: Reply, words: &[&[u8]]) -> Result<Reply> {
        match reply {
            Reply::Error(text) => Err(self.refusal(&text, words)),
            reply => Ok(reply),
        }
    }

    /// What an error that the server answered with means.
    pub(crate) fn refusal(&self, text: &str, words: &[&[u8]]) -> Error {
        refusal::error(&self.address, text, words)
    }

    /// Sends commands as they are.
    pub(crate) async fn send(&mut self, message: &[u8]) -> Result<()> {
        let sent = self.socket.write_all(message).await;
        sent.map_err(|err| self.lost(err))?;
        let flushed = self.socket.flush().await;
        flushed.map_err(|err| self.lost(err))
    }

    /// The next reply.
    pub(crate) async fn reply(&mut self) -> Result<Reply> {
        loop {
            match reply::parse(&mut self.buf) {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => self.fill().await?,
                Err(reply::NotAReply(line)) => return Err(self.not_redis(&line)),
            }
        }
    }

    /// Reads what the socket has.
    async fn fill(&mut self) -> Result<()> {
        let wanted = reply::missing(&self.buf).clamp(READ_BYTES / 4, 64 * READ_BYTES);
        if self.buf.capacity() - self.buf.len() < wanted {
            self.buf.reserve(wanted.max(READ_BYTES));
        }
        match self.socket.read_buf(&mut self.buf).await {
            Ok(0) => Err(self.lost(std::io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(err) => Err(self.lost(err)),
        }
    }

    /// Whether to look for bytes by the clock, which suits a long stream.
    pub(crate) fn read_by_clock(&mut self, by_clock: bool) -> Result<()> {
        let switched = self.socket.read_by_clock(by_clock);
        switched.map_err(|err| self.lost(err))
    }

    pub(crate) fn lost(&self, err: std::io::Error) -> Error {
        lost(&self.address, err)
    }

    fn not_redis(&self, line: &str) -> Error {
        Error::new(
            Kind::Unfit,
            format!(
                "{} does not speak Redis' protocol: it said {line:?}; check DB_HOST and DB_PORT",
                self.address
            ),
        )
    }
}

/// Appends one command to a message.
pub(crate) fn command(message: &mut BytesMut, words: &[&[u8]]) {
    head(message, b'*', words.len());
    for it in words {
        word(message, it);
    }
}

/// Appends one word of a command.
pub(crate) fn word(message: &mut BytesMut, word: &[u8]) {
    head(message, b'$', word.len());
    message.extend_from_slice(word);
    message.extend_from_slice(b"\r\n");
}

/// The first words of one of the commands that a message consists of.
pub(crate) fn nth_command(parts: &[Bytes], n: u64) -> Vec<Bytes> {
    let mut whole = BytesMut::new();
    parts.iter().for_each(|part| whole.extend_from_slice(part));
    let mut words = Vec::new();
    for _ in 0..=n {
        let Ok(Some(command)) = reply::parse(&mut whole) else {
            return Vec::new();
        };
        words = command.items();
    }
    words.truncate(2);
    words.into_iter().filter_map(Reply::bulk).collect()
}

/// Appends the line that says how many words or bytes follow.
pub(crate) fn head(message: &mut BytesMut, sign: u8, n: usize) {
    // Written by hand: a restore does this several times for each key.
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = n;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    message.extend_from_slice(&[sign]);
    message.extend_from_slice(&digits[at..]);
    message.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_says_its_lengths() {
        let mut message = BytesMut::new();
        command(&mut message, &[b"SET", b"", b"a\r\nbcdefghi"]);
        let parts = [message.clone().freeze(), message.clone().freeze()];
        assert_eq!(nth_command(&parts, 1), ["SET", ""]);
        assert_eq!(
            &message[..],
            b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$11\r\na\r\nbcdefghi\r\n"
        );
    }
}

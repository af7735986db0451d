//! A connection to MySQL or MariaDB: statements, rows at the speed of the socket, `LOAD DATA LOCAL`.
//!
//! A general driver makes a value of each field. Here the packets of a result set are walked in place in a large buffer
//! and written as the tab-separated lines that `LOAD DATA` reads, hashed as they pass. The protocol:
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html>.

mod auth;
mod connect;
mod load;
mod packet;
mod rows;
mod rsa;
#[cfg(test)]
pub(crate) mod scripted;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use runner_core::engine::Tls;
use runner_core::error::{Error, Kind, Result};
use runner_core::secret::Secret;
use runner_core::socket::{Socket, lost};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) use load::Loaded;
use packet::{HEAD_BYTES, MAX_PAYLOAD_BYTES, Reply};
pub(crate) use packet::{Row, has_code};
pub(crate) use rows::RowsOut;

/// Enough for several blocks of a fast server; the buffer does not grow past one read beyond it.
const READ_BYTES: usize = 256 * 1024;
const COM_QUIT: u8 = 0x01;
const COM_QUERY: u8 = 0x03;
const MORE_RESULTS: u16 = 0x0008;

/// Where a server is and who asks.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// A host name, an address, or the path of a Unix socket or of its directory.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Option<Secret>,
    pub(crate) tls: Tls,
    /// Set once no TLS could be agreed on where it is merely preferred.
    pub(crate) without_tls: Arc<AtomicBool>,
    /// Shown in `performance_schema.session_connect_attrs`.
    pub(crate) program_name: String,
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
}

/// What a statement gave.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Names of the columns of `rows`.
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Row>,
    /// Rows changed.
    pub(crate) affected: u64,
    pub(crate) warnings: u16,
}

impl Answer {
    /// The first row's value in the column of that name.
    pub(crate) fn named(&self, name: &str) -> Option<String> {
        self.named_bytes(name)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    pub(crate) fn named_bytes(&self, name: &str) -> Option<&[u8]> {
        let at = self.columns.iter().position(|column| column == name)?;
        self.rows.first()?.bytes(at)
    }
}

/// One session.
pub(crate) struct Connection {
    socket: Socket,
    buf: BytesMut,
    /// The number of the next packet in either direction.
    sequence: u8,
    address: String,
    /// The server's number for this session.
    pub(crate) id: u32,
    /// Set while a statement runs: a connection dropped or failed midway is not used again.
    busy: bool,
}

impl Connection {
    /// Connects and logs in, once.
    pub(crate) async fn open(endpoint: &Endpoint) -> Result<Self> {
        match tokio::time::timeout(endpoint.attempt_timeout, connect::open(endpoint)).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(
                Kind::Unreachable,
                format!(
                    "{} did not answer within {} s",
                    endpoint.address(),
                    endpoint.attempt_timeout.as_secs()
                ),
            )),
        }
    }

    /// Whether the connection is between statements and may be used again.
    pub(crate) fn is_idle(&self) -> bool {
        !self.busy
    }

    /// Runs one statement and gives its rows, of the last result set if there are several.
    pub(crate) async fn query(&mut self, sql: impl AsRef<[u8]>) -> Result<Answer> {
        self.send_query(sql.as_ref()).await?;
        let mut answer = Answer::default();
        loop {
            let packet = self.packet().await?;
            let status = match Reply::of(&packet)? {
                Reply::Ok(ok) => {
                    answer.affected += ok.affected;
                    answer.warnings = ok.warnings;
                    ok.status
                }
                Reply::Columns(n) => {
                    answer.rows.clear();
                    answer.columns = self.columns(n).await?.into_iter().map(|it| it.0).collect();
                    let (status, warnings) = self.rows(&mut answer.rows, n).await?;
                    answer.warnings = warnings;
                    status
                }
                Reply::Infile => return Err(protocol_bug("LOAD DATA LOCAL where none was meant")),
                Reply::Error(error) => {
                    self.busy = false;
                    return Err(error);
                }
            };
            if status & MORE_RESULTS == 0 {
                self.busy = false;
                return Ok(answer);
            }
        }
    }

    /// The first value of the first row.
    pub(crate) async fn query_one(&mut self, sql: impl AsRef<[u8]>) -> Result<Option<String>> {
        let answer = self.query(sql).await?;
        Ok(answer.rows.first().and_then(|row| row.opt(0)))
    }

    /// Runs one statement for its effect.
    pub(crate) async fn execute(&mut self, sql: impl AsRef<[u8]>) -> Result<()> {
        self.query(sql).await.map(drop)
    }

    /// Says goodbye; a connection that is merely dropped counts as aborted on the server.
    pub(crate) async fn close(mut self) {
        self.sequence = 0;
        // The server ends the session either way.
        let _ = self.send(&[COM_QUIT]).await;
        let _ = self.socket.shutdown().await;
    }

    async fn send_query(&mut self, sql: &[u8]) -> Result<()> {
        if self.busy {
            return Err(protocol_bug("a statement on a busy connection"));
        }
        self.busy = true;
        self.sequence = 0;
        let mut payload = Vec::with_capacity(sql.len() + 1);
        payload.push(COM_QUERY);
        payload.extend_from_slice(sql);
        self.send(&payload).await
    }

    /// Names of columns, and whether their values can need no escapes.
    async fn columns(&mut self, n: usize) -> Result<Vec<(String, bool)>> {
        let mut columns = Vec::with_capacity(n.min(4096));
        for _ in 0..n {
            columns.push(packet::column(&self.packet().await?)?);
        }
        match packet::end_of_rows(&self.packet().await?) {
            Some(_) => Ok(columns),
            None => Err(protocol_bug("no end after the columns")),
        }
    }

    async fn rows(&mut self, rows: &mut Vec<Row>, n_columns: usize) -> Result<(u16, u16)> {
        loop {
            let packet = self.packet().await?;
            if let Some(end) = packet::end_of_rows(&packet) {
                return Ok(end);
            }
            if packet.first() == Some(&0xff) {
                self.busy = false;
                return Err(packet::server_error(&packet));
            }
            rows.push(Row::parse(&packet, n_columns)?);
        }
    }

    /// Sends one message, cut into packets as it must be.
    async fn send(&mut self, payload: &[u8]) -> Result<()> {
        let mut rest = payload;
        loop {
            let (part, next) = rest.split_at(rest.len().min(MAX_PAYLOAD_BYTES));
            let head = self.head(part.len());
            let mut message = Buf::chain(&head[..], part);
            let sent = self.socket.write_all_buf(&mut message).await;
            sent.map_err(|err| self.lost(err))?;
            rest = next;
            // A full packet is followed by another, if only by an empty one.
            if part.len() < MAX_PAYLOAD_BYTES {
                break;
            }
        }
        let flushed = self.socket.flush().await;
        flushed.map_err(|err| self.lost(err))
    }

    fn head(&mut self, n_bytes: usize) -> [u8; HEAD_BYTES] {
        let head = (n_bytes as u32) | u32::from(self.sequence) << 24;
        self.sequence = self.sequence.wrapping_add(1);
        head.to_le_bytes()
    }

    /// The next message, whole.
    async fn packet(&mut self) -> Result<Bytes> {
        let mut whole: Option<BytesMut> = None;
        loop {
            while self.buf.len() < HEAD_BYTES {
                self.fill().await?;
            }
            let (n_bytes, sequence) = packet::head(&self.buf);
            self.buf.advance(HEAD_BYTES);
            self.sequence = sequence.wrapping_add(1);
            while self.buf.len() < n_bytes {
                self.fill().await?;
            }
            let part = self.buf.split_to(n_bytes);
            let message = match whole.take() {
                None => part,
                Some(mut message) => {
                    message.unsplit(part);
                    message
                }
            };
            if n_bytes < MAX_PAYLOAD_BYTES {
                return Ok(message.freeze());
            }
            whole = Some(message);
        }
    }

    /// Reads what the socket has.
    async fn fill(&mut self) -> Result<()> {
        if self.buf.capacity() - self.buf.len() < READ_BYTES / 4 {
            self.buf.reserve(READ_BYTES);
        }
        match self.socket.read_buf(&mut self.buf).await {
            Ok(0) => Err(self.lost(std::io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(err) => Err(self.lost(err)),
        }
    }

    fn read_by_clock(&mut self, by_clock: bool) -> Result<()> {
        let switched = self.socket.read_by_clock(by_clock);
        switched.map_err(|err| self.lost(err))
    }

    fn lost(&self, err: std::io::Error) -> Error {
        lost(&self.address, err)
    }
}

fn protocol_bug(what: &str) -> Error {
    Error::new(Kind::Bug, format!("MySQL protocol: {what}"))
}

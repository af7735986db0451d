//! A connection to PostgreSQL: simple queries, and COPY at the speed of the socket.
//!
//! Rows leave the server one protocol message each. A general driver hands them over one by one; here they
//! are walked in place in a large buffer, hashed, and passed on in blocks, which is what makes one core
//! enough for a server that sends on another. Messages and authentication are `postgres-protocol`'s.

mod auth;
mod copy;
mod socket;

use std::time::Duration;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::{CommandCompleteBody, DataRowBody, ErrorFields, Message};
use postgres_protocol::message::frontend;
use runner_core::engine::Tls;
use runner_core::error::{Error, Kind, Result};
use runner_core::secret::Secret;
use runner_core::socket::{Socket, lost};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) use copy::{CopyFormat, CopyOut};

/// Enough for several blocks of a fast server; the buffer does not grow past one read beyond it.
const READ_BYTES: usize = 256 * 1024;

/// Where a server is and who asks.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// A host name, an address, or the directory of a Unix socket.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Option<Secret>,
    pub(crate) tls: Tls,
    /// Shown in `pg_stat_activity`.
    pub(crate) application_name: String,
    /// For one attempt.
    pub(crate) attempt_timeout: Duration,
}

impl Endpoint {
    /// `host:port`, or the socket's path.
    pub(crate) fn address(&self) -> String {
        if self.host.starts_with('/') {
            format!("{}/.s.PGSQL.{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// One session.
pub(crate) struct Connection {
    socket: Socket,
    buf: BytesMut,
    out: BytesMut,
    address: String,
    /// Set while a statement runs: a connection dropped or failed midway is not used again.
    busy: bool,
}

/// One row of text values.
pub(crate) type Row = Vec<Option<String>>;

impl Connection {
    /// Connects and logs in, once.
    pub(crate) async fn open(endpoint: &Endpoint, database: &str) -> Result<Self> {
        let attempt = async {
            let (socket, binding) = socket::connect(endpoint).await?;
            let mut connection = Self {
                socket,
                buf: BytesMut::with_capacity(READ_BYTES),
                out: BytesMut::new(),
                address: endpoint.address(),
                busy: true,
            };
            auth::log_in(&mut connection, endpoint, database, binding).await?;
            Ok(connection)
        };
        match tokio::time::timeout(endpoint.attempt_timeout, attempt).await {
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

    /// Runs statements and gives the rows of the last one that has any.
    pub(crate) async fn query(&mut self, sql: &str) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        self.start(sql).await?;
        loop {
            match self.message().await? {
                Message::RowDescription(_) => rows.clear(),
                Message::DataRow(body) => rows.push(text_row(&body)?),
                Message::ReadyForQuery(_) => break,
                Message::CopyInResponse(_) | Message::CopyOutResponse(_) => {
                    return Err(protocol_bug("COPY in a plain query"));
                }
                _ => {}
            }
        }
        self.busy = false;
        Ok(rows)
    }

    /// The first value of the first row.
    pub(crate) async fn query_one(&mut self, sql: &str) -> Result<Option<String>> {
        let rows = self.query(sql).await?;
        Ok(rows
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next())
            .flatten())
    }

    /// Runs statements for their effect.
    pub(crate) async fn execute(&mut self, sql: &str) -> Result<()> {
        self.query(sql).await.map(drop)
    }

    /// Says goodbye; a connection that is merely dropped makes the server log an error.
    pub(crate) async fn close(mut self) {
        let mut bye = BytesMut::new();
        frontend::terminate(&mut bye);
        // The server ends the session either way.
        let _ = self.socket.write_all(&bye).await;
        let _ = self.socket.shutdown().await;
    }

    async fn start(&mut self, sql: &str) -> Result<()> {
        if self.busy {
            return Err(protocol_bug("a statement on a busy connection"));
        }
        self.busy = true;
        frontend::query(sql, &mut self.out)
            .map_err(|err| Error::new(Kind::Bug, "a statement holds a NUL byte").because(err))?;
        self.flush().await
    }

    async fn flush(&mut self) -> Result<()> {
        let sent = async {
            self.socket.write_all_buf(&mut self.out).await?;
            self.socket.flush().await
        };
        let sent = sent.await;
        sent.map_err(|err| self.lost(err))
    }

    /// The next message that is not an announcement; an `ErrorResponse` is an `Err`, after which the
    /// connection is brought back to idle where that is possible.
    async fn message(&mut self) -> Result<Message> {
        loop {
            match self.raw_message().await? {
                Message::ErrorResponse(body) => {
                    let error = server_error(body.fields());
                    self.recover().await;
                    return Err(error);
                }
                Message::NoticeResponse(body) => log_notice(body.fields()),
                Message::ParameterStatus(_) | Message::NotificationResponse(_) => {}
                message => return Ok(message),
            }
        }
    }

    /// After an error, reads up to the server's "ready".
    async fn recover(&mut self) {
        let patience = Duration::from_secs(10);
        let drained = tokio::time::timeout(patience, async {
            loop {
                match self.raw_message().await {
                    Ok(Message::ReadyForQuery(_)) => return true,
                    Ok(_) => {}
                    Err(_) => return false, // FATAL: the server has closed
                }
            }
        });
        if matches!(drained.await, Ok(true)) && self.read_by_clock(false).is_ok() {
            self.busy = false;
        }
    }

    async fn raw_message(&mut self) -> Result<Message> {
        loop {
            let parsed = Message::parse(&mut self.buf).map_err(|err| {
                Error::new(Kind::Unreachable, format!("{} sent nonsense", self.address))
                    .because(err)
            })?;
            if let Some(message) = parsed {
                return Ok(message);
            }
            self.fill().await?;
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

fn text_row(body: &DataRowBody) -> Result<Row> {
    let mut ranges = body.ranges();
    let mut row = Row::new();
    loop {
        match ranges.next() {
            Ok(Some(Some(range))) => {
                let value = body.buffer().get(range).unwrap_or_default();
                row.push(Some(String::from_utf8_lossy(value).into_owned()));
            }
            Ok(Some(None)) => row.push(None),
            Ok(None) => return Ok(row),
            Err(err) => return Err(protocol_bug("a malformed row").because(err)),
        }
    }
}

fn protocol_bug(what: &str) -> Error {
    Error::new(Kind::Bug, format!("PostgreSQL protocol: {what}"))
}

/// The number of rows in a tag such as `COPY 42`.
fn rows_of(body: &CommandCompleteBody) -> u64 {
    let tag = body.tag().unwrap_or_default();
    tag.rsplit(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}

fn log_notice(fields: ErrorFields<'_>) {
    let (_, message) = code_and_message(fields);
    tracing::debug!(notice = message, "the server says");
}

fn code_and_message(mut fields: ErrorFields<'_>) -> (String, String) {
    let (mut code, mut message, mut extra) = (String::new(), String::new(), String::new());
    while let Ok(Some(field)) = fields.next() {
        let value = String::from_utf8_lossy(field.value_bytes());
        match field.type_() {
            b'C' => code = value.into_owned(),
            b'M' => message = value.into_owned(),
            b'D' | b'H' => {
                extra.push_str("; ");
                extra.push_str(&value);
            }
            _ => {}
        }
    }
    message.push_str(&extra);
    (code, message)
}

/// A server's refusal as ours: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn server_error(fields: ErrorFields<'_>) -> Error {
    let (code, message) = code_and_message(fields);
    Error::new(kind_of(&code), format!("{message} (SQLSTATE {code})"))
}

fn kind_of(code: &str) -> Kind {
    match code {
        "42501" => Kind::Denied,
        "3D000" => Kind::NotFound,
        // Conflict with recovery on a standby, lock timeout, cancelled or terminated by an administrator.
        "40001" | "55P03" | "57014" => Kind::Unreachable,
        _ if code.starts_with("28") => Kind::Denied,
        _ if code.starts_with("08") || code.starts_with("57P") || code.starts_with("53300") => {
            Kind::Unreachable
        }
        _ => Kind::Unfit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstates_become_kinds_by_who_acts() {
        assert_eq!(kind_of("28P01"), Kind::Denied);
        assert_eq!(kind_of("42501"), Kind::Denied);
        assert_eq!(kind_of("3D000"), Kind::NotFound);
        assert_eq!(kind_of("57P01"), Kind::Unreachable);
        assert_eq!(kind_of("40001"), Kind::Unreachable);
        assert_eq!(kind_of("23505"), Kind::Unfit);
    }
}

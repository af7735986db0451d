//! COPY: rows out in large blocks, hashed as they pass; blocks in.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures::{FutureExt, StreamExt};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use runner_core::error::{Error, Kind, Result};
use runner_core::fingerprint::{LongRow, Tally};
use runner_core::stream::{BLOCK_BYTES, ByteStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Connection, protocol_bug, rows_of};

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CopyFormat {
    Binary,
    Text,
}

impl CopyFormat {
    /// As in `COPY … WITH (FORMAT …)` and in a manifest.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Text => "text",
        }
    }
}

/// Signature, flags and the extension area's length:
/// <https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4>.
const BINARY_HEADER_BYTES: usize = 11 + 4 + 4;
/// Stands where a row's field count would, at the end of a binary copy.
const BINARY_TRAILER: [u8; 2] = [0xff, 0xff];
/// A message's tag and length.
const HEAD_BYTES: usize = 5;
/// Rows up to this length are hashed whole from the buffer; longer ones as they arrive, so that even the
/// longest row costs no more memory than this.
const WHOLE_ROW_BYTES: usize = READ_AHEAD - HEAD_BYTES;
const READ_AHEAD: usize = 128 * 1024;

/// A running `COPY … TO STDOUT`.
pub(crate) struct CopyOut {
    connection: Connection,
    out: BytesMut,
    tally: Tally,
    walk: Walk,
    rows: Option<u64>,
}

/// Where in the stream of messages the reader stands.
struct Walk {
    format: CopyFormat,
    /// Bytes of a binary copy's header that are still to pass.
    header_bytes: usize,
    long: Option<Long>,
}

/// The rest of a message too long to hold.
struct Long {
    left: usize,
    row: LongRow,
}

impl CopyOut {
    /// Starts the statement on a connection of its own for the time.
    pub(crate) async fn start(
        mut connection: Connection,
        sql: &str,
        format: CopyFormat,
    ) -> Result<Self> {
        connection.start(sql).await?;
        loop {
            match connection.message().await? {
                Message::CopyOutResponse(_) => break,
                Message::CommandComplete(_) => {} // of a SET in front
                _ => return Err(protocol_bug("no COPY OUT where one was asked for")),
            }
        }
        let header_bytes = match format {
            CopyFormat::Binary => BINARY_HEADER_BYTES,
            CopyFormat::Text => 0,
        };
        Ok(Self {
            connection,
            out: BytesMut::with_capacity(BLOCK_BYTES + READ_AHEAD),
            tally: Tally::default(),
            walk: Walk {
                format,
                header_bytes,
                long: None,
            },
            rows: None,
        })
    }

    /// The next block of about `BLOCK_BYTES`; `None` once the server has said that all rows were sent.
    pub(crate) async fn next_block(&mut self) -> Result<Option<Bytes>> {
        while self.rows.is_none() {
            self.walk
                .take(&mut self.connection.buf, &mut self.out, &mut self.tally);
            if self.out.len() >= BLOCK_BYTES {
                break;
            }
            if self.walk.at_other_message(&self.connection.buf) {
                self.other_message().await?;
            } else {
                self.connection.fill().await?;
            }
        }
        if self.out.is_empty() {
            return Ok(None);
        }
        // A copy that fills a block is a long one.
        if self.rows.is_none() {
            self.connection.read_by_clock(true)?;
        }
        let block = self.out.split().freeze();
        self.out.reserve(BLOCK_BYTES + READ_AHEAD);
        Ok(Some(block))
    }

    /// Rows seen so far.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// After the last block: the connection, and what was sent, checked against the server's own count.
    pub(crate) fn finish(self) -> Result<(Connection, Tally)> {
        match self.rows {
            Some(rows) if rows == self.tally.rows => Ok((self.connection, self.tally)),
            Some(rows) => Err(Error::new(
                Kind::Bug,
                format!(
                    "the server counted {rows} rows where {} were read",
                    self.tally.rows
                ),
            )),
            None => Err(protocol_bug("COPY OUT finished before its end")),
        }
    }

    async fn other_message(&mut self) -> Result<()> {
        match self.connection.message().await? {
            Message::CopyDone => Ok(()),
            Message::CommandComplete(body) => {
                let rows = rows_of(&body);
                while !matches!(self.connection.message().await?, Message::ReadyForQuery(_)) {}
                self.connection.read_by_clock(false)?;
                self.connection.busy = false;
                self.rows = Some(rows);
                Ok(())
            }
            _ => Err(protocol_bug("an unexpected message in COPY OUT")),
        }
    }
}

impl Walk {
    /// Moves the payloads of the copy messages at the front of `buf` to `out`, tallying rows, until a block
    /// is full or the buffer holds no more of them.
    fn take(&mut self, buf: &mut BytesMut, out: &mut BytesMut, tally: &mut Tally) {
        while out.len() < BLOCK_BYTES {
            if self.long.is_some() {
                if buf.is_empty() {
                    return;
                }
                self.take_long(buf, out, tally);
                continue;
            }
            let Some(n_bytes) = copy_data_bytes(buf) else {
                return;
            };
            if n_bytes > WHOLE_ROW_BYTES {
                buf.advance(HEAD_BYTES);
                self.long = Some(Long {
                    left: n_bytes,
                    row: LongRow::default(),
                });
                continue;
            }
            let Some(payload) = buf.get(HEAD_BYTES..HEAD_BYTES + n_bytes) else {
                return;
            };
            out.put_slice(payload);
            let row = payload.get(self.header_bytes..).unwrap_or_default();
            self.header_bytes = self.header_bytes.saturating_sub(n_bytes);
            if self.format == CopyFormat::Text
                || row.len() > 2
                || (row.len() == 2 && row != BINARY_TRAILER)
            {
                tally.add_row(row);
            }
            buf.advance(HEAD_BYTES + n_bytes);
        }
    }

    fn take_long(&mut self, buf: &mut BytesMut, out: &mut BytesMut, tally: &mut Tally) {
        let Some(long) = &mut self.long else { return };
        let n_bytes = long.left.min(buf.len()).min(READ_AHEAD);
        let part = buf.get(..n_bytes).unwrap_or_default();
        out.put_slice(part);
        let header = self.header_bytes.min(n_bytes);
        long.row.update(part.get(header..).unwrap_or_default());
        self.header_bytes -= header;
        long.left -= n_bytes;
        buf.advance(n_bytes);
        if long.left == 0
            && let Some(long) = self.long.take()
        {
            tally.add_long_row(long.row);
        }
    }

    /// Whether a message other than copy data stands at the front.
    fn at_other_message(&self, buf: &BytesMut) -> bool {
        self.long.is_none() && buf.first().is_some_and(|tag| *tag != b'd')
    }
}

/// The payload's length, when a copy message's head stands at the front of `buf`.
fn copy_data_bytes(buf: &BytesMut) -> Option<usize> {
    match buf.get(..HEAD_BYTES) {
        Some([b'd', a, b, c, d]) => (u32::from_be_bytes([*a, *b, *c, *d]) as usize).checked_sub(4),
        _ => None,
    }
}

impl Connection {
    /// Runs a `COPY … FROM STDIN` fed from `body` and gives the number of rows the server took. The copy is
    /// completed only at the body's good end; its `Err` makes the server discard everything.
    pub(crate) async fn copy_in(&mut self, sql: &str, mut body: ByteStream) -> Result<u64> {
        self.start(sql).await?;
        while !matches!(self.message().await?, Message::CopyInResponse(_)) {}
        while let Some(block) = body.next().await {
            match block {
                Ok(block) => self.send_block(block).await?,
                Err(err) => {
                    self.fail_copy(&err).await;
                    return Err(err);
                }
            }
        }
        frontend::copy_done(&mut self.out);
        self.flush().await?;
        let mut rows = 0;
        loop {
            match self.message().await? {
                Message::CommandComplete(body) => rows = rows_of(&body),
                Message::ReadyForQuery(_) => break,
                _ => {}
            }
        }
        self.busy = false;
        Ok(rows)
    }

    async fn send_block(&mut self, block: Bytes) -> Result<()> {
        // Without this look, a row refused at the start would be told only after the last byte was sent.
        if let Some(read) = self.socket.read_buf(&mut self.buf).now_or_never() {
            match read {
                Ok(0) => return Err(self.lost(std::io::ErrorKind::UnexpectedEof.into())),
                Ok(_) if self.buf.first() == Some(&b'E') => {
                    return match self.message().await {
                        Err(err) => Err(err),
                        Ok(_) => Err(protocol_bug("no error where one began")),
                    };
                }
                Ok(_) => {}
                Err(err) => return Err(self.lost(err)),
            }
        }
        let too_long = |_| protocol_bug("a block too long for one message");
        let n_bytes = u32::try_from(block.len() + 4).map_err(too_long)?;
        self.out.put_u8(b'd');
        self.out.put_u32(n_bytes);
        self.flush_with(block).await
    }

    async fn flush_with(&mut self, mut block: Bytes) -> Result<()> {
        let head = self.out.split().freeze();
        let mut message = head.chain(&mut block);
        let sent = self.socket.write_all_buf(&mut message).await;
        sent.map_err(|err| self.lost(err))
    }

    async fn fail_copy(&mut self, reason: &Error) {
        // The server repeats the reason in its log; it carries no secret. If it cannot be told, the
        // connection is closed unfinished, which has the same effect.
        let reason = reason.to_string().replace('\0', "");
        if frontend::copy_fail(&reason, &mut self.out).is_ok() && self.flush().await.is_ok() {
            let _ = self.message().await;
        }
    }
}

#[cfg(test)]
mod tests;

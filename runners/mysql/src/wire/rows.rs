//! A result set, walked in the socket's buffer and written as the lines that `LOAD DATA` reads, hashed as they pass.

mod escape;
mod provable;

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use runner_core::error::Result;
use runner_core::fingerprint::{LongRow, Tally};
use runner_core::stream::BLOCK_BYTES;

use super::packet::{HEAD_BYTES, MAX_PAYLOAD_BYTES, Reply, end_of_rows, head, server_error};
use super::{Connection, protocol_bug};
use escape::put;
use provable::Provable;

/// Rows up to this length are converted whole from the buffer; longer ones as they arrive, so that even the
/// longest row costs no more memory than this.
const WHOLE_ROW_BYTES: usize = READ_AHEAD - HEAD_BYTES;
const READ_AHEAD: usize = 128 * 1024;
/// What an escape can make of a part of a row.
const GROWTH: usize = 2;

/// A running `SELECT`.
pub(crate) struct RowsOut {
    connection: Connection,
    out: Vec<u8>,
    tally: Tally,
    walk: Walk,
    ended: bool,
}

/// Where in the stream of packets the reader stands.
struct Walk {
    /// For each column, whether its values need no escapes.
    plain: Vec<bool>,
    /// Where not all of a line can be proven: what can, and room for it.
    provable: Option<(Provable, Vec<u8>)>,
    long: Option<Long>,
    /// The number of the last packet.
    sequence: u8,
}

/// A row too long to hold, on its way.
#[derive(Default)]
struct Long {
    /// Bytes of the current packet that are still to come, and whether another follows it.
    left: usize,
    goes_on: bool,
    /// The column that is being read.
    column: usize,
    value: Value,
    row: LongRow,
}

/// Where in a value a long row stands.
#[derive(Clone, Copy)]
enum Value {
    /// In its length: bytes of it that were read, and how many.
    Length([u8; 9], usize),
    /// In its bytes: how many are left.
    Bytes(u64),
}

impl Default for Value {
    fn default() -> Self {
        Self::Length([0; 9], 0)
    }
}

impl RowsOut {
    /// Starts the statement on a connection of its own for the time; `json` says which columns are JSON.
    pub(crate) async fn start(
        mut connection: Connection,
        sql: &str,
        json: &Arc<[bool]>,
    ) -> Result<Self> {
        connection.send_query(sql.as_bytes()).await?;
        let n_columns = match Reply::of(&connection.packet().await?)? {
            Reply::Columns(n) => n,
            Reply::Error(err) => return Err(err),
            _ => return Err(protocol_bug("no rows where some were asked for")),
        };
        let columns = connection.columns(n_columns).await?;
        Ok(Self {
            connection,
            out: Vec::with_capacity(BLOCK_BYTES + GROWTH * READ_AHEAD),
            tally: Tally::default(),
            walk: Walk {
                plain: columns.into_iter().map(|(_, plain)| plain).collect(),
                provable: Provable::of(json).map(|provable| (provable, Vec::new())),
                long: None,
                sequence: 0,
            },
            ended: false,
        })
    }

    /// The next block of about `BLOCK_BYTES`; `None` once the server has said that all rows were sent.
    pub(crate) async fn next_block(&mut self) -> Result<Option<Bytes>> {
        while !self.ended {
            let buf = &mut self.connection.buf;
            self.ended = self.walk.take(buf, &mut self.out, &mut self.tally)?;
            if self.out.len() >= BLOCK_BYTES {
                break;
            }
            if !self.ended {
                self.connection.fill().await?;
            }
        }
        if self.ended {
            self.connection.read_by_clock(false)?;
            self.connection.busy = false;
        }
        if self.out.is_empty() {
            return Ok(None);
        }
        // Rows that fill a block are many.
        if !self.ended {
            self.connection.read_by_clock(true)?;
        }
        let room = Vec::with_capacity(BLOCK_BYTES + GROWTH * READ_AHEAD);
        Ok(Some(Bytes::from(std::mem::replace(&mut self.out, room))))
    }

    /// Rows seen so far.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// After the last block: runs a statement on the same session.
    pub(crate) async fn execute(&mut self, sql: &str) -> Result<()> {
        self.connection.execute(sql).await
    }

    /// After the last block: the connection, and what was sent.
    pub(crate) fn finish(self) -> Result<(Connection, Tally)> {
        match self.ended {
            true => Ok((self.connection, self.tally)),
            false => Err(protocol_bug("rows finished before their end")),
        }
    }
}

impl Walk {
    /// Writes the rows at the front of `buf` to `out` until a block is full or the buffer holds no more of them;
    /// whether the last has come.
    fn take(&mut self, buf: &mut BytesMut, out: &mut Vec<u8>, tally: &mut Tally) -> Result<bool> {
        while out.len() < BLOCK_BYTES {
            if self.long.is_some() {
                if !self.take_long(buf, out, tally)? {
                    return Ok(false);
                }
                continue;
            }
            if buf.len() < HEAD_BYTES {
                return Ok(false);
            }
            let (n_bytes, sequence) = head(buf);
            if n_bytes > WHOLE_ROW_BYTES {
                buf.advance(HEAD_BYTES);
                self.long = Some(Long {
                    left: n_bytes,
                    goes_on: n_bytes == MAX_PAYLOAD_BYTES,
                    ..Long::default()
                });
                continue;
            }
            let Some(payload) = buf.get(HEAD_BYTES..HEAD_BYTES + n_bytes) else {
                return Ok(false);
            };
            self.sequence = sequence;
            if end_of_rows(payload).is_some() {
                buf.advance(HEAD_BYTES + n_bytes);
                return Ok(true);
            }
            if payload.first() == Some(&0xff) {
                return Err(server_error(payload));
            }
            let start = out.len();
            line(payload, &self.plain, out)?;
            tally.add_row(provable(&mut self.provable, out, start));
            buf.advance(HEAD_BYTES + n_bytes);
        }
        Ok(false)
    }

    /// Takes what there is of a long row, up to a part's length; false when the buffer has to be filled first.
    fn take_long(
        &mut self,
        buf: &mut BytesMut,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Result<bool> {
        let Some(long) = &mut self.long else {
            return Ok(true);
        };
        if long.left == 0 && long.goes_on {
            if buf.len() < HEAD_BYTES {
                return Ok(false);
            }
            let (n_bytes, _) = head(buf);
            buf.advance(HEAD_BYTES);
            (long.left, long.goes_on) = (n_bytes, n_bytes == MAX_PAYLOAD_BYTES);
        }
        let n_bytes = long.left.min(buf.len()).min(READ_AHEAD);
        if n_bytes == 0 && long.left > 0 {
            return Ok(false);
        }
        let start = out.len();
        let part = buf.get(..n_bytes).unwrap_or_default();
        long.add(part, &self.plain, out)?;
        long.left -= n_bytes;
        buf.advance(n_bytes);
        let is_done = long.left == 0 && !long.goes_on;
        if is_done {
            out.push(b'\n');
        }
        long.row.update(provable(&mut self.provable, out, start));
        if is_done && let Some(long) = self.long.take() {
            if long.column != self.plain.len() {
                return Err(protocol_bug("a row with too few values"));
            }
            tally.add_long_row(long.row);
        }
        Ok(true)
    }
}

/// What is fingerprinted of the bytes from `start` on.
#[inline]
fn provable<'a>(
    provable: &'a mut Option<(Provable, Vec<u8>)>,
    out: &'a [u8],
    start: usize,
) -> &'a [u8] {
    let part = out.get(start..).unwrap_or_default();
    match provable {
        None => part,
        Some((provable, copy)) => {
            copy.clear();
            provable.copy(part, copy);
            copy
        }
    }
}

impl Long {
    /// Writes the next part of the row, which may end anywhere.
    fn add(&mut self, mut part: &[u8], plain: &[bool], out: &mut Vec<u8>) -> Result<()> {
        while let Some((first, rest)) = part.split_first() {
            let Some(plain) = plain.get(self.column) else {
                return Err(protocol_bug("a row with too many values"));
            };
            match &mut self.value {
                Value::Length(bytes, n) => {
                    if *n == 0 && self.column > 0 {
                        out.push(b'\t');
                    }
                    if let Some(byte) = bytes.get_mut(*n) {
                        *byte = *first;
                    }
                    *n += 1;
                    part = rest;
                    if bytes.first() == Some(&NULL) {
                        out.extend_from_slice(b"\\N");
                        self.next_column();
                    } else if let Some((n_bytes, _)) = length(bytes.get(..*n).unwrap_or_default()) {
                        match n_bytes {
                            0 => self.next_column(),
                            n_bytes => self.value = Value::Bytes(n_bytes),
                        }
                    }
                }
                Value::Bytes(left) => {
                    let taken = part.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    let (value, rest) = part.split_at(taken);
                    put(value, *plain, out);
                    *left -= taken as u64;
                    part = rest;
                    if *left == 0 {
                        self.next_column();
                    }
                }
            }
        }
        Ok(())
    }

    fn next_column(&mut self) {
        self.column += 1;
        self.value = Value::default();
    }
}

const NULL: u8 = 0xfb;

/// Writes one whole row as a line.
#[inline]
fn line(payload: &[u8], plain: &[bool], out: &mut Vec<u8>) -> Result<()> {
    let short = || protocol_bug("a row that ends early");
    let mut rest = payload;
    for plain in plain {
        match rest.split_first() {
            // Nearly every value is shorter than its length's first escape.
            Some((n_bytes @ ..=0xfa, after)) => {
                let (value, after) = after
                    .split_at_checked(usize::from(*n_bytes))
                    .ok_or_else(short)?;
                put(value, *plain, out);
                rest = after;
            }
            Some((&NULL, after)) => {
                out.extend_from_slice(b"\\N");
                rest = after;
            }
            _ => {
                let (n_bytes, at) = length(rest).ok_or_else(short)?;
                let n_bytes = usize::try_from(n_bytes).map_err(|_| short())?;
                let value = rest.get(at..at + n_bytes).ok_or_else(short)?;
                put(value, *plain, out);
                rest = rest.get(at + n_bytes..).unwrap_or_default();
            }
        }
        out.push(b'\t');
    }
    if !rest.is_empty() {
        return Err(protocol_bug("a row with too many values"));
    }
    match out.last_mut() {
        Some(last) if !plain.is_empty() => *last = b'\n',
        _ => out.push(b'\n'),
    }
    Ok(())
}

/// A length-encoded integer at the front, and how many bytes it takes; `None` if it is not whole.
fn length(bytes: &[u8]) -> Option<(u64, usize)> {
    let n = match bytes.first()? {
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        small => return Some((u64::from(*small), 1)),
    };
    let digits = bytes.get(1..=n)?;
    let value = digits
        .iter()
        .rev()
        .fold(0, |value, digit| value << 8 | u64::from(*digit));
    Some((value, n + 1))
}

#[cfg(test)]
mod tests;

//! Messages of the protocol, taken apart.

use bytes::Bytes;
use runner_core::error::{Error, Kind, Result};

use super::protocol_bug;

/// A packet's length and number.
pub(super) const HEAD_BYTES: usize = 4;
/// A message of this length or more goes on in the next packet.
pub(super) const MAX_PAYLOAD_BYTES: usize = 0xff_ffff;

/// The payload's length and the packet's number.
pub(super) fn head(buf: &[u8]) -> (usize, u8) {
    match buf {
        [a, b, c, sequence, ..] => (
            usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16,
            *sequence,
        ),
        _ => (0, 0),
    }
}

/// The first message of an answer.
pub(super) enum Reply {
    Ok(Done),
    /// A result set of so many columns follows.
    Columns(usize),
    /// The server wants the file of a `LOAD DATA LOCAL`.
    Infile,
    Error(Error),
}

/// A statement that gave no rows.
pub(super) struct Done {
    pub(super) affected: u64,
    pub(super) status: u16,
    pub(super) warnings: u16,
}

impl Reply {
    pub(super) fn of(packet: &Bytes) -> Result<Self> {
        let mut reader = Reader(packet);
        match packet.first() {
            Some(0x00) => {
                reader.skip(1)?;
                let affected = reader.length()?;
                reader.length()?; // the last insert id
                Ok(Self::Ok(Done {
                    affected,
                    status: reader.u16()?,
                    warnings: reader.u16()?,
                }))
            }
            Some(0xfb) => Ok(Self::Infile),
            Some(0xff) => Ok(Self::Error(server_error(packet))),
            _ => Ok(Self::Columns(reader.length()? as usize)),
        }
    }
}

/// The status flags and warnings of an EOF packet, if this is one.
pub(super) fn end_of_rows(packet: &[u8]) -> Option<(u16, u16)> {
    match packet {
        [0xfe, a, b, c, d] => Some((u16::from_le_bytes([*c, *d]), u16::from_le_bytes([*a, *b]))),
        _ => None,
    }
}

/// A column's name, and whether its values are written in digits and signs alone.
pub(super) fn column(packet: &[u8]) -> Result<(String, bool)> {
    let mut reader = Reader(packet);
    for _ in 0..4 {
        reader.string()?; // catalog, schema, table, original table
    }
    let name = String::from_utf8_lossy(reader.string()?).into_owned();
    reader.string()?; // original name
    reader.skip(1 + 2 + 4)?; // length of what follows, character set, display length
    let plain = matches!(reader.u8()?, 0..=13 | 246);
    Ok((name, plain))
}

/// One row of values, as the server sent them.
#[derive(Debug)]
pub(crate) struct Row(Vec<Option<Vec<u8>>>);

impl Row {
    pub(super) fn parse(packet: &[u8], n_columns: usize) -> Result<Self> {
        let mut reader = Reader(packet);
        let mut values = Vec::with_capacity(n_columns);
        for _ in 0..n_columns {
            if reader.0.first() == Some(&0xfb) {
                reader.skip(1)?;
                values.push(None);
            } else {
                values.push(Some(reader.string()?.to_vec()));
            }
        }
        Ok(Self(values))
    }

    /// The bytes of a value; none for NULL.
    pub(crate) fn bytes(&self, at: usize) -> Option<&[u8]> {
        self.0.get(at)?.as_deref()
    }

    pub(crate) fn opt(&self, at: usize) -> Option<String> {
        self.bytes(at)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// A value as text, empty for NULL.
    pub(crate) fn text(&self, at: usize) -> String {
        self.opt(at).unwrap_or_default()
    }

    /// A value as a number, 0 for NULL.
    pub(crate) fn number(&self, at: usize) -> u64 {
        self.opt(at).and_then(|it| it.parse().ok()).unwrap_or(0)
    }
}

/// Reads the parts of a message in order.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        match self.0.split_at_checked(n) {
            Some((taken, rest)) => {
                self.0 = rest;
                Ok(taken)
            }
            None => Err(protocol_bug("a message ends early")),
        }
    }

    pub(super) fn skip(&mut self, n: usize) -> Result<()> {
        self.take(n).map(drop)
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        self.int(2).map(|n| n as u16)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.int(4).map(|n| n as u32)
    }

    fn int(&mut self, n_bytes: usize) -> Result<u64> {
        let bytes = self.take(n_bytes)?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    /// A length-encoded integer.
    pub(super) fn length(&mut self) -> Result<u64> {
        match self.u8()? {
            n @ ..=0xfa => Ok(u64::from(n)),
            0xfc => self.int(2),
            0xfd => self.int(3),
            0xfe => self.int(8),
            _ => Err(protocol_bug("a length that is none")),
        }
    }

    /// A length-encoded string.
    pub(super) fn string(&mut self) -> Result<&'a [u8]> {
        let n_bytes = self.length()?;
        self.take(usize::try_from(n_bytes).unwrap_or(usize::MAX))
    }

    /// A string that a zero byte, or the message, ends.
    pub(super) fn until_zero(&mut self) -> &'a [u8] {
        let all = self.0;
        let end = all.iter().position(|byte| *byte == 0);
        self.0 = end.and_then(|end| all.get(end + 1..)).unwrap_or_default();
        all.get(..end.unwrap_or(all.len())).unwrap_or_default()
    }
}

/// A server's refusal as ours: <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>.
pub(super) fn server_error(packet: &[u8]) -> Error {
    let mut reader = Reader(packet);
    let _ = reader.skip(1);
    let code = reader.u16().unwrap_or(0);
    let mut state = String::from("HY000");
    if reader.0.first() == Some(&b'#') {
        state = String::from_utf8_lossy(reader.take(6).unwrap_or(b"#HY000")).replace('#', "");
    }
    let message = String::from_utf8_lossy(reader.0);
    Error::new(
        kind_of(code),
        format!("{message} (error {code}, SQLSTATE {state})"),
    )
}

/// Whether the server refused with this very code.
pub(crate) fn has_code(error: &Error, code: u16) -> bool {
    error.to_string().contains(&format!("(error {code}, "))
}

fn kind_of(code: u16) -> Kind {
    match code {
        // Access to server, database, table, column, routine; a privilege that is missing; an account that is locked,
        // expired or kept out by host or plugin.
        1044 | 1045 | 1095 | 1130 | 1142 | 1143 | 1227 | 1251 | 1370 | 1410 | 1524 | 1698
        | 1820 | 1862 | 3118 | 3159 | 4151 => Kind::Denied,
        1049 => Kind::NotFound,
        // Too many connections, shutdown, lock waits, deadlocks, kills, time limits, a host blocked for now,
        // a definition that changed under a snapshot.
        1040 | 1053 | 1129 | 1203 | 1205 | 1213 | 1226 | 1317 | 1412 | 1836 | 1927 | 1969
        | 3024 => Kind::Unreachable,
        _ => Kind::Unfit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_kinds_by_who_acts() {
        let error = |code: u16| {
            let [low, high] = code.to_le_bytes();
            server_error(&[&[0xff, low, high][..], b"#42000no"].concat())
        };
        assert_eq!(error(1045).to_string(), "no (error 1045, SQLSTATE 42000)");
        assert!(has_code(&error(1045), 1045) && !has_code(&error(1045), 104));
        assert_eq!(error(1045).kind(), Kind::Denied);
        assert_eq!(error(1049).kind(), Kind::NotFound);
        assert_eq!(error(1412).kind(), Kind::Unreachable);
        assert_eq!(error(1062).kind(), Kind::Unfit);
    }

    #[test]
    fn values_of_every_length_and_null_are_read() {
        let mut packet = vec![0xfb, 0x00, 0x01, b'a', 0xfc, 0x2c, 0x01];
        packet.extend_from_slice(&[b'x'; 300]);
        let row = Row::parse(&packet, 4).unwrap();
        assert_eq!(row.bytes(0), None);
        assert_eq!(row.text(1), "");
        assert_eq!(row.text(2), "a");
        assert_eq!(row.text(3).len(), 300);
        assert!(Row::parse(&packet[..100], 4).is_err());
    }

    #[test]
    fn an_end_is_told_from_a_row_that_begins_alike() {
        assert_eq!(end_of_rows(&[0xfe, 1, 0, 2, 0]), Some((2, 1)));
        assert_eq!(end_of_rows(&[0xfe, 0, 0, 0, 1, 0, 0, 0, 0]), None);
    }
}

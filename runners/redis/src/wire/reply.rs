//! Replies, taken from a buffer once they are whole.

use bytes::{Buf, Bytes, BytesMut};

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Status(String),
    Error(String),
    Integer(i64),
    Bulk(Bytes),
    Nothing,
    Array(Vec<Reply>),
}

impl Reply {
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Status(text) => Some(text.clone()),
            Self::Bulk(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Self::Integer(n) => Some(n.to_string()),
            _ => None,
        }
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(n) => Some(*n),
            Self::Bulk(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn bulk(self) -> Option<Bytes> {
        match self {
            Self::Bulk(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The items of an array; nothing for anything else.
    pub(crate) fn items(self) -> Vec<Reply> {
        match self {
            Self::Array(items) => items,
            _ => Vec::new(),
        }
    }
}

/// The beginning of what should have been a reply.
#[derive(Debug, PartialEq)]
pub(super) struct NotAReply(pub(super) String);

/// Longer lines are no server's.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Takes the first reply, if all of it is there.
pub(super) fn parse(buf: &mut BytesMut) -> Result<Option<Reply>, NotAReply> {
    let Some(n_bytes) = measure(buf, 0)? else {
        return Ok(None);
    };
    let mut whole = buf.split_to(n_bytes).freeze();
    take(&mut whole).map(Some)
}

/// Takes the first line, if its end is there.
pub(super) fn line(buf: &mut BytesMut) -> Option<Bytes> {
    let end = buf.iter().position(|byte| *byte == b'\n')?;
    let mut line = buf.split_to(end + 1);
    line.truncate(end);
    if line.last() == Some(&b'\r') {
        line.truncate(end - 1);
    }
    Some(line.freeze())
}

/// How many bytes the string at the beginning still lacks, if that is what is there.
pub(super) fn missing(buf: &[u8]) -> usize {
    if buf.first() != Some(&b'$') {
        return 0;
    }
    let end = buf.iter().take(32).position(|byte| *byte == b'\n');
    let length = end.and_then(|end| number(&buf[1..end]).ok());
    let length = length.and_then(|length| usize::try_from(length).ok());
    length.map_or(0, |length| (length + 2).saturating_sub(buf.len()))
}

/// Where the reply that begins at `at` ends.
fn measure(buf: &[u8], at: usize) -> Result<Option<usize>, NotAReply> {
    let rest = &buf[at..];
    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
        return match rest.len() > MAX_LINE_BYTES {
            true => Err(not_a_reply(rest)),
            false => Ok(None),
        };
    };
    let (line, mut next) = (&rest[..end], at + end + 1);
    match line.first() {
        Some(b'+' | b'-' | b':') => Ok(Some(next)),
        Some(b'$') => match usize::try_from(number(&line[1..])?) {
            Ok(length) if buf.len() < next + length + 2 => Ok(None),
            Ok(length) => Ok(Some(next + length + 2)),
            Err(_) => Ok(Some(next)),
        },
        Some(b'*') => {
            for _ in 0..number(&line[1..])? {
                let Some(end) = measure(buf, next)? else {
                    return Ok(None);
                };
                next = end;
            }
            Ok(Some(next))
        }
        _ => Err(not_a_reply(line)),
    }
}

/// Takes a reply that is known to be whole.
fn take(whole: &mut Bytes) -> Result<Reply, NotAReply> {
    let end = whole.iter().position(|byte| *byte == b'\n');
    let line = whole.split_to(end.map_or(whole.len(), |end| end + 1));
    let text = line.strip_suffix(b"\r\n").unwrap_or(&line);
    let Some((sign, text)) = text.split_first() else {
        return Err(not_a_reply(&line));
    };
    let words = || String::from_utf8_lossy(text).into_owned();
    Ok(match sign {
        b'+' => Reply::Status(words()),
        b'-' => Reply::Error(words()),
        b':' => Reply::Integer(number(text)?),
        b'$' => match usize::try_from(number(text)?) {
            Ok(length) => {
                let bytes = whole.split_to(length.min(whole.len()));
                whole.advance(2.min(whole.len()));
                Reply::Bulk(bytes)
            }
            Err(_) => Reply::Nothing,
        },
        _ => match number(text)? {
            n if n < 0 => Reply::Nothing,
            n => Reply::Array((0..n).map(|_| take(whole)).collect::<Result<_, _>>()?),
        },
    })
}

fn number(digits: &[u8]) -> Result<i64, NotAReply> {
    let text = std::str::from_utf8(digits).ok();
    let number = text.and_then(|text| text.trim_end().parse().ok());
    number.ok_or_else(|| not_a_reply(digits))
}

fn not_a_reply(line: &[u8]) -> NotAReply {
    let line = &line[..line.len().min(80)];
    NotAReply(String::from_utf8_lossy(line).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(bytes: &[u8]) -> Result<Option<Reply>, NotAReply> {
        parse(&mut BytesMut::from(bytes))
    }

    #[test]
    fn a_reply_is_taken_only_when_it_is_whole() {
        let bytes = b"*4\r\n$3\r\na\r\n\r\n:-7\r\n*-1\r\n*1\r\n$-1\r\n";
        for n_bytes in 0..bytes.len() {
            assert_eq!(parsed(&bytes[..n_bytes]), Ok(None), "{n_bytes}");
        }
        let bulk = |bytes: &'static [u8]| Reply::Bulk(Bytes::from_static(bytes));
        let expected = vec![
            bulk(b"a\r\n"),
            Reply::Integer(-7),
            Reply::Nothing,
            Reply::Array(vec![Reply::Nothing]),
        ];
        assert_eq!(parsed(bytes), Ok(Some(Reply::Array(expected))));
    }

    #[test]
    fn what_follows_a_reply_stays() {
        let mut buf = BytesMut::from(&b"+OK\r\n-ERR no\r\n+half"[..]);
        assert_eq!(parse(&mut buf), Ok(Some(Reply::Status("OK".into()))));
        assert_eq!(parse(&mut buf), Ok(Some(Reply::Error("ERR no".into()))));
        assert_eq!(parse(&mut buf), Ok(None));
        assert_eq!(&buf[..], b"+half");
    }

    #[test]
    fn a_server_of_another_kind_is_noticed() {
        assert!(parsed(b"HTTP/1.1 400 Bad Request\r\n").is_err());
        assert!(parsed(b"$x\r\n").is_err());
    }

    #[test]
    fn what_a_long_string_lacks_is_known() {
        assert_eq!(missing(b"$100\r\nabc"), 102 - 9);
        assert_eq!(missing(b"+OK"), 0);
    }
}

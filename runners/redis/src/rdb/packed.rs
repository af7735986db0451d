//! Collections packed into one string: listpack, ziplist, intset, zipmap.

use xxhash_rust::xxh3::xxh3_128;

use super::text::{Decimal, score};

/// Why a packed collection is damaged.
pub(super) type Damage = &'static str;

/// One element; integers stand for their decimal text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Element<'a> {
    Text(&'a [u8]),
    Integer(i64),
}

impl Element<'_> {
    #[inline]
    pub(super) fn digest(self) -> u128 {
        match self {
            Self::Text(text) => xxh3_128(text),
            Self::Integer(value) => xxh3_128(Decimal::new(value).as_bytes()),
        }
    }

    pub(super) fn score(self) -> Result<f64, Damage> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "the server does the same")]
            Self::Integer(value) => Ok(value as f64),
            Self::Text(text) => score(text).ok_or("a score is not a number"),
        }
    }

    pub(super) fn integer(self) -> Result<i64, Damage> {
        match self {
            Self::Integer(value) => Ok(value),
            Self::Text(text) => std::str::from_utf8(text)
                .ok()
                .and_then(|text| text.parse().ok())
                .ok_or("text where an integer must be"),
        }
    }
}

/// A walk over one of the packed encodings: after its last element comes `Ok(None)`, once everything has been seen.
pub(super) enum Packed<'a> {
    Listpack(Listpack<'a>),
    Ziplist(Ziplist<'a>),
}

impl<'a> Packed<'a> {
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Element<'a>>, Damage> {
        match self {
            Self::Listpack(listpack) => listpack.next(),
            Self::Ziplist(ziplist) => ziplist.next(),
        }
    }

    /// The element that must come now.
    #[inline]
    pub(super) fn must(&mut self) -> Result<Element<'a>, Damage> {
        self.next()?.ok_or("a packed collection ends too early")
    }
}

fn head(bytes: &[u8], at: usize) -> Result<u8, Damage> {
    bytes
        .get(at)
        .copied()
        .ok_or("a packed collection is cut short")
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Damage> {
    let part = slice(bytes, at, N)?;
    part.try_into()
        .map_err(|_| "a packed collection is cut short")
}

fn slice(bytes: &[u8], at: usize, n_bytes: usize) -> Result<&[u8], Damage> {
    at.checked_add(n_bytes)
        .and_then(|end| bytes.get(at..end))
        .ok_or("a packed element runs past the end")
}

/// Three bytes, sign extended.
fn i24(bytes: [u8; 3]) -> i64 {
    i64::from(i32::from_le_bytes([0, bytes[0], bytes[1], bytes[2]]) >> 8)
}

/// Redis 7's packed list.
pub(super) struct Listpack<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Elements still to come, if the header knows.
    left: Option<u16>,
}

impl<'a> Listpack<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Damage> {
        if u32::from_le_bytes(array(bytes, 0)?) as usize != bytes.len() {
            return Err("a listpack's length is not its header's");
        }
        let n_elements = u16::from_le_bytes(array(bytes, 4)?);
        Ok(Self {
            bytes,
            at: 6,
            left: (n_elements != u16::MAX).then_some(n_elements),
        })
    }

    #[inline]
    fn next(&mut self) -> Result<Option<Element<'a>>, Damage> {
        let (bytes, at) = (self.bytes, self.at);
        let first = head(bytes, at)?;
        if first == 0xff {
            if at + 1 != bytes.len() || self.left.is_some_and(|left| left != 0) {
                return Err("a listpack ends elsewhere than its header says");
            }
            return Ok(None);
        }
        let text = |header: usize, n_bytes: usize| -> Result<_, Damage> {
            let text = slice(bytes, at + header, n_bytes)?;
            Ok((Element::Text(text), header + n_bytes))
        };
        let (element, n_bytes) = match first {
            0x00..=0x7f => (Element::Integer(i64::from(first)), 1),
            0x80..=0xbf => text(1, usize::from(first & 0x3f))?,
            0xc0..=0xdf => {
                let value = i16::from(first & 0x1f) << 8 | i16::from(head(bytes, at + 1)?);
                (Element::Integer(i64::from(value << 3 >> 3)), 2)
            }
            0xe0..=0xef => {
                let n_bytes = usize::from(first & 0x0f) << 8 | usize::from(head(bytes, at + 1)?);
                text(2, n_bytes)?
            }
            0xf0 => text(5, u32::from_le_bytes(array(bytes, at + 1)?) as usize)?,
            0xf1 => (
                Element::Integer(i16::from_le_bytes(array(bytes, at + 1)?).into()),
                3,
            ),
            0xf2 => (Element::Integer(i24(array(bytes, at + 1)?)), 4),
            0xf3 => (
                Element::Integer(i32::from_le_bytes(array(bytes, at + 1)?).into()),
                5,
            ),
            0xf4 => (
                Element::Integer(i64::from_le_bytes(array(bytes, at + 1)?)),
                9,
            ),
            _ => return Err("a listpack has an unknown encoding"),
        };
        self.at = back_length(bytes, at + n_bytes, n_bytes)?;
        if let Some(left) = &mut self.left {
            *left = left
                .checked_sub(1)
                .ok_or("a listpack has more elements than it says")?;
        }
        Ok(Some(element))
    }
}

/// Steps over the length that follows an element, for walks backwards, if it is right.
#[inline]
fn back_length(bytes: &[u8], at: usize, n_bytes: usize) -> Result<usize, Damage> {
    let n_groups = match n_bytes {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        2_097_152..=268_435_455 => 4,
        _ => 5,
    };
    for (i, byte) in slice(bytes, at, n_groups)?.iter().enumerate() {
        let group = (n_bytes >> (7 * (n_groups - 1 - i)) & 0x7f) as u8;
        let more = if i == 0 { 0 } else { 0x80 };
        if *byte != group | more {
            return Err("an element of a listpack is not as long as it says");
        }
    }
    Ok(at + n_groups)
}

/// The packed list of versions before 7.
pub(super) struct Ziplist<'a> {
    bytes: &'a [u8],
    at: usize,
    previous: usize,
    left: Option<u16>,
}

impl<'a> Ziplist<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Damage> {
        if u32::from_le_bytes(array(bytes, 0)?) as usize != bytes.len() {
            return Err("a ziplist's length is not its header's");
        }
        let n_elements = u16::from_le_bytes(array(bytes, 8)?);
        Ok(Self {
            bytes,
            at: 10,
            previous: 0,
            left: (n_elements != u16::MAX).then_some(n_elements),
        })
    }

    fn next(&mut self) -> Result<Option<Element<'a>>, Damage> {
        let (bytes, start) = (self.bytes, self.at);
        let first = head(bytes, start)?;
        if first == 0xff {
            if start + 1 != bytes.len() || self.left.is_some_and(|left| left != 0) {
                return Err("a ziplist ends elsewhere than its header says");
            }
            return Ok(None);
        }
        let (previous, at) = match first {
            0xfe => (
                u32::from_le_bytes(array(bytes, start + 1)?) as usize,
                start + 5,
            ),
            short => (usize::from(short), start + 1),
        };
        if previous != self.previous {
            return Err("an element of a ziplist is not as long as it says");
        }
        let (element, n_bytes) = ziplist_element(bytes, at)?;
        self.at = at + n_bytes;
        self.previous = self.at - start;
        if let Some(left) = &mut self.left {
            *left = left
                .checked_sub(1)
                .ok_or("a ziplist has more elements than it says")?;
        }
        Ok(Some(element))
    }
}

fn ziplist_element(bytes: &[u8], at: usize) -> Result<(Element<'_>, usize), Damage> {
    let first = head(bytes, at)?;
    let text = |header: usize, n_bytes: usize| -> Result<_, Damage> {
        let text = slice(bytes, at + header, n_bytes)?;
        Ok((Element::Text(text), header + n_bytes))
    };
    let integer = |value: i64, n_bytes: usize| Ok((Element::Integer(value), n_bytes));
    match first {
        0x00..=0x3f => text(1, usize::from(first)),
        0x40..=0x7f => {
            let n_bytes = usize::from(first & 0x3f) << 8 | usize::from(head(bytes, at + 1)?);
            text(2, n_bytes)
        }
        0x80 => text(5, u32::from_be_bytes(array(bytes, at + 1)?) as usize),
        0xc0 => integer(i16::from_le_bytes(array(bytes, at + 1)?).into(), 3),
        0xd0 => integer(i32::from_le_bytes(array(bytes, at + 1)?).into(), 5),
        0xe0 => integer(i64::from_le_bytes(array(bytes, at + 1)?), 9),
        0xf0 => integer(i24(array(bytes, at + 1)?), 4),
        0xfe => integer(i8::from_le_bytes(array(bytes, at + 1)?).into(), 2),
        0xf1..=0xfd => integer(i64::from(first & 0x0f) - 1, 1),
        _ => Err("a ziplist has an unknown encoding"),
    }
}

/// Calls `each` for every integer of a packed set of integers.
pub(super) fn intset(bytes: &[u8], mut each: impl FnMut(i64)) -> Result<(), Damage> {
    let width = u32::from_le_bytes(array(bytes, 0)?) as usize;
    let n_elements = u32::from_le_bytes(array(bytes, 4)?) as usize;
    if !matches!(width, 2 | 4 | 8) {
        return Err("an intset has an unknown width");
    }
    if n_elements.checked_mul(width) != Some(bytes.len() - 8) {
        return Err("an intset's length is not its header's");
    }
    for element in bytes[8..].chunks_exact(width) {
        let mut wide = [if element[width - 1] & 0x80 == 0 {
            0
        } else {
            0xff
        }; 8];
        wide[..width].copy_from_slice(element);
        each(i64::from_le_bytes(wide));
    }
    Ok(())
}

/// Calls `each` for every field and value of a hash as Redis before 2.6 packed it.
pub(super) fn zipmap(bytes: &[u8], mut each: impl FnMut(&[u8], &[u8])) -> Result<(), Damage> {
    let mut at = 1; // the first byte is a count that may be unknown
    loop {
        if head(bytes, at)? == 0xff {
            return if at + 1 == bytes.len() {
                Ok(())
            } else {
                Err("a zipmap has bytes after its end")
            };
        }
        let (n_bytes, from) = zipmap_length(bytes, at)?;
        let field = slice(bytes, from, n_bytes)?;
        let (n_value_bytes, from) = zipmap_length(bytes, from + n_bytes)?;
        let unused = usize::from(head(bytes, from)?);
        let value = slice(bytes, from + 1, n_value_bytes)?;
        each(field, value);
        at = from + 1 + n_value_bytes + unused;
    }
}

fn zipmap_length(bytes: &[u8], at: usize) -> Result<(usize, usize), Damage> {
    match head(bytes, at)? {
        0xff => Err("a zipmap ends after a field"),
        0xfe => Ok((u32::from_le_bytes(array(bytes, at + 1)?) as usize, at + 5)),
        short => Ok((usize::from(short), at + 1)),
    }
}

//! Lengths and strings: plain, as integers, compressed by LZF.

use std::io::Read;

use runner_core::error::Result;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::input::{Input, RUN_BYTES};
use super::text::Decimal;

/// How far back LZF refers at most.
const LZF_WINDOW_BYTES: usize = 8 * 1024;

/// Decompressed bytes that are hashed at once.
const LZF_BLOCK_BYTES: usize = 64 * 1024;

/// What a string begins with.
pub(super) enum Head {
    Plain(u64),
    Integer(i64),
    Lzf { stored: u64, plain: u64 },
}

impl Head {
    /// How many bytes follow, where they are the string as it is.
    pub(super) fn plain_bytes(&self) -> Option<u64> {
        match self {
            Self::Plain(length) => Some(*length),
            _ => None,
        }
    }
}

/// A length, or how else a string is encoded.
enum Length {
    Plain(u64),
    Special(u8),
}

impl<R: Read> Input<R> {
    fn length_or_encoding(&mut self) -> Result<Length> {
        let first = self.byte()?;
        Ok(Length::Plain(match first >> 6 {
            0 => u64::from(first & 0x3f),
            1 => u64::from(first & 0x3f) << 8 | u64::from(self.byte()?),
            2 if first == 0x80 => u64::from(u32::from_be_bytes(self.array()?)),
            2 if first == 0x81 => u64::from_be_bytes(self.array()?),
            2 => return Err(self.damaged(format_args!("a length begins with {first:#04x}"))),
            _ => return Ok(Length::Special(first & 0x3f)),
        }))
    }

    /// A number that is not a string's encoding.
    pub(super) fn length(&mut self) -> Result<u64> {
        match self.length_or_encoding()? {
            Length::Plain(length) => Ok(length),
            Length::Special(code) => {
                Err(self.damaged(format_args!("encoding {code} where a length must be")))
            }
        }
    }

    pub(super) fn head(&mut self) -> Result<Head> {
        Ok(match self.length_or_encoding()? {
            Length::Plain(length) => Head::Plain(length),
            Length::Special(0) => Head::Integer(i64::from(i8::from_le_bytes(self.array()?))),
            Length::Special(1) => Head::Integer(i64::from(i16::from_le_bytes(self.array()?))),
            Length::Special(2) => Head::Integer(i64::from(i32::from_le_bytes(self.array()?))),
            Length::Special(3) => {
                let stored = self.length()?;
                let plain = self.length()?;
                Head::Lzf { stored, plain }
            }
            Length::Special(code) => {
                return Err(self.damaged(format_args!("unknown string encoding {code}")));
            }
        })
    }

    /// The XXH3-128 of a string's bytes, however they are encoded and however many.
    pub(super) fn string_digest(&mut self) -> Result<u128> {
        let head = self.head()?;
        self.digest_after(head)
    }

    /// As [`Input::string_digest`], of a string whose beginning was read.
    pub(super) fn digest_after(&mut self, head: Head) -> Result<u128> {
        match head {
            Head::Plain(length) if self.is_run(length) => Ok(xxh3_128(self.take(length as usize)?)),
            Head::Plain(length) => {
                let mut hasher = Xxh3::new();
                let mut left = length;
                while left > 0 {
                    let part = self.some(left)?;
                    hasher.update(part);
                    left -= part.len() as u64;
                }
                Ok(hasher.digest128())
            }
            Head::Integer(value) => Ok(xxh3_128(Decimal::new(value).as_bytes())),
            Head::Lzf { stored, plain } => {
                let mut hasher = Xxh3::new();
                let mut window = Vec::new();
                self.lzf(stored, plain, &mut window, Some(&mut hasher))?;
                hasher.update(&window);
                Ok(hasher.digest128())
            }
        }
    }

    /// A string's bytes, in `into`, which grows only as bytes arrive.
    pub(super) fn string_into(&mut self, limit: u64, into: &mut Vec<u8>) -> Result<()> {
        into.clear();
        let head = self.head()?;
        if let Head::Plain(length) | Head::Lzf { plain: length, .. } = head
            && length > limit
        {
            return Err(self.damaged(format_args!("a string of {length} bytes is too long here")));
        }
        match head {
            Head::Plain(length) => {
                let mut left = length;
                while left > 0 {
                    let part = self.some(left)?;
                    into.extend_from_slice(part);
                    left -= part.len() as u64;
                }
            }
            Head::Integer(value) => into.extend_from_slice(Decimal::new(value).as_bytes()),
            Head::Lzf { stored, plain } => self.lzf(stored, plain, into, None)?,
        }
        Ok(())
    }

    /// Decompresses into `out`. With a hasher, all but a window of it is hashed and dropped on the way.
    fn lzf(
        &mut self,
        stored: u64,
        plain: u64,
        out: &mut Vec<u8>,
        mut hasher: Option<&mut Xxh3>,
    ) -> Result<()> {
        const { assert!(RUN_BYTES > 32) };
        let mut left = stored;
        let mut done = 0_u64;
        while left > 0 {
            let control = usize::from(self.byte()?);
            let before = out.len();
            if control < 32 {
                let n_bytes = control + 1;
                left = self.lzf_spend(left, 1 + n_bytes as u64)?;
                out.extend_from_slice(self.take(n_bytes)?);
            } else {
                let mut n_bytes = control >> 5;
                left = self.lzf_spend(left, if n_bytes == 7 { 3 } else { 2 })?;
                if n_bytes == 7 {
                    n_bytes += usize::from(self.byte()?);
                }
                let back = ((control & 0x1f) << 8) + usize::from(self.byte()?) + 1;
                let Some(from) = before.checked_sub(back) else {
                    return Err(self.damaged("LZF refers to before its beginning"));
                };
                repeat(out, from, n_bytes + 2);
            }
            done += (out.len() - before) as u64;
            if done > plain {
                return Err(self.damaged("LZF yields more than it announced"));
            }
            if let Some(hasher) = &mut hasher
                && out.len() >= LZF_BLOCK_BYTES + LZF_WINDOW_BYTES
            {
                let n_bytes = out.len() - LZF_WINDOW_BYTES;
                hasher.update(&out[..n_bytes]);
                out.drain(..n_bytes);
            }
        }
        if done < plain {
            return Err(self.damaged("LZF yields less than it announced"));
        }
        Ok(())
    }

    fn lzf_spend(&self, left: u64, n_bytes: u64) -> Result<u64> {
        left.checked_sub(n_bytes)
            .ok_or_else(|| self.damaged("LZF runs past its end"))
    }
}

/// Copies from earlier output, which may overlap what it makes.
fn repeat(out: &mut Vec<u8>, from: usize, n_bytes: usize) {
    if from + n_bytes <= out.len() {
        out.extend_from_within(from..from + n_bytes);
        return;
    }
    for at in from..from + n_bytes {
        let byte = out[at];
        out.push(byte);
    }
}

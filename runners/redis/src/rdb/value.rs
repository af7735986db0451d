//! Values, walked element by element to one digest: the same for the same content, however it is encoded.

use std::io::Read;

use runner_core::error::{Error, Kind as ErrorKind, Result};

use super::input::Input;
use super::packed::{Listpack, Packed, Ziplist, intset, zipmap};
use super::sums::{Bag, Chain, mix};
use super::text::{score, score_bits};
use super::{Family, Kind};

/// Longest packed collection: servers refuse to make longer ones.
const PACKED_LIMIT: u64 = 1 << 30;

/// What walks a value: the bytes, whose they are, and space for what must be seen in one piece.
pub(super) struct Walk<'a, R> {
    pub(super) input: &'a mut Input<R>,
    pub(super) family: Family,
    pub(super) scratch: &'a mut Vec<u8>,
    /// The earliest end of a hash's field, once the value is read.
    pub(super) fields_end_at: Option<u64>,
}

/// How a packed collection is encoded.
#[derive(Clone, Copy)]
pub(super) enum Packing {
    Listpack,
    Ziplist,
}

/// Where a hash's fields have their time of expiry.
#[derive(Clone, Copy, PartialEq)]
enum Expiry {
    None,
    /// Before each field, absolute (7.4's release candidates).
    Absolute,
    /// Before each field, relative to the earliest.
    Relative,
    /// After each value, as a plain number (Valkey).
    After,
}

impl<R: Read> Walk<'_, R> {
    /// Reads the value that follows `type_byte`.
    pub(super) fn value(&mut self, type_byte: u8) -> Result<(Kind, u128)> {
        let digest = match (type_byte, self.family) {
            (0, _) => return Ok((Kind::String, self.input.string_digest()?)),
            (1, _) => return Ok((Kind::List, self.linked_list()?)),
            (10, _) => return Ok((Kind::List, self.packed_list()?)),
            (14, _) => return Ok((Kind::List, self.quicklist()?)),
            (18, _) => return Ok((Kind::List, self.quicklist2()?)),
            (2, _) => return Ok((Kind::Set, self.set()?)),
            (11, _) => return Ok((Kind::Set, self.intset()?)),
            (20, _) => return Ok((Kind::Set, self.packed_set()?)),
            (3, _) => return Ok((Kind::SortedSet, self.sorted_set(Self::text_score)?)),
            (5, _) => return Ok((Kind::SortedSet, self.sorted_set(Self::binary_score)?)),
            (12, _) => {
                return Ok((Kind::SortedSet, self.packed_sorted_set(Packing::Ziplist)?));
            }
            (17, _) => {
                return Ok((Kind::SortedSet, self.packed_sorted_set(Packing::Listpack)?));
            }
            (4, _) => self.hash(Expiry::None)?,
            (9, _) => self.zipmap()?,
            (13, _) => self.packed_hash(Packing::Ziplist, false)?,
            (16, _) => self.packed_hash(Packing::Listpack, false)?,
            (22, Family::Valkey) => self.hash(Expiry::After)?,
            (22, Family::Redis) => self.hash(Expiry::Absolute)?,
            (23, Family::Redis) => self.packed_hash(Packing::Listpack, true)?,
            (24, Family::Redis) => self.hash(Expiry::Relative)?,
            (25, Family::Redis) => {
                let _earliest: [u8; 8] = self.input.array()?;
                self.packed_hash(Packing::Listpack, true)?
            }
            (15 | 19 | 21, _) | (26, Family::Redis) => {
                return Ok((Kind::Stream, self.stream(type_byte)?));
            }
            (6, _) => return Err(self.old_module()?),
            (7, _) => return Ok((Kind::Module, self.module()?)),
            _ => return Err(unknown(self.input, self.family, type_byte)),
        };
        Ok((Kind::Hash, digest))
    }

    /// Reads a packed collection whole and walks it.
    pub(super) fn packed<T>(
        &mut self,
        packing: Packing,
        walk: impl FnOnce(&mut Packed<'_>) -> Result<T, &'static str>,
    ) -> Result<T> {
        self.input.string_into(PACKED_LIMIT, self.scratch)?;
        let packed = match packing {
            Packing::Listpack => Listpack::new(self.scratch).map(Packed::Listpack),
            Packing::Ziplist => Ziplist::new(self.scratch).map(Packed::Ziplist),
        };
        packed
            .and_then(|mut packed| walk(&mut packed))
            .map_err(|damage| self.input.damaged(damage))
    }

    fn linked_list(&mut self) -> Result<u128> {
        let mut list = Chain::default();
        for _ in 0..self.input.length()? {
            list.add(self.input.string_digest()?);
        }
        Ok(list.digest())
    }

    fn packed_list(&mut self) -> Result<u128> {
        let mut list = Chain::default();
        self.append_packed(Packing::Ziplist, &mut list)?;
        Ok(list.digest())
    }

    fn append_packed(&mut self, packing: Packing, list: &mut Chain) -> Result<()> {
        self.packed(packing, |packed| {
            while let Some(element) = packed.next()? {
                list.add(element.digest());
            }
            Ok(())
        })
    }

    fn quicklist(&mut self) -> Result<u128> {
        let mut list = Chain::default();
        for _ in 0..self.input.length()? {
            self.append_packed(Packing::Ziplist, &mut list)?;
        }
        Ok(list.digest())
    }

    fn quicklist2(&mut self) -> Result<u128> {
        let mut list = Chain::default();
        for _ in 0..self.input.length()? {
            match self.input.length()? {
                1 => list.add(self.input.string_digest()?),
                2 => self.append_packed(Packing::Listpack, &mut list)?,
                other => {
                    let what = format_args!("unknown container {other} in a list");
                    return Err(self.input.damaged(what));
                }
            }
        }
        Ok(list.digest())
    }

    fn set(&mut self) -> Result<u128> {
        let mut set = Bag::default();
        for _ in 0..self.input.length()? {
            set.add(self.input.string_digest()?);
        }
        Ok(set.digest())
    }

    fn intset(&mut self) -> Result<u128> {
        self.input.string_into(PACKED_LIMIT, self.scratch)?;
        let mut set = Bag::default();
        intset(self.scratch, |value| {
            set.add(super::packed::Element::Integer(value).digest());
        })
        .map_err(|damage| self.input.damaged(damage))?;
        Ok(set.digest())
    }

    fn packed_set(&mut self) -> Result<u128> {
        self.packed(Packing::Listpack, |packed| {
            let mut set = Bag::default();
            while let Some(element) = packed.next()? {
                set.add(element.digest());
            }
            Ok(set.digest())
        })
    }

    fn sorted_set(&mut self, score: impl Fn(&mut Self) -> Result<f64>) -> Result<u128> {
        let mut set = Bag::default();
        for _ in 0..self.input.length()? {
            let member = self.input.string_digest()?;
            set.add(mix(member, score_bits(score(self)?).into()));
        }
        Ok(set.digest())
    }

    fn text_score(&mut self) -> Result<f64> {
        let length = match self.input.byte()? {
            255 => return Ok(f64::NEG_INFINITY),
            254 => return Ok(f64::INFINITY),
            253 => return Ok(f64::NAN),
            length => usize::from(length),
        };
        let mut text = [0; 256];
        for byte in &mut text[..length] {
            *byte = self.input.byte()?;
        }
        score(&text[..length]).ok_or_else(|| self.input.damaged("a score is not a number"))
    }

    fn binary_score(&mut self) -> Result<f64> {
        Ok(f64::from_le_bytes(self.input.array()?))
    }

    fn packed_sorted_set(&mut self, packing: Packing) -> Result<u128> {
        self.packed(packing, |packed| {
            let mut set = Bag::default();
            while let Some(member) = packed.next()? {
                let score = score_bits(packed.must()?.score()?);
                set.add(mix(member.digest(), score.into()));
            }
            Ok(set.digest())
        })
    }

    fn hash(&mut self, expiry: Expiry) -> Result<u128> {
        let mut hash = Bag::default();
        let earliest = match expiry {
            Expiry::Relative => u64::from_le_bytes(self.input.array()?),
            _ => 0,
        };
        for _ in 0..self.input.length()? {
            let before = match expiry {
                Expiry::Absolute | Expiry::Relative => self.input.length()?,
                Expiry::None | Expiry::After => 0,
            };
            let field = self.input.string_digest()?;
            let value = self.input.string_digest()?;
            let expires_at = match expiry {
                Expiry::After => match i64::from_le_bytes(self.input.array()?) {
                    -1 => 0,
                    at => u64::try_from(at)
                        .map_err(|_| self.input.damaged("a field expires before 1970"))?,
                },
                Expiry::Relative if before != 0 => earliest
                    .checked_add(before - 1)
                    .ok_or_else(|| self.input.damaged("a field expires beyond all time"))?,
                _ => before,
            };
            self.fields_end_at = earlier(self.fields_end_at, expires_at);
            hash.add(field_digest(field, value, expires_at));
        }
        Ok(hash.digest())
    }

    fn packed_hash(&mut self, packing: Packing, with_expiry: bool) -> Result<u128> {
        let mut first = None;
        let digest = self.packed(packing, |packed| {
            let mut hash = Bag::default();
            while let Some(field) = packed.next()? {
                let value = packed.must()?;
                let expires_at = match with_expiry {
                    true => u64::try_from(packed.must()?.integer()?)
                        .map_err(|_| "a field expires before 1970")?,
                    false => 0,
                };
                first = earlier(first, expires_at);
                hash.add(field_digest(field.digest(), value.digest(), expires_at));
            }
            Ok(hash.digest())
        })?;
        self.fields_end_at = first;
        Ok(digest)
    }

    fn zipmap(&mut self) -> Result<u128> {
        self.input.string_into(PACKED_LIMIT, self.scratch)?;
        let mut hash = Bag::default();
        zipmap(self.scratch, |field, value| {
            let digest = |text| super::packed::Element::Text(text).digest();
            hash.add(field_digest(digest(field), digest(value), 0));
        })
        .map_err(|damage| self.input.damaged(damage))?;
        Ok(hash.digest())
    }
}

/// The earlier of two ends, of which 0 is none.
fn earlier(first: Option<u64>, at: u64) -> Option<u64> {
    match at {
        0 => first,
        at => Some(first.map_or(at, |first| first.min(at))),
    }
}

/// A field without expiry (0) is the same whatever type of hash it lies in.
#[inline]
fn field_digest(field: u128, value: u128, expires_at: u64) -> u128 {
    match expires_at {
        0 => mix(field, value),
        at => mix(mix(field, value), at.into()),
    }
}

fn unknown<R: Read>(input: &Input<R>, family: Family, type_byte: u8) -> Error {
    let offset = input.offset();
    Error::new(
        ErrorKind::Unfit,
        format!(
            "type {type_byte} at byte {offset} of the RDB is none that this runner knows of {family}; is there a newer runner?"
        ),
    )
}

//! Streams: entries packed in listpacks, and the groups that read them.
//!
//! What counts: entries with their ids and fields, the last id, how many were ever added and the largest that was
//! deleted, groups with their place, consumers, and who holds which entry since when and how often delivered. What
//! does not: when consumers were last seen (it moves by looking), a group's count of entries read (an estimate that
//! a server makes anew when it loads the format of versions before 7), and what producers have sent lately (the server
//! forgets it after a while, and sets for how long when it loads the format of versions before 8.6).

use std::io::Read;

use runner_core::error::Result;

use super::packed::{Damage, Packed};
use super::sums::{Bag, Chain, mix};
use super::value::{Packing, Walk};

/// An entry was deleted; its listpack only still has it.
const DELETED: i64 = 1;

/// An entry has the fields of its listpack's first.
const SAME_FIELDS: i64 = 2;

/// Type bytes of the formats since 7.0, since 7.2 and since Redis 8.6.
const SECOND: u8 = 19;
const THIRD: u8 = 21;
const FOURTH: u8 = 26;

/// An entry's id.
#[derive(Clone, Copy)]
struct Id {
    milliseconds: u64,
    sequence: u64,
}

impl Id {
    fn digest(self) -> u128 {
        u128::from(self.milliseconds) << 64 | u128::from(self.sequence)
    }

    /// As radix trees have it.
    fn from_raw(raw: [u8; 16]) -> Self {
        let raw = u128::from_be_bytes(raw);
        Self {
            milliseconds: (raw >> 64) as u64,
            sequence: raw as u64,
        }
    }
}

impl<R: Read> Walk<'_, R> {
    /// The value of a stream in the format that `type_byte` names.
    pub(super) fn stream(&mut self, type_byte: u8) -> Result<u128> {
        let mut entries = Bag::default();
        for _ in 0..self.input.length()? {
            self.input.string_into(16, self.scratch)?;
            let Ok(raw) = <[u8; 16]>::try_from(self.scratch.as_slice()) else {
                return Err(self.input.damaged("a stream's id has not 16 bytes"));
            };
            let first = Id::from_raw(raw);
            self.packed(Packing::Listpack, |packed| {
                node(packed, first, &mut entries)
            })?;
        }
        let n_entries = self.input.length()?;
        if n_entries != entries.n_elements() {
            let what = format_args!(
                "a stream has {} entries and says {n_entries}",
                entries.n_elements()
            );
            return Err(self.input.damaged(what));
        }
        let last = self.id()?;
        // What a server assumes that loads the format of versions before 7.
        let (mut deleted, mut n_added) = (0, n_entries);
        if type_byte >= SECOND {
            let _first = self.id()?;
            deleted = self.id()?.digest();
            n_added = self.input.length()?;
        }
        let mut stream = Chain::default();
        stream.add(entries.digest());
        stream.add(last.digest());
        stream.add(deleted);
        stream.add(n_added.into());
        stream.add(self.groups(type_byte)?);
        if type_byte >= FOURTH {
            self.producers()?;
        }
        Ok(stream.digest())
    }

    /// What producers have sent lately, so that none of it is taken twice: for how long and how many that is kept, the
    /// ids that each gave and the entries that came of them, and two counts.
    fn producers(&mut self) -> Result<()> {
        let (_seconds, _most) = (self.input.length()?, self.input.length()?);
        for _ in 0..self.input.length()? {
            let _producer = self.input.string_digest()?;
            for _ in 0..self.input.length()? {
                let _given = self.input.string_digest()?;
                let _entry = self.id()?;
            }
        }
        let (_taken, _refused) = (self.input.length()?, self.input.length()?);
        Ok(())
    }

    fn id(&mut self) -> Result<Id> {
        Ok(Id {
            milliseconds: self.input.length()?,
            sequence: self.input.length()?,
        })
    }

    fn groups(&mut self, type_byte: u8) -> Result<u128> {
        let mut groups = Bag::default();
        for _ in 0..self.input.length()? {
            let mut group = Chain::default();
            group.add(self.input.string_digest()?);
            group.add(self.id()?.digest());
            if type_byte >= SECOND {
                let _n_read = self.input.length()?;
            }
            let mut pending = Bag::default();
            for _ in 0..self.input.length()? {
                let id = Id::from_raw(self.input.array()?);
                let delivered_at = u64::from_le_bytes(self.input.array()?);
                let n_deliveries = self.input.length()?;
                let delivery = u128::from(delivered_at) << 64 | u128::from(n_deliveries);
                pending.add(mix(id.digest(), delivery));
            }
            group.add(pending.digest());
            group.add(self.consumers(type_byte, pending.n_elements())?);
            groups.add(group.digest());
        }
        Ok(groups.digest())
    }

    fn consumers(&mut self, type_byte: u8, n_pending: u64) -> Result<u128> {
        let mut consumers = Bag::default();
        let mut n_held = 0;
        for _ in 0..self.input.length()? {
            let name = self.input.string_digest()?;
            let _seen_at: [u8; 8] = self.input.array()?;
            if type_byte >= THIRD {
                let _active_at: [u8; 8] = self.input.array()?;
            }
            let mut held = Bag::default();
            for _ in 0..self.input.length()? {
                held.add(mix(Id::from_raw(self.input.array()?).digest(), 0));
            }
            n_held += held.n_elements();
            consumers.add(mix(name, held.digest()));
        }
        if n_held != n_pending {
            let what = format_args!("{n_pending} entries are pending and consumers hold {n_held}");
            return Err(self.input.damaged(what));
        }
        Ok(consumers.digest())
    }
}

/// The entries of one listpack: a first one, which only has the ids' base and the usual fields, and the real ones.
fn node(packed: &mut Packed<'_>, first: Id, entries: &mut Bag) -> Result<(), Damage> {
    let n_live = packed.must()?.integer()?;
    let n_deleted = packed.must()?.integer()?;
    let n_fields = packed.must()?.integer()?;
    let mut fields = Vec::new();
    for _ in 0..n_fields {
        fields.push(packed.must()?.digest());
    }
    if packed.must()?.integer()? != 0 {
        return Err("a stream's listpack does not begin as it must");
    }
    let (mut live, mut deleted) = (0, 0);
    while let Some(flags) = packed.next()? {
        let flags = flags.integer()?;
        let id = Id {
            milliseconds: offset(first.milliseconds, packed.must()?.integer()?),
            sequence: offset(first.sequence, packed.must()?.integer()?),
        };
        let entry = entry(packed, flags, &fields)?;
        if flags & DELETED == 0 {
            live += 1;
            entries.add(mix(id.digest(), entry));
        } else {
            deleted += 1;
        }
    }
    if (live, deleted) != (n_live, n_deleted) {
        return Err("a stream's listpack has other entries than it says");
    }
    Ok(())
}

/// Differences wrap, as the server's do.
fn offset(base: u64, difference: i64) -> u64 {
    base.wrapping_add_signed(difference)
}

/// Fields and values of one entry, and the length that follows for walks backwards.
fn entry(packed: &mut Packed<'_>, flags: i64, fields: &[u128]) -> Result<u128, Damage> {
    let mut content = Chain::default();
    let n_parts = if flags & SAME_FIELDS != 0 {
        for field in fields {
            content.add(mix(*field, packed.must()?.digest()));
        }
        fields.len() as i64 + 3
    } else {
        let n_fields = packed.must()?.integer()?;
        for _ in 0..n_fields {
            let field = packed.must()?.digest();
            content.add(mix(field, packed.must()?.digest()));
        }
        n_fields.saturating_mul(2).saturating_add(4)
    };
    if packed.must()?.integer()? != n_parts {
        return Err("an entry of a stream has other parts than it says");
    }
    Ok(content.digest())
}

//! A key with its value: what is restored of it, and what proves it.

use std::fmt;

use xxhash_rust::xxh3::xxh3_128;

use super::payload::seal;

/// What a value is, whatever its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    String,
    List,
    Set,
    SortedSet,
    Hash,
    Stream,
    Module,
}

impl Kind {
    /// The name that the command `TYPE` has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
            Self::Module => "module",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One key.
#[derive(Clone, Debug)]
pub struct Key {
    pub name: Vec<u8>,
    pub kind: Kind,
    /// How the value is encoded.
    pub type_byte: u8,
    /// Unix time in milliseconds.
    pub expires_at: Option<u64>,
    /// For how long nobody had asked for it, if the server counts that.
    pub idle_seconds: Option<u64>,
    /// How often it is asked for, if the server counts that instead.
    pub frequency: Option<u8>,
    /// Of a hash whose fields expire, the earliest end of one, in milliseconds: from then on its content changes.
    pub fields_end_at: Option<u64>,
    /// The value as it is in the RDB, without the type byte; empty with [`super::Keep::Nothing`].
    pub value: Vec<u8>,
    /// Equal for equal content, whatever its encoding.
    pub digest: u128,
}

impl Key {
    /// What `RESTORE` takes: type byte, value, the version that wrote it, checksum.
    pub fn dump_payload(&self, version: u32) -> Vec<u8> {
        let mut payload = Vec::with_capacity(1 + self.value.len() + 10);
        payload.push(self.type_byte);
        payload.extend_from_slice(&self.value);
        seal(&mut payload, version);
        payload
    }

    /// Until when the key certainly stays as it is, in milliseconds; `None` for ever.
    pub fn ends_at(&self) -> Option<u64> {
        let ends = self.expires_at.into_iter().chain(self.fields_end_at);
        ends.min()
    }

    /// A hash of name, kind, content and whether the key expires; sums of it prove a database. The time of expiry
    /// is not in it: it is restored to the millisecond, but a key may be gone by then.
    pub fn proof(&self) -> u128 {
        let mut row = [0; 34];
        row[..16].copy_from_slice(&self.digest.to_le_bytes());
        row[16] = self.kind as u8;
        row[17] = u8::from(self.expires_at.is_some());
        row[18..].copy_from_slice(&xxh3_128(&self.name).to_le_bytes());
        xxh3_128(&row)
    }
}

/// A key's name, for errors: what cannot be printed escaped, what is long cut.
pub(super) fn shown(name: &[u8]) -> String {
    const SHOWN_BYTES: usize = 80;
    let more = if name.len() > SHOWN_BYTES { "…" } else { "" };
    let name = &name[..name.len().min(SHOWN_BYTES)];
    format!("\"{}{more}\"", name.escape_ascii())
}

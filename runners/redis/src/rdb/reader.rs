//! An RDB, item by item.

use std::io::Read;

use runner_core::error::{Error, Kind as ErrorKind, Result};
use xxhash_rust::xxh3::Xxh3;

use super::input::Input;
use super::key::{Key, Kind, shown};
use super::module::module_name;
use super::payload::FUNCTION;
use super::value::Walk;
use super::version::{Family, Version};

/// Longest name, aux field and library: a server takes no longer ones.
const STRING_LIMIT: u64 = 512 * 1024 * 1024;

/// Whether each key's serialized value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// For a new RDB: each value is held whole while its [`Key`] lives.
    Payloads,
    /// For a restore: as `Payloads`, but a long string comes in parts: see [`Item::Long`].
    Parts,
    /// For a proof: values pass through.
    Nothing,
}

/// What an RDB is made of.
#[derive(Clone, Debug)]
pub enum Item {
    /// A fact about the server that wrote it: `redis-ver`, `used-mem`, `repl-id`, …
    Aux {
        name: Vec<u8>,
        value: Vec<u8>,
    },
    /// The keys that follow are of this database.
    Database(u64),
    /// About how many keys the database has, and how many of them expire.
    Sizes {
        keys: u64,
        expires: u64,
    },
    /// In cluster mode: a hash slot, with about how many keys it has and how many of them expire.
    Slot {
        slot: u64,
        keys: u64,
        expires: u64,
    },
    /// A library's source; see [`super::function_payload`].
    Function(Vec<u8>),
    /// Something that a module keeps beside its keys; no command restores it.
    ModuleAux {
        module: String,
    },
    Key(Key),
    /// A key with a long string, before that was read. Of the value there is only what comes before its bytes, of which
    /// there are so many: [`Reader::part`] yields them, then [`Reader::digest_of_parts`] what the key lacks.
    Long(Key, u64),
}

/// Strings from here on are long.
const LONG_BYTES: u64 = 1 << 20;

/// A long string that is being read.
struct Long {
    left: u64,
    hasher: Xxh3,
}

#[derive(Clone, Copy)]
enum State {
    Open,
    Ended,
    /// Where one byte was wrong, what follows means nothing.
    Failed,
}

/// Reads an RDB from its header to its checksum. Synchronous: it belongs on a thread of its own.
pub struct Reader<R> {
    input: Input<R>,
    version: Version,
    keep: Keep,
    scratch: Vec<u8>,
    state: State,
    checksummed: bool,
    long: Option<Box<Long>>,
}

impl<R: Read> Reader<R> {
    /// Reads the header: what is no RDB, and what is of an unknown version, is refused here.
    pub fn new(inner: R, keep: Keep) -> Result<Self> {
        let mut input = Input::new(inner);
        let version = Version::parse(input.array()?)?;
        Ok(Self {
            input,
            version,
            keep,
            scratch: Vec::new(),
            state: State::Open,
            checksummed: false,
            long: None,
        })
    }

    /// The version of the format.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Bytes read so far.
    pub fn offset(&self) -> u64 {
        self.input.offset()
    }

    /// At the end: whether there was a checksum. `rdbchecksum no` and formats before 5 have none.
    pub fn checksummed(&self) -> bool {
        self.checksummed
    }

    /// The next item; `None` only after the end mark, a right checksum and the end of the source.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator would go on after an error"
    )]
    pub fn next(&mut self) -> Result<Option<Item>> {
        match self.state {
            State::Open => {}
            State::Ended => return Ok(None),
            State::Failed => {
                let what = "an RDB was read on after an error";
                return Err(Error::new(ErrorKind::Bug, what));
            }
        }
        let item = match self.long {
            None => self.read(),
            Some(_) => Err(unread()),
        };
        if item.is_err() {
            self.state = State::Failed;
        }
        item
    }

    /// More bytes of the string that [`Item::Long`] announced; `None` after the last.
    pub fn part(&mut self) -> Result<Option<&[u8]>> {
        let Some(long) = &mut self.long else {
            return Err(unread());
        };
        if long.left == 0 {
            return Ok(None);
        }
        match self.input.some(long.left) {
            Ok(part) => {
                long.hasher.update(part);
                long.left -= part.len() as u64;
                Ok(Some(part))
            }
            Err(err) => {
                self.state = State::Failed;
                Err(err)
            }
        }
    }

    /// The digest of the string that was read in parts, all of them.
    pub fn digest_of_parts(&mut self) -> Result<u128> {
        match self.long.take() {
            Some(long) if long.left == 0 => Ok(long.hasher.digest128()),
            _ => Err(unread()),
        }
    }

    fn read(&mut self) -> Result<Option<Item>> {
        let mut expires_at = None;
        let mut idle_seconds = None;
        let mut frequency = None;
        loop {
            match self.input.byte()? {
                253 => {
                    let seconds = i64::from(i32::from_le_bytes(self.input.array()?));
                    expires_at = Some(self.time(seconds * 1000)?);
                }
                252 => {
                    let milliseconds = i64::from_le_bytes(self.input.array()?);
                    expires_at = Some(self.time(milliseconds)?);
                }
                249 => frequency = Some(self.input.byte()?),
                248 => idle_seconds = Some(self.input.length()?),
                type_byte @ 0..=199 => {
                    let mut key = self.key(type_byte)?;
                    key.expires_at = expires_at;
                    key.idle_seconds = idle_seconds;
                    key.frequency = frequency;
                    return Ok(Some(match &self.long {
                        Some(long) => Item::Long(key, long.left),
                        None => Item::Key(key),
                    }));
                }
                243 if self.version.family == Family::Redis => {
                    return Err(self.unfit(
                        "metadata that a module keeps with a key, which this runner cannot restore; is there a newer one?",
                    ));
                }
                _ if expires_at.is_some() || idle_seconds.is_some() || frequency.is_some() => {
                    return Err(self.input.damaged("an expiry that no key follows"));
                }
                255 => {
                    self.end()?;
                    return Ok(None);
                }
                opcode => return self.item(opcode).map(Some),
            }
        }
    }

    fn item(&mut self, opcode: u8) -> Result<Item> {
        Ok(match opcode {
            254 => Item::Database(self.input.length()?),
            251 => Item::Sizes {
                keys: self.input.length()?,
                expires: self.input.length()?,
            },
            250 => Item::Aux {
                name: self.string()?,
                value: self.string()?,
            },
            247 => self.module_aux()?,
            FUNCTION => Item::Function(self.string()?),
            244 => Item::Slot {
                slot: self.input.length()?,
                keys: self.input.length()?,
                expires: self.input.length()?,
            },
            246 => {
                return Err(self.unfit(
                    "functions in the format of Redis 7's release candidates; save them again with Redis 7.0 or later",
                ));
            }
            243 => {
                return Err(self.unfit(
                    "a slot that is being imported; back up again when the migration of slots has ended",
                ));
            }
            _ => {
                return Err(self.unfit(&format!(
                    "opcode {opcode}, which this runner does not know; is there a newer one?"
                )));
            }
        })
    }

    fn unfit(&self, what: &str) -> Error {
        let (version, offset) = (self.version, self.input.offset());
        Error::new(
            ErrorKind::Unfit,
            format!("this {version} has at byte {offset} {what}"),
        )
    }

    fn time(&self, milliseconds: i64) -> Result<u64> {
        u64::try_from(milliseconds).map_err(|_| self.input.damaged("a key expires before 1970"))
    }

    fn string(&mut self) -> Result<Vec<u8>> {
        let mut string = Vec::new();
        self.input.string_into(STRING_LIMIT, &mut string)?;
        Ok(string)
    }

    /// Reads a key and its value, or, where that is a long string, up to its bytes.
    fn key(&mut self, type_byte: u8) -> Result<Key> {
        let name = self.string()?;
        if self.keep != Keep::Nothing {
            self.input.keep();
        }
        let mut fields_end_at = None;
        let value = match (self.keep, type_byte) {
            (Keep::Parts, 0) => self.maybe_long().map(|digest| (Kind::String, digest)),
            _ => {
                let mut walk = Walk {
                    input: &mut self.input,
                    family: self.version.family,
                    scratch: &mut self.scratch,
                    fields_end_at: None,
                };
                let value = walk.value(type_byte);
                fields_end_at = walk.fields_end_at;
                value
            }
        };
        let (kind, digest) =
            value.map_err(|err| err.while_doing(format!("read key {}", shown(&name))))?;
        Ok(Key {
            name,
            kind,
            type_byte,
            expires_at: None,
            idle_seconds: None,
            frequency: None,
            fields_end_at,
            value: self.input.kept(),
            digest,
        })
    }

    /// The digest of a string, unless it is long: then that is still to come.
    fn maybe_long(&mut self) -> Result<u128> {
        let head = self.input.head()?;
        match head.plain_bytes() {
            Some(left) if left >= LONG_BYTES => {
                let hasher = Xxh3::new();
                self.long = Some(Box::new(Long { left, hasher }));
                Ok(0)
            }
            _ => self.input.digest_after(head),
        }
    }

    fn module_aux(&mut self) -> Result<Item> {
        let module = module_name(self.input.length()?);
        if self.input.length()? != 2 {
            return Err(self
                .input
                .damaged("a module's data do not say when to load"));
        }
        let _when = self.input.length()?;
        self.input.module_parts()?;
        Ok(Item::ModuleAux { module })
    }

    fn end(&mut self) -> Result<()> {
        if self.version.has_checksum() {
            let actual = self.input.checksum();
            let said = u64::from_le_bytes(self.input.array()?);
            self.checksummed = said != 0;
            if said != 0 && said != actual {
                return Err(self.input.damaged("its checksum is wrong"));
            }
        }
        self.input.end()?;
        self.state = State::Ended;
        Ok(())
    }
}

/// Parts are read where there are some, and all of them.
fn unread() -> Error {
    Error::new(ErrorKind::Bug, "a long string was not read in its turn")
}

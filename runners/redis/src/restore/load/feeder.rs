//! An RDB's keys, made commands: each for the master that its slot belongs to.

use std::io::Read;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use runner_core::error::Result;
use tokio::runtime::Handle;

use super::Shared;
use super::lane::{Lane, nobody};
use crate::census::Census;
use crate::rdb::{FOOTER_BYTES, Item, Key, Reader, Seal};
use crate::wire;

/// Reads one RDB.
pub(super) struct Feeder {
    shared: Arc<Shared>,
    lanes: Vec<Lane>,
    with_functions: bool,
    fed: Fed,
    runtime: Handle,
    version: u32,
    /// In the RDB, and in the target.
    from: u64,
    database: u64,
}

/// What was in an RDB.
pub(super) struct Fed {
    /// Everything.
    pub(super) all: Census,
    /// What went into the target, under its databases' numbers there.
    pub(super) filled: Census,
    pub(super) n_expired: u64,
}

impl Feeder {
    pub(super) fn new(shared: Arc<Shared>, lanes: Vec<Lane>, with_functions: bool) -> Self {
        Self {
            lanes,
            with_functions,
            fed: Fed {
                all: Census::new(shared.since),
                filled: Census::new(shared.since),
                n_expired: 0,
            },
            runtime: Handle::current(),
            version: 0,
            from: 0,
            database: shared.place.into.unwrap_or(0),
            shared,
        }
    }

    /// Sees to it that the target takes such an RDB and is cleared, then passes all of it on.
    pub(super) fn read<R: Read>(mut self, reader: &mut Reader<R>) -> Result<Fed> {
        let shared = Arc::clone(&self.shared);
        shared.place.check_version(reader.version())?;
        let clear = shared.cleared.get_or_try_init(|| shared.place.clear());
        self.runtime.block_on(clear)?;
        self.version = reader.version().number;
        while let Some(item) = reader.next()? {
            match item {
                Item::Database(number) => {
                    self.flush()?;
                    self.from = number;
                    self.database = shared.place.into.unwrap_or(number);
                }
                Item::Function(code) => self.function(&code)?,
                Item::Key(key) => self.key(key)?,
                Item::Long(key, n_bytes) => self.long(key, n_bytes, reader)?,
                _ => {}
            }
        }
        self.flush()?;
        Ok(self.fed)
    }

    fn flush(&mut self) -> Result<()> {
        let database = self.database;
        let mut lanes = self.lanes.iter_mut();
        lanes.try_for_each(|lane| lane.flush(database))
    }

    /// Every master gets it.
    fn function(&mut self, code: &[u8]) -> Result<()> {
        self.fed.all.add_function(code);
        if self.with_functions && self.shared.place.wanted.functions {
            for lane in &mut self.lanes {
                self.fed.filled.add_function(code);
                wire::command(&mut lane.message, &[b"FUNCTION", b"LOAD", code]);
                lane.added(self.database)?;
            }
        }
        Ok(())
    }

    fn key(&mut self, key: Key) -> Result<()> {
        let is_restored = self.is_restored(&key);
        self.count(&key, is_restored);
        if !is_restored {
            return Ok(());
        }
        let lane = &mut self.lanes[self.shared.route.owner(&key.name)];
        let end = End::of(&key);
        begin(&mut lane.message, &key, &end, key.value.len());
        lane.payload(key.type_byte, key.value, self.version);
        end.put(&mut lane.message);
        lane.added(self.database)
    }

    /// A key whose value is never in one piece here: so long as its bytes come, they go.
    fn long<R: Read>(&mut self, mut key: Key, n_bytes: u64, reader: &mut Reader<R>) -> Result<()> {
        let is_restored = self.is_restored(&key);
        let n_value = key.value.len() + usize::try_from(n_bytes).unwrap_or(usize::MAX);
        let mut seal = Seal::new(&[key.type_byte]);
        seal.add(&key.value);
        let mut last = BytesMut::new();
        let end = End::of(&key);
        end.put(&mut last);
        let sender = match is_restored {
            true => {
                let lane = &mut self.lanes[self.shared.route.owner(&key.name)];
                begin(&mut lane.message, &key, &end, n_value);
                lane.message.extend_from_slice(&[key.type_byte]);
                lane.message.extend_from_slice(&key.value);
                let n_bytes = n_bytes + (FOOTER_BYTES + last.len()) as u64;
                Some(lane.begin_long(self.database, &key.name, n_bytes)?)
            }
            false => None,
        };
        let send = |part: Bytes| match &sender {
            Some(sender) => sender.blocking_send(part).map_err(|_| nobody()),
            None => Ok(()),
        };
        while let Some(part) = reader.part()? {
            seal.add(part);
            send(Bytes::copy_from_slice(part))?;
        }
        let footer = seal.footer(self.version);
        send(Bytes::copy_from_slice(&footer))?;
        send(last.freeze())?;
        key.digest = reader.digest_of_parts()?;
        self.count(&key, is_restored);
        Ok(())
    }

    fn is_restored(&self, key: &Key) -> bool {
        let place = &self.shared.place;
        place.wanted.takes(self.from, &key.name) && !self.is_over(key)
    }

    fn is_over(&self, key: &Key) -> bool {
        key.expires_at.is_some_and(|at| at <= self.shared.since)
    }

    fn count(&mut self, key: &Key, is_restored: bool) {
        self.fed.all.add_key(self.from, key);
        if is_restored {
            self.fed.filled.add_key(self.database, key);
        } else if self.shared.place.wanted.takes(self.from, &key.name) {
            self.fed.n_expired += 1;
        }
    }
}

/// A `RESTORE` up to its value, of which there are so many bytes.
fn begin(message: &mut BytesMut, key: &Key, end: &End, n_bytes: usize) {
    wire::head(message, b'*', 4 + end.n_words());
    wire::word(message, b"RESTORE");
    wire::word(message, &key.name);
    let expires_at = key.expires_at.unwrap_or(0).to_string();
    wire::word(message, expires_at.as_bytes());
    wire::head(message, b'$', 1 + n_bytes + FOOTER_BYTES);
}

/// What follows the payload of a `RESTORE`: how its time of expiry is meant, and how the key was used.
struct End(Option<(&'static [u8], u64)>);

impl End {
    fn of(key: &Key) -> Self {
        Self(match (key.idle_seconds, key.frequency) {
            (Some(seconds), _) => Some((b"IDLETIME", seconds)),
            (None, Some(frequency)) => Some((b"FREQ", frequency.into())),
            (None, None) => None,
        })
    }

    fn n_words(&self) -> usize {
        1 + 2 * usize::from(self.0.is_some())
    }

    fn put(&self, message: &mut BytesMut) {
        message.extend_from_slice(b"\r\n");
        wire::word(message, b"ABSTTL");
        if let Some((word, number)) = self.0 {
            wire::word(message, word);
            wire::word(message, number.to_string().as_bytes());
        }
    }
}

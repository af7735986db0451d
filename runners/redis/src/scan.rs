//! Reading a server key by key, where it lets nobody be its replica: `SCAN` for names, `DUMP` for values.
//!
//! Each key is seen at a moment of its own, so this is no snapshot. `SCAN` may name a key twice, and an RDB may not:
//! so the names that were seen are remembered, by their hashes.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use futures::StreamExt;
use futures::stream;
use runner_core::error::{Error, Kind, Result};
use runner_core::stream::{BLOCK_BYTES, ByteStream};
use runner_core::workers::{each, unless_cancelled};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use xxhash_rust::xxh3::xxh3_128;

use crate::server::{Server, now_ms};
use crate::wanted::Wanted;
use crate::wire::{Connection, Reply, command};

/// How many names one `SCAN` looks for.
const NAMES: &[u8] = b"1000";
/// How many keys are asked for at once: the server holds their values until we have read them.
const KEYS_AT_ONCE: usize = 32;
/// Messages that wait between two tasks.
const WAITING: usize = 4;

/// A reading to be.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub(crate) server: Server,
    pub(crate) databases: Vec<u64>,
    pub(crate) wanted: Wanted,
    pub(crate) parallelism: usize,
    pub(crate) cancel: CancellationToken,
}

/// One key as `DUMP` gave it.
#[derive(Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) database: u64,
    pub(crate) expires_at: Option<u64>,
    pub(crate) name: Bytes,
    pub(crate) payload: Bytes,
}

impl Record {
    const HEAD_BYTES: usize = 8 + 8 + 4 + 4;

    fn put(&self, block: &mut BytesMut) -> Result<()> {
        let length = |bytes: &Bytes| {
            u32::try_from(bytes.len())
                .map_err(|err| Error::new(Kind::Unfit, "a value of more than 4 GiB").because(err))
        };
        block.reserve(Self::HEAD_BYTES + self.name.len() + self.payload.len());
        block.put_u64(self.database);
        block.put_u64(self.expires_at.unwrap_or(0));
        block.put_u32(length(&self.name)?);
        block.put_u32(length(&self.payload)?);
        block.extend_from_slice(&self.name);
        block.extend_from_slice(&self.payload);
        Ok(())
    }

    /// Takes the first record of a block, which holds whole ones.
    pub(crate) fn take(block: &mut Bytes) -> Option<Self> {
        use bytes::Buf;
        if block.len() < Self::HEAD_BYTES {
            return None;
        }
        let (database, expires_at) = (block.get_u64(), block.get_u64());
        let (n_name, n_payload) = (block.get_u32() as usize, block.get_u32() as usize);
        Some(Self {
            database,
            expires_at: (expires_at > 0).then_some(expires_at),
            name: block.split_to(n_name),
            payload: block.split_to(n_payload),
        })
    }
}

/// Names of one database's keys.
struct Names {
    database: u64,
    names: Vec<Bytes>,
}

/// What one task does.
enum Part {
    Names(Sender<Names>),
    Values,
}

/// `None` is the good end.
type Item = Result<Option<Bytes>>;

impl Scan {
    /// Blocks of records; the stream ends well only when every database was read to its end.
    pub(crate) fn records(self) -> ByteStream {
        let (sender, receiver) = channel::<Item>(WAITING);
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let ended = self.read(&sender).await;
            // Nobody listening any more is fine.
            let _ = sender.send(ended.map(|()| None)).await;
        }));
        stream::unfold(Some((receiver, task)), |state| async {
            let (mut receiver, task) = state?;
            match receiver.recv().await {
                Some(Ok(Some(block))) => Some((Ok(block), Some((receiver, task)))),
                Some(Ok(None)) => None,
                Some(Err(err)) => Some((Err(err), None)),
                None => Some((Err(Error::new(Kind::Bug, "a scan vanished")), None)),
            }
        })
        .boxed()
    }

    async fn read(self, out: &Sender<Item>) -> Result<()> {
        let (names_sender, names) = channel(WAITING);
        let names = Arc::new(Mutex::new(names));
        let n_readers = self.parallelism.max(1);
        let mut parts = vec![Part::Names(names_sender)];
        parts.extend((0..n_readers).map(|_| Part::Values));
        let cancel = self.cancel.clone();
        let scan = Arc::new(self);
        let done = each(parts, n_readers + 1, &cancel, |part, stop| {
            let (scan, names, out) = (Arc::clone(&scan), Arc::clone(&names), out.clone());
            async move {
                let work = async {
                    match part {
                        Part::Names(sender) => scan.find_names(&sender).await,
                        Part::Values => scan.read_values(&names, &out).await,
                    }
                };
                unless_cancelled(&stop, work).await
            }
        });
        done.await.map(drop)
    }

    async fn find_names(&self, sender: &Sender<Names>) -> Result<()> {
        let mut connection = self.server.connect().await?;
        for database in self.databases.iter().copied() {
            select(&mut connection, database).await?;
            let mut seen = HashSet::new();
            let mut cursor = Bytes::from_static(b"0");
            loop {
                let words: [&[u8]; 4] = [b"SCAN", &cursor, b"COUNT", NAMES];
                let mut answer = connection.call(&words).await?.items().into_iter();
                let next = answer.next().and_then(Reply::bulk);
                let found = answer.next().map(Reply::items).unwrap_or_default();
                let mut names: Vec<Bytes> = found.into_iter().filter_map(Reply::bulk).collect();
                names.retain(|name| {
                    self.wanted.takes(database, name) && seen.insert(xxh3_128(name))
                });
                for names in names.chunks(KEYS_AT_ONCE) {
                    let names = names.to_vec();
                    if sender.send(Names { database, names }).await.is_err() {
                        return Ok(()); // the readers have given up, and say why
                    }
                }
                cursor = next.ok_or_else(|| Error::new(Kind::Bug, "SCAN without a cursor"))?;
                if cursor == "0" {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn read_values(&self, names: &Mutex<Receiver<Names>>, out: &Sender<Item>) -> Result<()> {
        let mut connection = self.server.connect().await?;
        let words: [&[u8]; 2] = [b"PEXPIRETIME", b""];
        let tells_moments = !matches!(connection.ask(&words).await?, Reply::Error(_));
        let mut selected = None;
        let mut block = BytesMut::new();
        loop {
            let next = names.lock().await.recv().await;
            let Some(Names { database, names }) = next else {
                break;
            };
            if selected != Some(database) {
                select(&mut connection, database).await?;
                selected = Some(database);
            }
            let asked = ask(&mut connection, &names, tells_moments).await?;
            for name in names {
                if let Some(record) = read(&mut connection, database, name, asked).await? {
                    record.put(&mut block)?;
                }
                if block.len() >= BLOCK_BYTES && !pass(&mut block, out).await {
                    return Ok(());
                }
            }
        }
        pass(&mut block, out).await;
        Ok(())
    }
}

async fn pass(block: &mut BytesMut, out: &Sender<Item>) -> bool {
    block.is_empty() || out.send(Ok(Some(block.split().freeze()))).await.is_ok()
}

pub(crate) async fn select(connection: &mut Connection, database: u64) -> Result<()> {
    let number = database.to_string();
    connection.call(&[b"SELECT", number.as_bytes()]).await?;
    Ok(())
}

/// Asks for the end and the value of each key. `None` when ends are told as moments; otherwise the moment that they
/// are told from.
async fn ask(
    connection: &mut Connection,
    names: &[Bytes],
    tells_moments: bool,
) -> Result<Option<u64>> {
    let since = match tells_moments {
        true => None,
        false => Some(now_ms(connection).await?),
    };
    let end: &[u8] = if tells_moments {
        b"PEXPIRETIME"
    } else {
        b"PTTL"
    };
    let mut message = BytesMut::new();
    for name in names {
        command(&mut message, &[end, name]);
        command(&mut message, &[b"DUMP", name]);
    }
    connection.send(&message).await?;
    Ok(since)
}

/// Reads the answers about one key; `None` when it has gone.
async fn read(
    connection: &mut Connection,
    database: u64,
    name: Bytes,
    since: Option<u64>,
) -> Result<Option<Record>> {
    let end: &[u8] = if since.is_none() {
        b"PEXPIRETIME"
    } else {
        b"PTTL"
    };
    let reply = connection.reply().await?;
    let left = connection.good(reply, &[end])?.integer().unwrap_or(-2);
    let reply = connection.reply().await?;
    let payload = connection.good(reply, &[b"DUMP"])?.bulk();
    let expires_at = u64::try_from(left)
        .ok()
        .map(|left| left + since.unwrap_or(0));
    Ok(payload.map(|payload| Record {
        database,
        expires_at,
        name,
        payload,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_of_a_block_as_they_went_in() {
        let record = |name: &'static [u8], expires_at| Record {
            database: 3,
            expires_at,
            name: Bytes::from_static(name),
            payload: Bytes::from_static(b"\0value"),
        };
        let records = [record(b"a", None), record(b"", Some(7))];
        let mut block = BytesMut::new();
        for record in &records {
            record.put(&mut block).unwrap();
        }
        let mut block = block.freeze();
        for record in records {
            assert_eq!(Record::take(&mut block), Some(record));
        }
        assert_eq!(Record::take(&mut block), None);
    }
}

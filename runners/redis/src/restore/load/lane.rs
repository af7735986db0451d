//! The way to one master: commands gathered to batches, and the workers that send them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use runner_core::error::{Error, Kind, Result};
use runner_core::progress::Progress;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use super::IN_FLIGHT_BYTES;
use crate::rdb::Seal;
use crate::scan::select;
use crate::server::Server;
use crate::wire::{self, Connection, Reply};

/// Commands are sent when they are so many bytes.
const BATCH_BYTES: usize = 128 * 1024;
/// Values from this size on are sent from where they are.
const LARGE_BYTES: usize = 64 * 1024;
/// Parts of a long command that wait for its connection.
const PARTS_WAITING: usize = 4;

/// Commands for one database.
pub(super) struct Batch {
    database: u64,
    parts: Vec<Bytes>,
    n_commands: u64,
    /// The rest of the last command.
    tail: Option<Tail>,
    /// Given back when the server has answered.
    _room: Option<OwnedSemaphorePermit>,
}

/// The rest of a command that is never in one piece.
struct Tail {
    key: Bytes,
    n_bytes: u64,
    parts: Receiver<Bytes>,
}

/// Commands for one master, gathered by one reader.
pub(super) struct Lane {
    sender: Sender<Batch>,
    room: Arc<Semaphore>,
    runtime: Handle,
    pub(super) message: BytesMut,
    parts: Vec<Bytes>,
    n_commands: u64,
    n_bytes: usize,
}

/// Another reader's, which gathers anew.
impl Clone for Lane {
    fn clone(&self) -> Self {
        Self::new(self.sender.clone(), Arc::clone(&self.room))
    }
}

impl Lane {
    pub(super) fn new(sender: Sender<Batch>, room: Arc<Semaphore>) -> Self {
        Self {
            sender,
            room,
            runtime: Handle::current(),
            message: BytesMut::new(),
            parts: Vec::new(),
            n_commands: 0,
            n_bytes: 0,
        }
    }

    /// Appends what `RESTORE` takes for a value; one that is large is not copied.
    pub(super) fn payload(&mut self, type_byte: u8, value: Vec<u8>, version: u32) {
        let begin = self.message.len();
        self.message.extend_from_slice(&[type_byte]);
        let seal = if value.len() < LARGE_BYTES {
            self.message.extend_from_slice(&value);
            Seal::new(&self.message[begin..])
        } else {
            let mut seal = Seal::new(&[type_byte]);
            seal.add(&value);
            self.n_bytes += self.message.len() + value.len();
            self.parts.push(self.message.split().freeze());
            self.parts.push(value.into());
            seal
        };
        self.message.extend_from_slice(&seal.footer(version));
    }

    /// A command for that database is complete.
    pub(super) fn added(&mut self, database: u64) -> Result<()> {
        self.n_commands += 1;
        match self.n_bytes + self.message.len() < BATCH_BYTES {
            true => Ok(()),
            false => self.flush(database),
        }
    }

    /// A command for that database is begun, and so many bytes of it will be sent one after the other.
    pub(super) fn begin_long(
        &mut self,
        database: u64,
        key: &[u8],
        n_bytes: u64,
    ) -> Result<Sender<Bytes>> {
        let (sender, parts) = channel(PARTS_WAITING);
        let key = Bytes::copy_from_slice(key);
        self.n_commands += 1;
        self.pass(
            database,
            Some(Tail {
                key,
                n_bytes,
                parts,
            }),
        )?;
        Ok(sender)
    }

    /// Sends what is gathered.
    pub(super) fn flush(&mut self, database: u64) -> Result<()> {
        match self.n_commands {
            0 => Ok(()),
            _ => self.pass(database, None),
        }
    }

    fn pass(&mut self, database: u64, tail: Option<Tail>) -> Result<()> {
        self.n_bytes += self.message.len();
        self.parts.push(self.message.split().freeze());
        let n_bytes = std::mem::take(&mut self.n_bytes).min(IN_FLIGHT_BYTES);
        let n_permits = u32::try_from(n_bytes).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room);
        let room = self.runtime.block_on(room.acquire_many_owned(n_permits));
        let batch = Batch {
            database,
            parts: std::mem::take(&mut self.parts),
            n_commands: std::mem::take(&mut self.n_commands),
            tail,
            _room: room.ok(),
        };
        self.sender.blocking_send(batch).map_err(|_| nobody())
    }
}

/// Whoever took the keys has failed, and says why.
pub(super) fn nobody() -> Error {
    Error::new(Kind::Interrupted, "nobody takes the keys any more")
}

/// Sends batches over a connection of its own.
pub(super) struct Worker {
    pub(super) server: Server,
    pub(super) receiver: Arc<Mutex<Receiver<Batch>>>,
    pub(super) n_sent: Arc<AtomicU64>,
    pub(super) progress: Progress,
}

impl Worker {
    pub(super) async fn run(self) -> Result<()> {
        let mut connection = self.server.connect().await?;
        let mut selected = None;
        loop {
            let next = self.receiver.lock().await.recv().await;
            let Some(mut batch) = next else { return Ok(()) };
            if selected != Some(batch.database) {
                select(&mut connection, batch.database).await?;
                selected = Some(batch.database);
            }
            for part in &batch.parts {
                connection.send(part).await?;
            }
            if let Some(tail) = &mut batch.tail
                && !send_tail(&mut connection, tail).await?
            {
                return Ok(()); // the reader has failed, and says why
            }
            for n in 0..batch.n_commands {
                match connection.reply().await? {
                    Reply::Error(text) => return Err(refused(&connection, &batch, n, &text)),
                    _ => self.n_sent.fetch_add(1, Ordering::Relaxed),
                };
            }
            self.progress.add_rows(batch.n_commands);
        }
    }
}

/// Whether all of it came.
async fn send_tail(connection: &mut Connection, tail: &mut Tail) -> Result<bool> {
    let mut left = tail.n_bytes;
    while let Some(part) = tail.parts.recv().await {
        connection.send(&part).await?;
        left = left.saturating_sub(part.len() as u64);
    }
    Ok(left == 0)
}

fn refused(connection: &Connection, batch: &Batch, n: u64, text: &str) -> Error {
    let long = batch.tail.as_ref().filter(|_| n + 1 == batch.n_commands);
    let words = match long {
        Some(tail) => vec![Bytes::from_static(b"RESTORE"), tail.key.clone()],
        None => wire::nth_command(&batch.parts, n),
    };
    let command = words.first().cloned().unwrap_or_default();
    let name = words
        .get(1)
        .map(|name| String::from_utf8_lossy(name).into_owned());
    let way_out = match text {
        text if text.starts_with("BUSYKEY") => "; something else writes there",
        text if text.starts_with("MOVED") || text.starts_with("ASK") => {
            "; slots were moved while this restore ran"
        }
        text if text.contains("version or checksum") => {
            "; the server takes no such value: is a module missing, or the server too old?"
        }
        text if text.contains("Bad data format") => "; is a module missing there?",
        _ => "",
    };
    let err = connection.refusal(text, &[command.as_ref()]);
    err.while_doing(format!(
        "restore {:?} of database {}{way_out}",
        name.unwrap_or_default(),
        batch.database,
    ))
}

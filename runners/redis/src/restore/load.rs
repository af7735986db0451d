//! Keys into a server: an RDB is read on a thread, and its keys replayed by `RESTORE` over several connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use runner_core::codec::thread::through;
use runner_core::engine::Target;
use runner_core::error::{Error, Kind, Result};
use runner_core::stream::ByteStream;
use runner_core::workers::{each, unless_cancelled};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, oneshot};

use super::place::Place;
use crate::census::Census;
use crate::rdb::{Item, Keep, Key, Reader, Version};
use crate::scan::select;
use crate::server::now_ms;
use crate::walk::{Blocks, drain};
use crate::wanted::Wanted;
use crate::wire::{self, Connection, Reply};

/// Commands are sent when they are so many bytes.
const BATCH_BYTES: usize = 128 * 1024;
/// Commands on their way, in all connections: beyond, the reader waits. One value may be larger.
const IN_FLIGHT_BYTES: usize = 32 << 20;
/// Batches that wait for a connection.
const WAITING: usize = 8;
/// Values from this size on are sent from where they are.
const LARGE_BYTES: usize = 64 * 1024;

/// A load to be.
pub(super) struct Loading<'a> {
    pub(super) place: &'a Place,
    pub(super) target: &'a Target,
}

/// What a load brought.
pub(crate) struct Loaded {
    /// Everything that the RDB held.
    pub(crate) all: Census,
    /// What should be in the target now, under its databases' numbers there.
    pub(crate) wanted: Census,
    pub(crate) n_sent: u64,
    pub(crate) n_expired: u64,
    /// When it was begun, by the target's clock.
    pub(crate) since: u64,
}

/// Commands for one database.
struct Batch {
    database: u64,
    parts: Vec<Bytes>,
    n_commands: u64,
    /// Given back when the server has answered.
    _room: Option<OwnedSemaphorePermit>,
}

impl Loading<'_> {
    /// Clears the target once the RDB turned out to be one that it takes, then fills it.
    pub(super) async fn run(&self, rdb: ByteStream) -> Result<Loaded> {
        let mut connection = self.place.server.connect().await?;
        let since = now_ms(&mut connection).await?;
        drop(connection);
        let (sender, receiver) = channel(WAITING);
        let (say_version, version) = oneshot::channel();
        let (say_census, census) = oneshot::channel();
        let feeder = Feeder::new(self.place, since, sender);
        let reading = through(rdb, move |source, _| {
            let mut blocks = Blocks::new(source, None);
            let mut reader = Reader::new(&mut blocks, Keep::Payloads)?;
            let _ = say_version.send(reader.version());
            let done = feeder.read(&mut reader)?;
            drop(reader);
            blocks.finish()?;
            let _ = say_census.send(done);
            Ok(())
        });
        // An RDB whose head cannot be read, or is too new, is told from one that can before anything is dropped.
        let reading = match version.await {
            Ok(version) => {
                self.place.check_version(version)?;
                reading
            }
            Err(_) => {
                drain(reading).await?;
                return Err(Error::new(Kind::Bug, "an RDB without a version"));
            }
        };
        self.place.clear().await?;
        let n_sent = Arc::new(AtomicU64::new(0));
        let filled = self.fill(reading, receiver, &n_sent).await;
        let n_sent = n_sent.load(Ordering::Relaxed);
        filled.map_err(|err| {
            err.while_doing(format!(
                "{n_sent} keys were restored into {} and stay there; RESTORE_DROP_EXISTING=true begins anew",
                self.place.title()
            ))
        })?;
        let (all, wanted, n_expired) = census
            .await
            .map_err(|err| Error::new(Kind::Bug, "a load without a count").because(err))?;
        Ok(Loaded {
            all,
            wanted,
            n_sent,
            n_expired,
            since,
        })
    }

    async fn fill(
        &self,
        reading: ByteStream,
        receiver: Receiver<Batch>,
        n_sent: &Arc<AtomicU64>,
    ) -> Result<()> {
        let receiver = Arc::new(Mutex::new(receiver));
        let n_workers = self.target.parallelism.max(1);
        let work = each(
            (0..n_workers).collect(),
            n_workers,
            &self.target.cancel,
            |_, stop| {
                let worker = Worker {
                    server: self.place.server.clone(),
                    version: self.place.version,
                    receiver: Arc::clone(&receiver),
                    n_sent: Arc::clone(n_sent),
                    progress: self.target.progress.clone(),
                };
                async move { unless_cancelled(&stop, worker.run()).await }
            },
        );
        let sent = work.await;
        // Nobody takes batches any more: a reader that still has some gives up.
        drop(receiver);
        sent?;
        drain(reading).await
    }
}

/// Sends batches over a connection of its own.
struct Worker {
    server: crate::server::Server,
    version: Version,
    receiver: Arc<Mutex<Receiver<Batch>>>,
    n_sent: Arc<AtomicU64>,
    progress: runner_core::progress::Progress,
}

impl Worker {
    async fn run(self) -> Result<()> {
        let mut connection = self.server.connect().await?;
        let mut selected = None;
        loop {
            let next = self.receiver.lock().await.recv().await;
            let Some(batch) = next else { return Ok(()) };
            if selected != Some(batch.database) {
                select(&mut connection, batch.database).await?;
                selected = Some(batch.database);
            }
            for part in &batch.parts {
                connection.send(part).await?;
            }
            for n in 0..batch.n_commands {
                match connection.reply().await? {
                    Reply::Error(text) => return Err(self.refused(&connection, &batch, n, &text)),
                    _ => self.n_sent.fetch_add(1, Ordering::Relaxed),
                };
            }
            self.progress.add_rows(batch.n_commands);
        }
    }

    fn refused(&self, connection: &Connection, batch: &Batch, n: u64, text: &str) -> Error {
        let words = wire::nth_command(&batch.parts, n);
        let command = words.first().cloned().unwrap_or_default();
        let name = words
            .get(1)
            .map(|name| String::from_utf8_lossy(name).into_owned());
        let way_out = match text {
            text if text.starts_with("BUSYKEY") => "; something else writes there",
            text if text.contains("version or checksum") => {
                "; the server takes no such value: is a module missing, or the server too old?"
            }
            text if text.contains("Bad data format") => "; is a module missing there?",
            _ => "",
        };
        let err = connection.refusal(text, &[command.as_ref()]);
        err.while_doing(format!(
            "restore {:?} of database {} (RDB version {}){way_out}",
            name.unwrap_or_default(),
            batch.database,
            self.version.number
        ))
    }
}

/// Reads an RDB on its thread and makes commands of it.
struct Feeder {
    wanted: Wanted,
    into: Option<u64>,
    since: u64,
    all: Census,
    filled: Census,
    n_expired: u64,
    sender: Sender<Batch>,
    room: Arc<Semaphore>,
    runtime: Handle,
    batch: BytesMut,
    parts: Vec<Bytes>,
    n_commands: u64,
    n_bytes: usize,
    /// In the target.
    database: u64,
}

impl Feeder {
    fn new(place: &Place, since: u64, sender: Sender<Batch>) -> Self {
        Self {
            wanted: place.wanted.clone(),
            into: place.into,
            since,
            all: Census::new(since),
            filled: Census::new(since),
            n_expired: 0,
            sender,
            room: Arc::new(Semaphore::new(IN_FLIGHT_BYTES)),
            runtime: Handle::current(),
            batch: BytesMut::new(),
            parts: Vec::new(),
            n_commands: 0,
            n_bytes: 0,
            database: place.into.unwrap_or(0),
        }
    }

    fn read<R: std::io::Read>(mut self, reader: &mut Reader<R>) -> Result<(Census, Census, u64)> {
        let version = reader.version().number;
        let mut from = 0;
        while let Some(item) = reader.next()? {
            match item {
                Item::Database(number) => {
                    self.flush()?;
                    from = number;
                    self.database = self.into.unwrap_or(number);
                }
                Item::Function(code) => {
                    self.all.add_function(&code);
                    if self.wanted.functions {
                        self.filled.add_function(&code);
                        wire::command(&mut self.batch, &[b"FUNCTION", b"LOAD", &code]);
                        self.added()?;
                    }
                }
                Item::Key(key) => self.key(from, key, version)?,
                _ => {}
            }
        }
        self.flush()?;
        Ok((self.all, self.filled, self.n_expired))
    }

    fn key(&mut self, from: u64, key: Key, version: u32) -> Result<()> {
        self.all.add_key(from, &key);
        if !self.wanted.takes(from, &key.name) {
            return Ok(());
        }
        if key.expires_at.is_some_and(|at| at <= self.since) {
            self.n_expired += 1;
            return Ok(());
        }
        self.filled.add_key(self.database, &key);
        let payload = key.dump_payload(version);
        let expires_at = key.expires_at.unwrap_or(0).to_string();
        let last = match (key.idle_seconds, key.frequency) {
            (Some(seconds), _) => Some((&b"IDLETIME"[..], seconds.to_string())),
            (None, Some(frequency)) => Some((&b"FREQ"[..], frequency.to_string())),
            (None, None) => None,
        };
        let message = &mut self.batch;
        wire::head(message, b'*', 5 + 2 * usize::from(last.is_some()));
        for word in [b"RESTORE", &key.name[..], expires_at.as_bytes()] {
            wire::word(message, word);
        }
        drop(key.value);
        wire::head(message, b'$', payload.len());
        if payload.len() >= LARGE_BYTES {
            self.n_bytes += message.len() + payload.len();
            self.parts.push(message.split().freeze());
            self.parts.push(payload.into());
        } else {
            message.extend_from_slice(&payload);
        }
        let message = &mut self.batch;
        message.extend_from_slice(b"\r\n");
        wire::word(message, b"ABSTTL");
        if let Some((word, number)) = last {
            wire::word(message, word);
            wire::word(message, number.as_bytes());
        }
        self.added()
    }

    fn added(&mut self) -> Result<()> {
        self.n_commands += 1;
        match self.n_bytes + self.batch.len() < BATCH_BYTES {
            true => Ok(()),
            false => self.flush(),
        }
    }

    fn flush(&mut self) -> Result<()> {
        if self.n_commands == 0 {
            return Ok(());
        }
        self.n_bytes += self.batch.len();
        self.parts.push(self.batch.split().freeze());
        let n_bytes = std::mem::take(&mut self.n_bytes).min(IN_FLIGHT_BYTES);
        let n_permits = u32::try_from(n_bytes).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room);
        let room = self.runtime.block_on(room.acquire_many_owned(n_permits));
        let batch = Batch {
            database: self.database,
            parts: std::mem::take(&mut self.parts),
            n_commands: std::mem::take(&mut self.n_commands),
            _room: room.ok(),
        };
        let sent = self.sender.blocking_send(batch);
        sent.map_err(|_| Error::new(Kind::Interrupted, "nobody takes the keys any more"))
    }
}

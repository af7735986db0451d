//! Walking through an RDB on a thread: read, judged and counted, passed on whole or in part.

use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::StreamExt;
use runner_core::codec::thread::{Sink, Source, through};
use runner_core::engine::Proof;
use runner_core::error::{Error, Kind, Result, from_io};
use runner_core::progress::Progress;
use runner_core::stream::{BLOCK_BYTES, ByteStream};

use crate::census::Census;
use crate::rdb::{Item, Keep, Reader, Version, Writer, judge_payload};
use crate::scan::Record;
use crate::wanted::Wanted;

/// Rows are counted in steps of so many.
const STEP: u64 = 1024;

/// What a walk has learnt when it has ended well.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    learnt: Arc<OnceLock<(Version, Census)>>,
    pub(crate) proof: Proof,
}

impl Seen {
    pub(crate) fn get(&self) -> Result<(Version, Census)> {
        let learnt = self.learnt.get().cloned();
        learnt.ok_or_else(|| Error::new(Kind::Bug, "a walk through an RDB that never ended"))
    }

    fn set(&self, version: Version, census: Census) {
        self.proof.set(census.data());
        // Only one walk ends with it.
        let _ = self.learnt.set((version, census));
    }
}

/// The bytes of a stream for a reader, and, where there is a sink, passed on to it as they are.
pub(crate) struct Blocks<'a> {
    source: Source,
    sink: Option<&'a mut Sink>,
    block: Bytes,
}

impl<'a> Blocks<'a> {
    pub(crate) fn new(source: Source, sink: Option<&'a mut Sink>) -> Self {
        Self {
            source,
            sink,
            block: Bytes::new(),
        }
    }

    fn next(&mut self) -> io::Result<bool> {
        let Some(block) = self.source.next()? else {
            return Ok(false);
        };
        if let Some(sink) = &mut self.sink {
            sink.put(block.clone())?;
        }
        self.block = block;
        Ok(true)
    }

    /// Makes sure that the stream ends where what was read did.
    pub(crate) fn finish(mut self) -> Result<()> {
        let read = |err| from_io(err, Kind::Bug, "pass an RDB on");
        if !self.block.is_empty() || self.next().map_err(read)? {
            return Err(Error::new(
                Kind::Integrity,
                "bytes follow the end of the RDB",
            ));
        }
        match self.sink {
            Some(sink) => sink.finish().map_err(read),
            None => Ok(()),
        }
    }
}

impl Read for Blocks<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.block.is_empty() && !self.next()? {
            return Ok(0);
        }
        let n_bytes = out.len().min(self.block.len());
        out[..n_bytes].copy_from_slice(&self.block.split_to(n_bytes));
        Ok(n_bytes)
    }
}

/// Counts rows in steps.
struct Rows<'a> {
    progress: &'a Progress,
    n: u64,
}

impl<'a> Rows<'a> {
    fn new(progress: &'a Progress) -> Self {
        Self { progress, n: 0 }
    }

    fn add(&mut self) {
        self.n += 1;
        if self.n == STEP {
            self.progress.add_rows(std::mem::take(&mut self.n));
        }
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        self.progress.add_rows(self.n);
    }
}

/// Passes an RDB on as it is, and counts all that is in it.
pub(crate) fn whole(rdb: ByteStream, since: u64, progress: Progress, seen: Seen) -> ByteStream {
    through(rdb, move |source, sink| {
        let mut blocks = Blocks::new(source, Some(sink));
        let everything = Wanted {
            functions: true,
            ..Wanted::default()
        };
        let mut reader = Reader::new(&mut blocks, Keep::Nothing)?;
        let census = count(&mut reader, since, &everything, &progress)?;
        let version = reader.version();
        drop(reader);
        blocks.finish()?;
        seen.set(version, census);
        Ok(())
    })
}

/// Counts what is wanted of an RDB, and passes nothing on.
pub(crate) async fn counted(
    rdb: ByteStream,
    since: u64,
    wanted: Wanted,
    progress: Progress,
) -> Result<Census> {
    read(rdb, since, wanted, progress, |_| Ok(())).await
}

/// Reads an RDB to its end, unless its version is not taken, and passes nothing on.
pub(crate) async fn judged(
    rdb: ByteStream,
    takes: impl FnOnce(Version) -> Result<()> + Send + 'static,
    progress: Progress,
) -> Result<Census> {
    read(rdb, 0, Wanted::default(), progress, takes).await
}

async fn read(
    rdb: ByteStream,
    since: u64,
    wanted: Wanted,
    progress: Progress,
    takes: impl FnOnce(Version) -> Result<()> + Send + 'static,
) -> Result<Census> {
    let seen = Seen::default();
    let set = seen.clone();
    let end = through(rdb, move |source, _| {
        let mut blocks = Blocks::new(source, None);
        let mut reader = Reader::new(&mut blocks, Keep::Nothing)?;
        let version = reader.version();
        takes(version)?;
        let census = count(&mut reader, since, &wanted, &progress)?;
        drop(reader);
        blocks.finish()?;
        set.set(version, census);
        Ok(())
    });
    drain(end).await?;
    Ok(seen.get()?.1)
}

/// Awaits the end of work that passes nothing on.
pub(crate) async fn drain(mut stream: ByteStream) -> Result<()> {
    while let Some(block) = stream.next().await {
        block?;
    }
    Ok(())
}

fn count<R: Read>(
    reader: &mut Reader<R>,
    since: u64,
    wanted: &Wanted,
    progress: &Progress,
) -> Result<Census> {
    let mut census = Census::new(since);
    let mut database = 0;
    let mut rows = Rows::new(progress);
    while let Some(item) = reader.next()? {
        match item {
            Item::Database(n) => database = n,
            Item::Function(code) if wanted.functions => census.add_function(&code),
            Item::Key(key) if wanted.takes(database, &key.name) => {
                census.add_key(database, &key);
                rows.add();
            }
            _ => {}
        }
    }
    Ok(census)
}

/// An RDB on its way out.
struct Out<'a> {
    writer: Writer,
    sink: &'a mut Sink,
    database: Option<u64>,
}

impl<'a> Out<'a> {
    fn new(version: Version, sink: &'a mut Sink) -> Self {
        Self {
            writer: Writer::new(version),
            sink,
            database: None,
        }
    }

    fn key(
        &mut self,
        database: u64,
        name: &[u8],
        payload: &[u8],
        expires_at: Option<u64>,
    ) -> Result<()> {
        if self.database.replace(database) != Some(database) {
            self.writer.database(database);
        }
        self.writer.key(name, payload, expires_at)?;
        if self.writer.len() >= BLOCK_BYTES {
            let block = self.writer.take();
            self.put(block)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        let put = self.sink.put(self.writer.finish().into());
        let passed = put.and_then(|()| self.sink.finish());
        passed.map_err(|err| from_io(err, Kind::Bug, "pass an RDB on"))
    }

    fn put(&mut self, block: Vec<u8>) -> Result<()> {
        let put = self.sink.put(block.into());
        put.map_err(|err| from_io(err, Kind::Bug, "pass an RDB on"))
    }
}

/// Passes on an RDB of what is wanted.
pub(crate) fn part(
    rdb: ByteStream,
    since: u64,
    wanted: Wanted,
    progress: Progress,
    seen: Seen,
) -> ByteStream {
    through(rdb, move |source, sink| {
        let mut blocks = Blocks::new(source, None);
        let mut reader = Reader::new(&mut blocks, Keep::Payloads)?;
        let version = reader.version();
        let mut out = Out::new(version, sink);
        let mut census = Census::new(since);
        let mut database = 0;
        let mut rows = Rows::new(&progress);
        while let Some(item) = reader.next()? {
            match item {
                Item::Aux { name, value } => out.writer.aux(&name, &value),
                Item::Database(n) => database = n,
                Item::Function(code) if wanted.functions => {
                    census.add_function(&code);
                    out.writer.function(&code);
                }
                Item::Key(key) if wanted.takes(database, &key.name) => {
                    census.add_key(database, &key);
                    let payload = key.dump_payload(version.number);
                    out.key(database, &key.name, &payload, key.expires_at)?;
                    rows.add();
                }
                _ => {}
            }
        }
        drop(reader);
        blocks.finish()?;
        out.finish()?;
        seen.set(version, census);
        Ok(())
    })
}

/// Passes on an RDB made of records that a scan yields.
pub(crate) fn written(
    records: ByteStream,
    version: Version,
    since: u64,
    functions: Vec<Bytes>,
    progress: Progress,
    seen: Seen,
) -> ByteStream {
    through(records, move |mut source, sink| {
        let mut out = Out::new(version, sink);
        let mut census = Census::new(since);
        let mut rows = Rows::new(&progress);
        for code in functions {
            census.add_function(&code);
            out.writer.function(&code);
        }
        while let Some(mut block) = source.next()? {
            while let Some(record) = Record::take(&mut block) {
                let key = judge_payload(&record.name, &record.payload, record.expires_at)?;
                census.add_key(record.database, &key);
                let (name, payload) = (&record.name, &record.payload);
                out.key(record.database, name, payload, record.expires_at)?;
                rows.add();
            }
        }
        out.finish()?;
        seen.set(version, census);
        Ok(())
    })
}

/// Counts the keys that a scan yields.
pub(crate) async fn counted_records(
    records: ByteStream,
    since: u64,
    functions: Vec<Bytes>,
    progress: Progress,
) -> Result<Census> {
    let counted = Arc::new(OnceLock::new());
    let set = Arc::clone(&counted);
    let end = through(records, move |mut source, _| {
        let mut census = Census::new(since);
        let mut rows = Rows::new(&progress);
        for code in functions {
            census.add_function(&code);
        }
        while let Some(mut block) = source.next()? {
            while let Some(record) = Record::take(&mut block) {
                let key = judge_payload(&record.name, &record.payload, record.expires_at)?;
                census.add_key(record.database, &key);
                rows.add();
            }
        }
        let _ = set.set(census);
        Ok(())
    });
    drain(end).await?;
    let census = counted.get().cloned();
    census.ok_or_else(|| Error::new(Kind::Bug, "a count that never ended"))
}

//! Counts and hashes stored bytes as they pass, on their way out and on their way in.

use std::io::{self, BufRead, Read, Write};

use bytes::{Buf, Bytes};
use sha2::{Digest, Sha256};

use super::Sums;
use super::thread::{Sink, Source};
use crate::error::{Error, Kind, Result};
use crate::progress::Progress;

fn hex(sha256: Sha256) -> String {
    format!("{:x}", Bytes::copy_from_slice(&sha256.finalize()))
}

/// Stored bytes on their way out.
pub(super) struct StoredWriter<'a> {
    sink: &'a mut Sink,
    sha256: Sha256,
    stored_bytes: u64,
    progress: Progress,
}

impl<'a> StoredWriter<'a> {
    pub(super) fn new(sink: &'a mut Sink, progress: Progress) -> Self {
        Self {
            sink,
            sha256: Sha256::new(),
            stored_bytes: 0,
            progress,
        }
    }

    fn count(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.stored_bytes += bytes.len() as u64;
        self.progress.add_stored(bytes.len() as u64);
    }

    /// A block that no layer changes, uncopied.
    pub(super) fn put(&mut self, block: Bytes) -> io::Result<()> {
        self.count(&block);
        self.sink.put(block)
    }

    /// Sends the last bytes; `Sums` exist only once they are gone.
    pub(super) fn finish(self, logical_bytes: u64) -> io::Result<Sums> {
        self.sink.finish()?;
        Ok(Sums {
            logical_bytes,
            stored_bytes: self.stored_bytes,
            sha256: hex(self.sha256),
        })
    }
}

impl Write for StoredWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sink.write_all(bytes)?;
        self.count(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Stored bytes on their way in. As a `Read` it passes the source's errors on inside `io::Error`.
pub(super) struct StoredReader {
    source: Source,
    block: Bytes,
    sha256: Sha256,
    stored_bytes: u64,
    expected: Option<Sums>,
    progress: Progress,
}

impl StoredReader {
    pub(super) fn new(source: Source, expected: Option<Sums>, progress: Progress) -> Self {
        Self {
            source,
            block: Bytes::new(),
            sha256: Sha256::new(),
            stored_bytes: 0,
            expected,
            progress,
        }
    }

    /// The next block, counted and hashed; a length other than the expected one is found here.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>> {
        if !self.block.is_empty() {
            return Ok(Some(std::mem::take(&mut self.block)));
        }
        let block = self.source.next()?;
        if let Some(block) = &block {
            self.sha256.update(block);
            self.stored_bytes += block.len() as u64;
            self.progress.add_stored(block.len() as u64);
        }
        let wanted = self.expected.as_ref().map(|sums| sums.stored_bytes);
        match wanted {
            Some(wanted) if self.stored_bytes > wanted => Err(Error::new(
                Kind::Integrity,
                format!("the stored bytes go on after the {wanted} that were sealed"),
            )),
            Some(wanted) if block.is_none() && self.stored_bytes < wanted => Err(Error::new(
                Kind::Integrity,
                format!(
                    "the stored bytes end after {} of {wanted}",
                    self.stored_bytes
                ),
            )),
            _ => Ok(block),
        }
    }

    /// After the last layer's end: nothing may follow, and the sums must be the expected ones.
    pub(super) fn finish(mut self, logical_bytes: u64) -> Result<()> {
        if self.next()?.is_some() {
            return Err(Error::new(
                Kind::Integrity,
                "there are bytes after the end of the stream",
            ));
        }
        let Some(expected) = self.expected else {
            return Ok(());
        };
        let sha256 = hex(self.sha256);
        if !sha256.eq_ignore_ascii_case(&expected.sha256) {
            let what = format!(
                "the stored bytes have SHA-256 {sha256} and not {}",
                expected.sha256
            );
            return Err(Error::new(Kind::Integrity, what));
        }
        if logical_bytes != expected.logical_bytes {
            let what = format!(
                "the stream holds {logical_bytes} bytes and not {}",
                expected.logical_bytes
            );
            return Err(Error::new(Kind::Integrity, what));
        }
        Ok(())
    }
}

impl BufRead for StoredReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.block.is_empty() {
            self.block = self.next()?.unwrap_or_default();
        }
        Ok(&self.block)
    }

    fn consume(&mut self, n_bytes: usize) {
        self.block.advance(n_bytes);
    }
}

impl Read for StoredReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.fill_buf()?.read(out)?;
        self.consume(n_bytes);
        Ok(n_bytes)
    }
}

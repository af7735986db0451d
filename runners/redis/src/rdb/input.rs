//! Bytes of an RDB: buffered, counted, summed and, where asked for, kept.

use std::io::{ErrorKind, Read};

use crc_fast::{CrcAlgorithm, Digest};
use runner_core::error::{Error, Kind, Result, from_io};

/// What is read at once; small enough for the cache, large enough for a system call or a channel.
const BUFFER_BYTES: usize = 128 * 1024;

/// Longest run of bytes that [`Input::take`] hands out in one piece.
pub(super) const RUN_BYTES: usize = 16 * 1024;

/// Reads through a buffer of its own. Checksum and kept bytes are settled buffer by buffer, not byte by byte.
pub(super) struct Input<R> {
    inner: R,
    buffer: Box<[u8]>,
    /// The next byte to hand out, and the end of what has been read.
    at: usize,
    end: usize,
    /// Where `buffer` begins in the stream.
    base: u64,
    /// Bytes of `buffer` before this one are in the checksum already.
    summed: usize,
    checksum: Digest,
    /// From where in `buffer` bytes are still to be added to `kept`.
    keep_from: Option<usize>,
    kept: Vec<u8>,
}

impl<R: Read> Input<R> {
    pub(super) fn new(inner: R) -> Self {
        Self::with_buffer(inner, BUFFER_BYTES)
    }

    /// For a source that is known to be short.
    pub(super) fn with_buffer(inner: R, n_bytes: usize) -> Self {
        Self {
            inner,
            buffer: vec![0; n_bytes.clamp(64, BUFFER_BYTES)].into_boxed_slice(),
            at: 0,
            end: 0,
            base: 0,
            summed: 0,
            checksum: Digest::new(CrcAlgorithm::Crc64Redis),
            keep_from: None,
            kept: Vec::new(),
        }
    }

    /// How many bytes have been handed out.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// An error that names the place.
    pub(super) fn damaged(&self, what: impl std::fmt::Display) -> Error {
        let offset = self.offset();
        Error::new(
            Kind::Integrity,
            format!("the RDB is damaged at byte {offset}: {what}"),
        )
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8> {
        if self.at == self.end {
            self.fill(1)?;
        }
        let byte = self.buffer[self.at];
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        if self.end - self.at < N {
            self.fill(N)?;
        }
        let mut array = [0; N];
        array.copy_from_slice(&self.buffer[self.at..self.at + N]);
        self.at += N;
        Ok(array)
    }

    /// The next `n_bytes` in one piece, if they are few enough for that; else use [`Input::some`].
    #[inline]
    pub(super) fn take(&mut self, n_bytes: usize) -> Result<&[u8]> {
        if self.end - self.at < n_bytes {
            self.fill(n_bytes)?;
        }
        let from = self.at;
        self.at += n_bytes;
        Ok(&self.buffer[from..self.at])
    }

    /// At least one byte and at most `limit`, as many as are there.
    pub(super) fn some(&mut self, limit: u64) -> Result<&[u8]> {
        if self.at == self.end {
            self.fill(1)?;
        }
        let there = self.end - self.at;
        let n_bytes = usize::try_from(limit).map_or(there, |limit| limit.min(there));
        self.take(n_bytes)
    }

    /// Whether [`Input::take`] may be asked for so many bytes.
    #[inline]
    pub(super) fn is_run(&self, n_bytes: u64) -> bool {
        n_bytes <= (self.buffer.len().min(RUN_BYTES)) as u64
    }

    /// Makes at least `n_bytes` readable in one piece.
    #[cold]
    fn fill(&mut self, n_bytes: usize) -> Result<()> {
        debug_assert!(n_bytes <= self.buffer.len());
        self.settle();
        self.buffer.copy_within(self.at..self.end, 0);
        self.base += self.at as u64;
        self.end -= self.at;
        self.at = 0;
        self.summed = 0;
        self.keep_from = self.keep_from.map(|_| 0);
        while self.end < n_bytes {
            if self.more()? == 0 {
                let there = self.base + self.end as u64;
                return Err(Error::new(
                    Kind::Integrity,
                    format!("the RDB is cut short: it ends after {there} bytes"),
                ));
            }
        }
        Ok(())
    }

    fn more(&mut self) -> Result<usize> {
        loop {
            match self.inner.read(&mut self.buffer[self.end..]) {
                Ok(n_bytes) => {
                    self.end += n_bytes;
                    return Ok(n_bytes);
                }
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                Err(err) => return Err(from_io(err, Kind::Unreachable, "read the RDB")),
            }
        }
    }

    /// Takes what has been handed out into checksum and kept bytes.
    fn settle(&mut self) {
        self.checksum.update(&self.buffer[self.summed..self.at]);
        self.summed = self.at;
        if let Some(from) = self.keep_from {
            self.kept.extend_from_slice(&self.buffer[from..self.at]);
            self.keep_from = Some(self.at);
        }
    }

    /// The checksum of every byte handed out so far.
    pub(super) fn checksum(&mut self) -> u64 {
        self.settle();
        self.checksum.finalize()
    }

    /// Keeps what is handed out from here on.
    pub(super) fn keep(&mut self) {
        self.kept = Vec::new();
        self.keep_from = Some(self.at);
    }

    /// What was handed out since [`Input::keep`].
    pub(super) fn kept(&mut self) -> Vec<u8> {
        if let Some(from) = self.keep_from.take() {
            self.kept.extend_from_slice(&self.buffer[from..self.at]);
        }
        std::mem::take(&mut self.kept)
    }

    /// Nothing may follow. This also reads the source to its own end, where a decoder reports what it found.
    pub(super) fn end(&mut self) -> Result<()> {
        if self.at == self.end {
            self.settle();
            self.base += self.at as u64;
            (self.at, self.end, self.summed) = (0, 0, 0);
            if self.more()? == 0 {
                return Ok(());
            }
        }
        Err(self.damaged("there are bytes after its end"))
    }
}

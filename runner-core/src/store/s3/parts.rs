//! Parts of equal length, and the buffers that they are collected in.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use crate::error::Result;
use crate::stream::ByteStream;

/// Buffers of one part each, used again: an allocator that is given back buffers of megabytes by one thread
/// and asked for them by another keeps several times as many as are in use.
pub(super) struct Buffers {
    part_bytes: usize,
    free: Mutex<Vec<BytesMut>>,
}

impl Buffers {
    pub(super) fn new(part_bytes: u64) -> Self {
        Self {
            part_bytes: usize::try_from(part_bytes).unwrap_or(usize::MAX),
            free: Mutex::default(),
        }
    }

    fn take(&self) -> BytesMut {
        let free = self.free().pop();
        // One allocation; its untouched pages cost nothing.
        free.unwrap_or_else(|| BytesMut::with_capacity(self.part_bytes))
    }

    /// A part that has been sent; if the connection still holds it, it is freed in the ordinary way.
    pub(super) fn give_back(&self, part: Bytes) {
        if let Ok(mut buffer) = part.try_into_mut() {
            buffer.clear();
            if buffer.capacity() >= self.part_bytes {
                self.free().push(buffer);
            }
        }
    }

    fn free(&self) -> MutexGuard<'_, Vec<BytesMut>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body cut into parts of exactly `part_bytes`; only the last is shorter.
pub(super) struct Parts<'a> {
    body: ByteStream,
    buffers: &'a Buffers,
    /// Read already, beyond the last part.
    rest: Bytes,
    part: Option<BytesMut>,
    at_end: bool,
}

impl<'a> Parts<'a> {
    pub(super) fn new(body: ByteStream, buffers: &'a Buffers) -> Self {
        Self {
            body,
            buffers,
            rest: Bytes::new(),
            part: None,
            at_end: false,
        }
    }

    /// Cancel-safe: what was read stays in `self`.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>> {
        let part_bytes = self.buffers.part_bytes;
        while self
            .part
            .as_ref()
            .is_none_or(|part| part.len() < part_bytes)
            && !self.at_end
        {
            if self.rest.is_empty() {
                match self.body.next().await {
                    Some(bytes) => self.rest = bytes?,
                    None => self.at_end = true,
                }
                continue;
            }
            let part = self.part.get_or_insert_with(|| self.buffers.take());
            let room = part_bytes - part.len();
            let bytes = self.rest.split_to(room.min(self.rest.len()));
            part.extend_from_slice(&bytes);
        }
        Ok(self.part.take().map(BytesMut::freeze))
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    async fn lengths(blocks: &[usize]) -> Vec<usize> {
        let blocks: Vec<_> = blocks
            .iter()
            .map(|n| Ok(Bytes::from(vec![0; *n])))
            .collect();
        let buffers = Buffers::new(10);
        let mut parts = Parts::new(stream::iter(blocks).boxed(), &buffers);
        let mut lengths = Vec::new();
        while let Some(part) = parts.next().await.unwrap() {
            lengths.push(part.len());
            buffers.give_back(part);
            assert_eq!(buffers.free().len(), 1, "the buffer is used again");
        }
        lengths
    }

    #[tokio::test]
    async fn parts_are_equal_whatever_the_blocks_are() {
        assert_eq!(lengths(&[]).await, [0; 0]);
        assert_eq!(lengths(&[0, 0]).await, [0; 0]);
        assert_eq!(lengths(&[3, 7]).await, [10]);
        assert_eq!(lengths(&[25, 0, 4, 1]).await, [10, 10, 10]);
        assert_eq!(lengths(&[9, 2, 1]).await, [10, 2]);
    }
}

//! The oplog out of an archive, as it passes.

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use futures::{StreamExt, stream};
use runner_core::error::Result;
use runner_core::stream::ByteStream;

use super::census::{Header, OPLOG, decode};
use super::empty::{header, push};
use super::frames::{Frame, Frames, TERMINATOR};
use super::operations::replayable;

/// Hands on the operations on users' collections, to stand behind an archive that announces them.
pub(crate) fn only_oplog(body: ByteStream) -> ByteStream {
    let filter = Filter::default();
    stream::unfold(Some((body, filter)), |state| async {
        let (mut body, mut filter) = state?;
        match body.next().await {
            Some(Ok(block)) => Some(match filter.feed(&block) {
                Ok(kept) => (Ok(kept), Some((body, filter))),
                Err(err) => (Err(err), None),
            }),
            Some(Err(err)) => Some((Err(err), None)),
            None => match filter.frames.finish() {
                Ok(()) => None,
                Err(err) => Some((Err(err), None)),
            },
        }
    })
    .filter(|block| {
        let is_empty = block.as_ref().is_ok_and(Bytes::is_empty);
        std::future::ready(!is_empty)
    })
    .boxed()
}

#[derive(Default)]
struct Filter {
    frames: Frames,
    kept: Kept,
}

struct Kept {
    /// Whether the block that is passing is the oplog's.
    is_oplog: bool,
    /// An operation that came in parts.
    operation: Vec<u8>,
    sum: Digest,
    bytes: Vec<u8>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            is_oplog: false,
            operation: Vec::new(),
            sum: Digest::new(CrcAlgorithm::Crc64Xz),
            bytes: Vec::new(),
        }
    }
}

impl Filter {
    fn feed(&mut self, block: &[u8]) -> Result<Bytes> {
        let kept = &mut self.kept;
        self.frames.feed(block, &mut |frame| kept.see(frame))?;
        Ok(std::mem::take(&mut kept.bytes).into())
    }
}

impl Kept {
    fn see(&mut self, frame: Frame<'_>) -> Result<()> {
        match frame {
            Frame::Header(document) => {
                let Header {
                    db,
                    collection,
                    is_end,
                    ..
                } = decode(document)?;
                self.is_oplog = (db.as_str(), collection.as_str()) == OPLOG;
                if self.is_oplog {
                    let sum = if is_end { self.sum.finalize() } else { 0 };
                    push(&mut self.bytes, &header(OPLOG, is_end, sum))?;
                }
            }
            Frame::Document(document) if self.is_oplog => self.operation(document)?,
            Frame::Part(part, is_last) if self.is_oplog => {
                self.operation.extend_from_slice(part);
                if is_last {
                    let operation = std::mem::take(&mut self.operation);
                    self.operation(&operation)?;
                }
            }
            Frame::End if self.is_oplog => {
                self.bytes.extend(TERMINATOR);
                self.is_oplog = false;
            }
            _ => {}
        }
        Ok(())
    }

    fn operation(&mut self, document: &[u8]) -> Result<()> {
        if let Some(operation) = replayable(document)? {
            self.sum.update(&operation);
            self.bytes.extend(operation);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! An archive with nothing but the oplog of another, as it passes.

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use runner_core::error::Result;
use runner_core::stream::ByteStream;

use super::census::{Header, OPLOG, decode};
use super::frames::{Frame, Frames, MAGIC, TERMINATOR};

/// Leaves out every collection but the oplog, so that `mongorestore --oplogReplay` does that and nothing else.
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
    .boxed()
}

#[derive(Default)]
struct Filter {
    frames: Frames,
    /// Whether the block that is passing is kept.
    keeps: bool,
}

impl Filter {
    fn feed(&mut self, block: &[u8]) -> Result<Bytes> {
        let mut kept = BytesMut::new();
        let keeps = &mut self.keeps;
        self.frames.feed(block, &mut |frame| {
            match frame {
                Frame::Prelude(document) => {
                    kept.extend_from_slice(&MAGIC);
                    kept.extend_from_slice(document);
                    *keeps = true;
                }
                Frame::Metadata(document) => {
                    if is_oplog(&decode(document)?) {
                        kept.extend_from_slice(document);
                    }
                }
                Frame::Header(document) => {
                    *keeps = is_oplog(&decode(document)?);
                    if *keeps {
                        kept.extend_from_slice(document);
                    }
                }
                Frame::Document(part) | Frame::Part(part, _) if *keeps => {
                    kept.extend_from_slice(part);
                }
                Frame::End if *keeps => kept.extend_from_slice(&TERMINATOR),
                Frame::Document(_) | Frame::Part(..) | Frame::End => {}
            }
            Ok(())
        })?;
        Ok(kept.freeze())
    }
}

fn is_oplog(header: &Header) -> bool {
    (header.db.as_str(), header.collection.as_str()) == OPLOG
}

//! What an archive says that it holds, before any of it has passed.

use bytes::Bytes;
use futures::{StreamExt, stream};
use runner_core::error::{Error, Kind, Result};
use runner_core::stream::ByteStream;

use super::census::{Archive, Census};

/// The most that the list of collections at an archive's beginning may take.
const LIST_BYTES: usize = 64 * 1024 * 1024;

/// Reads the list of collections, and gives the whole of the archive back.
pub(crate) async fn list(mut body: ByteStream) -> Result<(Archive, ByteStream)> {
    let mut census = Census::default();
    let mut blocks: Vec<Bytes> = Vec::new();
    let mut n_bytes = 0;
    while !census.has_list() {
        let Some(block) = body.next().await else {
            let what = "the archive was cut within its list of collections";
            return Err(Error::new(Kind::Integrity, what));
        };
        let block = block?;
        census.feed(&block)?;
        n_bytes += block.len();
        if n_bytes > LIST_BYTES {
            let what = format!("its list of collections has more than {LIST_BYTES} bytes");
            return Err(Error::new(Kind::Unfit, what));
        }
        blocks.push(block);
    }
    let blocks = stream::iter(blocks.into_iter().map(Ok));
    Ok((census.listed(), blocks.chain(body).boxed()))
}

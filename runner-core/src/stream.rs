//! Bytes on their way: a stream that ends without an error was produced whole.

use bytes::Bytes;
use futures::stream::BoxStream;

use crate::error::Result;

/// Ending without `Err` means that the producer succeeded; the first `Err` is the last item.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// The size in bytes of the blocks that producers aim for: large enough that per-block costs vanish,
/// small enough that a handful in flight per worker is nothing.
pub const BLOCK_BYTES: usize = 256 * 1024;

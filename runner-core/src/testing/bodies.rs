//! Streams of known bytes, of any length, that nobody has to keep to compare.

use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::error::{Error, Kind, Result};
use crate::stream::ByteStream;

/// `n_bytes` that look random and depend only on `seed`, in blocks of uneven length.
pub fn body(seed: u64, n_bytes: u64) -> ByteStream {
    stream::unfold(
        (Noise::new(seed), n_bytes),
        |(mut noise, left)| async move {
            if left == 0 {
                return None;
            }
            let length = left.min(1 + noise.next() % (600 << 10));
            let block = noise.block(length as usize);
            Some((Ok(block), (noise, left - length)))
        },
    )
    .boxed()
}

/// Like [`body`], but it ends in an error.
pub fn failing_body(seed: u64, n_bytes: u64, kind: Kind) -> ByteStream {
    let failure = Error::new(kind, "the producer broke off");
    body(seed, n_bytes)
        .chain(stream::once(std::future::ready(Err(failure))))
        .boxed()
}

/// All bytes of a stream, for small ones.
pub async fn collect(mut body: ByteStream) -> Result<Bytes> {
    let mut all = BytesMut::new();
    while let Some(bytes) = body.try_next().await? {
        all.extend_from_slice(&bytes);
    }
    Ok(all.freeze())
}

/// Whether two streams hold the same bytes, however they are cut; an `Err` of either comes out.
pub async fn same(mut left: ByteStream, mut right: ByteStream) -> Result<bool> {
    let (mut a, mut b) = (Bytes::new(), Bytes::new());
    loop {
        while a.is_empty() {
            match left.try_next().await? {
                Some(bytes) => a = bytes,
                None => break,
            }
        }
        while b.is_empty() {
            match right.try_next().await? {
                Some(bytes) => b = bytes,
                None => break,
            }
        }
        let n = a.len().min(b.len());
        if n == 0 {
            return Ok(a.is_empty() && b.is_empty());
        }
        if a.split_to(n) != b.split_to(n) {
            return Ok(false);
        }
    }
}

/// `body` without its first `n_bytes`.
pub fn skip(mut body: ByteStream, n_bytes: u64) -> ByteStream {
    let mut left = n_bytes;
    stream::poll_fn(move |context| body.poll_next_unpin(context))
        .map_ok(move |mut bytes: Bytes| {
            let n = left.min(bytes.len() as u64);
            left -= n;
            bytes.split_off(n as usize)
        })
        .boxed()
}

/// xorshift64*: fast, and incompressible enough.
struct Noise(u64);

impl Noise {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn block(&mut self, n_bytes: usize) -> Bytes {
        let mut block = BytesMut::with_capacity(n_bytes + 8);
        while block.len() < n_bytes {
            block.extend_from_slice(&self.next().to_le_bytes());
        }
        block.truncate(n_bytes);
        block.freeze()
    }
}

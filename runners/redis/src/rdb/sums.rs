//! Digests of elements, made one: in order, or whatever their order.

use xxhash_rust::xxh3::xxh3_128;

/// Two digests in one; the order counts.
#[inline]
pub(super) fn mix(first: u128, second: u128) -> u128 {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&first.to_le_bytes());
    bytes[16..].copy_from_slice(&second.to_le_bytes());
    xxh3_128(&bytes)
}

/// Elements whose order means nothing.
#[derive(Default)]
pub(super) struct Bag {
    sum: u128,
    n_elements: u64,
}

impl Bag {
    #[inline]
    pub(super) fn add(&mut self, digest: u128) {
        self.sum = self.sum.wrapping_add(digest);
        self.n_elements += 1;
    }

    pub(super) fn n_elements(&self) -> u64 {
        self.n_elements
    }

    pub(super) fn digest(&self) -> u128 {
        mix(self.sum, self.n_elements.into())
    }
}

/// Elements in order.
#[derive(Default)]
pub(super) struct Chain {
    state: u128,
    n_elements: u64,
}

impl Chain {
    #[inline]
    pub(super) fn add(&mut self, digest: u128) {
        self.state = mix(self.state, digest);
        self.n_elements += 1;
    }

    pub(super) fn digest(&self) -> u128 {
        mix(self.state, self.n_elements.into())
    }
}

//! Compression: zstd, gzip, lz4 or none.

/// `COMPRESSION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Zstd(i32),
    Gzip(u32),
    Lz4,
    None,
}

impl Default for Compression {
    fn default() -> Self {
        Self::Zstd(1)
    }
}

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

impl Compression {
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "zstd" => Ok(Self::Zstd(1)),
            "zstd:3" => Ok(Self::Zstd(3)),
            "gzip" => Ok(Self::Gzip(6)),
            "lz4" => Ok(Self::Lz4),
            "none" => Ok(Self::None),
            _ => Err("expected zstd[:1-19], gzip[:1-9], lz4 or none".to_owned()),
        }
    }
}

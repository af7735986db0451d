//! Compression: zstd, gzip, lz4 or none.

use std::fmt;
use std::io::{self, Write};

use bytes::Bytes;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

use crate::error::Result;

/// `COMPRESSION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// With its level, 1 to 19.
    Zstd(i32),
    /// With its level, 1 to 9.
    Gzip(u32),
    Lz4,
    None,
}

/// `zstd:1`, by measurement: 157 MB of generated COPY rows (ids, timestamps, names, e-mail addresses, prose, UUIDs,
/// floats, JSON) in text and as much in binary form; CPU time of one thread, the better of two runs, optimised
/// build, on a shared two-core AMD EPYC machine.
///
/// | | text MB/s | ratio | binary MB/s | ratio | decode MB/s |
/// |---|---|---|---|---|---|
/// | zstd -5 (fast) | 511 | 2.02 | 498 | 2.29 | 1 600-2 000 |
/// | zstd -1 (fast) | 418 | 2.18 | 418 | 2.90 | 1 600-1 700 |
/// | **zstd 1** | **382** | **3.19** | **390** | **3.10** | **1 300-1 600** |
/// | zstd 2 | 315 | 3.23 | 342 | 3.19 | 1 200-1 300 |
/// | zstd 3 | 205 | 3.24 | 201 | 3.24 | 1 200 |
/// | zstd 6 | 81 | 3.40 | 70 | 3.48 | 1 100-1 300 |
/// | zstd 9 | 37 | 3.52 | 37 | 3.63 | 1 000-1 200 |
/// | gzip 1 | 234 | 2.13 | 263 | 2.35 | 500-600 |
/// | gzip 6 | 70 | 3.33 | 67 | 3.18 | 500-700 |
/// | lz4 | 555 | 1.95 | 525 | 2.30 | 2 200 |
///
/// A server's COPY yields about 250 MB/s per core, so level 1 keeps up with it. Level 3 halves the speed for
/// 2 to 4 % fewer bytes; the fast levels and lz4 gain at most 1.4 times the speed for 1.3 to 1.6 times the
/// bytes, which then take longer to upload and cost more to keep. The window is small too: 1.3 MiB a stream.
impl Default for Compression {
    fn default() -> Self {
        Self::Zstd(1)
    }
}

impl Compression {
    /// Reads `zstd`, `zstd:3`, `gzip:6`, `lz4` or `none`, in any case.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_ascii_lowercase();
        let (name, level) = match lower.split_once(':') {
            Some((name, level)) => (name, Some(level)),
            None => (lower.as_str(), None),
        };
        let level_in = |most: u8, default: u8| match level {
            None => Ok(default),
            Some(level) => level
                .parse()
                .ok()
                .filter(|level| (1..=most).contains(level))
                .ok_or_else(|| format!("{name} has the levels 1 to {most}, not {level:?}")),
        };
        match (name, level) {
            ("zstd", _) => Ok(Self::Zstd(level_in(19, 1)?.into())),
            ("gzip", _) => Ok(Self::Gzip(level_in(9, 6)?.into())),
            ("lz4", None) => Ok(Self::Lz4),
            ("none", None) => Ok(Self::None),
            ("lz4" | "none", Some(_)) => Err(format!("{name} has no levels; write {name:?}")),
            _ => Err(format!(
                "{text:?} is none of zstd[:1-19], gzip[:1-9], lz4, none"
            )),
        }
    }

    /// What it adds to a name, such as `.zst`.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Zstd(_) => ".zst",
            Self::Gzip(_) => ".gz",
            Self::Lz4 => ".lz4",
            Self::None => "",
        }
    }

    /// The most memory that compressing one stream takes, in bytes.
    pub(super) fn window_bytes(self) -> u64 {
        const KIB: u64 = 1024;
        let kib = match self {
            // `ZSTD_estimateCStreamSize` of zstd 1.5.7, and the Rust binding's output buffer.
            Self::Zstd(level) => {
                128 + match level {
                    ..=1 => 1_337,
                    2 => 2_041,
                    3 => 3_577,
                    4 => 4_857,
                    5..=6 => 5_881,
                    7..=8 => 8_953,
                    9 => 17_145,
                    10..=11 => 29_433,
                    12..=14 => 54_009,
                    15..=18 => 70_393,
                    19.. => 91_648,
                }
            }
            // Measured by counting allocations: 403 KiB, at each level.
            Self::Gzip(_) => 512,
            // Two blocks of 256 KiB and a table: measured, 553 KiB.
            Self::Lz4 => 600,
            Self::None => 0,
        };
        kib * KIB
    }

    /// Compresses what `next` yields into `out`, to a well-formed end, unless `next` fails.
    pub(super) fn compress(
        self,
        mut next: impl FnMut() -> Result<Option<Bytes>>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let mut feed = |encoder: &mut dyn Write| -> io::Result<()> {
            while let Some(block) = next()? {
                encoder.write_all(&block)?;
            }
            Ok(())
        };
        match self {
            Self::Zstd(level) => {
                let mut encoder = zstd::stream::write::Encoder::new(out, level)?;
                encoder.include_checksum(true)?;
                feed(&mut encoder)?;
                encoder.finish()?;
            }
            Self::Gzip(level) => {
                let level = flate2::Compression::new(level);
                let mut encoder = flate2::write::GzEncoder::new(out, level);
                feed(&mut encoder)?;
                encoder.finish()?;
            }
            Self::Lz4 => {
                let mut encoder = FrameEncoder::with_frame_info(lz4_frame(), out);
                feed(&mut encoder)?;
                encoder.finish()?;
            }
            Self::None => feed(out)?,
        }
        Ok(())
    }
}

/// Blocks of 256 KiB: measured, larger ones save less than 0.5 % of the bytes, and 4 MiB would hold 8 MiB per
/// stream; independent, as linking them saves as little and costs 5 % of the speed.
fn lz4_frame() -> FrameInfo {
    FrameInfo::new()
        .block_size(BlockSize::Max256KB)
        .block_mode(BlockMode::Independent)
        .content_checksum(true)
}

/// As in `COMPRESSION` and the manifest: `zstd:1`, `gzip:6`, `lz4`, `none`.
impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zstd(level) => write!(f, "zstd:{level}"),
            Self::Gzip(level) => write!(f, "gzip:{level}"),
            Self::Lz4 => f.write_str("lz4"),
            Self::None => f.write_str("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_displays_is_what_it_parses() {
        for (text, canonical) in [
            ("zstd", "zstd:1"),
            ("ZSTD:19", "zstd:19"),
            (" gzip ", "gzip:6"),
            ("gzip:9", "gzip:9"),
            ("lz4", "lz4"),
            ("None", "none"),
        ] {
            let compression = Compression::parse(text).unwrap();
            assert_eq!(compression.to_string(), canonical);
            assert_eq!(Compression::parse(canonical), Ok(compression));
        }
    }

    #[test]
    fn a_wrong_compression_says_what_is_right() {
        let check = |text, message: &str| {
            assert_eq!(Compression::parse(text).unwrap_err(), message);
        };
        check("zstd:20", "zstd has the levels 1 to 19, not \"20\"");
        check("gzip:0", "gzip has the levels 1 to 9, not \"0\"");
        check("zstd:", "zstd has the levels 1 to 19, not \"\"");
        check("lz4:1", "lz4 has no levels; write \"lz4\"");
        check("xz", "\"xz\" is none of zstd[:1-19], gzip[:1-9], lz4, none");
    }
}

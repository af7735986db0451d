//! Decompression that tells a cut from an end: each reader here ends only right after a whole frame.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use lz4_flex::frame::FrameDecoder;
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::Compression;

/// Reads all frames of `input`, which foreign tools (`pzstd`, `cat a.gz b.gz`) may have written several of.
pub(super) fn reader<'a, R: BufRead + 'a>(
    compression: Compression,
    input: R,
) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match compression {
        Compression::Zstd(_) => Box::new(Zstd {
            input,
            decoder: Decoder::new()?,
            between_frames: false,
        }),
        Compression::Gzip(_) => Box::new(Gzip(Some(GzDecoder::new(input)))),
        Compression::Lz4 => Box::new(Lz4(Some(FrameDecoder::new(Watch {
            input,
            ended: false,
        })))),
        Compression::None => Box::new(input),
    })
}

fn cut(layer: &str) -> io::Error {
    let what = format!("the {layer} stream is cut: it ends within a frame");
    io::Error::new(io::ErrorKind::UnexpectedEof, what)
}

struct Zstd<R> {
    input: R,
    decoder: Decoder<'static>,
    /// A frame has just ended; not yet true of an empty input.
    between_frames: bool,
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.input.fill_buf()?;
            let at_end = input.is_empty();
            if at_end && self.between_frames {
                return Ok(0);
            }
            let mut from = InBuffer::around(input);
            let mut to = OutBuffer::around(&mut *out);
            // 0 only when a frame is decoded and flushed to its last byte.
            let hint = self.decoder.run(&mut from, &mut to)?;
            let (n_read, n_written) = (from.pos(), to.pos());
            self.input.consume(n_read);
            self.between_frames = hint == 0;
            if n_written > 0 {
                return Ok(n_written);
            }
            if at_end && !self.between_frames {
                return Err(cut("zstd"));
            }
        }
    }
}

struct Gzip<R>(Option<GzDecoder<R>>);

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.0 {
            let n_bytes = decoder.read(out)?;
            if n_bytes > 0 {
                return Ok(n_bytes);
            }
            // A member has ended, its checksum right; flate2 alone would stop here.
            if decoder.get_mut().fill_buf()?.is_empty() {
                self.0 = None;
            } else {
                let input = self.0.take().map(GzDecoder::into_inner);
                self.0 = input.map(GzDecoder::new);
            }
        }
        Ok(0)
    }
}

struct Lz4<R: BufRead>(Option<FrameDecoder<Watch<R>>>);

/// Remembers that the end of the input was read into: lz4_flex takes a missing end mark for an end.
struct Watch<R> {
    input: R,
    ended: bool,
}

impl<R: Read> Read for Watch<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.input.read(out)?;
        self.ended |= n_bytes == 0 && !out.is_empty();
        Ok(n_bytes)
    }
}

impl<R: BufRead> Read for Lz4<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.0 {
            let n_bytes = decoder.read(out)?;
            if n_bytes > 0 {
                return Ok(n_bytes);
            }
            let watch = decoder.get_mut();
            if watch.ended {
                // So would be one in lz4's legacy format (`lz4 -l`), which does not mark its end.
                return Err(cut("lz4"));
            }
            if watch.input.fill_buf()?.is_empty() {
                self.0 = None;
            }
        }
        Ok(0)
    }
}

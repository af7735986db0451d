//! The layers between an engine's bytes and stored bytes: meter, compress, encrypt, meter; and back.

pub mod compress;
mod decompress;
pub mod encrypt;
mod meter;
#[cfg(test)]
mod tests;
pub mod thread;

use std::io::{self, BufRead, Read};
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};

use crate::error::{Kind, Result, from_io};
use crate::progress::Progress;
use crate::stream::{BLOCK_BYTES, ByteStream};
use meter::{StoredReader, StoredWriter};
use thread::{Sink, Source, through};

pub use compress::Compression;
pub use encrypt::{Keys, Recipients};

/// What one stream turned out to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub logical_bytes: u64,
    pub stored_bytes: u64,
    /// Of the stored bytes, in hexadecimal.
    pub sha256: String,
}

/// The sums of an encoded stream: they exist only after its good end.
#[derive(Clone, Debug, Default)]
pub struct Receipt(Arc<OnceLock<Sums>>);

impl Receipt {
    pub fn sums(&self) -> Option<Sums> {
        self.0.get().cloned()
    }
}

/// How a backup's artifacts are compressed and encrypted.
#[derive(Clone, Debug, Default)]
pub struct Codec {
    pub compression: Compression,
    pub encryption: Option<Recipients>,
}

impl Codec {
    /// The layers that it adds, for undoing them.
    pub fn layers(&self) -> Layers {
        Layers {
            compression: self.compression,
            encrypted: self.encryption.is_some(),
        }
    }

    /// What the layers add to an artifact's name, such as `.zst.age`.
    pub fn suffix(&self) -> String {
        let age = if self.encryption.is_some() { AGE } else { "" };
        format!("{}{age}", self.compression.suffix())
    }

    /// The most memory that one stream's layers hold, in bytes; a block that is larger than usual (a huge row)
    /// comes on top. A passphrase takes [`encrypt::SCRYPT_BYTES`] more, once, however many streams there are.
    pub fn window_bytes(&self) -> u64 {
        let encryption = self
            .encryption
            .as_ref()
            .map_or(0, |_| encrypt::WINDOW_BYTES);
        thread::CHANNEL_BYTES + self.compression.window_bytes() + encryption
    }

    /// Compresses and encrypts on a thread of its own, in bounded memory. An `Err` of `plain` comes out as
    /// the last item, and then there is no receipt.
    pub fn encode(&self, plain: ByteStream, progress: Progress) -> (ByteStream, Receipt) {
        let receipt = Receipt::default();
        let (codec, sums) = (self.clone(), Arc::clone(&receipt.0));
        let stored = through(plain, move |source, sink| {
            // Before the stream's end is sent, so whoever sees the end sees the receipt.
            let _ = sums.set(codec.encode_all(source, sink, &progress)?);
            Ok(())
        });
        (stored, receipt)
    }

    fn encode_all(&self, mut source: Source, sink: &mut Sink, progress: &Progress) -> Result<Sums> {
        let failed = |err| from_io(err, Kind::Bug, "encode the stream");
        let mut stored = StoredWriter::new(sink, progress.clone());
        let mut logical_bytes = 0;
        let mut next = || {
            let block = source.next()?;
            let n_bytes = block.as_ref().map_or(0, |block| block.len() as u64);
            logical_bytes += n_bytes;
            progress.add_logical(n_bytes);
            Ok(block)
        };
        match (&self.encryption, self.compression) {
            (None, Compression::None) => {
                while let Some(block) = next()? {
                    stored.put(block).map_err(failed)?;
                }
            }
            (None, compression) => compression.compress(next, &mut stored).map_err(failed)?,
            (Some(recipients), compression) => {
                let mut age = recipients.encrypt(&mut stored)?;
                compression.compress(next, &mut age).map_err(failed)?;
                age.finish().map_err(failed)?;
            }
        }
        stored.finish(logical_bytes).map_err(failed)
    }
}

const AGE: &str = ".age";

/// Which layers a stored stream has; a compression's level does not matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    pub compression: Compression,
    pub encrypted: bool,
}

impl Layers {
    /// The layers that a name's suffixes tell, and the name without them: `shop.sql.gz.age`. For foreign dumps.
    pub fn of_name(name: &str) -> (Self, &str) {
        let strip = |name, suffix: &str| strip_suffix_in_any_case(name, suffix);
        let (encrypted, name) = strip(name, AGE).map_or((false, name), |name| (true, name));
        let suffixes = [
            (".zst", Compression::Zstd(1)),
            (".zstd", Compression::Zstd(1)),
            (".gz", Compression::Gzip(6)),
            (".lz4", Compression::Lz4),
        ];
        let found = suffixes
            .iter()
            .find_map(|&(suffix, compression)| strip(name, suffix).map(|name| (compression, name)));
        let (compression, name) = found.unwrap_or((Compression::None, name));
        let layers = Self {
            compression,
            encrypted,
        };
        (layers, name)
    }

    /// Undoes the layers on a thread of its own. A stream that is cut, damaged, or (with `expected`) not
    /// the one that was sealed ends in an `Integrity` error; encrypted bytes come out only authenticated;
    /// bytes after the last layer's end are an error. `Denied` when `keys` do not open it.
    ///
    /// Without `expected` the layers' own checks remain. Nothing then notices a change where there is neither
    /// compression nor encryption, a change of what gzip's and lz4's checksums leave out (a header's time stamp),
    /// or a cut between two frames of a foreign stream that has several; ours have one. A foreign zstd stream
    /// may take 128 MiB of memory (`--long`); ours take what their level takes.
    pub fn decode(
        &self,
        stored: ByteStream,
        keys: &Keys,
        expected: Option<&Sums>,
        progress: Progress,
    ) -> ByteStream {
        let (layers, keys, expected) = (self.clone(), keys.clone(), expected.cloned());
        through(stored, move |source, sink| {
            let stored = StoredReader::new(source, expected, progress.clone());
            layers.decode_all(stored, &keys, sink, &progress)
        })
    }

    fn decode_all(
        &self,
        mut stored: StoredReader,
        keys: &Keys,
        sink: &mut Sink,
        progress: &Progress,
    ) -> Result<()> {
        let mut logical_bytes = 0;
        let mut put = |block: Bytes| {
            logical_bytes += block.len() as u64;
            progress.add_logical(block.len() as u64);
            sink.put(block)
                .map_err(|err| from_io(err, Kind::Bug, "pass decoded bytes on"))
        };
        if self.encrypted || self.compression != Compression::None {
            let damaged = |err| from_io(err, Kind::Integrity, "the stored stream does not decode");
            let input: Box<dyn BufRead + '_> = if self.encrypted {
                Box::new(encrypt::buffered(keys.decrypt(&mut stored)?))
            } else {
                Box::new(&mut stored)
            };
            let mut reader = decompress::reader(self.compression, input).map_err(damaged)?;
            while let Some(block) = read_block(&mut reader).map_err(damaged)? {
                put(block)?;
            }
        } else {
            while let Some(block) = stored.next()? {
                put(block)?;
            }
        }
        sink.finish()
            .map_err(|err| from_io(err, Kind::Bug, "pass decoded bytes on"))?;
        stored.finish(logical_bytes)
    }
}

/// A full block, or the last one, or `None` at the end.
fn read_block(reader: &mut dyn Read) -> io::Result<Option<Bytes>> {
    let mut block = BytesMut::zeroed(BLOCK_BYTES);
    let mut n_bytes = 0;
    while n_bytes < BLOCK_BYTES {
        match reader.read(&mut block[n_bytes..])? {
            0 => break,
            n => n_bytes += n,
        }
    }
    block.truncate(n_bytes);
    Ok((n_bytes > 0).then(|| block.freeze()))
}

fn strip_suffix_in_any_case<'a>(name: &'a str, suffix: &str) -> Option<&'a str> {
    let (head, tail) = name.split_at_checked(name.len().checked_sub(suffix.len())?)?;
    tail.eq_ignore_ascii_case(suffix).then_some(head)
}

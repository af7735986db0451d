//! Archives by the tools' own `common/archive`, for what no server here can do.

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, checksum};
use futures::{StreamExt, stream};
use mongodb::bson::{Document, doc};
use runner_core::error::Result;
use runner_core::stream::ByteStream;

use super::census::{Archive, Census};
use super::frames::{MAGIC, TERMINATOR};

/// An archive as it is written.
#[derive(Default)]
pub(crate) struct Built(pub(crate) Vec<u8>);

impl Built {
    /// Of collections: database, name, type.
    pub(crate) fn new(collections: &[(&str, &str, &str)]) -> Self {
        let with_metadata: Vec<_> = collections
            .iter()
            .map(|(db, collection, kind)| (*db, *collection, *kind, ""))
            .collect();
        Self::defined(&with_metadata)
    }

    /// The same, with options and indexes.
    pub(crate) fn defined(collections: &[(&str, &str, &str, &str)]) -> Self {
        let mut built = Self(MAGIC.to_vec());
        built.push(&doc! { "concurrent_collections": 1, "version": "0.1", "server_version": "7.0.1", "tool_version": "x" });
        for (db, collection, kind, metadata) in collections {
            built.push(&doc! { "db": db, "collection": collection, "metadata": metadata, "size": 0, "type": kind });
        }
        built.end()
    }

    fn push(&mut self, document: &Document) {
        self.0.extend(document.to_vec().unwrap());
    }

    fn end(mut self) -> Self {
        self.0.extend(TERMINATOR);
        self
    }

    /// A block of documents, and the collection's end.
    pub(crate) fn whole(mut self, db: &str, collection: &str, documents: &[Document]) -> Self {
        self.push(&doc! { "db": db, "collection": collection, "EOF": false, "CRC": 0_i64 });
        let bytes: Vec<u8> = documents
            .iter()
            .flat_map(|document| document.to_vec().unwrap())
            .collect();
        self.0.extend(&bytes);
        let crc = checksum(CrcAlgorithm::Crc64Xz, &bytes).cast_signed();
        let mut ended = self.end();
        ended.push(&doc! { "db": db, "collection": collection, "EOF": true, "CRC": crc });
        ended.end()
    }

    pub(crate) fn walked(&self) -> Archive {
        walk(&self.0, 4096).unwrap()
    }
}

/// What an archive holds, read in blocks of that many bytes.
pub(crate) fn walk(archive: &[u8], step: usize) -> Result<Archive> {
    let mut census = Census::default();
    for block in archive.chunks(step) {
        census.feed(block)?;
    }
    census.finish()
}

pub(crate) async fn collect(mut body: ByteStream) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(block) = body.next().await {
        bytes.extend(block?);
    }
    Ok(bytes)
}

pub(crate) fn stream_of(bytes: &[u8], step: usize) -> ByteStream {
    let blocks: Vec<_> = bytes
        .chunks(step)
        .map(|block| Ok(Bytes::copy_from_slice(block)))
        .collect();
    stream::iter(blocks).boxed()
}

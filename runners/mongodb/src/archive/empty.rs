//! An archive without documents: it makes indexes, and replays an oplog, where the documents are already.

use bytes::Bytes;
use mongodb::bson::{Document, doc};
use runner_core::error::{Error, Kind, Result};

use super::census::{Archive, Namespace, OPLOG};
use super::frames::{MAGIC, TERMINATOR};

/// These collections' definitions, and the end of each; of the oplog only that it follows.
pub(crate) fn empty(archive: &Archive, namespaces: &[&Namespace], oplog: bool) -> Result<Bytes> {
    let mut bytes = MAGIC.to_vec();
    let prelude = doc! {
        "concurrent_collections": 1,
        "version": "0.1",
        "server_version": &archive.server_version,
        "tool_version": "",
    };
    push(&mut bytes, &prelude)?;
    for namespace in namespaces {
        let is_series = namespace.kind == "timeseries";
        let kind = if is_series {
            "collection"
        } else {
            &namespace.kind
        };
        let metadata = match is_series {
            true => namespace.definition()?.of_existing().to_string(),
            false => namespace.metadata.clone(),
        };
        push(&mut bytes, &definition(namespace.place(), &metadata, kind))?;
    }
    if oplog {
        push(&mut bytes, &definition(OPLOG, "", ""))?;
    }
    bytes.extend(TERMINATOR);
    for namespace in namespaces {
        for is_end in [false, true] {
            push(&mut bytes, &header(namespace.place(), is_end, 0))?;
            bytes.extend(TERMINATOR);
        }
    }
    Ok(bytes.into())
}

fn definition((db, collection): (&str, &str), metadata: &str, kind: &str) -> Document {
    doc! { "db": db, "collection": collection, "metadata": metadata, "size": 0, "type": kind }
}

/// What stands before the documents of a collection, and behind the last.
pub(super) fn header((db, collection): (&str, &str), is_end: bool, crc: u64) -> Document {
    doc! { "db": db, "collection": collection, "EOF": is_end, "CRC": crc.cast_signed() }
}

pub(super) fn push(bytes: &mut Vec<u8>, document: &Document) -> Result<()> {
    let document = document
        .to_vec()
        .map_err(|err| Error::new(Kind::Bug, "render a part of an archive").because(err))?;
    bytes.extend(document);
    Ok(())
}

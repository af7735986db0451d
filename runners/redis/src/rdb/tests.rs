//! RDBs of real servers, made by `fixtures/make.sh`, hand-made ones of formats that none of these writes, and damaged ones.

mod damage;
mod expected;
mod formats;
mod servers;

use std::collections::BTreeMap;

use runner_core::error::Result;

use super::{Item, Keep, Key, Reader};

/// Keys by database and name.
type Keys = BTreeMap<(u64, Vec<u8>), Key>;

/// Everything in an RDB.
fn items(rdb: &[u8], keep: Keep) -> Result<Vec<Item>> {
    let mut reader = Reader::new(rdb, keep)?;
    let mut items = Vec::new();
    while let Some(item) = reader.next()? {
        items.push(item);
    }
    Ok(items)
}

fn keys(rdb: &[u8], keep: Keep) -> Result<Keys> {
    let mut database = 0;
    let mut keys = Keys::new();
    for item in items(rdb, keep)? {
        match item {
            Item::Database(number) => database = number,
            Item::Key(key) => {
                keys.insert((database, key.name.clone()), key);
            }
            _ => {}
        }
    }
    Ok(keys)
}

/// An RDB of one key with this value.
fn rdb_of(header: &str, type_byte: u8, value: &[u8]) -> Vec<u8> {
    let mut rdb = header.as_bytes().to_vec();
    rdb.push(type_byte);
    rdb.extend_from_slice(b"\x01k");
    rdb.extend_from_slice(value);
    rdb.push(255);
    if header >= "REDIS0005" {
        let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Redis, &rdb);
        rdb.extend_from_slice(&sum.to_le_bytes());
    }
    rdb
}

//! What real servers have written.

use std::collections::BTreeSet;

use super::super::{Family, Item, Keep, Key, Version, Writer, function_payload, judge_payload};
use super::expected::{Stream, Value, common, expiring};
use super::{Keys, items, keys};

/// The four files of one server.
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) version: (Family, u32),
    pub(super) packed: &'static [u8],
    pub(super) plain: &'static [u8],
    pub(super) extra: &'static [u8],
    pub(super) idle: &'static [u8],
}

macro_rules! server {
    ($name:literal, $family:ident, $number:literal) => {
        Server {
            name: $name,
            version: (Family::$family, $number),
            packed: include_bytes!(concat!("../fixtures/", $name, "-packed.rdb")),
            plain: include_bytes!(concat!("../fixtures/", $name, "-plain.rdb")),
            extra: include_bytes!(concat!("../fixtures/", $name, "-extra.rdb")),
            idle: include_bytes!(concat!("../fixtures/", $name, "-idle.rdb")),
        }
    };
}

pub(super) const SERVERS: [Server; 5] = [
    server!("redis-6", Redis, 9),
    server!("redis-7", Redis, 10),
    server!("redis-8", Redis, 12),
    server!("valkey-8", Redis, 11),
    server!("valkey-9", Valkey, 80),
];

fn type_bytes(keys: &Keys) -> BTreeSet<u8> {
    keys.values().map(|key| key.type_byte).collect()
}

fn at<'a>(keys: &'a Keys, name: &str) -> &'a Key {
    &keys[&(0, name.as_bytes().to_vec())]
}

#[test]
fn every_server_s_data_are_read_as_they_were_written() {
    let expected = common();
    for server in SERVERS {
        for rdb in [server.packed, server.plain] {
            let keys = keys(rdb, Keep::Nothing).unwrap();
            let names: Vec<_> = keys.keys().collect();
            assert_eq!(
                names,
                expected.keys().collect::<Vec<_>>(),
                "{}",
                server.name
            );
            for (at, key) in &keys {
                let (server, name) = (server.name, key.name.escape_ascii());
                assert_eq!(key.kind, expected[at].kind(), "{server} {name}");
                assert_eq!(key.digest, expected[at].digest(), "{server} {name}");
                let soon = (key.name == b"expires").then_some(4_102_444_800_123);
                assert_eq!(key.expires_at, soon, "{server} {name}");
                assert!(key.value.is_empty());
            }
        }
    }
}

#[test]
fn the_same_data_have_one_proof_whoever_wrote_them_and_however() {
    let proof = |rdb| {
        let keys = keys(rdb, Keep::Nothing).unwrap();
        keys.values()
            .fold(0_u128, |sum, key| sum.wrapping_add(key.proof()))
    };
    let proofs: BTreeSet<_> = SERVERS
        .iter()
        .flat_map(|server| [server.packed, server.plain])
        .map(proof)
        .collect();
    assert_eq!(proofs.len(), 1);
}

#[test]
fn the_fixtures_have_every_encoding_that_these_servers_write() {
    let of = |rdbs: fn(&Server) -> &'static [u8]| -> BTreeSet<u8> {
        let servers = SERVERS.iter();
        servers
            .flat_map(|server| type_bytes(&keys(rdbs(server), Keep::Nothing).unwrap()))
            .collect()
    };
    let mut seen = of(|server| server.packed);
    seen.extend(of(|server| server.plain));
    seen.extend(of(|server| server.extra));
    let all = [
        0, 2, 4, 5, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 24, 25,
    ];
    assert_eq!(seen, BTreeSet::from(all));
}

#[test]
fn versions_and_checksums_are_told() {
    for server in SERVERS {
        let mut reader = super::Reader::new(server.packed, Keep::Nothing).unwrap();
        let (family, number) = server.version;
        assert_eq!(reader.version(), Version { family, number });
        while reader.next().unwrap().is_some() {}
        assert!(reader.checksummed());
        assert!(reader.next().unwrap().is_none());
        assert_eq!(reader.offset(), server.packed.len() as u64);
    }
}

#[test]
fn fields_that_expire_are_the_same_in_both_families() {
    for server in SERVERS {
        if !matches!(server.name, "redis-8" | "valkey-9") {
            continue;
        }
        let keys = keys(server.extra, Keep::Nothing).unwrap();
        let packed = at(&keys, "ttl:packed");
        let table = at(&keys, "ttl:table");
        assert_eq!(packed.digest, expiring("short").digest(), "{}", server.name);
        assert_eq!(table.digest, expiring(&"v".repeat(100)).digest());
        assert_ne!(packed.digest, table.digest);
    }
}

#[test]
fn deleted_entries_of_a_stream_do_not_count_but_that_they_were_there_does() {
    for server in SERVERS {
        let keys = keys(server.extra, Keep::Nothing).unwrap();
        let old = server.name == "redis-6";
        let gone = Value::Stream(Stream {
            entries: vec![((6, 1), vec![("a", "2")])],
            last: (7, 1),
            deleted: if old { (0, 0) } else { (7, 1) },
            n_added: if old { 1 } else { 3 },
            groups: vec![],
        });
        assert_eq!(at(&keys, "gone").digest, gone.digest(), "{}", server.name);
        let empty = Value::Stream(Stream {
            last: (8, 1),
            deleted: if old { (0, 0) } else { (8, 1) },
            n_added: u64::from(!old),
            ..Stream::default()
        });
        assert_eq!(at(&keys, "empty").digest, empty.digest(), "{}", server.name);
    }
}

#[test]
fn usage_functions_and_facts_are_told() {
    for server in SERVERS {
        let extra = items(server.extra, Keep::Nothing).unwrap();
        let library = extra.iter().find_map(|item| match item {
            Item::Function(code) => Some(code),
            _ => None,
        });
        match library {
            Some(code) => assert!(code.starts_with(b"#!lua name=lib\n"), "{}", server.name),
            None => assert_eq!(server.name, "redis-6"),
        }
        let keys_of = |rdb| keys(rdb, Keep::Nothing).unwrap();
        assert!(at(&keys_of(server.extra), "used").frequency.is_some());
        assert!(at(&keys_of(server.idle), "unused").idle_seconds.is_some());
        let facts = extra.iter().filter_map(|item| match item {
            Item::Aux { name, .. } => Some(name.as_slice()),
            _ => None,
        });
        assert!(facts.into_iter().any(|name| name == b"used-mem"));
        let sizes = |item: &Item| matches!(item, Item::Sizes { keys, expires: 0 } if *keys > 1);
        assert!(extra.iter().any(sizes), "{}", server.name);
    }
}

#[test]
fn a_payload_made_of_a_key_is_judged_as_the_key_was() {
    for server in SERVERS {
        for rdb in [server.packed, server.plain, server.extra] {
            for key in keys(rdb, Keep::Payloads).unwrap().values() {
                let payload = key.dump_payload(server.version.1);
                let judged = judge_payload(&key.name, &payload, key.expires_at).unwrap();
                assert_eq!(judged.proof(), key.proof());
                assert_eq!(judged.type_byte, key.type_byte);
                for n_bytes in 0..payload.len().min(200) {
                    assert!(judge_payload(&key.name, &payload[..n_bytes], None).is_err());
                }
            }
        }
    }
}

#[test]
fn an_rdb_written_from_payloads_is_read_as_its_source() {
    for server in SERVERS {
        let (family, number) = server.version;
        let mut writer = Writer::new(Version { family, number });
        writer.aux(b"redis-ver", b"1");
        writer
            .functions(&function_payload([b"code".as_slice()], number))
            .unwrap();
        let source = keys(server.packed, Keep::Payloads).unwrap();
        let mut rdb = Vec::new();
        let mut database = u64::MAX;
        for ((number_of, name), key) in &source {
            if *number_of != database {
                database = *number_of;
                writer.database(database);
                writer.sizes(1, 0);
            }
            let payload = key.dump_payload(number);
            writer.key(name, &payload, key.expires_at).unwrap();
            if writer.len() > 100 {
                rdb.extend(writer.take());
            }
        }
        rdb.extend(writer.finish());
        let copy = keys(&rdb, Keep::Nothing).unwrap();
        let proofs = |keys: &Keys| keys.values().map(Key::proof).collect::<Vec<_>>();
        assert_eq!(proofs(&copy), proofs(&source));
        let functions = items(&rdb, Keep::Nothing).unwrap();
        assert!(
            functions
                .iter()
                .any(|item| matches!(item, Item::Function(code) if code == b"code"))
        );
    }
}

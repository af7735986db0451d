//! Formats that none of the servers at hand writes, made by hand as their specification says.

use runner_core::error::Kind as ErrorKind;

use super::super::{Item, Keep, Kind};
use super::expected::Value;
use super::servers::SERVERS;
use super::{items, keys, rdb_of};

fn read(header: &str, type_byte: u8, value: &[u8]) -> (Kind, u128) {
    let keys = keys(&rdb_of(header, type_byte, value), Keep::Nothing).unwrap();
    let key = &keys[&(0, b"k".to_vec())];
    (key.kind, key.digest)
}

#[track_caller]
fn check(header: &str, type_byte: u8, value: &[u8], expected: &Value) {
    let found = read(header, type_byte, value);
    assert_eq!(found, (expected.kind(), expected.digest()));
}

#[track_caller]
fn check_refused(rdb: &[u8], kind: ErrorKind, words: &str) {
    let error = items(rdb, Keep::Nothing).unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(error.kind(), kind);
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn fields(expires_at: [u64; 2]) -> Value {
    Value::Hash(vec![
        ("f", "1".to_owned(), expires_at[0]),
        ("g", "x".to_owned(), expires_at[1]),
    ])
}

/// A ziplist of "a" and 1024, as its specification draws them.
const ZIPLIST: &[u8] = b"\x12\0\0\0\x0d\0\0\0\x02\0\x00\x01a\x03\xc0\x00\x04\xff";

#[test]
fn lists_sets_and_hashes_of_the_first_version_are_read_without_a_checksum() {
    let list = Value::List(strings(&["a", "1"]));
    check("REDIS0001", 1, b"\x02\x01a\x01\x31", &list);
    check("REDIS0003", 1, b"\x02\x01a\xc0\x01", &list);
    check(
        "REDIS0004",
        2,
        b"\x02\x01a\xc0\x01",
        &Value::Set(vec!["1", "a"]),
    );
    check(
        "REDIS0006",
        4,
        b"\x02\x01f\xc0\x01\x01g\x01x",
        &fields([0, 0]),
    );
}

#[test]
fn scores_are_read_from_text_and_its_three_exceptions() {
    let members = [
        ("a", 1.5),
        ("b", f64::NEG_INFINITY),
        ("c", f64::INFINITY),
        ("d", 0.0),
    ];
    let members = members.map(|(member, score)| (member.to_owned(), score));
    let value = b"\x04\x01a\x031.5\x01b\xff\x01c\xfe\x01d\x02-0";
    check("REDIS0006", 3, value, &Value::SortedSet(members.into()));
    let (_, nan) = read("REDIS0006", 3, b"\x01\x01a\xfd");
    let (_, same) = read("REDIS0009", 5, b"\x01\x01a\xff\xff\xff\xff\xff\xff\xff\xff");
    assert_eq!(nan, same);
}

#[test]
fn a_zipmap_is_a_hash() {
    check(
        "REDIS0002",
        9,
        b"\x0e\x02\x01f\x01\x00\x31\x01g\x01\x02x\0\0\xff",
        &fields([0, 0]),
    );
}

#[test]
fn a_ziplist_is_a_list_and_a_hash() {
    let mut value = vec![ZIPLIST.len() as u8];
    value.extend_from_slice(ZIPLIST);
    let list = Value::List(strings(&["a", "1024"]));
    check("REDIS0006", 10, &value, &list);
    let hash = Value::Hash(vec![("a", "1024".to_owned(), 0)]);
    check("REDIS0006", 13, &value, &hash);
}

#[test]
fn a_length_of_eight_bytes_and_a_compressed_string_are_read() {
    let text = Value::Text(b"aaaaaaaaaaaa".to_vec());
    let long = b"\x81\0\0\0\0\0\0\0\x0caaaaaaaaaaaa";
    check("REDIS0008", 0, long, &text);
    check("REDIS0008", 0, b"\xc3\x05\x0c\x00a\xe0\x02\x00", &text);
}

#[test]
fn fields_expire_in_the_formats_of_release_candidates_too() {
    let table = b"\x02\0\x01f\xc0\x01\x43\xe8\x01g\x01x";
    check("REDIS0012", 22, table, &fields([0, 1000]));
    let packed = b"\x17\x17\0\0\0\x06\0\x81f\x02\x01\x01\x00\x01\x81g\x02\x81x\x02\xc3\xe8\x02\xff";
    check("REDIS0012", 23, packed, &fields([0, 1000]));
    let relative = b"\xe7\x03\0\0\0\0\0\0\x02\0\x01f\xc0\x01\x02\x01g\x01x";
    check("REDIS0012", 24, relative, &fields([0, 1000]));
}

#[test]
fn a_module_s_value_counts_with_all_its_parts() {
    let value = |last: u8| {
        let mut value = b"\x81\x45\xe2\x8d\x23\xef\xa2\x2c\x03\x02\x07\x01\x08\x05\x01x".to_vec();
        value.extend_from_slice(b"\x03\0\0\0\0\x04\0\0\0\0\0\0\0");
        value.extend_from_slice(&[last, 0]);
        value
    };
    let (kind, digest) = read("REDIS0009", 7, &value(0));
    assert_eq!(kind, Kind::Module);
    assert_ne!(digest, read("REDIS0009", 7, &value(1)).1);
    let mut aux = b"REDIS0004\xf7\x81\x45\xe2\x8d\x23\xef\xa2\x2c\x03\x02\x02\x02\x09\x00".to_vec();
    aux.push(255);
    let items = items(&aux, Keep::Nothing).unwrap();
    assert!(matches!(&items[..], [Item::ModuleAux { module }] if module.len() == 9));
}

#[test]
fn what_only_a_module_or_a_release_candidate_could_read_is_refused() {
    let old_module = rdb_of("REDIS0008", 6, b"\x81\0\0\0\0\0\0\0\0");
    check_refused(&old_module, ErrorKind::Unfit, "\"AAAAAAAAA\"");
    check_refused(b"REDIS0010\xf6", ErrorKind::Unfit, "release candidates");
    check_refused(b"VALKEY080\xf3", ErrorKind::Unfit, "migration of slots");
}

#[test]
fn unknown_versions_types_and_opcodes_are_refused() {
    for header in [
        "REDIS0014",
        "REDIS0080",
        "REDIS0000",
        "VALKEY079",
        "VALKEY081",
    ] {
        let rdb = rdb_of(header, 0, b"\x01v");
        check_refused(&rdb, ErrorKind::Unfit, "this runner knows");
    }
    check_refused(b"PGDMP\0\0\0\0", ErrorKind::Integrity, "this is no RDB");
    check_refused(b"REDISxxxx", ErrorKind::Integrity, "this is no RDB");
    for type_byte in [8, 23, 24, 25, 26, 199] {
        let rdb = rdb_of("VALKEY080", type_byte, b"\x01v");
        check_refused(&rdb, ErrorKind::Unfit, &format!("type {type_byte} "));
    }
    check_refused(b"REDIS0012\xf2", ErrorKind::Unfit, "opcode 242");
}

#[test]
fn a_slot_of_a_cluster_is_told() {
    let slot = b"REDIS0004\xfe\x00\xfb\x02\x01\xf4\x71\x98\x01\x00\xff";
    let items = items(slot, Keep::Nothing).unwrap();
    assert!(matches!(
        items[..],
        [
            Item::Database(0),
            Item::Sizes {
                keys: 2,
                expires: 1
            },
            Item::Slot {
                slot: 12_696,
                keys: 1,
                expires: 0
            },
        ]
    ));
}

#[test]
fn a_key_expires_by_seconds_as_by_milliseconds() {
    let rdb = b"REDIS0003\xfd\x01\0\0\0\0\x01k\x01v\xfc\xe8\x03\0\0\0\0\0\0\0\x01l\x01v\xff";
    let keys = keys(rdb, Keep::Nothing).unwrap();
    assert!(keys.values().all(|key| key.expires_at == Some(1000)));
    assert_eq!(keys.len(), 2);
    check_refused(
        b"REDIS0003\xfd\x01\0\0\0\xff",
        ErrorKind::Integrity,
        "no key follows",
    );
}

#[test]
fn a_stream_of_redis_8_6_is_that_of_8_and_what_producers_sent_lately() {
    let keys = keys(SERVERS[2].packed, Keep::Payloads).unwrap();
    let stream = keys.values().find(|key| key.type_byte == 21).unwrap();
    // 100 s, 50 ids; one producer, which gave "ab" to entry 1-2 and 7 to 3-4; two were taken and none refused.
    let producers = b"\x40\x64\x32\x01\x01p\x02\x02ab\x01\x02\xc0\x07\x03\x04\x02\x00";
    let none = b"\x40\x64\x32\x00\x00\x00";
    for more in [&producers[..], none] {
        let value = [stream.value.as_slice(), more].concat();
        let found = read("REDIS0013", 26, &value);
        assert_eq!(found, (Kind::Stream, stream.digest));
        let rdb = rdb_of("REDIS0013", 26, &value[..value.len() - 1]);
        assert!(items(&rdb, Keep::Nothing).is_err());
        check_refused(
            &rdb_of("VALKEY080", 26, &value),
            ErrorKind::Unfit,
            "type 26",
        );
    }
}

#[test]
fn metadata_of_keys_are_refused_by_name() {
    let mut rdb = b"REDIS0013\xfc".to_vec();
    rdb.extend_from_slice(&2_000_000_000_000_u64.to_le_bytes());
    rdb.extend_from_slice(b"\xf3\x01abcd\x02\x05\x00\x00\x01k\x01v");
    check_refused(&rdb, ErrorKind::Unfit, "metadata that a module keeps");
}

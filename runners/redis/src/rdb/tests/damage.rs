//! Damaged RDBs: cut, flipped, made up.

use std::io::{self, Read};

use runner_core::error::{Error, Kind as ErrorKind};

use super::super::payload::seal;
use super::super::{Item, Keep, Reader, Seal, judge_payload};
use super::servers::SERVERS;
use super::{items, keys, rdb_of};

#[test]
fn an_rdb_cut_anywhere_is_damaged() {
    for server in SERVERS {
        for rdb in [server.packed, server.plain, server.extra, server.idle] {
            for n_bytes in 0..rdb.len() {
                let error = items(&rdb[..n_bytes], Keep::Nothing).unwrap_err();
                let (name, kind) = (server.name, error.kind());
                assert_eq!(kind, ErrorKind::Integrity, "{name} at {n_bytes}: {error}");
            }
        }
    }
}

#[test]
fn an_rdb_with_one_bit_flipped_is_refused() {
    for server in SERVERS {
        for rdb in [server.packed, server.plain, server.extra, server.idle] {
            let mut damaged = rdb.to_vec();
            for bit in (0..rdb.len() * 8).step_by(37) {
                damaged[bit / 8] ^= 1 << (bit % 8);
                let result = items(&damaged, Keep::Nothing);
                assert!(result.is_err(), "{}, bit {bit}", server.name);
                damaged[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}

#[test]
fn bytes_after_the_end_are_damage() {
    let mut rdb = SERVERS[0].packed.to_vec();
    rdb.push(0);
    let error = items(&rdb, Keep::Nothing).unwrap_err();
    assert!(error.to_string().contains("after its end"), "{error}");
}

#[test]
fn a_checksum_of_zero_means_none() {
    let mut rdb = SERVERS[0].packed.to_vec();
    let at = rdb.len() - 8;
    rdb[at..].fill(0);
    let mut reader = Reader::new(rdb.as_slice(), Keep::Nothing).unwrap();
    while reader.next().unwrap().is_some() {}
    assert!(!reader.checksummed());
}

/// Xorshift: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

#[test]
fn nothing_that_an_rdb_says_makes_the_reader_panic_or_hang() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut n_read = 0;
    for server in SERVERS {
        for rdb in [server.packed, server.plain, server.extra] {
            for _ in 0..400 {
                let mut damaged = rdb.to_vec();
                let at = damaged.len() - 8;
                damaged[at..].fill(0); // no checksum that would hide what the parts do
                for _ in 0..1 + numbers.next(4) {
                    let at = 9 + numbers.next(damaged.len() - 17);
                    damaged[at] = match numbers.next(3) {
                        0 => 0xff,
                        1 => damaged[at] ^ 1 << numbers.next(8),
                        _ => numbers.next(256) as u8,
                    };
                }
                n_read += usize::from(items(&damaged, Keep::Payloads).is_ok());
            }
        }
    }
    assert!(n_read > 0, "some changes are only changes of a value");
}

#[test]
fn values_in_payloads_survive_damage_without_a_panic() {
    let mut numbers = Numbers(7);
    for server in SERVERS {
        for key in keys(server.packed, Keep::Payloads).unwrap().values() {
            for _ in 0..200 {
                let mut payload = key.dump_payload(server.version.1);
                let n_bytes = payload.len();
                let at = numbers.next(n_bytes - 10);
                payload[at] ^= 1 << numbers.next(8);
                assert!(judge_payload(&key.name, &payload, None).is_err());
                payload.truncate(n_bytes - 10);
                seal(&mut payload, server.version.1);
                let _ = judge_payload(&key.name, &payload, None);
            }
        }
    }
}

#[test]
fn a_length_is_not_believed_before_its_bytes_are_there() {
    let huge = b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff";
    for type_byte in [
        0, 1, 2, 3, 4, 5, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 24,
    ] {
        for header in ["REDIS0012", "VALKEY080"] {
            let rdb = rdb_of(header, type_byte, huge);
            assert!(items(&rdb, Keep::Payloads).is_err());
        }
    }
    let mut compressed = b"\xc3\x05".to_vec();
    compressed.extend_from_slice(huge);
    compressed.extend_from_slice(b"\x00a\xe0\x02\x00");
    assert!(items(&rdb_of("REDIS0012", 0, &compressed), Keep::Payloads).is_err());
}

#[test]
fn an_error_names_offset_key_and_cause() {
    let error = items(&rdb_of("REDIS0012", 18, b"\x01\x03"), Keep::Nothing).unwrap_err();
    assert_eq!(
        error.to_string(),
        "read key \"k\": the RDB is damaged at byte 14: unknown container 3 in a list"
    );
}

/// A decoder that notices at its end that what it has yielded is not what was written.
struct Betrayed<'a>(&'a [u8]);

impl Read for Betrayed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(Error::new(ErrorKind::Store, "the store was lost").into());
        }
        self.0.read(into)
    }
}

#[test]
fn an_error_of_the_source_comes_out_as_it_was_even_after_the_last_byte() {
    for n_bytes in [100, SERVERS[1].packed.len()] {
        let rdb = Betrayed(&SERVERS[1].packed[..n_bytes]);
        let mut reader = Reader::new(rdb, Keep::Nothing).unwrap();
        let error = loop {
            match reader.next() {
                Ok(item) => assert!(item.is_some()),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Store);
        let again = reader.next().unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Bug);
    }
}

/// Yields its bytes one by one, and again.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n_bytes = into.len().min(1);
        self.0.read(&mut into[..n_bytes])
    }
}

#[test]
fn it_does_not_matter_how_the_bytes_arrive() {
    for server in SERVERS {
        let mut reader = Reader::new(Trickle(server.packed), Keep::Nothing).unwrap();
        let mut n_items = 0;
        while reader.next().unwrap().is_some() {
            n_items += 1;
        }
        assert_eq!(n_items, items(server.packed, Keep::Nothing).unwrap().len());
    }
}

#[test]
fn long_values_are_the_same_whether_they_pass_through_or_are_kept() {
    let long: Vec<u8> = (0..1_000_003_u32)
        .map(|i| (i.wrapping_mul(i) >> 7) as u8)
        .collect();
    let mut value = vec![0x80];
    value.extend_from_slice(&(long.len() as u32).to_be_bytes());
    value.extend_from_slice(&long);
    let rdb = rdb_of("REDIS0012", 0, &value);
    let through = keys(&rdb, Keep::Nothing).unwrap();
    let kept = keys(&rdb, Keep::Payloads).unwrap();
    let at = (0, b"k".to_vec());
    assert_eq!(kept[&at].value, value);
    assert_eq!(through[&at].proof(), kept[&at].proof());
    assert_eq!(through[&at].digest, xxhash_rust::xxh3::xxh3_128(&long));
}

/// An RDB with a long string in it, and the string.
fn with_long() -> (Vec<u8>, Vec<u8>) {
    let long: Vec<u8> = (0..3_000_001_u32).map(|i| (i % 251) as u8).collect();
    let mut value = vec![0x80];
    value.extend_from_slice(&(long.len() as u32).to_be_bytes());
    value.extend_from_slice(&long);
    (rdb_of("REDIS0012", 0, &value), long)
}

#[test]
fn a_long_string_comes_in_parts_that_make_the_same_payload() {
    let (rdb, long) = with_long();
    let whole = keys(&rdb, Keep::Payloads).unwrap();
    let whole = &whole[&(0, b"k".to_vec())];
    let mut reader = Reader::new(rdb.as_slice(), Keep::Parts).unwrap();
    let Some(Item::Long(key, n_bytes)) = reader.next().unwrap() else {
        panic!("a string of {} bytes is long", long.len());
    };
    assert_eq!(n_bytes, long.len() as u64);
    let mut payload = [&[key.type_byte], key.value.as_slice()].concat();
    let mut seal = Seal::new(&payload);
    while let Some(part) = reader.part().unwrap() {
        assert!(part.len() <= 128 * 1024);
        seal.add(part);
        payload.extend_from_slice(part);
    }
    payload.extend_from_slice(&seal.footer(12));
    assert_eq!(payload, whole.dump_payload(12));
    assert_eq!(reader.digest_of_parts().unwrap(), whole.digest);
    assert!(reader.next().unwrap().is_none());
}

#[test]
fn a_long_string_that_is_cut_or_not_read_is_no_success() {
    let (rdb, _) = with_long();
    let mut reader = Reader::new(&rdb[..2_000_000], Keep::Parts).unwrap();
    reader.next().unwrap();
    let error = loop {
        match reader.part() {
            Ok(part) => assert!(part.is_some()),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Integrity);
    let mut reader = Reader::new(rdb.as_slice(), Keep::Parts).unwrap();
    reader.next().unwrap();
    assert_eq!(reader.next().unwrap_err().kind(), ErrorKind::Bug);
}

//! Round trips, errors, keys, and what stock tools wrote.

mod damage;
mod threads;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::{StreamExt, stream};

use super::*;
use crate::error::Error;
use crate::secret::Secret;

const PUBLIC: &str = "age1x0v830vufe22jtcwrzyuda4wn5k3fy44sr0k5frzxw97tkngrslshg6zck";
const IDENTITY: &str = "AGE-SECRET-KEY-1DU2X9FAD3DUKS43GPWPPTM0ER4S3MMG05NHNSVKDTQQ68VRQRTEQ77GTXY";
const COMPRESSIONS: [Compression; 4] = [
    Compression::Zstd(1),
    Compression::Gzip(6),
    Compression::Lz4,
    Compression::None,
];

fn codecs() -> Vec<Codec> {
    let recipients = Recipients::parse(PUBLIC).unwrap();
    let encryptions = [None, Some(recipients)];
    let codec = |encryption: &Option<Recipients>, compression| Codec {
        compression,
        encryption: encryption.clone(),
    };
    let of = |encryption| COMPRESSIONS.map(|compression| codec(encryption, compression));
    encryptions.iter().flat_map(of).collect()
}

fn identity() -> Keys {
    Keys::parse_identities(IDENTITY).unwrap()
}

fn of_blocks(bytes: &[u8], block_bytes: usize) -> ByteStream {
    let blocks = bytes.chunks(block_bytes).map(Bytes::copy_from_slice);
    stream::iter(blocks.map(Ok).collect::<Vec<_>>()).boxed()
}

/// All bytes, and how the stream ended.
async fn drain(mut stream: ByteStream) -> (Vec<u8>, Result<()>) {
    let mut bytes = Vec::new();
    while let Some(item) = stream.next().await {
        match item {
            Ok(block) => {
                assert!(!block.is_empty() && block.len() <= BLOCK_BYTES);
                bytes.extend_from_slice(&block);
            }
            Err(error) => {
                assert!(stream.next().await.is_none(), "an Err is the last item");
                return (bytes, Err(error));
            }
        }
    }
    (bytes, Ok(()))
}

async fn encode(codec: &Codec, plain: &[u8]) -> (Vec<u8>, Sums) {
    let (stream, receipt) = codec.encode(of_blocks(plain, 100_000), Progress::default());
    let (stored, end) = drain(stream).await;
    end.unwrap();
    (stored, receipt.sums().unwrap())
}

async fn decode(layers: &Layers, stored: &[u8], expected: Option<&Sums>) -> (Vec<u8>, Result<()>) {
    let stream = layers.decode(
        of_blocks(stored, 50_000),
        &identity(),
        expected,
        Progress::default(),
    );
    drain(stream).await
}

/// Rows of some likeness to a dump's.
fn rows(n_bytes: usize) -> Vec<u8> {
    let row = |n: u64| {
        let number = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{n}\tcustomer {}\t{number:x}\tpaid\n", n % 97).into_bytes()
    };
    (0..).flat_map(row).take(n_bytes).collect()
}

#[tokio::test]
async fn every_combination_of_layers_comes_back_as_it_was() {
    let chunk = 64 * 1024;
    for codec in codecs() {
        for n_bytes in [0, 1, chunk - 1, chunk, 2 * chunk, BLOCK_BYTES, 1_300_000] {
            let plain = rows(n_bytes);
            let (stored, sums) = encode(&codec, &plain).await;
            assert_eq!(sums.logical_bytes, n_bytes as u64);
            assert_eq!(sums.stored_bytes, stored.len() as u64);
            for expected in [None, Some(&sums)] {
                let (decoded, end) = decode(&codec.layers(), &stored, expected).await;
                end.unwrap();
                assert!(decoded == plain, "{codec:?} {n_bytes}");
            }
        }
    }
}

#[tokio::test]
async fn an_error_of_the_input_comes_out_last_and_nothing_before_it_looks_whole() {
    for codec in codecs() {
        for n_bytes in [0, 10, 700_000] {
            let failure =
                stream::iter([Err(Error::new(Kind::Unreachable, "the server went away"))]);
            let plain = of_blocks(&rows(n_bytes), 100_000).chain(failure).boxed();
            let (stream, receipt) = codec.encode(plain, Progress::default());
            let (stored, end) = drain(stream).await;
            let error = end.unwrap_err();
            assert_eq!(error.kind(), Kind::Unreachable);
            assert_eq!(error.to_string(), "the server went away");
            assert_eq!(receipt.sums(), None);
            let layers = codec.layers();
            if layers.encrypted || layers.compression != Compression::None {
                assert!(decode(&layers, &stored, None).await.1.is_err(), "{codec:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_error_of_the_store_passes_through_decoding_unchanged() {
    for codec in codecs() {
        let (stored, sums) = encode(&codec, &rows(700_000)).await;
        for n_bytes in [0, 40, stored.len() / 2, stored.len()] {
            let failure = stream::iter([Err(Error::new(Kind::Store, "get a: reset"))]);
            let cut = of_blocks(&stored[..n_bytes], 50_000).chain(failure).boxed();
            let progress = Progress::default();
            let stream = codec
                .layers()
                .decode(cut, &identity(), Some(&sums), progress);
            let error = drain(stream).await.1.unwrap_err();
            assert_eq!(error.kind(), Kind::Store, "{codec:?} {n_bytes}: {error}");
            assert_eq!(error.to_string(), "get a: reset");
        }
    }
}

#[tokio::test]
async fn only_the_right_key_opens_and_the_error_names_the_setting() {
    let check = async |codec: &Codec, keys: &Keys, setting: &str| {
        let (stored, sums) = encode(codec, b"secret rows").await;
        let stored = of_blocks(&stored, 1_000);
        let stream = codec
            .layers()
            .decode(stored, keys, Some(&sums), Progress::default());
        let (decoded, end) = drain(stream).await;
        let error = end.unwrap_err();
        assert_eq!(error.kind(), Kind::Denied, "{error}");
        assert!(error.to_string().contains(setting), "{error}");
        assert_eq!(decoded, b"");
    };
    let secret = age::x25519::Identity::generate().to_string();
    let secret = age::secrecy::ExposeSecret::expose_secret(&secret);
    let other_identity = Keys::parse_identities(secret).unwrap();
    let other_passphrase = Keys::passphrase(&Secret::new("wrong"));
    let passphrase = Recipients::passphrase_at(&Secret::new("right"), 2);
    let by_passphrase = Codec {
        encryption: Some(passphrase),
        ..Codec::default()
    };
    let by_recipient = codecs().pop().unwrap();
    check(&by_recipient, &Keys::default(), "ENCRYPTION_IDENTITY").await;
    check(&by_recipient, &other_identity, "ENCRYPTION_IDENTITY").await;
    check(&by_recipient, &other_passphrase, "ENCRYPTION_IDENTITY").await;
    check(&by_passphrase, &Keys::default(), "ENCRYPTION_PASSPHRASE").await;
    check(&by_passphrase, &other_identity, "ENCRYPTION_PASSPHRASE").await;
    check(&by_passphrase, &other_passphrase, "ENCRYPTION_PASSPHRASE").await;

    let (stored, sums) = encode(&by_passphrase, b"secret rows").await;
    let both = identity().and(Keys::passphrase(&Secret::new("right")));
    let layers = by_passphrase.layers();
    let stream = layers.decode(
        of_blocks(&stored, 9),
        &both,
        Some(&sums),
        Progress::default(),
    );
    assert_eq!(drain(stream).await.0, b"secret rows");
}

/// `printf 'made by stock tools\n'` through age 1.1.1, zstd and pzstd 1.5.4, gzip 1.12, lz4 1.9.4.
#[tokio::test]
async fn what_stock_tools_wrote_decodes() {
    let check = async |name: &str, base64: &str, copies: usize| {
        let stored = BASE64_STANDARD.decode(base64).unwrap();
        let (decoded, end) = decode(&Layers::of_name(name).0, &stored, None).await;
        end.unwrap();
        let decoded = String::from_utf8(decoded).unwrap();
        assert_eq!(decoded, "made by stock tools\n".repeat(copies), "{name}");
    };
    let age = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBPeExCUUR0OFFXVDFHY2NmaHJpc3hodk10K042MHpIOHUyRUpqY2h6\
               ZmswClp1VWRkTVhWSDBaZlorbCsvWHJ4SVhiaVhyNGFZL0FVOGJTN2M2Zm10ZFkKLS0tIDVGRFVQb2p1S2pYVEptRkUwcnRW\
               NVE2QUdlQ3RyL3lHWFIwZDJvTWFEV00KADf54vheqau/hsaZ+vwF5duqcqtD0P3Hp8/fkl56vkAPF/KdslsYkxaYzs6S1mko\
               jLf05w==";
    let zstd_age = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBrS2RFZ1NnK3Z1WXhLWG9QRy9KZi9FTGlvVTY0VFA2bTZqU2dn\
                    UGhSV0E4Clc2dXF3NlVSdEEvcld3dnh5amUrUXlHVFdKN1pmS1FTSGNtamhKd1NkT0UKLS0tIEM3L3NYWXV5SkhsWDhh\
                    RW9zd3JBZG5LNGJSUVFHSk9ESWd6b3ZWVjBKejgKnZQukrVsYXtV5SNHXJIftl5rUqMKftA1b0RGgBSP6iNM9blwQyyR\
                    /5Af8MeI03hXGaCgH77OSG4W7Ri1SSPxn1Q=";
    check("a.age", age, 1).await;
    check("a.zst.age", zstd_age, 1).await;
    check("a.gz", "H4sICB2KAWsAA3AAy01MSVVIqlQoLslPzlYoyc/PKeYCAJv3iRwUAAAAH4sICB2KAWsAA3AAy01MSVVIqlQoLslPzlYoyc/PKeYCAJv3iRwUAAAA", 2).await;
    check(
        "a.zst",
        "KLUv/SQUoQAAbWFkZSBieSBzdG9jayB0b29scwqbw76TKLUv/SQUoQAAbWFkZSBieSBzdG9jayB0b29scwqbw76T",
        2,
    )
    .await;
    check(
        "pzstd.zst",
        "UCpNGAQAAAAhAAAAKLUv/QRYoQAAbWFkZSBieSBzdG9jayB0b29scwqbw76T",
        1,
    )
    .await;
    check(
        "a.lz4",
        "BCJNGGRApxQAAIBtYWRlIGJ5IHN0b2NrIHRvb2xzCgAAAADRvb5U",
        1,
    )
    .await;
}

#[tokio::test]
async fn without_layers_blocks_are_passed_on_uncopied_and_small_ones_gathered() {
    let codec = Codec {
        compression: Compression::None,
        encryption: None,
    };
    let large = Bytes::from(rows(BLOCK_BYTES));
    let small = || stream::iter((0..100).map(|_| Ok(Bytes::from_static(b"row\n"))));
    let blocks = small()
        .chain(stream::iter([Ok(large.clone())]))
        .chain(small());
    let (stored, _) = codec.encode(blocks.boxed(), Progress::default());
    let blocks: Vec<Bytes> = stored.map(|block| block.unwrap()).collect().await;
    assert_eq!(
        blocks.iter().map(Bytes::len).collect::<Vec<_>>(),
        [400, BLOCK_BYTES, 400]
    );
    assert_eq!(blocks[1].as_ptr(), large.as_ptr());
}

#[tokio::test]
async fn progress_counts_both_sides_both_ways() {
    for codec in codecs() {
        let progress = Progress::default();
        let (stream, receipt) = codec.encode(of_blocks(&rows(500_000), 7_000), progress.clone());
        let (stored, _) = drain(stream).await;
        let sums = receipt.sums().unwrap();
        let counted = |progress: &Progress| {
            let reading = progress.read();
            assert_eq!(reading.logical_bytes, sums.logical_bytes);
            assert_eq!(reading.stored_bytes, sums.stored_bytes);
        };
        counted(&progress);
        progress.begin("test", 0);
        let stored = of_blocks(&stored, 7_000);
        let plain = codec
            .layers()
            .decode(stored, &identity(), Some(&sums), progress.clone());
        drain(plain).await.1.unwrap();
        counted(&progress);
    }
}

#[test]
fn a_name_tells_its_layers() {
    let check = |name, compression: Compression, encrypted, rest: &str| {
        let layers = Layers {
            compression,
            encrypted,
        };
        assert_eq!(Layers::of_name(name), (layers, rest));
    };
    check("shop.sql.gz.age", Compression::Gzip(6), true, "shop.sql");
    check("SHOP.SQL.GZ", Compression::Gzip(6), false, "SHOP.SQL");
    check("shop.sql.zst", Compression::Zstd(1), false, "shop.sql");
    check("shop.sql.zstd", Compression::Zstd(1), false, "shop.sql");
    check("a/b.lz4.age", Compression::Lz4, true, "a/b");
    check("shop.dump", Compression::None, false, "shop.dump");
    check("größe", Compression::None, false, "größe");
    check("gz", Compression::None, false, "gz");
    for codec in codecs() {
        let name = format!("a.copy{}", codec.suffix());
        let (layers, rest) = Layers::of_name(&name);
        assert_eq!(rest, "a.copy");
        assert_eq!(layers.encrypted, codec.encryption.is_some());
        assert_eq!(layers.compression.suffix(), codec.compression.suffix());
    }
}

//! Cuts at every byte, damage in every byte, and bytes too many.

use super::*;

#[tokio::test]
async fn a_cut_at_any_byte_is_an_integrity_error() {
    let plain = rows(300);
    for codec in codecs() {
        let (stored, sums) = encode(&codec, &plain).await;
        let layers = codec.layers();
        let bare = layers
            == Layers {
                compression: Compression::None,
                encrypted: false,
            };
        for n_bytes in 0..stored.len() {
            let (decoded, end) = decode(&layers, &stored[..n_bytes], Some(&sums)).await;
            assert_eq!(
                end.unwrap_err().kind(),
                Kind::Integrity,
                "{codec:?} {n_bytes}"
            );
            assert!(plain.starts_with(&decoded));
            if !bare {
                let (_, end) = decode(&layers, &stored[..n_bytes], None).await;
                assert_eq!(
                    end.unwrap_err().kind(),
                    Kind::Integrity,
                    "{codec:?} {n_bytes}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_cut_at_the_edge_of_an_encrypted_chunk_is_an_integrity_error() {
    let codec = Codec {
        compression: Compression::None,
        ..codecs().pop().unwrap()
    };
    let (stored, _) = encode(&codec, &rows(200_000)).await;
    let header_bytes = stored.len() - 200_000 - 4 * 16;
    for n_chunks in 0..4 {
        let cut = &stored[..header_bytes + n_chunks * (64 * 1024 + 16)];
        let (_, end) = decode(&codec.layers(), cut, None).await;
        assert_eq!(end.unwrap_err().kind(), Kind::Integrity, "{n_chunks}");
    }
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_an_error() {
    let plain = rows(300);
    for codec in codecs() {
        let (stored, sums) = encode(&codec, &plain).await;
        let layers = codec.layers();
        for n in 0..stored.len() {
            let mut damaged = stored.clone();
            damaged[n] ^= 1 << (n % 8);
            let (_, end) = decode(&layers, &damaged, Some(&sums)).await;
            let kind = end.unwrap_err().kind();
            // In the header of age, damage and a wrong key look the same.
            assert!(
                matches!(kind, Kind::Integrity | Kind::Denied),
                "{codec:?} {n}"
            );

            let (decoded, end) = decode(&layers, &damaged, None).await;
            let harmless = layers.compression != Compression::None && decoded == plain;
            let bare = !layers.encrypted && (layers.compression == Compression::None || harmless);
            assert!(end.is_err() || bare, "{codec:?} {n}");
        }
    }
}

#[tokio::test]
async fn bytes_after_the_end_are_an_integrity_error() {
    for codec in codecs() {
        let (stored, sums) = encode(&codec, &rows(300)).await;
        let layers = codec.layers();
        let bare = layers
            == Layers {
                compression: Compression::None,
                encrypted: false,
            };
        for garbage in [&b"\0"[..], b"garbage garbage garbage", &[0; 512]] {
            let longer = [&stored, garbage].concat();
            for expected in [Some(&sums), None] {
                if expected.is_some() || !bare {
                    let (_, end) = decode(&layers, &longer, expected).await;
                    assert_eq!(end.unwrap_err().kind(), Kind::Integrity, "{codec:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn several_frames_one_after_another_decode_and_a_cut_in_the_last_is_found() {
    for compression in &COMPRESSIONS[..3] {
        let codec = Codec {
            compression: *compression,
            encryption: None,
        };
        let (one, _) = encode(&codec, &rows(100_000)).await;
        let (empty, _) = encode(&codec, b"").await;
        let stored = [&one[..], &empty, &one].concat();
        let (decoded, end) = decode(&codec.layers(), &stored, None).await;
        end.unwrap();
        assert!(decoded == rows(100_000).repeat(2));
        for n_bytes in (1..9).chain([one.len() - 1]) {
            let cut = &stored[..one.len() + empty.len() + n_bytes];
            let (_, end) = decode(&codec.layers(), cut, None).await;
            assert_eq!(
                end.unwrap_err().kind(),
                Kind::Integrity,
                "{compression} {n_bytes}"
            );
        }
    }
}

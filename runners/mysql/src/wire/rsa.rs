//! RSA with OAEP and SHA-1, which `caching_sha2_password` and `sha256_password` seal a password with where there is no TLS.

use num_bigint::BigUint;
use runner_core::error::{Error, Kind, Result};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use sha1::{Digest, Sha1};

use super::protocol_bug;

const HASH_BYTES: usize = 20;

/// Seals `message` for the holder of the key.
pub(super) fn encrypt(pem: &[u8], message: &[u8]) -> Result<Vec<u8>> {
    let key = SubjectPublicKeyInfoDer::from_pem_slice(pem)
        .map_err(|err| protocol_bug("a public key that is none").because(err))?;
    let (modulus, exponent) = parse(&key).ok_or_else(|| protocol_bug("a key that is not RSA"))?;
    let n_bytes = usize::try_from(modulus.bits().div_ceil(8)).unwrap_or(0);
    let mut seed = [0; HASH_BYTES];
    default_provider()
        .secure_random
        .fill(&mut seed)
        .map_err(|_| Error::new(Kind::Bug, "no random bytes"))?;
    let padded = pad(message, &seed, n_bytes).ok_or_else(|| {
        Error::new(
            Kind::Config,
            "DB_PASSWORD is too long for the server's RSA key; use TLS",
        )
    })?;
    let sealed = BigUint::from_bytes_be(&padded).modpow(&exponent, &modulus);
    let sealed = sealed.to_bytes_be();
    let mut whole = vec![0; n_bytes.saturating_sub(sealed.len())];
    whole.extend_from_slice(&sealed);
    Ok(whole)
}

/// EME-OAEP with an empty label: RFC 8017, 7.1.1.
fn pad(message: &[u8], seed: &[u8; HASH_BYTES], n_bytes: usize) -> Option<Vec<u8>> {
    let n_zeros = n_bytes.checked_sub(message.len() + 2 * HASH_BYTES + 2)?;
    let mut block = Sha1::digest(b"").to_vec();
    block.resize(HASH_BYTES + n_zeros, 0);
    block.push(1);
    block.extend_from_slice(message);
    mask(&mut block, seed);
    let mut seed = seed.to_vec();
    mask(&mut seed, &block);
    Some([&[0], &seed[..], &block].concat())
}

/// XORs with MGF1.
fn mask(block: &mut [u8], seed: &[u8]) {
    for (n, chunk) in block.chunks_mut(HASH_BYTES).enumerate() {
        let stream = Sha1::new()
            .chain_update(seed)
            .chain_update((n as u32).to_be_bytes())
            .finalize();
        chunk
            .iter_mut()
            .zip(stream)
            .for_each(|(byte, mask)| *byte ^= mask);
    }
}

/// Modulus and exponent out of a SubjectPublicKeyInfo.
fn parse(der: &[u8]) -> Option<(BigUint, BigUint)> {
    let (info, _) = element(der, 0x30)?;
    let (_algorithm, rest) = element(info, 0x30)?;
    let (bits, _) = element(rest, 0x03)?;
    let (key, _) = element(bits.get(1..)?, 0x30)?;
    let (modulus, rest) = element(key, 0x02)?;
    let (exponent, _) = element(rest, 0x02)?;
    Some((
        BigUint::from_bytes_be(modulus),
        BigUint::from_bytes_be(exponent),
    ))
}

/// The content of the element at the front, if it has that tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (n_bytes, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            let n_bytes = digits
                .iter()
                .fold(0, |n, digit| n << 8 | usize::from(*digit));
            (n_bytes, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(n_bytes)?;
    (*first == tag).then_some((content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_opens_again() {
        let padded = pad(b"s3cret\0", &[7; HASH_BYTES], 256).unwrap();
        assert_eq!((padded.len(), padded[0]), (256, 0));
        let (mut seed, mut block) = (padded[1..21].to_vec(), padded[21..].to_vec());
        mask(&mut seed, &block);
        assert_eq!(seed, [7; HASH_BYTES]);
        mask(&mut block, &seed);
        assert_eq!(block[..HASH_BYTES], Sha1::digest(b"")[..]);
        assert!(block.ends_with(b"\0\0\x01s3cret\0"));
        assert!(pad(&[0; 215], &[7; HASH_BYTES], 256).is_none());
    }

    /// Made by `openssl genrsa 1024 | openssl rsa -pubout`; a short key shows that lengths are read.
    #[test]
    fn a_public_key_in_pem_is_read() {
        let pem = "-----BEGIN PUBLIC KEY-----\nMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCiea2pNVMQ3w1IfhgxCfOZoP2c+H0oFzGtaHJRD5FAgvZxeR5lDAwX2HbT/MXe3bAOi6FIdf4LCzLcRgLYvWUXaTu49tTWt6+R9rjS+r1V6dBwGUQUbfnMu+LYEzwmkner+fXF+ZTcHWC+IHqQAJBw6tDacfYVFlK8Tpx+Vm32OQIDAQAB\n-----END PUBLIC KEY-----\n";
        let key = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).unwrap();
        let (modulus, exponent) = parse(&key).unwrap();
        assert_eq!(modulus.bits(), 1024);
        assert_eq!(exponent, BigUint::from(65_537_u32));
        assert_eq!(encrypt(pem.as_bytes(), b"s3cret\0").unwrap().len(), 128);
    }
}

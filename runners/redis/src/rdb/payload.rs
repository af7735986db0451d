//! Payloads of `DUMP` and `FUNCTION DUMP`: a piece of an RDB with its version and checksum behind it.

use crc_fast::{CrcAlgorithm, Digest, checksum};
use runner_core::error::{Error, Kind as ErrorKind, Result};

use super::input::Input;
use super::key::{Key, shown};
use super::value::Walk;
use super::version::Version;

/// Version and checksum.
pub(crate) const FOOTER_BYTES: usize = 10;

/// Opcode of a library of functions.
pub(super) const FUNCTION: u8 = 245;

/// Appends version and checksum.
pub(super) fn seal(payload: &mut Vec<u8>, version: u32) {
    let version = u16::try_from(version).unwrap_or(u16::MAX);
    payload.extend_from_slice(&version.to_le_bytes());
    let sum = checksum(CrcAlgorithm::Crc64Redis, payload);
    payload.extend_from_slice(&sum.to_le_bytes());
}

/// Version and checksum of a payload that is never in one piece.
pub struct Seal(Digest);

impl Seal {
    /// Begins with the payload's own beginning.
    pub fn new(begin: &[u8]) -> Self {
        let mut seal = Self(Digest::new(CrcAlgorithm::Crc64Redis));
        seal.add(begin);
        seal
    }

    /// What follows.
    pub fn add(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    /// What comes behind it all.
    pub fn footer(mut self, version: u32) -> [u8; FOOTER_BYTES] {
        let mut footer = [0; FOOTER_BYTES];
        let version = u16::try_from(version).unwrap_or(u16::MAX);
        footer[..2].copy_from_slice(&version.to_le_bytes());
        self.add(&version.to_le_bytes());
        footer[2..].copy_from_slice(&self.0.finalize().to_le_bytes());
        footer
    }
}

/// Takes version and checksum off, if they are right.
pub(super) fn unseal(payload: &[u8]) -> Result<(Version, &[u8])> {
    let damaged = |what: &str| {
        let n_bytes = payload.len();
        Error::new(
            ErrorKind::Integrity,
            format!("a payload of {n_bytes} bytes {what}"),
        )
    };
    let Some((body, footer)) = payload
        .len()
        .checked_sub(FOOTER_BYTES)
        .map(|at| payload.split_at(at))
    else {
        return Err(damaged("is too short to be one"));
    };
    let version = u32::from(u16::from_le_bytes([footer[0], footer[1]]));
    let summed = &payload[..payload.len() - 8];
    let said = &footer[2..];
    if said != checksum(CrcAlgorithm::Crc64Redis, summed).to_le_bytes() {
        return Err(damaged("has a wrong checksum"));
    }
    Ok((Version::of_payload(version)?, body))
}

/// Judges what `DUMP` has yielded for a key; its value is not kept.
pub fn judge_payload(name: &[u8], payload: &[u8], expires_at: Option<u64>) -> Result<Key> {
    let judge = || {
        let (version, body) = unseal(payload)?;
        let mut scratch = Vec::new();
        let mut input = Input::with_buffer(body, body.len());
        let type_byte = input.byte()?;
        let mut walk = Walk {
            input: &mut input,
            family: version.family,
            scratch: &mut scratch,
            fields_end_at: None,
        };
        let (kind, digest) = walk.value(type_byte)?;
        let fields_end_at = walk.fields_end_at;
        input.end()?;
        Ok(Key {
            name: name.to_vec(),
            kind,
            type_byte,
            expires_at,
            idle_seconds: None,
            frequency: None,
            fields_end_at,
            value: Vec::new(),
            digest,
        })
    };
    judge().map_err(|err: Error| err.while_doing(format!("read key {}", shown(name))))
}

/// What `FUNCTION RESTORE` takes, of the libraries that an RDB has.
pub fn function_payload<'a>(
    libraries: impl IntoIterator<Item = &'a [u8]>,
    version: u32,
) -> Vec<u8> {
    let mut payload = Vec::new();
    for library in libraries {
        payload.push(FUNCTION);
        put_string(&mut payload, library);
    }
    seal(&mut payload, version);
    payload
}

/// A length as RDBs have it.
pub(super) fn put_length(out: &mut Vec<u8>, length: u64) {
    match length {
        0..=0x3f => out.push(length as u8),
        0x40..=0x3fff => out.extend_from_slice(&(0x4000 | length as u16).to_be_bytes()),
        0x4000..=0xffff_ffff => {
            out.push(0x80);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
}

/// A plain string.
pub(super) fn put_string(out: &mut Vec<u8>, string: &[u8]) {
    put_length(out, string.len() as u64);
    out.extend_from_slice(string);
}

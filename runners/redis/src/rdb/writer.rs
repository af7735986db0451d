//! An RDB made from payloads: what a server that forbids replication can still be backed up into.

use crc_fast::{CrcAlgorithm, Digest};
use runner_core::error::{Error, Kind as ErrorKind, Result};

use super::key::shown;
use super::payload::{FUNCTION, put_length, put_string, unseal};
use super::version::Version;

/// Writes an RDB piece by piece; [`Writer::take`] what has gathered as often as you like.
pub struct Writer {
    version: Version,
    out: Vec<u8>,
    checksum: Digest,
}

impl Writer {
    /// Begins with the header.
    pub fn new(version: Version) -> Self {
        Self {
            version,
            out: version.header().into_bytes(),
            checksum: Digest::new(CrcAlgorithm::Crc64Redis),
        }
    }

    /// Bytes that wait for [`Writer::take`].
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What was written since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        self.checksum.update(&self.out);
        std::mem::take(&mut self.out)
    }

    /// A fact about the server.
    pub fn aux(&mut self, name: &[u8], value: &[u8]) {
        self.out.push(250);
        put_string(&mut self.out, name);
        put_string(&mut self.out, value);
    }

    /// A library of functions.
    pub fn function(&mut self, library: &[u8]) {
        self.out.push(FUNCTION);
        put_string(&mut self.out, library);
    }

    /// Every library that a payload of `FUNCTION DUMP` has.
    pub fn functions(&mut self, payload: &[u8]) -> Result<()> {
        let body = self
            .body(payload)
            .map_err(|err| err.while_doing("read the functions' payload"))?;
        self.out.extend_from_slice(body);
        Ok(())
    }

    /// The keys that follow are of this database.
    pub fn database(&mut self, number: u64) {
        self.out.push(254);
        put_length(&mut self.out, number);
    }

    /// Helps who loads it to make room.
    pub fn sizes(&mut self, keys: u64, expires: u64) {
        self.out.push(251);
        put_length(&mut self.out, keys);
        put_length(&mut self.out, expires);
    }

    /// A key as `DUMP` has yielded it.
    pub fn key(&mut self, name: &[u8], payload: &[u8], expires_at: Option<u64>) -> Result<()> {
        let body = self.body(payload).and_then(|body| {
            body.split_first()
                .ok_or_else(|| Error::new(ErrorKind::Integrity, "a payload without a value"))
        });
        let (type_byte, value) =
            body.map_err(|err| err.while_doing(format!("read key {}", shown(name))))?;
        if let Some(at) = expires_at {
            self.out.push(252);
            self.out.extend_from_slice(&at.to_le_bytes());
        }
        self.out.push(*type_byte);
        put_string(&mut self.out, name);
        self.out.extend_from_slice(value);
        Ok(())
    }

    /// What a payload has between nothing and its footer, if this RDB may hold it.
    fn body<'a>(&self, payload: &'a [u8]) -> Result<&'a [u8]> {
        let (version, body) = unseal(payload)?;
        if version.number > self.version.number {
            let into = self.version;
            return Err(Error::new(
                ErrorKind::Bug,
                format!("a payload of {version} does not go into a {into}"),
            ));
        }
        Ok(body)
    }

    /// Ends with mark and checksum; returns what waits.
    pub fn finish(mut self) -> Vec<u8> {
        self.out.push(255);
        self.checksum.update(&self.out);
        let sum = self.checksum.finalize();
        self.out.extend_from_slice(&sum.to_le_bytes());
        self.out
    }
}

//! What an S3 store needs to know.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Kind, Result};
use crate::secret::Secret;
use crate::store::layout;

/// S3's smallest part, in bytes; only the last one may be shorter.
const MIN_PART_BYTES: u64 = 5 << 20;
/// S3's largest part, in bytes.
const MAX_PART_BYTES: u64 = 5 << 30;

/// `STORAGE_*` for S3; [`S3Settings::new`] has the contract's defaults.
#[derive(Clone)]
pub struct S3Settings {
    pub bucket: String,
    /// `STORAGE_PREFIX`; empty for the whole bucket.
    pub prefix: String,
    /// `None` for AWS.
    pub endpoint: Option<String>,
    pub region: String,
    pub path_style: bool,
    /// `None`, with `secret_key`, for the cloud's default credential chain.
    pub access_key: Option<String>,
    pub secret_key: Option<Secret>,
    pub session_token: Option<Secret>,
    pub create_bucket: bool,
    /// How long a store that is away or keeps failing is retried.
    pub timeout: Duration,
    /// Every part but an object's last has exactly this size.
    pub part_bytes: u64,
    /// Per object, up and down.
    pub parts_in_flight: usize,
    /// Whether CRC checksums are sent and asked for; many S3-likes refuse them.
    pub checksums: bool,
    pub sse: Option<Sse>,
    /// PEM certificates trusted besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// Encryption by the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sse {
    Aes256,
    /// `None` for the account's default key.
    Kms {
        key_id: Option<String>,
    },
}

impl S3Settings {
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            prefix: String::new(),
            endpoint: None,
            region: "us-east-1".to_owned(),
            path_style: false,
            access_key: None,
            secret_key: None,
            session_token: None,
            create_bucket: true,
            timeout: Duration::from_secs(60),
            part_bytes: 8 << 20,
            parts_in_flight: 2,
            checksums: false,
            sse: None,
            ca_file: None,
        }
    }

    pub(super) fn location(&self) -> String {
        match self.prefix.as_str() {
            "" => format!("s3://{}", self.bucket),
            prefix => format!("s3://{}/{prefix}", self.bucket),
        }
    }

    /// Where requests go, for a person.
    pub(super) fn endpoint_or_aws(&self) -> &str {
        self.endpoint.as_deref().unwrap_or("AWS")
    }

    pub(super) fn validated(mut self) -> Result<Self> {
        let problem = |problem: String| Err(Error::new(Kind::Config, problem));
        if self.bucket.is_empty() {
            return problem("STORAGE_BUCKET is empty".to_owned());
        }
        if !self.prefix.is_empty() {
            match layout::validate_backup_path(&self.prefix) {
                Ok(prefix) => self.prefix = prefix,
                Err(why) => {
                    return problem(format!(
                        "STORAGE_PREFIX {:?} is invalid: {why}",
                        self.prefix
                    ));
                }
            }
        }
        if !(MIN_PART_BYTES..=MAX_PART_BYTES).contains(&self.part_bytes) {
            return problem(format!(
                "parts of {} bytes are not possible; S3 allows 5 MiB to 5 GiB",
                self.part_bytes
            ));
        }
        if self.parts_in_flight == 0 {
            return problem("at least one part must be in flight".to_owned());
        }
        if self.access_key.is_some() != self.secret_key.is_some() {
            return problem(
                "STORAGE_ACCESS_KEY and STORAGE_SECRET_KEY belong together; set both or neither"
                    .to_owned(),
            );
        }
        if let Some(endpoint) = &self.endpoint
            && !endpoint.starts_with("http://")
            && !endpoint.starts_with("https://")
        {
            return problem(format!(
                "STORAGE_ENDPOINT {endpoint:?} must begin with http:// or https://"
            ));
        }
        Ok(self)
    }
}

/// Without credentials, whole or in part.
impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Settings")
            .field("location", &self.location())
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("part_bytes", &self.part_bytes)
            .field("parts_in_flight", &self.parts_in_flight)
            .finish_non_exhaustive()
    }
}

//! Versions of the format, of two families since they parted.

use std::fmt;

use runner_core::error::{Error, Kind, Result};

/// Who counts the versions: above 11 the same number or type byte can mean different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    Redis,
    Valkey,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
        })
    }
}

/// A version of the format: `REDIS0012` is Redis 8's, `VALKEY080` Valkey 9's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    pub family: Family,
    pub number: u32,
}

/// The newest versions known here: those of Redis 8.6 and of Valkey 9.0 and 9.1. Later ones bring types of their own.
const NEWEST_REDIS: u32 = 13;
const NEWEST_VALKEY: u32 = 80;

/// Valkey counts from here; everything below is Redis's, or of both.
const FIRST_VALKEY: u32 = 80;

/// Files have a checksum since this version.
const FIRST_CHECKSUM: u32 = 5;

impl Version {
    /// The nine bytes that an RDB begins with.
    pub(super) fn parse(header: [u8; 9]) -> Result<Self> {
        let (family, digits) = match header.as_slice() {
            [b'R', b'E', b'D', b'I', b'S', digits @ ..] => (Family::Redis, digits),
            [b'V', b'A', b'L', b'K', b'E', b'Y', digits @ ..] => (Family::Valkey, digits),
            _ => return Err(no_rdb(&header)),
        };
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(no_rdb(&header));
        }
        let number = digits
            .iter()
            .fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        Self { family, number }.served()
    }

    /// The version at the end of a `DUMP` payload, which does not say whose it is.
    pub(super) fn of_payload(number: u32) -> Result<Self> {
        let family = match number {
            FIRST_VALKEY.. => Family::Valkey,
            _ => Family::Redis,
        };
        Self { family, number }.served()
    }

    fn served(self) -> Result<Self> {
        let range = match self.family {
            Family::Redis => 1..=NEWEST_REDIS,
            Family::Valkey => FIRST_VALKEY..=NEWEST_VALKEY,
        };
        if range.contains(&self.number) {
            return Ok(self);
        }
        Err(Error::new(
            Kind::Unfit,
            format!(
                "this is version {} of {}'s RDB format, and this runner knows {} to {}; is there a newer runner?",
                self.number,
                self.family,
                range.start(),
                range.end()
            ),
        ))
    }

    pub(super) fn header(self) -> String {
        match self.family {
            Family::Redis => format!("REDIS{:04}", self.number),
            Family::Valkey => format!("VALKEY{:03}", self.number),
        }
    }

    pub(super) fn has_checksum(self) -> bool {
        self.number >= FIRST_CHECKSUM
    }
}

/// `Redis RDB 12`.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} RDB {}", self.family, self.number)
    }
}

fn no_rdb(header: &[u8]) -> Error {
    let header = header.escape_ascii();
    Error::new(
        Kind::Integrity,
        format!("this is no RDB: it begins with \"{header}\""),
    )
}

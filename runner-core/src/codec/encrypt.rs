//! Encryption in the age format, interoperable with the stock `age` tool.
//!
//! Each artifact has its own age header and file key, so a passphrase is stretched by scrypt once per artifact,
//! with a fresh salt: sharing one salt between artifacts would encrypt several file keys under one key and one
//! nonce. Recipients cost nothing of the kind, and suit databases of many artifacts better.

use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use age::secrecy::SecretString;
use age::stream::{StreamReader, StreamWriter};
use age::{DecryptError, Decryptor, Encryptor, scrypt, x25519};

use crate::error::{Error, Kind, Result, from_io};
use crate::manifest::Encryption;
use crate::secret::Secret;

/// scrypt with N = 2^16 and r = 8 takes 64 MiB and a fifth of a second; the `age` tool's own 2^18 would take
/// 256 MiB, which is a whole small container.
const WORK_FACTOR: u8 = 16;

/// The most that is opened, for files that `age` and `rage` made: 2^20 takes 1 GiB.
const MAX_WORK_FACTOR: u8 = 20;

/// What the scrypt step takes, in bytes, once per process: one runs at a time.
pub const SCRYPT_BYTES: u64 = (128 * 8) << WORK_FACTOR;

/// One scrypt at a time, however many streams start at once: its memory is not multiplied by `PARALLELISM`.
static SCRYPT: Mutex<()> = Mutex::new(());

/// One stream's share: a chunk of 64 KiB in plain, encrypted and on its way.
pub(super) const WINDOW_BYTES: u64 = 256 * 1024;

/// Who may open an encrypted artifact.
#[derive(Clone, Default)]
pub struct Recipients {
    public: Vec<x25519::Recipient>,
    passphrase: Option<Arc<scrypt::Recipient>>,
}

impl Recipients {
    /// Reads `age1…` recipients, separated by commas or white space.
    pub fn parse(list: &str) -> Result<Self, String> {
        let words = list.split(|c: char| c == ',' || c.is_whitespace());
        let mut public = Vec::new();
        for (n, word) in words.filter(|word| !word.is_empty()).enumerate() {
            public.push(recipient(word).map_err(|err| format!("recipient {}: {err}", n + 1))?);
        }
        if public.is_empty() {
            return Err("there is no recipient in it; expected age1…".to_owned());
        }
        Ok(Self {
            public,
            passphrase: None,
        })
    }

    /// Whoever knows the passphrase.
    pub fn passphrase(passphrase: &Secret) -> Self {
        Self::passphrase_at(passphrase, WORK_FACTOR)
    }

    pub(super) fn passphrase_at(passphrase: &Secret, work_factor: u8) -> Self {
        let passphrase = SecretString::from(passphrase.reveal());
        let mut recipient = scrypt::Recipient::new(passphrase);
        recipient.set_work_factor(work_factor);
        Self {
            public: Vec::new(),
            passphrase: Some(Arc::new(recipient)),
        }
    }

    /// What the manifest says: nothing secret.
    pub fn describe(&self) -> Encryption {
        Encryption {
            format: "age".to_owned(),
            recipients: self.public.iter().map(ToString::to_string).collect(),
        }
    }

    pub(super) fn encrypt<W: Write>(&self, out: W) -> Result<StreamWriter<W>> {
        let public = self.public.iter().map(|public| public as _);
        let passphrase = self.passphrase.iter().map(|passphrase| &**passphrase as _);
        let encryptor = {
            let _one_at_a_time = self.passphrase.as_ref().map(|_| one_scrypt());
            Encryptor::with_recipients(public.chain(passphrase))
        };
        let encryptor = encryptor
            .map_err(|err| Error::new(Kind::Config, "encrypt to the recipients").because(err))?;
        encryptor
            .wrap_output(out)
            .map_err(|err| from_io(err, Kind::Bug, "write the age header"))
    }
}

/// The text of a word that may be a misplaced secret is not repeated.
fn recipient(word: &str) -> Result<x25519::Recipient, String> {
    let wrong = match x25519::Recipient::from_str(word) {
        Ok(recipient) => return Ok(recipient),
        Err(wrong) => wrong,
    };
    Err(
        if word.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
            "this is a secret identity; give its public key (`age-keygen -y`)".to_owned()
        } else if word.starts_with("age1pq1") || word.starts_with("age1tag") {
            "post-quantum and hardware recipients are not supported; use an age1… of age-keygen"
                .to_owned()
        } else if word.starts_with("age1") {
            format!("{word:?} is not an age recipient: {wrong}")
        } else if word.starts_with("ssh-") {
            "SSH keys are not supported; use an age1… recipient of age-keygen".to_owned()
        } else {
            "it does not start with age1".to_owned()
        },
    )
}

/// Public keys, as they are no secret.
impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipients")
            .field("public", &self.describe().recipients)
            .field("passphrase", &self.passphrase.as_ref().map(|_| "***"))
            .finish()
    }
}

/// What opens encrypted artifacts: identities, or a passphrase.
#[derive(Clone, Default)]
pub struct Keys {
    identities: Vec<x25519::Identity>,
    passphrase: Option<Arc<scrypt::Identity>>,
}

impl Keys {
    /// Reads `AGE-SECRET-KEY-1…` lines, such as a file that `age-keygen` wrote.
    pub fn parse_identities(text: &str) -> Result<Self, String> {
        let mut identities = Vec::new();
        for (n, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let identity = x25519::Identity::from_str(line)
                .map_err(|err| format!("line {} is not an AGE-SECRET-KEY-1…: {err}", n + 1))?;
            identities.push(identity);
        }
        if identities.is_empty() {
            return Err("there is no AGE-SECRET-KEY-1… in it".to_owned());
        }
        Ok(Self {
            identities,
            passphrase: None,
        })
    }

    /// The passphrase that artifacts were encrypted with.
    pub fn passphrase(passphrase: &Secret) -> Self {
        let mut identity = scrypt::Identity::new(SecretString::from(passphrase.reveal()));
        identity.set_max_work_factor(MAX_WORK_FACTOR);
        Self {
            identities: Vec::new(),
            passphrase: Some(Arc::new(identity)),
        }
    }

    /// These keys and those of `other`, for a job that was given both kinds.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.identities.extend(other.identities);
        self.passphrase = other.passphrase.or(self.passphrase);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.identities.is_empty() && self.passphrase.is_none()
    }

    pub(super) fn decrypt<R: BufRead>(&self, input: R) -> Result<StreamReader<R>> {
        let decryptor = Decryptor::new_buffered(input).map_err(not_opened)?;
        let by_passphrase = decryptor.is_scrypt();
        match (by_passphrase, self.is_empty()) {
            (_, true) => Err(denied("the backup is encrypted", by_passphrase)),
            (true, _) if self.passphrase.is_none() => {
                Err(denied("a passphrase encrypts the backup", true))
            }
            (false, _) if self.identities.is_empty() => {
                Err(denied("the backup is encrypted to recipients", false))
            }
            _ => {
                let identities = self.identities.iter().map(|identity| identity as _);
                let passphrase = self.passphrase.iter().map(|passphrase| &**passphrase as _);
                let _one_at_a_time = by_passphrase.then(one_scrypt);
                let reader = decryptor.decrypt(identities.chain(passphrase));
                reader.map_err(not_opened)
            }
        }
    }
}

/// How many, and nothing else.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("identities", &self.identities.len())
            .field("passphrase", &self.passphrase.as_ref().map(|_| "***"))
            .finish()
    }
}

fn one_scrypt() -> impl Drop {
    SCRYPT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn denied(what: &str, by_passphrase: bool) -> Error {
    let setting = if by_passphrase {
        "ENCRYPTION_PASSPHRASE"
    } else {
        "ENCRYPTION_IDENTITY"
    };
    Error::new(Kind::Denied, format!("{what}; set {setting} to open it"))
}

fn not_opened(error: DecryptError) -> Error {
    match error {
        DecryptError::NoMatchingKeys => Error::new(
            Kind::Denied,
            "no identity opens the backup; set ENCRYPTION_IDENTITY to one of its recipients' (the manifest \
             lists them), unless its first bytes are damaged",
        ),
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => Error::new(
            Kind::Denied,
            "the passphrase does not open the backup; set ENCRYPTION_PASSPHRASE to the one it was made with, \
             unless its first bytes are damaged",
        ),
        // Its own Display subtracts in a way that may overflow.
        DecryptError::ExcessiveWork { required, .. } => Error::new(
            Kind::Unfit,
            format!(
                "the passphrase's work factor is 2^{required} and at most 2^{MAX_WORK_FACTOR} is opened; \
                 re-encrypt the file with `age`"
            ),
        ),
        DecryptError::Io(err) if err.kind() == io::ErrorKind::UnexpectedEof => {
            Error::new(Kind::Integrity, "the age stream is cut within its header")
        }
        DecryptError::Io(err) => from_io(err, Kind::Integrity, "read the age header"),
        error => Error::new(
            Kind::Integrity,
            "this is not an age stream, or a damaged one",
        )
        .because(error),
    }
}

/// Reads on over the ends of age's chunks, which are smaller than what a decompressor likes.
pub(super) fn buffered<R: Read>(reader: R) -> io::BufReader<R> {
    io::BufReader::with_capacity(64 * 1024, reader)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

    #[test]
    fn recipients_are_described_by_their_public_keys() {
        let recipients = Recipients::parse(&format!("{PUBLIC},\n {PUBLIC}")).unwrap();
        assert_eq!(recipients.describe().recipients, [PUBLIC, PUBLIC]);
        let recipients = Recipients::passphrase(&Secret::new("correct horse"));
        assert_eq!(recipients.describe().format, "age");
        assert!(recipients.describe().recipients.is_empty());
        assert!(!format!("{recipients:?}").contains("correct horse"));
    }

    #[test]
    fn a_wrong_recipient_is_explained_and_a_secret_not_repeated() {
        let secret = x25519::Identity::generate().to_string();
        let secret = age::secrecy::ExposeSecret::expose_secret(&secret);
        let message = Recipients::parse(&format!("{PUBLIC} {secret}")).unwrap_err();
        assert_eq!(
            message,
            "recipient 2: this is a secret identity; give its public key (`age-keygen -y`)"
        );
        assert!(
            Recipients::parse("age1xyz")
                .unwrap_err()
                .contains("\"age1xyz\"")
        );
        assert!(
            Recipients::parse("ssh-ed25519 AAAA")
                .unwrap_err()
                .contains("SSH")
        );
        assert!(
            !Recipients::parse("hunter2")
                .unwrap_err()
                .contains("hunter2")
        );
        assert!(Recipients::parse(" , ").is_err());
    }

    #[test]
    fn an_identity_file_may_have_comments_and_is_never_shown() {
        let secret = x25519::Identity::generate().to_string();
        let secret = age::secrecy::ExposeSecret::expose_secret(&secret);
        let keys = Keys::parse_identities(&format!("# created: now\n\n {secret}\n")).unwrap();
        assert!(!keys.is_empty() && Keys::default().is_empty());
        assert!(!format!("{keys:?}").contains(secret));
        let message = Keys::parse_identities("# x\nnonsense").unwrap_err();
        assert!(
            message.starts_with("line 2 is not an AGE-SECRET-KEY-1"),
            "{message}"
        );
        assert!(!message.contains("nonsense"));
        assert!(Keys::parse_identities("# only").is_err());
    }
}

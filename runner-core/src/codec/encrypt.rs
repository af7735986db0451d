//! Encryption in the age format.

use crate::secret::Secret;

/// Who may open an encrypted artifact.
#[derive(Clone, Debug, Default)]
pub struct Recipients {}

impl Recipients {
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.starts_with("age1") {
            true => Ok(Self {}),
            false => Err("expected age recipients".to_owned()),
        }
    }

    pub fn passphrase(_passphrase: Secret) -> Self {
        Self {}
    }
}

/// What opens encrypted artifacts: identities, or a passphrase.
#[derive(Clone, Debug, Default)]
pub struct Keys {}

impl Keys {
    pub fn parse_identities(text: &str) -> Result<Self, String> {
        match text.starts_with("AGE-SECRET-KEY-1") {
            true => Ok(Self {}),
            false => Err(format!("{text:?} is no age identity")),
        }
    }

    pub fn passphrase(_passphrase: Secret) -> Self {
        Self {}
    }
}

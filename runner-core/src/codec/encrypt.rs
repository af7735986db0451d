//! Encryption in the age format.

/// Who may open an encrypted artifact.
#[derive(Clone, Debug, Default)]
pub struct Recipients {}

/// What opens encrypted artifacts: identities, or a passphrase.
#[derive(Clone, Debug, Default)]
pub struct Keys {}

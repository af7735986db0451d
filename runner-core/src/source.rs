//! A committed backup, open for reading.

/// A manifest and the means to read its artifacts.
pub struct Backup {}

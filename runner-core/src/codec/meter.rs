//! Counts and hashes bytes as they pass.

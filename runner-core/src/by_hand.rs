//! Words of `RESTORE.md` that every engine's has.

use crate::codec::Compression;
use crate::manifest::{Artifact, Manifest};

/// The stock tools that a backup's files need, each after a comma.
pub fn tools(manifest: &Manifest) -> String {
    let mut tools = String::new();
    match Compression::parse(&manifest.compression) {
        Ok(Compression::Zstd(_)) => tools.push_str(", `zstd`"),
        Ok(Compression::Gzip(_)) => tools.push_str(", `gzip`"),
        Ok(Compression::Lz4) => tools.push_str(", `lz4`"),
        _ => {}
    }
    if manifest.encryption.is_some() {
        tools.push_str(", `age`");
    }
    tools + ", `tar`"
}

/// What turns a stored file on standard input into what the engine wrote.
pub fn decode_command(manifest: &Manifest) -> String {
    let mut stages = Vec::new();
    if manifest.encryption.is_some() {
        stages.push("age -d -i key.txt");
    }
    match Compression::parse(&manifest.compression) {
        Ok(Compression::Zstd(_)) => stages.push("zstd -dc"),
        Ok(Compression::Gzip(_)) => stages.push("gzip -dc"),
        Ok(Compression::Lz4) => stages.push("lz4 -dc"),
        _ => {}
    }
    stages.join(" | ")
}

/// The command that writes an artifact as the engine wrote it.
pub fn read(decode: &str, artifact: &Artifact) -> String {
    let files: Vec<String> = artifact
        .objects()
        .iter()
        .map(|segment| shell_quote(&segment.path))
        .collect();
    match decode {
        "" => format!("cat {}", files.join(" ")),
        decode => format!("cat {} | {decode}", files.join(" ")),
    }
}

/// One word of a shell's command.
pub fn shell_quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/%+=".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

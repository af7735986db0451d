//! What a backup takes in, and how it is packed.

use serde::Deserialize;

use super::Operation;
use crate::codec::{Codec, Compression, Keys, Recipients};
use crate::engine::Content;
use crate::env::{Env, Key, parse};

pub const KEYS: &[Key] = &[
    Key::plain(
        "BACKUP_TYPE",
        "full",
        "Kind of backup: `full` is all that this release makes",
    ),
    Key::plain(
        "COMPRESSION",
        "zstd",
        "`zstd[:1-19]`, `gzip[:1-9]`, `lz4` or `none`; `zstd` alone is level 1, `gzip` level 6",
    ),
    Key::plain(
        "ENCRYPTION_RECIPIENTS",
        "",
        "age recipients (`age1…`), comma-separated: who may open the backup",
    ),
    Key::secret(
        "ENCRYPTION_PASSPHRASE",
        "",
        "Passphrase that seals a backup and opens it again; recipients are quicker where there are many artifacts",
    ),
    Key::secret(
        "ENCRYPTION_IDENTITY",
        "",
        "age identity (`AGE-SECRET-KEY-1…`) that opens a backup on restore and verify",
    ),
    Key::plain(
        "INCLUDE_TABLES",
        "all",
        "Rows of only these tables: comma-separated patterns such as `schema.table`, `audit.*`; definitions stay whole",
    ),
    Key::plain(
        "EXCLUDE_TABLES",
        "none",
        "Rows of all tables but these: comma-separated patterns",
    ),
    Key::plain("SCHEMA_ONLY", "false", "Definitions without rows"),
    Key::plain("DATA_ONLY", "false", "Rows without definitions"),
];

#[derive(Default, Deserialize)]
struct Raw {
    backup_type: Option<String>,
    compression: Option<String>,
    encryption_recipients: Option<String>,
    schema_only: Option<String>,
    data_only: Option<String>,
}

pub(super) fn codec(env: &mut Env, operation: Operation) -> Codec {
    let raw = env.typed::<Raw>();
    env.check("BACKUP_TYPE", raw.backup_type, (), |text| {
        parse::choice(text, &[("full", ())])
            .map_err(|expected| format!("{expected}, which is all that this release makes"))
    });
    let passphrase = env.secret("ENCRYPTION_PASSPHRASE");
    if raw.encryption_recipients.is_some() && passphrase.is_some() {
        env.problem(
            "ENCRYPTION_RECIPIENTS and ENCRYPTION_PASSPHRASE are both set; keep one".to_owned(),
        );
    }
    let is_sealed = raw.encryption_recipients.is_some() || passphrase.is_some();
    if operation == Operation::Backup && env.is_set("ENCRYPTION_IDENTITY") && !is_sealed {
        env.warn(
            "ENCRYPTION_IDENTITY only opens backups; this one is not encrypted without ENCRYPTION_RECIPIENTS"
                .to_owned(),
        );
    }
    Codec {
        compression: env.check(
            "COMPRESSION",
            raw.compression,
            Compression::default(),
            Compression::parse,
        ),
        encryption: env
            .check(
                "ENCRYPTION_RECIPIENTS",
                raw.encryption_recipients,
                None,
                |text| Recipients::parse(text).map(Some),
            )
            .or(passphrase.as_ref().map(Recipients::passphrase)),
    }
}

/// What opens encrypted backups.
pub(super) fn keys(env: &mut Env) -> Keys {
    let passphrase = env.secret("ENCRYPTION_PASSPHRASE");
    if passphrase.is_some() && env.is_set("ENCRYPTION_IDENTITY") {
        env.problem(
            "ENCRYPTION_IDENTITY and ENCRYPTION_PASSPHRASE are both set; keep one".to_owned(),
        );
    }
    let sealed = passphrase
        .as_ref()
        .map_or_else(Keys::default, Keys::passphrase);
    env.parse("ENCRYPTION_IDENTITY", sealed, Keys::parse_identities)
}

pub(super) fn content(env: &mut Env) -> Content {
    let raw = env.typed::<Raw>();
    let schema_only = env.check("SCHEMA_ONLY", raw.schema_only, false, parse::boolean);
    let data_only = env.check("DATA_ONLY", raw.data_only, false, parse::boolean);
    match (schema_only, data_only) {
        (false, false) => Content::All,
        (true, false) => Content::SchemaOnly,
        (false, true) => Content::DataOnly,
        (true, true) => {
            env.problem(
                "SCHEMA_ONLY and DATA_ONLY exclude each other; set neither for all".to_owned(),
            );
            Content::All
        }
    }
}

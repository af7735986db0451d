//! Which store, and where in it: one URL, or a variable for each part.

use std::path::PathBuf;

use serde::Deserialize;

use super::KEYS;
use crate::env::{Env, Origin};
use crate::store::layout::validate_backup_path;

#[derive(Default, Deserialize)]
struct Raw {
    storage_url: Option<String>,
    storage_type: Option<String>,
    storage_bucket: Option<String>,
    storage_prefix: Option<String>,
    storage_path: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    S3,
    File,
}

/// What `STORAGE_URL` is another way to write.
const PARTS_OF_URL: [&str; 4] = [
    "STORAGE_TYPE",
    "STORAGE_BUCKET",
    "STORAGE_PREFIX",
    "STORAGE_PATH",
];

/// A store's kind and the place in it; the bucket counts only for S3, the path only for a directory.
pub(super) struct Place {
    pub(super) kind: Type,
    pub(super) bucket: String,
    pub(super) prefix: String,
    pub(super) path: PathBuf,
}

impl Place {
    fn of(kind: Type) -> Self {
        Self {
            kind,
            bucket: "planb-backups".to_owned(),
            prefix: String::new(),
            path: PathBuf::from("/backups"),
        }
    }
}

pub(super) fn read(env: &mut Env) -> Place {
    let raw = env.typed::<Raw>();
    let place = match raw.storage_url {
        Some(_) => of_url(env, raw),
        None => of_parts(env, raw),
    };
    show(env, &place);
    warn_of_unused(env, place.kind);
    place
}

fn of_url(env: &mut Env, raw: Raw) -> Place {
    let both = PARTS_OF_URL.map(|it| env.is_set(it).then_some(it));
    for other in both.into_iter().flatten() {
        env.problem(format!(
            "STORAGE_URL and {other} are both set; the URL says it all"
        ));
    }
    env.check(
        "STORAGE_URL",
        raw.storage_url,
        Place::of(Type::File),
        parse_url,
    )
}

fn of_parts(env: &mut Env, raw: Raw) -> Place {
    let default = match raw.storage_bucket {
        Some(_) => Type::S3,
        None => Type::File,
    };
    let place = Place::of(env.check("STORAGE_TYPE", raw.storage_type, default, store_type));
    Place {
        bucket: env.check(
            "STORAGE_BUCKET",
            raw.storage_bucket,
            place.bucket,
            bucket_name,
        ),
        prefix: env.check("STORAGE_PREFIX", raw.storage_prefix, place.prefix, prefix),
        path: raw.storage_path.unwrap_or(place.path),
        ..place
    }
}

fn store_type(text: &str) -> Result<Type, String> {
    match text.to_ascii_lowercase().as_str() {
        "s3" => Ok(Type::S3),
        "file" => Ok(Type::File),
        "gcs" | "gs" => Err(
            "not in this release; use s3 with STORAGE_ENDPOINT=https://storage.googleapis.com and an HMAC key"
                .to_owned(),
        ),
        "azure" | "az" | "ftps" | "sftp" => Err("not in this release; use s3 or file".to_owned()),
        _ => Err("expected s3 or file".to_owned()),
    }
}

fn parse_url(url: &str) -> Result<Place, String> {
    let expected = || "expected s3://bucket/prefix or file:///dir".to_owned();
    let (scheme, rest) = url.split_once("://").ok_or_else(expected)?;
    let place = Place::of(store_type(scheme)?);
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    if authority.contains('@') {
        return Err(
            "expected no login in it; use STORAGE_ACCESS_KEY and STORAGE_SECRET_KEY".to_owned(),
        );
    }
    if rest.contains(['?', '#']) {
        return Err("expected no query; each setting has its own variable".to_owned());
    }
    match (place.kind, authority) {
        (Type::S3, "") => Err(expected()),
        (Type::S3, bucket) => Ok(Place {
            bucket: bucket_name(bucket)?,
            prefix: prefix(path)?,
            ..place
        }),
        (Type::File, "" | "localhost") if !path.is_empty() => Ok(Place {
            path: PathBuf::from(path),
            ..place
        }),
        (Type::File, _) => {
            Err("expected three slashes and an absolute path: file:///dir".to_owned())
        }
    }
}

fn prefix(text: &str) -> Result<String, String> {
    match text.trim_matches('/') {
        "" => Ok(String::new()),
        trimmed => validate_backup_path(trimmed),
    }
}

fn bucket_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match text.chars().all(is_plain) {
        true => Ok(text.to_owned()),
        false => {
            Err("expected a bucket's name; what follows it belongs in STORAGE_PREFIX".to_owned())
        }
    }
}

/// For `config`: what the URL stands for, or the type that follows from a bucket.
fn show(env: &mut Env, place: &Place) {
    let origin = match env.is_set("STORAGE_URL") {
        true => Origin::Implied("STORAGE_URL"),
        false => Origin::Default,
    };
    let path = place.path.to_string_lossy();
    let (kind, parts) = match place.kind {
        Type::S3 => (
            "s3",
            vec![
                ("STORAGE_BUCKET", place.bucket.as_str()),
                ("STORAGE_PREFIX", &place.prefix),
            ],
        ),
        Type::File => ("file", vec![("STORAGE_PATH", &*path)]),
    };
    env.resolve("STORAGE_TYPE", kind, origin.clone());
    for (name, value) in parts {
        env.resolve(name, value, origin.clone());
    }
}

/// A bucket's settings beside a directory often mean that `STORAGE_BUCKET` was forgotten.
fn warn_of_unused(env: &mut Env, kind: Type) {
    const ANY: &[&str] = &["STORAGE_URL", "STORAGE_TYPE", "STORAGE_PREFIX"];
    for key in KEYS.iter().filter(|key| !ANY.contains(&key.name)) {
        let is_of = match key.name {
            "STORAGE_PATH" => Type::File,
            _ => Type::S3,
        };
        // Beside a URL it is a problem already.
        let is_told = env.is_set("STORAGE_URL") && PARTS_OF_URL.contains(&key.name);
        if env.is_set(key.name) && is_of != kind && !is_told {
            let (store, way_out) = match kind {
                Type::File => (
                    "a directory",
                    "set STORAGE_BUCKET or STORAGE_TYPE=s3 for S3",
                ),
                Type::S3 => ("a bucket", "set STORAGE_TYPE=file for a directory"),
            };
            env.warn(format!(
                "{} is not used, as the store is {store}; {way_out}",
                key.name
            ));
        }
    }
}

//! Settings of S3 and everything that speaks it.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::env::{Env, Origin, parse};
use crate::store::s3::{S3Settings, Sse};

#[derive(Default, Deserialize)]
struct Raw {
    storage_endpoint: Option<String>,
    storage_region: Option<String>,
    storage_path_style: Option<String>,
    storage_access_key: Option<String>,
    storage_create_bucket: Option<String>,
    storage_timeout: Option<String>,
    storage_part_bytes: Option<String>,
    storage_parts_in_flight: Option<String>,
    storage_checksums: Option<String>,
    storage_sse: Option<String>,
    storage_sse_kms_key_id: Option<String>,
    storage_ca_file: Option<PathBuf>,
}

pub(super) fn read(env: &mut Env, bucket: String, prefix: String) -> S3Settings {
    let raw = env.typed::<Raw>();
    check_credentials(env);
    let endpoint = env.check("STORAGE_ENDPOINT", raw.storage_endpoint, None, |it| {
        parse::http_url(it).map(Some)
    });
    let path_style = endpoint.is_some();
    let text = path_style.to_string();
    env.resolve("STORAGE_PATH_STYLE", text, Origin::Default);
    let style = raw.storage_path_style;
    let create = raw.storage_create_bucket;
    let patience = Duration::from_secs(60);
    let parts = raw.storage_parts_in_flight;
    S3Settings {
        bucket,
        prefix,
        region: raw.storage_region.unwrap_or_else(|| "us-east-1".to_owned()),
        path_style: env.check("STORAGE_PATH_STYLE", style, path_style, parse::boolean),
        access_key: raw.storage_access_key,
        secret_key: env.secret("STORAGE_SECRET_KEY"),
        session_token: env.secret("STORAGE_SESSION_TOKEN"),
        create_bucket: env.check("STORAGE_CREATE_BUCKET", create, true, parse::boolean),
        timeout: env.check(
            "STORAGE_TIMEOUT",
            raw.storage_timeout,
            patience,
            parse::duration,
        ),
        part_bytes: env.check(
            "STORAGE_PART_BYTES",
            raw.storage_part_bytes,
            8 << 20,
            part_bytes,
        ),
        parts_in_flight: env.check("STORAGE_PARTS_IN_FLIGHT", parts, 2, |it| {
            parse::number(it, 1..=64)
        }),
        checksums: env.check("STORAGE_CHECKSUMS", raw.storage_checksums, false, |it| {
            parse::choice(it, &[("when_required", false), ("when_supported", true)])
        }),
        sse: sse(env, raw.storage_sse, raw.storage_sse_kms_key_id),
        ca_file: raw.storage_ca_file,
        endpoint,
    }
}

fn check_credentials(env: &mut Env) {
    let id = env.is_set("STORAGE_ACCESS_KEY");
    let secret = env.is_set("STORAGE_SECRET_KEY");
    if id != secret {
        env.problem("STORAGE_ACCESS_KEY and STORAGE_SECRET_KEY need each other".to_owned());
    }
    if env.is_set("STORAGE_SESSION_TOKEN") && !id && !secret {
        env.problem(
            "STORAGE_SESSION_TOKEN needs STORAGE_ACCESS_KEY and STORAGE_SECRET_KEY".to_owned(),
        );
    }
}

fn sse(env: &mut Env, sse: Option<String>, key_id: Option<String>) -> Option<Sse> {
    let choices = [("AES256", Some(false)), ("aws:kms", Some(true))];
    let with_kms = env.check("STORAGE_SSE", sse, None, |it| parse::choice(it, &choices));
    if key_id.is_some() && with_kms != Some(true) {
        env.problem("STORAGE_SSE_KMS_KEY_ID needs STORAGE_SSE=aws:kms".to_owned());
    }
    with_kms.map(|with_kms| match with_kms {
        true => Sse::Kms { key_id },
        false => Sse::Aes256,
    })
}

/// S3's own limits of a part.
fn part_bytes(text: &str) -> Result<u64, String> {
    let n_bytes = parse::bytes(text)?;
    match (5 << 20..=5 << 30).contains(&n_bytes) {
        true => Ok(n_bytes),
        false => Err("expected 5MiB to 5GiB".to_owned()),
    }
}

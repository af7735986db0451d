use expect_test::expect;

use super::{check, check_with, job};
use crate::job::{S3Settings, StoreSettings};

fn s3(vars: &[(&str, &str)]) -> S3Settings {
    match job(&["list"], vars).store {
        StoreSettings::S3(s3) => *s3,
        StoreSettings::File { path, .. } => panic!("{}", path.display()),
    }
}

#[test]
fn a_store_is_one_url_or_its_parts() {
    check(
        "list STORAGE_URL=file:///srv/b STORAGE_BUCKET=b STORAGE_PATH=/x",
        &expect![[r#"
            invalid configuration, 2 problems:
            - STORAGE_URL and STORAGE_BUCKET are both set; the URL says it all
            - STORAGE_URL and STORAGE_PATH are both set; the URL says it all"#]],
    );
    check(
        "list STORAGE_URL=gs://b/p",
        &expect![[
            r#"invalid configuration: STORAGE_URL "gs://b/p": not in this release; use s3 with STORAGE_ENDPOINT=https://storage.googleapis.com and an HMAC key"#
        ]],
    );
    check(
        "list STORAGE_TYPE=sftp",
        &expect![[
            r#"invalid configuration: STORAGE_TYPE "sftp": not in this release; use s3 or file"#
        ]],
    );
    check(
        "list STORAGE_URL=s3://key:s3cret@b/p",
        &expect![[
            r#"invalid configuration: STORAGE_URL "s3://***@b/p": expected no login in it; use STORAGE_ACCESS_KEY and STORAGE_SECRET_KEY"#
        ]],
    );
    check(
        "list STORAGE_URL=file://srv/b",
        &expect![[
            r#"invalid configuration: STORAGE_URL "file://srv/b": expected three slashes and an absolute path: file:///dir"#
        ]],
    );
    check(
        "list STORAGE_URL=s3://b/../p",
        &expect![[
            r#"invalid configuration: STORAGE_URL "s3://b/../p": ".." is not allowed as a component"#
        ]],
    );
    check(
        "list STORAGE_URL=nonsense",
        &expect![[
            r#"invalid configuration: STORAGE_URL "nonsense": expected s3://bucket/prefix or file:///dir"#
        ]],
    );
}

#[test]
fn the_parts_of_a_bucket_fit_together() {
    check(
        "list STORAGE_BUCKET=b/p STORAGE_ACCESS_KEY=k STORAGE_ENDPOINT=minio:9000",
        &expect![[r#"
            invalid configuration, 3 problems:
            - STORAGE_BUCKET "b/p": expected a bucket's name; what follows it belongs in STORAGE_PREFIX
            - STORAGE_ACCESS_KEY and STORAGE_SECRET_KEY need each other
            - STORAGE_ENDPOINT "minio:9000": expected a URL such as https://host/path"#]],
    );
    check(
        "list STORAGE_BUCKET=b STORAGE_SESSION_TOKEN=k STORAGE_SSE_KMS_KEY_ID=k STORAGE_PART_BYTES=1MiB",
        &expect![[r#"
            invalid configuration, 3 problems:
            - STORAGE_SESSION_TOKEN needs STORAGE_ACCESS_KEY and STORAGE_SECRET_KEY
            - STORAGE_PART_BYTES "1MiB": expected 5MiB to 5GiB
            - STORAGE_SSE_KMS_KEY_ID needs STORAGE_SSE=aws:kms"#]],
    );
}

#[test]
fn settings_of_the_other_kind_of_store_are_pointed_out() {
    check(
        "list STORAGE_ENDPOINT=http://minio:9000 STORAGE_REGION=eu",
        &expect![[r#"
            run list
            OPERATION_TYPE=list (flag)
            STORAGE_ENDPOINT=http://minio:9000 (environment)
            STORAGE_REGION=eu (environment)
            warning: STORAGE_ENDPOINT is not used, as the store is a directory; set STORAGE_BUCKET or STORAGE_TYPE=s3 for S3
            warning: STORAGE_REGION is not used, as the store is a directory; set STORAGE_BUCKET or STORAGE_TYPE=s3 for S3"#]],
    );
    check(
        "list STORAGE_TYPE=S3 STORAGE_PATH=/x",
        &expect![[r#"
        run list
        OPERATION_TYPE=list (flag)
        STORAGE_TYPE=S3 (environment)
        STORAGE_PATH=/x (environment)
        warning: STORAGE_PATH is not used, as the store is a bucket; set STORAGE_TYPE=file for a directory"#]],
    );
}

#[test]
fn store_settings_are_typed() {
    let aws = s3(&[("STORAGE_TYPE", "s3"), ("STORAGE_PREFIX", "/a/b/")]);
    expect![[r#"
        S3Settings {
            location: "s3://planb-backups/a/b",
            endpoint: None,
            region: "us-east-1",
            part_bytes: 8388608,
            parts_in_flight: 2,
            ..
        }"#]]
    .assert_eq(&format!("{aws:#?}"));
}

#[test]
fn every_setting_of_s3_takes_effect() {
    let minio = s3(&[
        ("STORAGE_URL", "s3://B-1/p"),
        ("STORAGE_ENDPOINT", "http://minio:9000"),
        ("STORAGE_ACCESS_KEY", "key"),
        ("STORAGE_SECRET_KEY", "secret"),
        ("STORAGE_SESSION_TOKEN", "token"),
        ("STORAGE_CREATE_BUCKET", "no"),
        ("STORAGE_TIMEOUT", "5m"),
        ("STORAGE_PART_BYTES", "16MiB"),
        ("STORAGE_CHECKSUMS", "when_supported"),
        ("STORAGE_SSE", "aws:kms"),
        ("STORAGE_SSE_KMS_KEY_ID", "k"),
        ("STORAGE_CA_FILE", "/ca"),
    ]);
    expect![[r#"
        S3Settings {
            location: "s3://B-1/p",
            endpoint: Some(
                "http://minio:9000",
            ),
            region: "us-east-1",
            part_bytes: 16777216,
            parts_in_flight: 2,
            ..
        }"#]]
    .assert_eq(&format!("{minio:#?}"));
}

#[test]
fn a_directory_has_a_path_and_a_prefix() {
    let file = job(&["list"], &[("STORAGE_URL", "file:///srv/my backups")]).store;
    expect![[r#"File { path: "/srv/my backups", prefix: "" }"#]].assert_eq(&format!("{file:?}"));
    let file = job(&["list"], &[("STORAGE_PREFIX", "a")]).store;
    expect![[r#"File { path: "/backups", prefix: "a" }"#]].assert_eq(&format!("{file:?}"));
}

/// Made for this test.
const IDENTITY: &str = "AGE-SECRET-KEY-1T2FUUTM7YEQXYRL00R3UZNX7VMVAY5C3MQ52SC83XJP3MK4ERJMQVR9CQ9";

#[test]
fn encryption_is_never_half_configured() {
    let identity = ("ENCRYPTION_IDENTITY", IDENTITY);
    check(
        "DB_NAME=x ENCRYPTION_RECIPIENTS=age123mvhap2j2znj7mxu0ceklettv78j97vz4akkj22xmcfh703tv6qymvk98 ENCRYPTION_PASSPHRASE=p",
        &expect![
            "invalid configuration: ENCRYPTION_RECIPIENTS and ENCRYPTION_PASSPHRASE are both set; keep one"
        ],
    );
    check(
        "DB_NAME=x ENCRYPTION_RECIPIENTS=me",
        &expect![[
            r#"invalid configuration: ENCRYPTION_RECIPIENTS "me": recipient 1: it does not start with age1"#
        ]],
    );
    check(
        "DB_NAME=x ENCRYPTION_RECIPIENTS= ENCRYPTION_PASSPHRASE_FILE=",
        &expect![[r#"
            run backup
            DB_NAME=x (environment)
            warning: ENCRYPTION_PASSPHRASE_FILE is set but empty, which counts as unset
            warning: ENCRYPTION_RECIPIENTS is set but empty, which counts as unset"#]],
    );
    check(
        "DB_NAME=x ENCRYPTION_RECIPIENT=age1x",
        &expect![
            "invalid configuration: ENCRYPTION_RECIPIENT is not a known variable; did you mean ENCRYPTION_RECIPIENTS?"
        ],
    );
    check_with(
        &[identity],
        "DB_NAME=x",
        &expect![[r#"
        run backup
        DB_NAME=x (environment)
        ENCRYPTION_IDENTITY=*** (environment)
        warning: ENCRYPTION_IDENTITY only opens backups; this one is not encrypted without ENCRYPTION_RECIPIENTS"#]],
    );
    check_with(
        &[identity],
        "restore latest ENCRYPTION_PASSPHRASE=p",
        &expect![
            "invalid configuration: ENCRYPTION_IDENTITY and ENCRYPTION_PASSPHRASE are both set; keep one"
        ],
    );
    check_with(
        &[("ENCRYPTION_IDENTITY", "s3cret")],
        "restore latest",
        &expect![
            "invalid configuration: ENCRYPTION_IDENTITY: line 1 is not an AGE-SECRET-KEY-1…: invalid Bech32 encoding"
        ],
    );
    let sealed = job(&[], &[("DB_NAME", "x"), ("ENCRYPTION_PASSPHRASE", "p")]);
    assert!(sealed.codec.encryption.is_some());
    assert!(job(&[], &[("DB_NAME", "x")]).codec.encryption.is_none());
}

use std::time::Duration;

use bytes::Bytes;
use expect_test::{Expect, expect};
use tokio_util::sync::CancellationToken;

use super::{S3, S3Settings};
use crate::error::Result;
use crate::secret::Secret;
use crate::store::{Commit, Store};
use crate::testing::bodies::{body, collect, same};
use crate::testing::{FakeS3, Misbehaviour as Mis, conformance};

const PART: u64 = 5 << 20;
const LONG: u64 = 3 * PART + 17;

async fn start() -> (FakeS3, S3) {
    let fake = FakeS3::start().await.unwrap();
    let store = S3::connect(fake.settings()).await.unwrap();
    (fake, store)
}

async fn put(store: &S3, n_bytes: u64) -> Result<()> {
    store
        .put("a/b", body(1, n_bytes), &CancellationToken::new())
        .await
}

/// The error's kind and text, without times and addresses.
fn check<T>(done: Result<T>, expect: Expect) {
    let error = done.err().expect("an error");
    let text = format!("{}: {error}", error.kind());
    let text = match text.find(" attempts in ") {
        Some(at) => {
            let start = text[..at].rfind(' ').unwrap() + 1;
            let rest = text[at + 13..].find(" s").unwrap() + at + 13;
            format!("{}N attempts in T{}", &text[..start], &text[rest..])
        }
        None => text,
    };
    expect.assert_eq(&text);
}

#[tokio::test]
async fn s3_keeps_what_every_store_promises() {
    let (fake, store) = start().await;
    conformance::run(&store, "conformance").await.unwrap();
    assert_eq!(fake.n_unfinished(), 0);
    assert_eq!(fake.keys(), Vec::<String>::new());
}

#[tokio::test]
async fn a_store_that_recovers_is_waited_for() {
    let (fake, store) = start().await;
    fake.misbehave("PutObject", 1, Mis::Refuse(403, "RequestTimeTooSkewed"));
    put(&store, 1).await.unwrap();
    for operation in [
        "CreateMultipartUpload",
        "UploadPart",
        "CompleteMultipartUpload",
        "GetObject",
    ] {
        fake.misbehave(operation, 1, Mis::Refuse(503, "SlowDown"));
        fake.misbehave(operation, 2, Mis::Refuse(500, "InternalError"));
    }
    put(&store, LONG).await.unwrap();
    let stored = store.get("a/b", 0).await.unwrap();
    assert!(same(stored, body(1, LONG)).await.unwrap());
}

#[tokio::test]
async fn a_store_that_stays_away_fails_after_the_timeout_and_nothing_stays() {
    let (fake, store) = start().await;
    fake.misbehave("UploadPart", 0, Mis::Refuse(503, "SlowDown"));
    check(
        put(&store, LONG).await,
        expect![
            "store: UploadPart s3://bucket/prefix/a/b: SlowDown: scripted (503), N attempts in T s; the store stayed away or failing for STORAGE_TIMEOUT"
        ],
    );
    assert_eq!(fake.n_unfinished(), 0);
    let gone = S3Settings {
        endpoint: Some("http://127.0.0.1:1".to_owned()),
        ..fake.settings()
    };
    check(
        S3::connect(gone).await.unwrap().prepare().await,
        expect![
            "store: HeadBucket s3://bucket/: tcp connect error: Connection refused (os error 111), N attempts in T s; the store stayed away or failing for STORAGE_TIMEOUT"
        ],
    );
}

#[tokio::test]
async fn an_error_inside_a_good_completion_is_an_error() {
    let (fake, store) = start().await;
    fake.misbehave(
        "CompleteMultipartUpload",
        0,
        Mis::ErrorInside("InternalError"),
    );
    check(
        put(&store, LONG).await,
        expect![
            "store: CompleteMultipartUpload s3://bucket/prefix/a/b: InternalError: scripted (200), N attempts in T s; the store stayed away or failing for STORAGE_TIMEOUT"
        ],
    );
    assert_eq!(fake.keys(), Vec::<String>::new());
    assert_eq!(fake.n_unfinished(), 0);
    fake.behave();
    fake.misbehave(
        "CompleteMultipartUpload",
        1,
        Mis::ErrorInside("InternalError"),
    );
    put(&store, LONG).await.unwrap();
}

#[tokio::test]
async fn a_completion_whose_answer_is_lost_is_recognised() {
    let (fake, store) = start().await;
    fake.misbehave("CompleteMultipartUpload", 1, Mis::LoseAnswer);
    put(&store, LONG).await.unwrap();
    assert_eq!(fake.keys(), ["prefix/a/b"]);
}

#[tokio::test]
async fn a_part_whose_connection_breaks_is_sent_again() {
    let (fake, store) = start().await;
    fake.misbehave("UploadPart", 2, Mis::ResetAfterReading(1_000_000));
    fake.misbehave("UploadPart", 3, Mis::LoseAnswer);
    fake.misbehave("PutObject", 1, Mis::ResetAfterReading(10));
    put(&store, LONG).await.unwrap();
    let stored = store.get("a/b", 0).await.unwrap();
    assert!(same(stored, body(1, LONG)).await.unwrap());
    put(&store, 100).await.unwrap();
}

#[tokio::test]
async fn a_read_resumes_at_the_byte_where_its_connection_broke() {
    let (fake, store) = start().await;
    put(&store, LONG).await.unwrap();
    for nth in [1, 2, 4] {
        fake.misbehave("GetObject", nth, Mis::ResetAfterWriting(1_234_567));
    }
    let stored = store.get("a/b", 0).await.unwrap();
    assert!(same(stored, body(1, LONG)).await.unwrap());
    let n_gets = fake.log().iter().filter(|op| **op == "GetObject").count();
    assert_eq!(n_gets, 4 + 3);
}

#[tokio::test]
async fn a_hung_connection_ends_in_another_attempt() {
    let (fake, store) = start().await;
    fake.misbehave("UploadPart", 1, Mis::Hang);
    fake.misbehave("GetObject", 2, Mis::Hang);
    put(&store, LONG).await.unwrap();
    let stored = store.get("a/b", 0).await.unwrap();
    assert!(same(stored, body(1, LONG)).await.unwrap());
}

#[tokio::test]
async fn an_object_that_changes_midway_is_noticed() {
    let (fake, store) = start().await;
    put(&store, LONG).await.unwrap();
    let mut stored = store.get("a/b", 0).await.unwrap();
    fake.insert("prefix/a/b", vec![0; LONG as usize]);
    let read = async {
        while let Some(bytes) = futures::TryStreamExt::try_next(&mut stored).await? {
            drop(bytes);
        }
        Ok(())
    };
    check(
        read.await,
        expect![
            "integrity: s3://bucket/prefix/a/b was changed while it was read; nothing may overwrite a backup"
        ],
    );
}

#[tokio::test]
async fn a_commit_works_where_conditions_are_not_implemented() {
    let (fake, store) = start().await;
    let bytes = Bytes::from_static(b"{}");
    fake.misbehave("PutObject", 1, Mis::Refuse(501, "NotImplemented"));
    let committed = store.commit("manifest.json", bytes.clone()).await.unwrap();
    assert_eq!(committed, Commit::Created);
    let again = store.commit("manifest.json", bytes.clone()).await.unwrap();
    assert_eq!(again, Commit::Exists);
    let stored = collect(store.get("manifest.json", 0).await.unwrap()).await;
    assert_eq!(stored.unwrap(), bytes);
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_recognised_as_ours() {
    let (fake, store) = start().await;
    fake.misbehave("PutObject", 1, Mis::LoseAnswer);
    let committed = store
        .commit("manifest.json", Bytes::from_static(b"{}"))
        .await;
    assert_eq!(committed.unwrap(), Commit::Created);
}

#[tokio::test]
async fn a_commit_retries_a_conflict_of_racers() {
    let (fake, store) = start().await;
    fake.misbehave(
        "PutObject",
        1,
        Mis::Refuse(409, "ConditionalRequestConflict"),
    );
    let committed = store
        .commit("manifest.json", Bytes::from_static(b"{}"))
        .await;
    assert_eq!(committed.unwrap(), Commit::Created);
}

#[tokio::test]
async fn a_refusal_is_final_at_once_and_says_what_to_do() {
    let (fake, store) = start().await;
    fake.misbehave("PutObject", 1, Mis::Refuse(403, "AccessDenied"));
    check(
        put(&store, 1).await,
        expect![
            "denied: PutObject s3://bucket/prefix/a/b: AccessDenied: scripted (403); allow s3:PutObject to this login"
        ],
    );
    fake.misbehave("PutObject", 1, Mis::Refuse(403, "SignatureDoesNotMatch"));
    check(
        put(&store, 1).await,
        expect![
            "denied: PutObject s3://bucket/prefix/a/b: SignatureDoesNotMatch: scripted (403); check STORAGE_ACCESS_KEY and STORAGE_SECRET_KEY"
        ],
    );
    fake.remove_bucket();
    check(
        put(&store, 1).await,
        expect![
            "not_found: PutObject s3://bucket/prefix/a/b: NoSuchBucket: scripted (404); create the bucket, or let STORAGE_CREATE_BUCKET=true do so"
        ],
    );
}

#[tokio::test]
async fn prepare_creates_the_bucket_only_when_it_may() {
    let (fake, store) = start().await;
    fake.remove_bucket();
    let settings = S3Settings {
        create_bucket: false,
        ..fake.settings()
    };
    let endpoint = settings.endpoint.clone().unwrap();
    let refused = S3::connect(settings).await.unwrap().prepare().await;
    assert_eq!(
        refused.err().unwrap().to_string(),
        format!(
            "bucket \"bucket\" does not exist at {endpoint}; create it, or set STORAGE_CREATE_BUCKET=true"
        )
    );
    store.prepare().await.unwrap();
    put(&store, 1).await.unwrap();
}

#[tokio::test]
async fn prepare_tells_a_wrong_key_from_a_missing_permission() {
    let (fake, store) = start().await;
    fake.misbehave("HeadBucket", 0, Mis::Refuse(403, "Forbidden"));
    store.prepare().await.unwrap();
    fake.misbehave("ListObjectsV2", 1, Mis::Refuse(403, "AccessDenied"));
    store.prepare().await.unwrap();
    fake.misbehave("ListObjectsV2", 1, Mis::Refuse(403, "InvalidAccessKeyId"));
    check(
        store.prepare().await,
        expect![
            "denied: ListObjectsV2 s3://bucket/prefix/: InvalidAccessKeyId: scripted (403); check STORAGE_ACCESS_KEY and STORAGE_SECRET_KEY"
        ],
    );
}

#[tokio::test]
async fn a_dropped_put_aborts_its_upload() {
    let (fake, store) = start().await;
    fake.misbehave("UploadPart", 0, Mis::Hang);
    let put = tokio::spawn(async move { put(&store, LONG).await });
    while !fake.log().contains(&"UploadPart") {
        tokio::task::yield_now().await;
    }
    put.abort();
    while fake.n_unfinished() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn stale_uploads_are_aborted_by_age_and_prefix() {
    let (fake, store) = start().await;
    fake.misbehave("UploadPart", 0, Mis::Refuse(403, "AccessDenied"));
    fake.misbehave("AbortMultipartUpload", 0, Mis::Refuse(500, "InternalError"));
    assert!(put(&store, LONG).await.is_err());
    assert_eq!(fake.n_unfinished(), 1);
    fake.behave();
    let day = Duration::from_secs(86_400);
    let begun = "2026-11-21T00:00:00Z".parse().unwrap();
    let later = "2026-11-22T00:00:00Z".parse().unwrap();
    assert_eq!(store.abort_stale("", day, begun).await.unwrap(), 0);
    assert_eq!(store.abort_stale("b/", day, later).await.unwrap(), 0);
    assert_eq!(store.abort_stale("a/", day, later).await.unwrap(), 1);
    assert_eq!(fake.n_unfinished(), 0);
}

fn fine() -> S3Settings {
    S3Settings {
        access_key: Some("the-access-key".to_owned()),
        secret_key: Some(Secret::new("the-secret-key")),
        ..S3Settings::new("bucket")
    }
}

#[tokio::test]
async fn credentials_are_not_shown() {
    let store = S3::connect(fine()).await.unwrap();
    let shown = format!("{:?} {store:?} {}", fine(), store.location());
    assert!(!shown.contains("the-"), "{shown}");
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let half = S3Settings {
        secret_key: None,
        ..fine()
    };
    let climbing = S3Settings {
        prefix: "../x".to_owned(),
        ..fine()
    };
    let bare = S3Settings {
        endpoint: Some("minio:9000".to_owned()),
        ..fine()
    };
    let tiny = S3Settings {
        part_bytes: 1,
        ..fine()
    };
    for (settings, expected) in [
        (
            half,
            expect![
                "config: STORAGE_ACCESS_KEY and STORAGE_SECRET_KEY belong together; set both or neither"
            ],
        ),
        (
            climbing,
            expect![[
                r#"config: STORAGE_PREFIX "../x" is invalid: ".." is not allowed as a component"#
            ]],
        ),
        (
            bare,
            expect![[
                r#"config: STORAGE_ENDPOINT "minio:9000" must begin with http:// or https://"#
            ]],
        ),
        (
            tiny,
            expect!["config: parts of 1 bytes are not possible; S3 allows 5 MiB to 5 GiB"],
        ),
    ] {
        check(S3::connect(settings).await, expected);
    }
    for (ca_file, expected) in [
        (
            "/nowhere/ca.pem",
            expect![
                "config: STORAGE_CA_FILE /nowhere/ca.pem cannot be read: No such file or directory (os error 2)"
            ],
        ),
        (
            "/dev/null",
            expect!["config: STORAGE_CA_FILE /dev/null holds no certificate; it must be PEM"],
        ),
    ] {
        let settings = S3Settings {
            ca_file: Some(ca_file.into()),
            ..fine()
        };
        check(S3::connect(settings).await, expected);
    }
}

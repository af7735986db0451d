//! Where backups live, and how to reach that.

mod place;
mod s3;

use crate::env::{Env, Key};

pub use crate::store::StoreSettings;
pub use crate::store::s3::{S3Settings, Sse};

pub const KEYS: &[Key] = &[
    Key::plain(
        "STORAGE_URL",
        "",
        "One URL in place of type, bucket, prefix and path: `s3://bucket/prefix`, `file:///dir`",
    ),
    Key::plain(
        "STORAGE_TYPE",
        "s3 if STORAGE_BUCKET is set, else file",
        "Kind of store: `s3` or `file` (a directory)",
    ),
    Key::plain("STORAGE_BUCKET", "planb-backups", "Bucket of an `s3` store"),
    Key::plain(
        "STORAGE_PREFIX",
        "",
        "Where in the bucket or directory all backups lie",
    ),
    Key::plain(
        "STORAGE_ENDPOINT",
        "AWS",
        "URL of an S3 service: MinIO, GCS interoperability, R2, Ceph and the like",
    ),
    Key::plain("STORAGE_REGION", "us-east-1", "Region of the bucket"),
    Key::plain(
        "STORAGE_PATH_STYLE",
        "true with an endpoint",
        "Address the bucket in the path, not in the host name",
    ),
    Key::secret(
        "STORAGE_ACCESS_KEY",
        "the cloud's default credential chain",
        "Access key ID",
    ),
    Key::secret(
        "STORAGE_SECRET_KEY",
        "the cloud's default credential chain",
        "Secret access key",
    ),
    Key::secret(
        "STORAGE_SESSION_TOKEN",
        "",
        "Session token of temporary credentials",
    ),
    Key::plain(
        "STORAGE_CREATE_BUCKET",
        "true",
        "Create the bucket when it is missing",
    ),
    Key::plain("STORAGE_PATH", "/backups", "Directory of a `file` store"),
    Key::plain(
        "STORAGE_TIMEOUT",
        "60s",
        "How long a store that is away or keeps failing is retried before the job fails with 75",
    ),
    Key::plain(
        "STORAGE_PART_BYTES",
        "8MiB",
        "Size of each part of an upload, 5MiB to 5GiB; memory grows with it",
    ),
    Key::plain(
        "STORAGE_PARTS_IN_FLIGHT",
        "2",
        "Parts of one artifact on their way at the same time, 1 to 64; memory grows with it",
    ),
    Key::plain(
        "STORAGE_CHECKSUMS",
        "when_required",
        "`when_supported` adds the CRC checksums that newer S3 services check and many others refuse",
    ),
    Key::plain(
        "STORAGE_SSE",
        "the bucket's own",
        "Server-side encryption: `AES256` or `aws:kms`",
    ),
    Key::plain(
        "STORAGE_SSE_KMS_KEY_ID",
        "the account's",
        "Key that `aws:kms` encrypts with",
    ),
    Key::plain(
        "STORAGE_CA_FILE",
        "",
        "Certificate authorities (PEM) that are trusted beside the system's",
    ),
];

pub(super) fn read(env: &mut Env) -> StoreSettings {
    let place = place::read(env);
    match place.kind {
        place::Type::S3 => StoreSettings::S3(Box::new(s3::read(env, place.bucket, place.prefix))),
        place::Type::File => StoreSettings::File {
            path: place.path,
            prefix: place.prefix,
        },
    }
}

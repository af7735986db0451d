//! One object from a stream: in one request when it is small, else in equal parts, some at a time.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Inner;
use super::fault::{Fault, Op};
use super::parts::Parts;
use crate::error::{Error, Kind, Result};
use crate::stream::ByteStream;

/// How long an abort may take: it runs inside the 10 s that a signal leaves.
const ABORT_TIMEOUT: Duration = Duration::from_secs(4);

/// Adds the settings' server-side encryption to a request that creates an object.
macro_rules! with_sse {
    ($request:expr, $sse:expr) => {
        match $sse {
            None => $request,
            Some($crate::store::s3::Sse::Aes256) => {
                $request.server_side_encryption(aws_sdk_s3::types::ServerSideEncryption::Aes256)
            }
            Some($crate::store::s3::Sse::Kms { key_id }) => $request
                .server_side_encryption(aws_sdk_s3::types::ServerSideEncryption::AwsKms)
                .set_ssekms_key_id(key_id.clone()),
        }
    };
}

pub(super) async fn put(
    inner: &Arc<Inner>,
    name: &str,
    body: ByteStream,
    cancel: &CancellationToken,
) -> Result<()> {
    let key = inner.key(name)?;
    let mut parts = Parts::new(body, &inner.buffers);
    let begin = async {
        let Some(first) = parts.next().await? else {
            return put_whole(inner, &key, Bytes::new()).await.map(|()| None);
        };
        if (first.len() as u64) < inner.settings.part_bytes {
            return put_whole(inner, &key, first).await.map(|()| None);
        }
        match parts.next().await? {
            None => put_whole(inner, &key, first).await.map(|()| None),
            Some(second) => {
                let upload = Upload::create(Arc::clone(inner), key.clone()).await?;
                Ok(Some((upload, first, second)))
            }
        }
    };
    let begun = tokio::select! {
        begun = begin => begun?,
        () = cancel.cancelled() => return Err(interrupted(name)),
    };
    let Some((mut upload, first, second)) = begun else {
        return Ok(());
    };
    let sent = tokio::select! {
        sent = send_parts(&upload, [first, second], &mut parts) => sent,
        () = cancel.cancelled() => Err(interrupted(name)),
    };
    if sent.is_err() {
        upload.abort().await;
    } else {
        upload.ended = true;
    }
    sent
}

fn interrupted(name: &str) -> Error {
    Error::new(Kind::Interrupted, format!("put {name} was interrupted"))
}

async fn put_whole(inner: &Inner, key: &str, bytes: Bytes) -> Result<()> {
    inner
        .send(Op::PutObject, key, || {
            put_request(inner, key, &bytes).send()
        })
        .await?;
    inner.buffers.give_back(bytes);
    Ok(())
}

/// A fresh request for each attempt, with identical bytes.
pub(super) fn put_request(inner: &Inner, key: &str, bytes: &Bytes) -> PutObjectFluentBuilder {
    with_sse!(inner.client.put_object(), &inner.settings.sse)
        .bucket(&inner.settings.bucket)
        .key(key)
        .body(bytes.clone().into())
}

/// Sends every part, a few at a time, and completes the upload.
async fn send_parts(upload: &Upload, begun: [Bytes; 2], parts: &mut Parts<'_>) -> Result<()> {
    let mut in_flight = FuturesUnordered::<BoxFuture<'_, Result<CompletedPart>>>::new();
    let mut done = Vec::new();
    let mut number = 0;
    let mut begun = begun.into_iter();
    let mut n_bytes = 0;
    let mut at_end = false;
    while !at_end || !in_flight.is_empty() {
        let has_room = in_flight.len() < upload.inner.settings.parts_in_flight;
        tokio::select! {
            part = next_part(&mut begun, parts), if has_room && !at_end => match part? {
                None => at_end = true,
                Some(part) => {
                    number += 1;
                    n_bytes += part.len() as u64;
                    in_flight.push(Box::pin(upload.send_part(number, part)));
                }
            },
            Some(part) = in_flight.next() => done.push(part?),
        }
    }
    done.sort_by_key(CompletedPart::part_number);
    upload.complete(done, n_bytes).await
}

async fn next_part(
    begun: &mut std::array::IntoIter<Bytes, 2>,
    parts: &mut Parts<'_>,
) -> Result<Option<Bytes>> {
    match begun.next() {
        Some(part) => Ok(Some(part)),
        None => parts.next().await,
    }
}

/// A multipart upload that is aborted unless it ended.
struct Upload {
    inner: Arc<Inner>,
    key: String,
    id: String,
    ended: bool,
}

impl Upload {
    async fn create(inner: Arc<Inner>, key: String) -> Result<Self> {
        let settings = &inner.settings;
        let checksum = settings.checksums.then_some(ChecksumAlgorithm::Crc32);
        let request = with_sse!(inner.client.create_multipart_upload(), &settings.sse)
            .bucket(&settings.bucket)
            .key(&key)
            .set_checksum_algorithm(checksum);
        let created = inner
            .send(Op::CreateMultipartUpload, &key, || request.clone().send())
            .await?;
        let Some(id) = created.upload_id else {
            let what = format!("CreateMultipartUpload {key}: the store named no upload id");
            return Err(Error::new(Kind::Store, what));
        };
        Ok(Self {
            inner,
            key,
            id,
            ended: false,
        })
    }

    async fn send_part(&self, number: i32, bytes: Bytes) -> Result<CompletedPart> {
        let settings = &self.inner.settings;
        let checksum = settings.checksums.then_some(ChecksumAlgorithm::Crc32);
        let request = || {
            let request = self.inner.client.upload_part().bucket(&settings.bucket);
            request
                .key(&self.key)
                .upload_id(&self.id)
                .part_number(number)
                .set_checksum_algorithm(checksum.clone())
                .body(bytes.clone().into())
        };
        let sent = self
            .inner
            .send(Op::UploadPart, &self.key, || request().send())
            .await?;
        if sent.e_tag.is_none() {
            let what = format!(
                "UploadPart {}: the store gave part {number} no ETag",
                self.key
            );
            return Err(Error::new(Kind::Store, what));
        }
        self.inner.buffers.give_back(bytes);
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .build())
    }

    /// A completion's answer can be an error inside a 200 (which the SDK sees), cut short, or lost while the
    /// completion went through: then the object itself is asked.
    async fn complete(&self, parts: Vec<CompletedPart>, n_bytes: u64) -> Result<()> {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let request = self
            .inner
            .client
            .complete_multipart_upload()
            .bucket(&self.inner.settings.bucket)
            .key(&self.key)
            .upload_id(&self.id)
            .multipart_upload(parts);
        let sent = self
            .inner
            .send(Op::CompleteMultipartUpload, &self.key, || {
                request.clone().send()
            })
            .await;
        match sent {
            Ok(output) if output.e_tag.is_some() => Ok(()),
            Ok(_) => self.check_length(n_bytes, None).await,
            Err(fault) if fault.is("NoSuchUpload") && fault.was_retried() => {
                self.check_length(n_bytes, Some(fault)).await
            }
            Err(fault) => Err(fault.into()),
        }
    }

    async fn check_length(&self, n_bytes: u64, fault: Option<Fault>) -> Result<()> {
        let request = self.inner.client.head_object();
        let request = request.bucket(&self.inner.settings.bucket).key(&self.key);
        let head = self
            .inner
            .send(Op::HeadObject, &self.key, || request.clone().send())
            .await;
        match (head, fault) {
            (Ok(head), _) if length(head.content_length) == n_bytes => Ok(()),
            (_, Some(fault)) => Err(fault.into()),
            (Err(fault), None) => Err(fault.into()),
            (Ok(head), None) => Err(Error::new(
                Kind::Store,
                format!(
                    "CompleteMultipartUpload {}: the store keeps {} bytes of {n_bytes} sent",
                    self.key,
                    length(head.content_length)
                ),
            )),
        }
    }

    /// Twice, because a part that was still under way may arrive after the first.
    async fn abort(&mut self) {
        self.ended = true;
        abort(&self.inner, &self.key, &self.id).await;
    }
}

impl Drop for Upload {
    /// A put that is dropped midway still cleans up behind itself, while the runtime lives.
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (inner, key, id) = (Arc::clone(&self.inner), self.key.clone(), self.id.clone());
            runtime.spawn(async move { abort(&inner, &key, &id).await });
        }
    }
}

async fn abort(inner: &Inner, key: &str, id: &str) {
    for round in 1..=2 {
        let aborted = timeout(ABORT_TIMEOUT / 2, abort_upload(inner, key, id)).await;
        let problem = match aborted {
            Ok(Ok(())) => continue,
            Ok(Err(fault)) => fault.to_string(),
            Err(_) => "the store does not answer".to_owned(),
        };
        if round == 2 {
            tracing::warn!(
                key,
                problem,
                "an unfinished upload stays until the next prune"
            );
        }
    }
}

/// Absent is fine.
pub(super) async fn abort_upload(inner: &Inner, key: &str, id: &str) -> Result<(), Fault> {
    let request = inner
        .client
        .abort_multipart_upload()
        .bucket(&inner.settings.bucket)
        .key(key)
        .upload_id(id);
    match inner
        .send(Op::AbortMultipartUpload, key, || request.clone().send())
        .await
    {
        Ok(_) => Ok(()),
        Err(fault) if fault.status() == 404 => Ok(()),
        Err(fault) => Err(fault),
    }
}

fn length(content_length: Option<i64>) -> u64 {
    content_length
        .and_then(|length| u64::try_from(length).ok())
        .unwrap_or_default()
}

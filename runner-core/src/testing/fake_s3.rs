//! As much of S3 as the store uses, in this process, insisting like the strictest provider and failing on cue.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio_util::task::AbortOnDropHandle;
use xxhash_rust::xxh3::xxh3_64;

use super::http::{self, Head, Plan, Reply, Service};
use crate::error::{Error, Kind, Result};
use crate::secret::Secret;
use crate::store::s3::S3Settings;

/// Few, so that tests see more than one page.
const PAGE: usize = 3;
const MIN_PART_BYTES: usize = 5 << 20;

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub enum Misbehaviour {
    /// Nothing is done, and this status and S3 error code are answered.
    Refuse(u16, &'static str),
    /// A 200 whose body is an error, as S3 answers when a completion fails late.
    ErrorInside(&'static str),
    /// The connection closes after so many bytes of the request's body.
    ResetAfterReading(usize),
    /// The connection closes after so many bytes of the answer's body.
    ResetAfterWriting(usize),
    /// What was asked is done, and the connection closes in place of an answer.
    LoseAnswer,
    /// No answer, ever.
    Hang,
}

/// A bucket at an address of its own, gone when dropped.
pub struct FakeS3 {
    bucket: Arc<Bucket>,
    endpoint: String,
    _server: AbortOnDropHandle<()>,
}

impl FakeS3 {
    /// Starts with the bucket `bucket` in place.
    pub async fn start() -> Result<Self> {
        let bucket = Arc::new(Bucket::default());
        bucket.state().exists = true;
        let service: Arc<dyn Service> = bucket.clone();
        let (address, server) = http::serve(service)
            .await
            .map_err(|error| Error::new(Kind::Bug, "start a fake S3").because(error))?;
        Ok(Self {
            bucket,
            endpoint: format!("http://{address}"),
            _server: server,
        })
    }

    /// Settings to reach it with; the smallest parts, and a timeout for impatient tests.
    pub fn settings(&self) -> S3Settings {
        S3Settings {
            prefix: "prefix".to_owned(),
            endpoint: Some(self.endpoint.clone()),
            path_style: true,
            access_key: Some("access".to_owned()),
            secret_key: Some(Secret::new("the-secret-key")),
            timeout: std::time::Duration::from_secs(2),
            part_bytes: MIN_PART_BYTES as u64,
            ..S3Settings::new("bucket")
        }
    }

    /// The `nth` request of this operation from now on, counted from 1, goes wrong; 0 means each.
    pub fn misbehave(&self, operation: &'static str, nth: usize, how: Misbehaviour) {
        let mut state = self.bucket.state();
        let seen = state.log.iter().filter(|op| **op == operation).count();
        let nth = if nth == 0 { 0 } else { seen + nth };
        state.script.push((operation, nth, how));
    }

    /// From now on all is well.
    pub fn behave(&self) {
        self.bucket.state().script.clear();
    }

    pub fn remove_bucket(&self) {
        self.bucket.state().exists = false;
    }

    /// The operations asked for so far.
    pub fn log(&self) -> Vec<&'static str> {
        self.bucket.state().log.clone()
    }

    pub fn keys(&self) -> Vec<String> {
        self.bucket.state().objects.keys().cloned().collect()
    }

    pub fn n_unfinished(&self) -> usize {
        self.bucket.state().uploads.len()
    }

    /// Puts an object in place behind the store's back.
    pub fn insert(&self, key: &str, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        let object = Object::new(bytes, None);
        self.bucket.state().objects.insert(key.to_owned(), object);
    }
}

#[derive(Default)]
struct Bucket(Mutex<State>);

#[derive(Default)]
struct State {
    exists: bool,
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, (String, BTreeMap<usize, Bytes>)>,
    n_uploads: usize,
    log: Vec<&'static str>,
    script: Vec<(&'static str, usize, Misbehaviour)>,
}

#[derive(Clone)]
struct Object {
    bytes: Bytes,
    e_tag: String,
}

impl Object {
    fn new(bytes: Bytes, n_parts: Option<usize>) -> Self {
        let suffix = n_parts.map(|n| format!("-{n}")).unwrap_or_default();
        Self {
            e_tag: format!("\"{:016x}{suffix}\"", xxh3_64(&bytes)),
            bytes,
        }
    }
}

impl Bucket {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The operation, and the key that it is about.
fn operation(head: &Head) -> (&'static str, String) {
    let path = head.path.trim_start_matches('/');
    let key = path.split_once('/').map_or("", |(_, key)| key);
    let has = |name: &str| head.query.contains_key(name);
    let operation = match (head.method.as_str(), key.is_empty()) {
        ("HEAD", true) => "HeadBucket",
        ("PUT", true) => "CreateBucket",
        ("GET", true) if has("uploads") => "ListMultipartUploads",
        ("GET", true) => "ListObjectsV2",
        ("PUT", false) if has("uploadId") => "UploadPart",
        ("PUT", false) => "PutObject",
        ("POST", false) if has("uploads") => "CreateMultipartUpload",
        ("POST", false) => "CompleteMultipartUpload",
        ("DELETE", false) if has("uploadId") => "AbortMultipartUpload",
        ("DELETE", false) => "DeleteObject",
        ("HEAD", false) => "HeadObject",
        ("GET", false) => "GetObject",
        _ => "Unknown",
    };
    (operation, key.to_owned())
}

fn error(status: u16, code: &str) -> Reply {
    let body = format!("<Error><Code>{code}</Code><Message>scripted</Message></Error>");
    Reply::new(status, body)
}

impl Service for Bucket {
    fn plan(&self, head: &Head) -> Plan {
        let mut state = self.state();
        let (operation, _) = operation(head);
        state.log.push(operation);
        let nth = state.log.iter().filter(|op| **op == operation).count();
        let rule = state
            .script
            .iter()
            .find(|rule| rule.0 == operation && (rule.1 == nth || rule.1 == 0))
            .map(|rule| rule.2.clone());
        match rule {
            None => Plan::Answer,
            Some(Misbehaviour::Refuse(status, code)) => Plan::Refuse(error(status, code)),
            Some(Misbehaviour::ErrorInside(code)) => Plan::Refuse(error(200, code)),
            Some(Misbehaviour::ResetAfterReading(n_bytes)) => Plan::CloseAfterReading(n_bytes),
            Some(Misbehaviour::ResetAfterWriting(n_bytes)) => Plan::CloseAfterWriting(n_bytes),
            Some(Misbehaviour::LoseAnswer) => Plan::CloseUnanswered,
            Some(Misbehaviour::Hang) => Plan::Hang,
        }
    }

    fn answer(&self, head: &Head, body: Bytes) -> Reply {
        let mut state = self.state();
        let (operation, key) = operation(head);
        if !state.exists && operation != "CreateBucket" {
            return error(404, "NoSuchBucket");
        }
        state.answer(operation, key, head, body)
    }
}

impl State {
    fn answer(&mut self, operation: &str, key: String, head: &Head, body: Bytes) -> Reply {
        let upload_id = head.query.get("uploadId").cloned().unwrap_or_default();
        match operation {
            "HeadBucket" => Reply::new(200, ""),
            "CreateBucket" => {
                self.exists = true;
                Reply::new(200, "")
            }
            "PutObject"
                if head.headers.contains_key("if-none-match")
                    && self.objects.contains_key(&key) =>
            {
                error(412, "PreconditionFailed")
            }
            "PutObject" => self.keep(key, Object::new(body, None)),
            "CreateMultipartUpload" => {
                self.n_uploads += 1;
                let id = format!("upload-{}", self.n_uploads);
                self.uploads.insert(id.clone(), (key, BTreeMap::new()));
                let id = format!("<UploadId>{id}</UploadId>");
                Reply::new(
                    200,
                    format!("<InitiateMultipartUploadResult>{id}</InitiateMultipartUploadResult>"),
                )
            }
            "UploadPart" => {
                let number = head.query.get("partNumber").and_then(|n| n.parse().ok());
                match (self.uploads.get_mut(&upload_id), number) {
                    (Some((_, parts)), Some(number)) => {
                        let part = Object::new(body, None);
                        parts.insert(number, part.bytes);
                        Reply::new(200, "").header("ETag", part.e_tag)
                    }
                    _ => error(404, "NoSuchUpload"),
                }
            }
            "CompleteMultipartUpload" => self.complete(&upload_id),
            "AbortMultipartUpload" => match self.uploads.remove(&upload_id) {
                Some(_) => Reply::new(204, ""),
                None => error(404, "NoSuchUpload"),
            },
            "DeleteObject" => {
                self.objects.remove(&key);
                Reply::new(204, "")
            }
            "GetObject" | "HeadObject" => self.read(&key, head),
            "ListObjectsV2" => self.list(head),
            "ListMultipartUploads" => self.list_uploads(head),
            _ => error(501, "NotImplemented"),
        }
    }

    fn keep(&mut self, key: String, object: Object) -> Reply {
        let e_tag = object.e_tag.clone();
        self.objects.insert(key, object);
        Reply::new(200, "").header("ETag", e_tag)
    }

    /// Insists, as Cloudflare R2 does, on parts of one length, none but the last shorter.
    fn complete(&mut self, id: &str) -> Reply {
        let Some((key, parts)) = self.uploads.remove(id) else {
            return error(404, "NoSuchUpload");
        };
        let lengths: Vec<usize> = parts.values().map(Bytes::len).collect();
        let (last, others) = lengths.split_last().unwrap_or((&0, &[]));
        let length = others.first().copied().unwrap_or(MIN_PART_BYTES);
        if length < MIN_PART_BYTES || *last > length || others.iter().any(|other| *other != length)
        {
            return error(400, "InvalidPart");
        }
        let mut whole = BytesMut::new();
        parts
            .values()
            .for_each(|part| whole.extend_from_slice(part));
        let object = Object::new(whole.freeze(), Some(parts.len()));
        let e_tag = format!("<ETag>{}</ETag>", object.e_tag.replace('"', "&quot;"));
        self.keep(key, object);
        Reply::new(
            200,
            format!("<CompleteMultipartUploadResult>{e_tag}</CompleteMultipartUploadResult>"),
        )
    }

    fn read(&self, key: &str, head: &Head) -> Reply {
        let Some(Object { bytes, e_tag }) = self.objects.get(key) else {
            return error(404, "NoSuchKey");
        };
        if head
            .headers
            .get("if-match")
            .is_some_and(|wanted| wanted != e_tag)
        {
            return error(412, "PreconditionFailed");
        }
        let size = bytes.len();
        let range = head.headers.get("range").and_then(|range| {
            let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
            Some((first.parse::<usize>().ok()?, last.parse::<usize>().ok()?))
        });
        let Some((first, last)) = range else {
            return Reply::new(200, bytes.clone()).header("ETag", e_tag);
        };
        if first >= size {
            return error(416, "InvalidRange");
        }
        let last = last.min(size - 1);
        Reply::new(206, bytes.slice(first..=last))
            .header("ETag", e_tag)
            .header("Content-Range", format!("bytes {first}-{last}/{size}"))
    }

    fn list(&self, head: &Head) -> Reply {
        let text = |name: &str| head.query.get(name).cloned().unwrap_or_default();
        let (prefix, delimiter, after) = (
            text("prefix"),
            text("delimiter"),
            text("continuation-token"),
        );
        let mut entries = BTreeMap::new();
        for (key, object) in &self.objects {
            let Some(rest) = key.strip_prefix(&prefix) else {
                continue;
            };
            let level = (!delimiter.is_empty())
                .then(|| rest.find(&delimiter))
                .flatten();
            match level {
                Some(at) => entries.insert(key[..prefix.len() + at + 1].to_owned(), None),
                None => entries.insert(key.clone(), Some(object.bytes.len())),
            };
        }
        let rest: Vec<_> = entries
            .into_iter()
            .filter(|(name, _)| *name > after)
            .collect();
        let mut body = String::new();
        for (name, size) in rest.iter().take(PAGE) {
            let name = escaped(name);
            body += &match size {
                Some(size) => format!(
                    "<Contents><Key>{name}</Key><Size>{size}</Size>\
                     <LastModified>2026-11-21T00:00:00.000Z</LastModified></Contents>"
                ),
                None => format!("<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"),
            };
        }
        if rest.len() > PAGE {
            let token = escaped(&rest[PAGE - 1].0);
            body += &format!("<NextContinuationToken>{token}</NextContinuationToken>");
        }
        body += &format!("<IsTruncated>{}</IsTruncated>", rest.len() > PAGE);
        Reply::new(200, format!("<ListBucketResult>{body}</ListBucketResult>"))
    }

    fn list_uploads(&self, head: &Head) -> Reply {
        let prefix = head.query.get("prefix").cloned().unwrap_or_default();
        let mut body = String::new();
        for (id, (key, _)) in &self.uploads {
            if key.starts_with(&prefix) {
                body += &format!(
                    "<Upload><Key>{}</Key><UploadId>{id}</UploadId>\
                     <Initiated>2026-11-21T00:00:00.000Z</Initiated></Upload>",
                    escaped(key)
                );
            }
        }
        Reply::new(
            200,
            format!("<ListMultipartUploadsResult>{body}</ListMultipartUploadsResult>"),
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

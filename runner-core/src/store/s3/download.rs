//! One object as a stream: in ranges, a few ahead, each resumed at the byte where its connection broke.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::primitives;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt};
use tokio_util::task::AbortOnDropHandle;

use super::Inner;
use super::fault::{Fault, Op};
use super::retry::Budget;
use crate::error::{Error, Kind, Result};
use crate::stream::{BLOCK_BYTES, ByteStream};

pub(super) async fn get(inner: &Arc<Inner>, name: &str, offset: u64) -> Result<ByteStream> {
    let object = Object {
        inner: Arc::clone(inner),
        key: inner.key(name)?,
        e_tag: None,
        size: 0,
    };
    let part_bytes = inner.settings.part_bytes;
    let first = match object.open(offset..offset + part_bytes).await {
        Ok(first) => first,
        // Nothing at this offset: right at the end of an object, empty ones included.
        Err(fault) if fault.status() == 416 => return end_of(&object, offset).await,
        Err(fault) => return Err(fault.into()),
    };
    let object = Arc::new(Object {
        e_tag: first.e_tag,
        size: first.size,
        ..object
    });
    let first_end = object.size.min(offset + part_bytes);
    let mut ranges = Ranges {
        fetching: VecDeque::new(),
        next: first_end,
        ready: Bytes::new(),
        object: Arc::clone(&object),
    };
    ranges.spawn(offset..first_end, Some(first.body));
    Ok(stream::unfold(Some(ranges), |ranges| async move {
        let mut ranges = ranges?;
        match ranges.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(ranges))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed())
}

async fn end_of(object: &Object, offset: u64) -> Result<ByteStream> {
    let request = object.inner.client.head_object();
    let request = request
        .bucket(&object.inner.settings.bucket)
        .key(&object.key);
    let head = object
        .inner
        .send(Op::HeadObject, &object.key, || request.clone().send())
        .await?;
    let size = head.content_length.unwrap_or_default();
    if u64::try_from(size) == Ok(offset) {
        return Ok(stream::empty().boxed());
    }
    Err(Error::new(
        Kind::Integrity,
        format!(
            "{} has {size} bytes and was to be read from byte {offset}",
            object.key
        ),
    ))
}

/// Ranges on their way, in order; each is fetched by a task of its own, so that a slow reader does not
/// leave connections idle.
struct Ranges {
    object: Arc<Object>,
    fetching: VecDeque<AbortOnDropHandle<Result<Bytes>>>,
    /// The first byte that nobody fetches yet.
    next: u64,
    /// Of the range being delivered.
    ready: Bytes,
}

impl Ranges {
    fn spawn(&mut self, range: Range<u64>, opened: Option<primitives::ByteStream>) {
        let object = Arc::clone(&self.object);
        let task = tokio::spawn(async move { object.fetch(range, opened).await });
        self.fetching.push_back(AbortOnDropHandle::new(task));
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.ready.is_empty() {
            let settings = &self.object.inner.settings;
            let (part_bytes, in_flight) = (settings.part_bytes, settings.parts_in_flight);
            while self.fetching.len() < in_flight && self.next < self.object.size {
                let end = self.object.size.min(self.next + part_bytes);
                self.spawn(self.next..end, None);
                self.next = end;
            }
            let Some(task) = self.fetching.pop_front() else {
                return Ok(None);
            };
            self.ready = task
                .await
                .map_err(|error| Error::new(Kind::Bug, "read from the store").because(error))??;
        }
        let n_bytes = BLOCK_BYTES.min(self.ready.len());
        Ok(Some(self.ready.split_to(n_bytes)))
    }
}

/// One version of one object.
struct Object {
    inner: Arc<Inner>,
    key: String,
    /// `None` until the first answer; then every request insists on it.
    e_tag: Option<String>,
    size: u64,
}

/// An answer to a request for a range.
struct Opened {
    body: primitives::ByteStream,
    e_tag: Option<String>,
    /// Of the whole object.
    size: u64,
}

impl Object {
    /// The whole of `range`, however often its connection breaks.
    async fn fetch(
        &self,
        range: Range<u64>,
        mut opened: Option<primitives::ByteStream>,
    ) -> Result<Bytes> {
        let wanted = usize::try_from(range.end - range.start)
            .map_err(|error| Error::new(Kind::Bug, "a range is too long").because(error))?;
        let mut bytes = BytesMut::with_capacity(wanted);
        let mut budget = Budget::new(self.inner.settings.timeout);
        while bytes.len() < wanted {
            let body = match opened.take() {
                Some(body) => body,
                None => {
                    self.reopen(range.start + bytes.len() as u64..range.end)
                        .await?
                }
            };
            let before = bytes.len();
            if let Err(message) = read(body, &mut bytes, wanted).await {
                if bytes.len() > before {
                    budget.progressed();
                }
                let at = range.start + bytes.len() as u64;
                let target = format!("s3://{}/{}", self.inner.settings.bucket, self.key);
                let fault = Fault::broken_off(
                    Op::GetObject,
                    &target,
                    format!("the connection broke at byte {at}: {message}"),
                );
                budget.pause_after(fault).await?;
            }
        }
        Ok(bytes.freeze())
    }

    async fn reopen(&self, range: Range<u64>) -> Result<primitives::ByteStream> {
        let opened = self.open(range).await.map_err(|fault| {
            if fault.status() == 412 {
                return self.changed();
            }
            Error::from(fault)
        })?;
        if opened.size != self.size || opened.e_tag != self.e_tag {
            return Err(self.changed());
        }
        Ok(opened.body)
    }

    fn changed(&self) -> Error {
        Error::new(
            Kind::Integrity,
            format!(
                "s3://{}/{} was changed while it was read; nothing may overwrite a backup",
                self.inner.settings.bucket, self.key
            ),
        )
    }

    async fn open(&self, range: Range<u64>) -> Result<Opened, Fault> {
        let request = self.inner.client.get_object();
        let request = request
            .bucket(&self.inner.settings.bucket)
            .key(&self.key)
            .range(format!("bytes={}-{}", range.start, range.end - 1))
            .set_if_match(self.e_tag.clone());
        let answer = self
            .inner
            .send(Op::GetObject, &self.key, || request.clone().send())
            .await?;
        let size = match &answer.content_range {
            Some(content_range) => size_after(content_range, range.start),
            None => None,
        };
        let Some(size) = size else {
            let target = format!("s3://{}/{}", self.inner.settings.bucket, self.key);
            return Err(Fault::unusable(
                Op::GetObject,
                &target,
                "the store does not answer requests for a range of bytes",
            ));
        };
        Ok(Opened {
            body: answer.body,
            e_tag: answer.e_tag,
            size,
        })
    }
}

/// The size in `bytes 0-99/1234`, if it begins where it should.
fn size_after(content_range: &str, start: u64) -> Option<u64> {
    let (range, size) = content_range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    (first.parse() == Ok(start)).then(|| size.parse().ok())?
}

/// Appends until `wanted` bytes are there; the `Err` says how the connection ended before that.
async fn read(
    mut body: primitives::ByteStream,
    bytes: &mut BytesMut,
    wanted: usize,
) -> Result<(), String> {
    while bytes.len() < wanted {
        match body.next().await {
            None => return Err("it ended early".to_owned()),
            Some(Err(error)) => return Err(super::fault::causes(&error)),
            Some(Ok(next)) => {
                let room = wanted - bytes.len();
                bytes.extend_from_slice(&next[..room.min(next.len())]);
            }
        }
    }
    Ok(())
}

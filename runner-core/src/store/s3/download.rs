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
        ready: VecDeque::new(),
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
    fetching: VecDeque<AbortOnDropHandle<Result<Blocks>>>,
    /// The first byte that nobody fetches yet.
    next: u64,
    /// Of the range being delivered.
    ready: VecDeque<Bytes>,
}

impl Ranges {
    fn spawn(&mut self, range: Range<u64>, opened: Option<primitives::ByteStream>) {
        let object = Arc::clone(&self.object);
        let task = tokio::spawn(async move { object.fetch(range, opened).await });
        self.fetching.push_back(AbortOnDropHandle::new(task));
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        if let Some(bytes) = self.ready.pop_front() {
            return Ok(Some(bytes));
        }
        loop {
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
            let fetched = task
                .await
                .map_err(|error| Error::new(Kind::Bug, "read from the store").because(error))??;
            self.ready = fetched.into();
            if let Some(bytes) = self.ready.pop_front() {
                return Ok(Some(bytes));
            }
        }
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
    ) -> Result<Blocks> {
        let mut blocks = Blocks::new(range.end - range.start);
        let mut budget = Budget::new(self.inner.settings.timeout);
        while blocks.wanted > 0 {
            let body = match opened.take() {
                Some(body) => body,
                None => self.reopen(range.end - blocks.wanted..range.end).await?,
            };
            let before = blocks.wanted;
            if let Err(message) = blocks.read(body).await {
                if blocks.wanted < before {
                    budget.progressed();
                }
                let at = range.end - blocks.wanted;
                let target = format!("s3://{}/{}", self.inner.settings.bucket, self.key);
                let fault = Fault::broken_off(
                    Op::GetObject,
                    &target,
                    format!("the connection broke at byte {at}: {message}"),
                );
                budget.pause_after(fault).await?;
            }
        }
        Ok(blocks)
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

/// A range's bytes in blocks of one size: small enough that memory given back in one thread serves the next.
struct Blocks {
    full: VecDeque<Bytes>,
    open: BytesMut,
    /// Bytes that are still to come.
    wanted: u64,
}

impl Blocks {
    fn new(wanted: u64) -> Self {
        Self {
            full: VecDeque::new(),
            open: BytesMut::new(),
            wanted,
        }
    }

    /// Takes what is wanted; the `Err` says how the connection ended before that.
    async fn read(&mut self, mut body: primitives::ByteStream) -> Result<(), String> {
        while self.wanted > 0 {
            match body.next().await {
                None => return Err("it ended early".to_owned()),
                Some(Err(error)) => return Err(super::fault::causes(&error)),
                Some(Ok(bytes)) => self.push(bytes),
            }
        }
        Ok(())
    }

    fn push(&mut self, mut bytes: Bytes) {
        bytes.truncate(usize::try_from(self.wanted).unwrap_or(usize::MAX));
        self.wanted -= bytes.len() as u64;
        while !bytes.is_empty() {
            if self.open.is_empty() {
                self.open.reserve(BLOCK_BYTES);
            }
            let room = BLOCK_BYTES - self.open.len();
            self.open
                .extend_from_slice(&bytes.split_to(room.min(bytes.len())));
            if self.open.len() == BLOCK_BYTES || self.wanted == 0 && bytes.is_empty() {
                self.full.push_back(std::mem::take(&mut self.open).freeze());
            }
        }
    }
}

impl From<Blocks> for VecDeque<Bytes> {
    fn from(blocks: Blocks) -> Self {
        blocks.full
    }
}

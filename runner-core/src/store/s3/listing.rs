//! What lies below a prefix: objects, directories, unfinished uploads.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{MultipartUpload, Object};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::Inner;
use super::fault::Op;
use super::upload::abort_upload;
use crate::error::Result;
use crate::store::Listed;

/// How many pages of other people's uploads are looked through for ours.
const MAX_FOREIGN_PAGES: usize = 20;

pub(super) fn list(inner: &Arc<Inner>, prefix: &str) -> BoxStream<'static, Result<Listed>> {
    let inner = Arc::clone(inner);
    pages(Arc::clone(&inner), prefix, None)
        .map_ok(move |page| {
            let listed: Vec<_> = page
                .contents
                .unwrap_or_default()
                .into_iter()
                .filter_map(|object| listed(&inner, &object))
                .map(Ok)
                .collect();
            stream::iter(listed)
        })
        .try_flatten()
        .boxed()
}

pub(super) async fn list_dirs(inner: &Arc<Inner>, prefix: &str) -> Result<Vec<String>> {
    let mut dirs = Vec::new();
    let mut pages = pages(Arc::clone(inner), prefix, Some("/"));
    while let Some(page) = pages.try_next().await? {
        for common in page.common_prefixes.unwrap_or_default() {
            dirs.extend(common.prefix.map(|key| inner.name(&key).to_owned()));
        }
    }
    Ok(dirs)
}

/// `None` for the markers of "directories" that some tools leave.
fn listed(inner: &Inner, object: &Object) -> Option<Listed> {
    let name = inner.name(object.key()?);
    if name.is_empty() || name.ends_with('/') {
        return None;
    }
    Some(Listed {
        name: name.to_owned(),
        stored_bytes: object.size().and_then(|n| n.try_into().ok()).unwrap_or(0),
        modified: object.last_modified().and_then(timestamp),
    })
}

fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

/// The next page to ask for.
enum Page {
    First,
    After(String),
}

fn pages(
    inner: Arc<Inner>,
    prefix: &str,
    delimiter: Option<&'static str>,
) -> BoxStream<'static, Result<ListObjectsV2Output>> {
    let prefix = inner.key_prefix(prefix);
    stream::try_unfold(Some(Page::First), move |page| {
        let inner = Arc::clone(&inner);
        let prefix = match &prefix {
            Ok(prefix) => Ok(prefix.clone()),
            Err(error) => Err(crate::error::Error::new(error.kind(), error.to_string())),
        };
        async move {
            let token = match page {
                None => return Ok(None),
                Some(Page::First) => None,
                Some(Page::After(token)) => Some(token),
            };
            let prefix = prefix?;
            let request = inner
                .client
                .list_objects_v2()
                .bucket(&inner.settings.bucket)
                .prefix(&prefix)
                .set_delimiter(delimiter.map(str::to_owned))
                .set_continuation_token(token);
            let answer = inner
                .send(Op::ListObjectsV2, &prefix, || request.clone().send())
                .await?;
            let next = match answer.is_truncated {
                Some(true) => answer.next_continuation_token.clone().map(Page::After),
                _ => None,
            };
            Ok(Some((answer, next)))
        }
    })
    .boxed()
}

pub(super) async fn abort_stale(
    inner: &Arc<Inner>,
    prefix: &str,
    age: Duration,
    now: Timestamp,
) -> Result<u64> {
    let prefix = inner.key_prefix(prefix)?;
    let mut uploads = unfinished(inner, &prefix, usize::MAX).await?;
    if uploads.is_empty() && inner.settings.endpoint.is_some() && !prefix.is_empty() {
        uploads = unfinished(inner, "", MAX_FOREIGN_PAGES).await?;
    }
    let mut n_aborted = 0;
    for upload in uploads {
        let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else {
            continue;
        };
        let begun = upload.initiated().and_then(timestamp);
        // An upload of unknown age may be somebody's that is still going on.
        let is_stale = begun.is_some_and(|begun| {
            Duration::try_from(now.duration_since(begun)).is_ok_and(|elapsed| elapsed >= age)
        });
        if key.starts_with(&prefix) && is_stale {
            abort_upload(inner, key, id).await?;
            n_aborted += 1;
        }
    }
    Ok(n_aborted)
}

async fn unfinished(inner: &Inner, prefix: &str, max_pages: usize) -> Result<Vec<MultipartUpload>> {
    let mut uploads = Vec::new();
    let mut after = (None, None);
    for _ in 0..max_pages {
        let request = inner
            .client
            .list_multipart_uploads()
            .bucket(&inner.settings.bucket)
            .prefix(prefix)
            .set_key_marker(after.0)
            .set_upload_id_marker(after.1);
        let page = inner
            .send(Op::ListMultipartUploads, prefix, || request.clone().send())
            .await?;
        uploads.extend(page.uploads.unwrap_or_default());
        if page.is_truncated != Some(true) || page.next_key_marker.is_none() {
            break;
        }
        after = (page.next_key_marker, page.next_upload_id_marker);
    }
    Ok(uploads)
}

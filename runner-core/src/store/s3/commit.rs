//! Create-only writes: a conditional PUT, and what to do where a provider has none.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;

use super::Inner;
use super::fault::{Fault, Op};
use super::upload::put_request;
use crate::error::{Error, Kind, Result};
use crate::store::Commit;

/// Writes `bytes` unless `name` exists. `If-None-Match: *` makes the store decide between two racers; the
/// HEAD before it is for providers that ignore the header. Where the header is refused the object is
/// written after the HEAD and read back: of two racers the one that wrote last wins and the other finds
/// foreign bytes, unless it had read its own back before the other's write began.
pub(super) async fn commit(inner: &Arc<Inner>, name: &str, bytes: Bytes) -> Result<Commit> {
    let key = inner.key(name)?;
    if exists(inner, &key).await? {
        return Ok(Commit::Exists);
    }
    let put = || put_request(inner, &key, &bytes);
    let sent = inner
        .send(Op::PutObject, &key, || put().if_none_match("*").send())
        .await;
    match sent {
        Ok(_) => Ok(Commit::Created),
        // Perhaps our own first attempt had succeeded and only its answer was lost.
        Err(fault) if fault.status() == 412 && fault.was_retried() => {
            commit_if_ours(inner, name, &bytes).await
        }
        Err(fault) if fault.status() == 412 => Ok(Commit::Exists),
        Err(fault) if lacks_conditions(&fault) => {
            tracing::warn!(
                %fault,
                "the store has no conditional writes: the commit is checked by reading it back"
            );
            inner.send(Op::PutObject, &key, || put().send()).await?;
            commit_if_ours(inner, name, &bytes).await
        }
        Err(fault) => Err(fault.into()),
    }
}

fn lacks_conditions(fault: &Fault) -> bool {
    fault.status() == 501
        || [
            "NotImplemented",
            "InvalidArgument",
            "InvalidRequest",
            "MalformedRequest",
        ]
        .iter()
        .any(|code| fault.is(code))
}

async fn exists(inner: &Inner, key: &str) -> Result<bool> {
    let request = inner.client.head_object();
    let request = request.bucket(&inner.settings.bucket).key(key);
    match inner
        .send(Op::HeadObject, key, || request.clone().send())
        .await
    {
        Ok(_) => Ok(true),
        Err(fault) if fault.status() == 404 => Ok(false),
        // A login that may not list is told 403 in place of 404; the conditional PUT decides.
        Err(fault) if fault.status() == 403 => Ok(false),
        Err(fault) => Err(fault.into()),
    }
}

async fn commit_if_ours(inner: &Arc<Inner>, name: &str, bytes: &Bytes) -> Result<Commit> {
    let stored = read_back(inner, name, bytes.len()).await.map_err(|error| {
        Error::new(
            Kind::Store,
            format!("{name} was written but cannot be read back to see whose it is"),
        )
        .because(error)
    })?;
    Ok(if stored == bytes {
        Commit::Created
    } else {
        Commit::Exists
    })
}

/// The object's bytes, or its first ones when it is longer than ours.
async fn read_back(inner: &Arc<Inner>, name: &str, at_most: usize) -> Result<Bytes> {
    let mut body = super::download::get(inner, name, 0).await?;
    let mut stored = BytesMut::new();
    while let Some(bytes) = body.try_next().await? {
        stored.extend_from_slice(&bytes);
        if stored.len() > at_most {
            break;
        }
    }
    Ok(stored.freeze())
}

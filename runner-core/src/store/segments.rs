//! Artifacts longer than an object: split on the way in, joined on the way out.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Kind, Result};
use crate::manifest::{Artifact, Segment};
use crate::store::Store;
use crate::stream::ByteStream;

/// Writes `body` as `name`, and what one object cannot hold as `name.001`, `name.002`, …; returns the
/// objects in order. On an error none of them stays.
pub async fn put_artifact(
    store: &dyn Store,
    name: &str,
    body: ByteStream,
    cancel: &CancellationToken,
) -> Result<Vec<Segment>> {
    let mut segments = Vec::new();
    let written = put_segments(store, name, body, cancel, &mut segments).await;
    if let Err(error) = written {
        for segment in &segments {
            if let Err(error) = store.delete(&segment.path).await {
                tracing::warn!(object = segment.path, %error, "left behind until the next prune");
            }
        }
        return Err(error);
    }
    Ok(segments)
}

async fn put_segments(
    store: &dyn Store,
    name: &str,
    body: ByteStream,
    cancel: &CancellationToken,
    segments: &mut Vec<Segment>,
) -> Result<()> {
    let rest = Rest::new(body);
    loop {
        let path = match segments.len() {
            0 => name.to_owned(),
            n => format!("{name}.{n:03}"),
        };
        let limit = store.max_object_bytes();
        store.put(&path, rest.take(limit).await, cancel).await?;
        segments.push(Segment {
            path,
            stored_bytes: limit - rest.room().await,
        });
        if rest.is_at_end().await? {
            return Ok(());
        }
    }
}

/// A body that several objects share.
#[derive(Clone)]
struct Rest(Arc<Mutex<State>>);

struct State {
    body: ByteStream,
    /// Read already, not yet taken.
    next: Bytes,
    /// Bytes that the present segment may still take.
    room: u64,
}

impl Rest {
    fn new(body: ByteStream) -> Self {
        Self(Arc::new(Mutex::new(State {
            // Its end is asked for twice: by the last object, and by whether there is a next one.
            body: body.fuse().boxed(),
            next: Bytes::new(),
            room: 0,
        })))
    }

    /// The next `limit` bytes, or fewer at the end.
    async fn take(&self, limit: u64) -> ByteStream {
        self.0.lock().await.room = limit;
        stream::unfold(self.clone(), |rest| async move {
            let item = rest.0.lock().await.next().await;
            item.map(|item| (item, rest))
        })
        .boxed()
    }

    async fn room(&self) -> u64 {
        self.0.lock().await.room
    }

    async fn is_at_end(&self) -> Result<bool> {
        let mut state = self.0.lock().await;
        Ok(!state.fill().await?)
    }
}

impl State {
    /// Makes sure that `next` holds something; `false` at the end of the body.
    async fn fill(&mut self) -> Result<bool> {
        while self.next.is_empty() {
            match self.body.next().await {
                Some(bytes) => self.next = bytes?,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    async fn next(&mut self) -> Option<Result<Bytes>> {
        if self.room == 0 {
            return None;
        }
        match self.fill().await {
            Err(error) => Some(Err(error)),
            Ok(false) => None,
            Ok(true) => {
                let room = usize::try_from(self.room).unwrap_or(usize::MAX);
                let bytes = self.next.split_to(room.min(self.next.len()));
                self.room -= bytes.len() as u64;
                Some(Ok(bytes))
            }
        }
    }
}

/// An artifact's stored bytes, its objects one after the other, each checked for the length that the
/// manifest gives it.
pub fn open_artifact(store: Arc<dyn Store>, prefix: &str, artifact: &Artifact) -> ByteStream {
    let prefix = prefix.trim_end_matches('/').to_owned();
    stream::iter(artifact.objects())
        .flat_map(move |segment| {
            let store = Arc::clone(&store);
            let name = match prefix.as_str() {
                "" => segment.path,
                prefix => format!("{prefix}/{}", segment.path),
            };
            stream::once(async move { open_segment(store, name, segment.stored_bytes).await })
                .flat_map(|opened| opened.unwrap_or_else(|error| fail(error)))
        })
        // The first error is the last item.
        .scan(false, |failed, item| {
            let ended = std::mem::replace(failed, *failed || item.is_err());
            std::future::ready((!ended).then_some(item))
        })
        .boxed()
}

async fn open_segment(store: Arc<dyn Store>, name: String, expected: u64) -> Result<ByteStream> {
    let body = store
        .get(&name, 0)
        .await
        .map_err(|error| match error.kind() {
            Kind::NotFound => Error::new(
                Kind::Integrity,
                format!("{name} is missing, which the manifest names"),
            ),
            _ => error,
        })?;
    let wrong = move |what: &str, n_bytes: u64| {
        Error::new(
            Kind::Integrity,
            format!("{name} has {what}{n_bytes} bytes and the manifest says {expected}"),
        )
    };
    let checked = stream::unfold(Some((body, 0_u64)), move |state| {
        let wrong = wrong.clone();
        async move {
            let (mut body, n_bytes) = state?;
            match body.next().await {
                Some(Err(error)) => Some((Err(error), None)),
                Some(Ok(bytes)) => {
                    let n_bytes = n_bytes + bytes.len() as u64;
                    if n_bytes > expected {
                        return Some((Err(wrong("at least ", n_bytes)), None));
                    }
                    Some((Ok(bytes), Some((body, n_bytes))))
                }
                None if n_bytes < expected => Some((Err(wrong("", n_bytes)), None)),
                None => None,
            }
        }
    });
    Ok(checked.boxed())
}

fn fail(error: Error) -> ByteStream {
    stream::once(std::future::ready(Err(error))).boxed()
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;
    use crate::store::operator::Operator;
    use crate::testing::bodies::{body, collect, failing_body, same};
    use crate::testing::{Call, Fault, FaultyStore, On};

    fn memory() -> Arc<dyn Store> {
        Arc::new(Operator::memory().unwrap().with_max_object_bytes(1000))
    }

    async fn put(store: &dyn Store, body: ByteStream) -> Result<Vec<Segment>> {
        put_artifact(store, "b/data/t.copy", body, &CancellationToken::new()).await
    }

    async fn names(store: &dyn Store) -> Vec<String> {
        let listed: Vec<_> = store.list("").try_collect().await.unwrap();
        listed.into_iter().map(|listed| listed.name).collect()
    }

    fn artifact(segments: Vec<Segment>) -> Artifact {
        let segments = segments.into_iter().map(|segment| Segment {
            path: segment.path.trim_start_matches("b/").to_owned(),
            ..segment
        });
        Artifact {
            path: "data/t.copy".to_owned(),
            kind: "data".to_owned(),
            logical_bytes: 0,
            stored_bytes: 0,
            sha256: String::new(),
            segments: segments.collect(),
            data: Vec::new(),
        }
    }

    #[tokio::test]
    async fn an_artifact_comes_back_from_as_many_objects_as_it_needs() {
        let store = memory();
        for (n_bytes, lengths) in [
            (0, vec![0]),
            (999, vec![999]),
            (1000, vec![1000]),
            (1001, vec![1000, 1]),
            (3000, vec![1000, 1000, 1000]),
        ] {
            let segments = put(&*store, body(1, n_bytes)).await.unwrap();
            let stored: Vec<u64> = segments.iter().map(|s| s.stored_bytes).collect();
            assert_eq!(stored, lengths);
            assert_eq!(segments[0].path, "b/data/t.copy");
            if lengths.len() > 1 {
                assert_eq!(segments[1].path, "b/data/t.copy.001");
            }
            let opened = open_artifact(Arc::clone(&store), "b/", &artifact(segments));
            assert!(same(opened, body(1, n_bytes)).await.unwrap(), "{n_bytes}");
        }
    }

    #[tokio::test]
    async fn an_artifact_that_fails_midway_leaves_no_object() {
        let store = memory();
        let failed = put(&*store, failing_body(1, 2500, Kind::Tool)).await;
        assert_eq!(failed.err().unwrap().kind(), Kind::Tool);
        assert_eq!(names(&*store).await, Vec::<String>::new());
        let faulty =
            FaultyStore::new(Arc::clone(&store)).with(Call::Put, On::Nth(3), Fault::CutAfter(10));
        let failed = put(&faulty, body(1, 2500)).await;
        assert_eq!(failed.err().unwrap().kind(), Kind::Store);
        assert_eq!(names(&*store).await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn an_object_of_another_length_or_none_is_damage_and_named() {
        let store = memory();
        let segments = put(&*store, body(1, 2500)).await.unwrap();
        let mut longer = artifact(segments.clone());
        longer.segments[1].stored_bytes += 1;
        let mut shorter = artifact(segments.clone());
        shorter.segments[1].stored_bytes -= 1;
        let mut missing = artifact(segments);
        missing.segments[1].path += "x";
        for (artifact, expected) in [
            (
                longer,
                "b/data/t.copy.001 has 1000 bytes and the manifest says 1001",
            ),
            (
                shorter,
                "b/data/t.copy.001 has at least 1000 bytes and the manifest says 999",
            ),
            (
                missing,
                "b/data/t.copy.001x is missing, which the manifest names",
            ),
        ] {
            let opened = open_artifact(Arc::clone(&store), "b", &artifact);
            let error = collect(opened).await.err().unwrap();
            assert_eq!(error.kind(), Kind::Integrity);
            assert_eq!(error.to_string(), expected);
        }
    }
}

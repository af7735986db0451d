//! Notices connections on which nothing moves: a hung socket ends in an error, a slow one lives on.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_sdk_s3::error::{BoxError, ConnectorError};
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// What a request's body is handed over in, so that progress shows before all of it is gone.
const SLICE_BYTES: usize = 64 << 10;
/// The wait for the answer to a POST: completing an upload of thousands of parts takes a store minutes.
const POST_PATIENCE: Duration = Duration::from_secs(300);

/// A connector whose requests fail once nothing has moved for `stall`.
#[derive(Debug)]
pub(super) struct Watched<C> {
    inner: C,
    stall: Duration,
}

impl<C> Watched<C> {
    pub(super) fn new(inner: C, stall: Duration) -> Self {
        Self { inner, stall }
    }
}

impl<C: HttpConnector> HttpConnector for Watched<C> {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let stall = self.stall;
        let patience = match request.method() {
            "POST" if stall >= Duration::from_secs(1) => POST_PATIENCE,
            _ => stall,
        };
        let pulse = Pulse::new();
        let body = request.take_body();
        *request.body_mut() = match body.content_length() {
            Some(0) => body,
            _ => SdkBody::from_body_1_x(Outgoing {
                body: Box::pin(body),
                slice: Bytes::new(),
                pulse: pulse.clone(),
            }),
        };
        let response = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            tokio::select! {
                response = response => response.map(|mut response| {
                    let body = response.take_body();
                    *response.body_mut() = SdkBody::from_body_1_x(Incoming {
                        body: Box::pin(body),
                        stall,
                        waiting: None,
                    });
                    response
                }),
                () = pulse.stopped(patience) => {
                    Err(ConnectorError::timeout(Box::new(Stalled(patience))))
                }
            }
        })
    }
}

/// Nothing moved for this long.
#[derive(Debug)]
struct Stalled(Duration);

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing moved on the connection for {:?}", self.0)
    }
}

impl std::error::Error for Stalled {}

/// When something last moved.
#[derive(Clone)]
struct Pulse(Arc<Mutex<Instant>>);

impl Pulse {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn stopped(&self, stall: Duration) {
        while self.last().elapsed() < stall {
            sleep_until(self.last() + stall).await;
        }
    }
}

/// A request's body: a beat for each slice that the connection takes.
struct Outgoing {
    body: Pin<Box<SdkBody>>,
    slice: Bytes,
    pulse: Pulse,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.pulse.beat();
        if self.slice.is_empty() {
            match ready!(self.body.as_mut().poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => self.slice = bytes,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                ended => return Poll::Ready(ended),
            }
        }
        let n_bytes = self.slice.len().min(SLICE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.slice.split_to(n_bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.slice.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.body.size_hint();
        let ahead = self.slice.len() as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + ahead);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + ahead);
        }
        hint
    }
}

/// A response's body: an error once a read has waited too long. Time in which nobody reads does not count.
struct Incoming {
    body: Pin<Box<SdkBody>>,
    stall: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = self.body.as_mut().poll_frame(context) {
            self.waiting = None;
            return Poll::Ready(frame);
        }
        let stall = self.stall;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(stall)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Some(Err(Box::new(Stalled(stall)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

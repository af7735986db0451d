//! HTTP delivery of the end of a job, signed as in the Standard Webhooks specification.

#[cfg(test)]
mod tests;

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use sha2::Sha256;
use tokio::time::{sleep, timeout};
use xxhash_rust::xxh3::xxh3_64;

use super::Event;
use crate::error::{Error, Kind, Result};
use crate::job::Notify;
use crate::secret::Secret;

/// How patient a delivery is.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// All attempts together: 60 s usually, about 6 s after a signal.
    pub deadline: Duration,
    /// The longest that one attempt may take.
    pub attempt: Duration,
    /// The first pause; each next one is twice as long, give or take a quarter.
    pub pause: Duration,
}

impl Timing {
    /// Leaves time for a second attempt even when the first one hangs.
    pub fn within(deadline: Duration) -> Self {
        Self {
            deadline,
            attempt: (deadline / 2).min(Duration::from_secs(10)),
            pause: (deadline / 20).clamp(Duration::from_millis(100), Duration::from_secs(1)),
        }
    }
}

/// What became of a delivery, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    pub n_attempts: u32,
    pub status: u16,
}

/// One job's callback.
pub struct Webhook {
    client: Client,
    url: Url,
    token: Option<Secret>,
    key: Option<Vec<u8>>,
    message_id: String,
    clock: fn() -> Timestamp,
}

/// Whether another attempt may help.
enum Refusal {
    ForNow(Error),
    ForGood(Error),
}

impl Webhook {
    /// `message_id` names the event, the same over all attempts, so that a receiver can drop doubles.
    pub fn new(notify: &Notify, message_id: &str, clock: fn() -> Timestamp) -> Result<Self> {
        let url = Url::parse(notify.url.reveal())
            .map_err(|_| Error::new(Kind::Config, "CALLBACK_URL is not a URL"))?;
        let key = match &notify.secret {
            Some(secret) => Some(signing_key(secret).map_err(|expected| {
                Error::new(Kind::Config, format!("CALLBACK_SECRET: {expected}"))
            })?),
            None => None,
        };
        Ok(Self {
            client: client()?,
            url,
            token: notify.token.clone(),
            key,
            message_id: format!("msg_{message_id}"),
            clock,
        })
    }

    /// Where it goes, without anything that may be secret.
    pub fn place(&self) -> String {
        place(&self.url)
    }

    /// Posts the event until it is accepted, refused for good, or the deadline has come. The outcome is for
    /// the log: it never changes that of the job.
    pub async fn deliver(&self, event: &Event, timing: Timing) -> Result<Delivered> {
        let body = serde_json::to_string(event)
            .map_err(|err| Error::new(Kind::Bug, "render the callback").because(err))?;
        self.deliver_text(&body, timing).await
    }

    async fn deliver_text(&self, body: &str, timing: Timing) -> Result<Delivered> {
        let mut last = None;
        let attempts = async {
            for n_attempts in 1.. {
                match self.attempt(body, timing.attempt).await {
                    Ok(status) => return Ok(Delivered { n_attempts, status }),
                    Err(Refusal::ForGood(error)) => return Err(error),
                    Err(Refusal::ForNow(error)) => {
                        tracing::debug!(n_attempts, %error, "the callback was not accepted yet");
                        last = Some(error);
                    }
                }
                sleep(self.pause(timing.pause, n_attempts)).await;
            }
            Err(Error::new(
                Kind::Bug,
                "the callback was attempted too often",
            ))
        };
        let outcome = timeout(timing.deadline, attempts).await;
        outcome
            .unwrap_or_else(|_| {
                let seconds = timing.deadline.as_secs_f64();
                let late = Error::new(Kind::Unreachable, format!("no success within {seconds} s"));
                Err(last.unwrap_or(late))
            })
            .map_err(|error| error.while_doing(format!("deliver the callback to {}", self.place())))
    }

    async fn attempt(&self, body: &str, limit: Duration) -> Result<u16, Refusal> {
        let answer = self
            .client
            .post(self.url.clone())
            .headers(self.headers(body).map_err(Refusal::ForGood)?)
            .body(body.to_owned())
            .timeout(limit)
            .send()
            .await;
        match answer {
            Ok(response) => judge(&response),
            // The URL may hold a secret; the cause below says what went wrong.
            Err(err) => Err(Refusal::ForNow(
                Error::new(Kind::Unreachable, "no answer").because(err.without_url()),
            )),
        }
    }

    fn headers(&self, body: &str) -> Result<HeaderMap> {
        let header = |text: &str| {
            HeaderValue::from_str(text)
                .map_err(|_| Error::new(Kind::Config, "the callback's headers need printable text"))
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("webhook-id", header(&self.message_id)?);
        let seconds = (self.clock)().as_second();
        headers.insert("webhook-timestamp", HeaderValue::from(seconds));
        if let Some(token) = &self.token {
            let mut bearer = header(&format!("Bearer {}", token.reveal()))?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        if let Some(key) = &self.key {
            let signature = sign(key, &self.message_id, seconds, body)?;
            headers.insert("webhook-signature", header(&signature)?);
        }
        Ok(headers)
    }

    /// Twice as long each time, at most 10 s, give or take a quarter, so that many jobs that failed together
    /// do not come back together.
    fn pause(&self, first: Duration, n_attempts: u32) -> Duration {
        let doubled = first.saturating_mul(1 << (n_attempts - 1).min(10));
        let spread = xxh3_64(format!("{}{n_attempts}", self.message_id).as_bytes()) % 512;
        doubled.min(Duration::from_secs(10)) * (768 + u32::try_from(spread).unwrap_or(256)) / 1024
    }
}

/// The key that a secret stands for: base64 after `whsec_`, else the text's own bytes.
pub fn signing_key(secret: &Secret) -> Result<Vec<u8>, String> {
    match secret.reveal().strip_prefix("whsec_") {
        Some(encoded) => BASE64_STANDARD
            .decode(encoded)
            .map_err(|_| "expected base64 after whsec_".to_owned()),
        None => Ok(secret.reveal().as_bytes().to_vec()),
    }
}

fn sign(key: &[u8], message_id: &str, seconds: i64, body: &str) -> Result<String> {
    let mac = Hmac::<Sha256>::new_from_slice(key)
        .map_err(|err| Error::new(Kind::Bug, "sign the callback").because(err))?
        .chain_update(format!("{message_id}.{seconds}.{body}"))
        .finalize();
    Ok(format!("v1,{}", BASE64_STANDARD.encode(mac.into_bytes())))
}

fn judge(response: &Response) -> Result<u16, Refusal> {
    let status = response.status();
    if status.is_success() {
        return Ok(status.as_u16());
    }
    let error = Error::new(Kind::Unreachable, format!("the answer was {status}"));
    let may_pass = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        );
    if may_pass {
        return Err(Refusal::ForNow(error));
    }
    if status.is_redirection() {
        let to = response
            .headers()
            .get(LOCATION)
            .and_then(|it| it.to_str().ok());
        let to = to.and_then(|it| response.url().join(it).ok());
        let to = to.map_or_else(|| "elsewhere".to_owned(), |url| place(&url));
        // Following would hand the token to whoever the answer names, and turn the POST into a GET.
        let what = format!(
            "the answer was {status} to {to}, which is not followed; set CALLBACK_URL to it"
        );
        return Err(Refusal::ForGood(Error::new(Kind::Config, what)));
    }
    Err(Refusal::ForGood(error))
}

/// Scheme, host and port: paths and queries of callbacks often hold secrets.
fn place(url: &Url) -> String {
    let port = url
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    format!(
        "{}://{}{port}",
        url.scheme(),
        url.host_str().unwrap_or_default()
    )
}

fn client() -> Result<Client> {
    let failed = |err| Error::new(Kind::Bug, "set up the callback's HTTP client").because(err);
    let mut roots = rustls::RootCertStore::empty();
    // An image without certificates still reaches plain http; https then fails with its own clear error.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = rustls::crypto::ring::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|err| Error::new(Kind::Bug, "set up TLS").because(err))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .user_agent(concat!("plan-b-backup-runner/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(failed)
}

//! What an S3 error means: whether it passes, who acts on it, and what they can do.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::error::{Error, Kind};

/// The SDK's error of one operation.
pub(super) type Sdk<E> = SdkError<E, HttpResponse>;

/// The operations in use, each named as in S3's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    AbortMultipartUpload,
    CompleteMultipartUpload,
    CreateBucket,
    CreateMultipartUpload,
    DeleteObject,
    GetObject,
    HeadBucket,
    HeadObject,
    ListMultipartUploads,
    ListObjectsV2,
    PutObject,
    UploadPart,
}

impl Op {
    /// The permission that allows it, as IAM calls it.
    fn permission(self) -> &'static str {
        match self {
            Self::AbortMultipartUpload => "s3:AbortMultipartUpload",
            Self::CreateBucket => "s3:CreateBucket",
            Self::DeleteObject => "s3:DeleteObject",
            Self::GetObject | Self::HeadObject => "s3:GetObject",
            Self::HeadBucket | Self::ListObjectsV2 => "s3:ListBucket",
            Self::ListMultipartUploads => "s3:ListBucketMultipartUploads",
            Self::CompleteMultipartUpload
            | Self::CreateMultipartUpload
            | Self::PutObject
            | Self::UploadPart => "s3:PutObject",
        }
    }
}

/// One failed request.
#[derive(Debug)]
pub(super) struct Fault {
    op: Op,
    target: String,
    /// S3's own code, such as `SlowDown`.
    code: Option<String>,
    status: Option<u16>,
    /// S3's message, or what became of the connection.
    message: String,
    verdict: Verdict,
    /// Attempts and the time they took, when there was more than one.
    tried: Option<(u32, Duration)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Passing,
    Final(Kind),
}

impl Fault {
    pub(super) fn new<E>(op: Op, target: &str, error: &Sdk<E>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        let code = error.code().map(str::to_owned);
        let message = match (error.message(), status) {
            (Some(message), _) => message.to_owned(),
            // The SDK has only its own Debug output to offer here.
            (None, Some(300..)) => "the store gave no reason".to_owned(),
            (None, _) => causes(error),
        };
        let verdict = match error {
            SdkError::ServiceError(_) | SdkError::ResponseError(_) => {
                answered(code.as_deref(), status.unwrap_or_default())
            }
            _ => unanswered(&message),
        };
        Self {
            op,
            target: target.to_owned(),
            code,
            status,
            message,
            verdict,
            tried: None,
        }
    }

    /// A request that was answered well and then broke off.
    pub(super) fn broken_off(op: Op, target: &str, message: impl Into<String>) -> Self {
        Self {
            op,
            target: target.to_owned(),
            code: None,
            status: None,
            message: message.into(),
            verdict: Verdict::Passing,
            tried: None,
        }
    }

    /// An answer that no retry improves.
    pub(super) fn unusable(op: Op, target: &str, message: &str) -> Self {
        Self {
            verdict: Verdict::Final(Kind::Unfit),
            ..Self::broken_off(op, target, message)
        }
    }

    pub(super) fn after(self, n_attempts: u32, took: Duration) -> Self {
        let tried = (n_attempts > 1).then_some((n_attempts, took));
        Self { tried, ..self }
    }

    pub(super) fn is_passing(&self) -> bool {
        self.verdict == Verdict::Passing
    }

    pub(super) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    pub(super) fn status(&self) -> u16 {
        self.status.unwrap_or_default()
    }

    pub(super) fn was_retried(&self) -> bool {
        self.tried.is_some()
    }

    pub(super) fn is_missing_key(&self) -> bool {
        self.status() == 404 && !self.is("NoSuchBucket") && !self.is("NoSuchUpload")
    }

    fn way_out(&self) -> String {
        match self.code.as_deref() {
            Some("NoSuchBucket") => {
                "create the bucket, or let STORAGE_CREATE_BUCKET=true do so".to_owned()
            }
            Some("InvalidAccessKeyId" | "SignatureDoesNotMatch") => {
                "check STORAGE_ACCESS_KEY and STORAGE_SECRET_KEY".to_owned()
            }
            Some("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") => {
                "get a fresh STORAGE_SESSION_TOKEN".to_owned()
            }
            Some(
                "PermanentRedirect" | "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraintException",
            ) => "check STORAGE_REGION and STORAGE_ENDPOINT".to_owned(),
            Some("InvalidBucketName") => "check STORAGE_BUCKET".to_owned(),
            Some("NoSuchUpload") => {
                "something else ended this upload: a lifecycle rule, or a prune with too short an age"
                    .to_owned()
            }
            _ => match self.verdict {
                Verdict::Passing => "the store stayed away or failing for STORAGE_TIMEOUT".to_owned(),
                Verdict::Final(Kind::Denied) if self.message.contains("credentials") => {
                    "set STORAGE_ACCESS_KEY and STORAGE_SECRET_KEY, or give this machine a role".to_owned()
                }
                Verdict::Final(Kind::Denied) => {
                    format!("allow {} to this login", self.op.permission())
                }
                Verdict::Final(Kind::Config) if self.message.contains("certificate") => {
                    "name the authority's certificate in STORAGE_CA_FILE".to_owned()
                }
                Verdict::Final(Kind::Config) if self.message.contains("InvalidContentType") => {
                    "STORAGE_ENDPOINT says https and the store speaks http".to_owned()
                }
                Verdict::Final(_) => String::new(),
            },
        }
    }
}

/// `UploadPart s3://b/k: SlowDown: Please reduce your request rate (503)`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: ", self.op, self.target)?;
        if let Some(code) = &self.code {
            f.write_str(code)?;
            if self.message != *code {
                write!(f, ": {}", self.message.trim_end_matches('.'))?;
            }
        } else {
            f.write_str(&self.message)?;
        }
        if let Some(status) = self.status {
            write!(f, " ({status})")?;
        }
        if let Some((n_attempts, took)) = self.tried {
            write!(f, ", {n_attempts} attempts in {:.1} s", took.as_secs_f64())?;
        }
        Ok(())
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let kind = match fault.verdict {
            Verdict::Passing => Kind::Store,
            Verdict::Final(kind) => kind,
        };
        let way_out = fault.way_out();
        let separator = if way_out.is_empty() { "" } else { "; " };
        Self::new(kind, format!("{fault}{separator}{way_out}"))
    }
}

/// The store answered with an error.
fn answered(code: Option<&str>, status: u16) -> Verdict {
    match code.unwrap_or_default() {
        "SlowDown"
        | "InternalError"
        | "RequestTimeout"
        | "RequestTimeTooSkewed"
        | "BadDigest"
        | "XAmzContentSHA256Mismatch"
        | "IncompleteBody"
        | "OperationAborted"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequests"
        | "ServiceUnavailable"
        | "ConditionalRequestConflict" => Verdict::Passing,
        "AccessDenied"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "InvalidToken"
        | "AccountProblem"
        | "AllAccessDisabled" => Verdict::Final(Kind::Denied),
        "NoSuchBucket" | "NoSuchKey" => Verdict::Final(Kind::NotFound),
        "NoSuchUpload" => Verdict::Final(Kind::Store),
        "NotImplemented" => Verdict::Final(Kind::Config),
        _ => match status {
            // A 200 that does not parse was cut on its way, or is an error that came late.
            501 => Verdict::Final(Kind::Config),
            200..=299 | 408 | 429 | 500.. => Verdict::Passing,
            401 | 403 => Verdict::Final(Kind::Denied),
            404 => Verdict::Final(Kind::NotFound),
            409 | 412 | 416 => Verdict::Final(Kind::Store),
            _ => Verdict::Final(Kind::Config),
        },
    }
}

/// No answer came: the network, a proxy, a certificate, or no credentials to ask with.
fn unanswered(message: &str) -> Verdict {
    let is_misconfigured = ["invalid peer certificate", "InvalidContentType"];
    if is_misconfigured.iter().any(|text| message.contains(text)) {
        Verdict::Final(Kind::Config)
    } else if message.contains("credentials") && !message.contains("timed out") {
        Verdict::Final(Kind::Denied)
    } else {
        Verdict::Passing
    }
}

/// The chain below the SDK's own layers, which say nothing ("dispatch failure: io error: …").
pub(super) fn causes(error: &dyn StdError) -> String {
    const SAYS_NOTHING: [&str; 8] = [
        "dispatch failure",
        "io error",
        "other",
        "timeout",
        "service error",
        "response error",
        "request has timed out",
        "client error (Connect)",
    ];
    let mut parts = Vec::<String>::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let part = cause.to_string();
        if !SAYS_NOTHING.contains(&part.as_str()) && !parts.iter().any(|said| said.contains(&part))
        {
            parts.push(part);
        }
        next = cause.source();
    }
    match parts.is_empty() {
        true => error.to_string(),
        false => parts.join(": "),
    }
}

//! What Google refused, in words: the cause, and the way out.

use std::time::Duration;

use google_cloud_gax::error::Error;
use google_cloud_gax::error::rpc::{Code, Status, StatusDetails};

use crate::wish::Place;

type Said = xtask::shell::Error;

const CREDENTIALS: &str = "no usable Google credentials: run `gcloud auth application-default login`, or name a service \
     account's key in GOOGLE_APPLICATION_CREDENTIALS";

pub(crate) fn is_not_found(err: &Error) -> bool {
    err.status()
        .is_some_and(|status| status.code == Code::NotFound)
}

/// When Google wants to be asked again, where a quota is used up and it says so.
pub(crate) fn retry_delay(err: &Error) -> Option<Duration> {
    let status = err.status()?;
    let delay = status.details.iter().find_map(|detail| match detail {
        StatusDetails::RetryInfo(info) => info.retry_delay,
        _ => None,
    })?;
    (status.code == Code::ResourceExhausted).then(|| duration(delay))
}

/// The cause and the way out of a request that failed.
pub(crate) fn explain(place: &Place, what: &str, err: &Error) -> Said {
    match err.status() {
        Some(status) => refused(place, what, status),
        None if err.is_authentication() => format!("{what}: {CREDENTIALS}\n  {}", chain(err)).into(),
        None => format!(
            "{what}: Cloud Run does not answer; check the way to it (HTTPS_PROXY?) and repeat\n  {}",
            chain(err)
        )
        .into(),
    }
}

/// Nobody to deploy as.
pub(crate) fn no_credentials(err: &dyn std::error::Error) -> Said {
    // Each layer says at length what the innermost says best.
    let mut root = err;
    while let Some(source) = root.source() {
        root = source;
    }
    format!("{CREDENTIALS}\n  {root}").into()
}

/// The cause and the way out of an operation that ended badly.
pub(crate) fn operation(
    place: &Place,
    what: &str,
    status: &google_cloud_rpc::model::Status,
) -> Said {
    refused(place, what, &Status::from(status))
}

pub(crate) fn slow(what: &str, wait: Duration, operation: &str) -> Said {
    format!(
        "{what}: not done after {} s, and it goes on without us ({operation}); repeat later, which finds what it came to, or \
         give a longer --wait",
        wait.as_secs_f64()
    )
    .into()
}

/// A job that Cloud Run keeps and could not run.
pub(crate) fn not_ready(name: &str, reason: &str, message: &str) -> Said {
    let way_out = match reason {
        "CONTAINER_MISSING" => MISSING_IMAGE,
        "CONTAINER_PERMISSION_DENIED" | "CONTAINER_IMAGE_UNAUTHORIZED" => {
            "grant roles/artifactregistry.reader on the repository to Cloud Run's service agent \
             (service-NUMBER@serverless-robot-prod.iam.gserviceaccount.com)"
        }
        "SECRETS_ACCESS_CHECK_FAILED" => {
            "create the secret, or grant roles/secretmanager.secretAccessor on it to the job's service account"
        }
        _ if is_missing_image(message) => MISSING_IMAGE,
        _ => "repeat once its cause is removed",
    };
    let reason = if reason.is_empty() {
        "not ready"
    } else {
        reason
    };
    format!("{name} is stored, and cannot run ({reason}): {message}\n  {way_out}").into()
}

const MISSING_IMAGE: &str = "the registry has no such image: `cargo xtask push --registry …` first, and deploy by the digest that it prints";

fn is_missing_image(message: &str) -> bool {
    message.contains("Image '") && message.contains("not found")
}

fn refused(place: &Place, what: &str, status: &Status) -> Said {
    let said = &status.message;
    let Place { project, region } = place;
    let cause = match status.code {
        Code::PermissionDenied => denied(project, status),
        Code::Unauthenticated => CREDENTIALS.to_owned(),
        Code::ResourceExhausted => quota(project, region, status),
        Code::AlreadyExists => {
            "somebody has created it meanwhile; repeat, which updates it".to_owned()
        }
        Code::Aborted => CONFLICT.to_owned(),
        Code::FailedPrecondition if said.to_lowercase().contains("etag") => CONFLICT.to_owned(),
        Code::InvalidArgument | Code::FailedPrecondition if is_missing_image(said) => {
            MISSING_IMAGE.to_owned()
        }
        Code::InvalidArgument => "Cloud Run refuses the job as it is described".to_owned(),
        Code::NotFound => format!("not there; check --project {project} and --region {region}"),
        Code::Unavailable | Code::DeadlineExceeded | Code::Internal | Code::Unknown => {
            "Cloud Run failed on its own side; repeat".to_owned()
        }
        _ => "refused".to_owned(),
    };
    format!(
        "{what}: {cause}\n  Google says ({}): {said}",
        status.code.name()
    )
    .into()
}

const CONFLICT: &str = "somebody has changed the job since we read it, and nothing of theirs was overwritten; repeat, and \
     --dry-run shows first what differs now";

fn denied(project: &str, status: &Status) -> String {
    let info = status.details.iter().find_map(|detail| match detail {
        StatusDetails::ErrorInfo(info) => Some(info),
        _ => None,
    });
    let is_off = info.is_some_and(|info| info.reason == "SERVICE_DISABLED");
    if is_off || status.message.contains("has not been used in project") {
        let service = info.and_then(|info| info.metadata.get("service"));
        let service = service.map_or("run.googleapis.com", String::as_str);
        return format!(
            "the API is not enabled: `gcloud services enable {service} --project {project}`, wait a minute, repeat"
        );
    }
    let named = info.and_then(|info| info.metadata.get("permission").cloned());
    let quoted = || status.message.split('\'').find(|word| is_permission(word));
    let permission = named.or_else(|| quoted().map(ToOwned::to_owned));
    let role = match permission.as_deref() {
        Some("iam.serviceaccounts.actAs" | "iam.serviceAccounts.actAs") => {
            "roles/iam.serviceAccountUser on the job's service account"
        }
        Some(name) if name.starts_with("artifactregistry.") => {
            "roles/artifactregistry.reader on the repository"
        }
        Some(name) if name.starts_with("secretmanager.") => {
            "roles/secretmanager.secretAccessor on the secret"
        }
        _ => "roles/run.developer on the project",
    };
    let permission = permission
        .as_deref()
        .unwrap_or("(Google does not say which)");
    format!("permission {permission} is missing in project {project}; {role} has it")
}

fn is_permission(word: &str) -> bool {
    word.split('.').count() == 3 && !word.contains(['/', ' ', ':'])
}

fn quota(project: &str, region: &str, status: &Status) -> String {
    let mut what = String::new();
    let mut until = String::new();
    for detail in &status.details {
        match detail {
            StatusDetails::QuotaFailure(failure) => {
                for it in &failure.violations {
                    what += &format!(" ({}: {})", it.subject, it.description);
                }
            }
            StatusDetails::ErrorInfo(info) => {
                for name in ["quota_metric", "quota_limit", "quota_limit_value"] {
                    let value = info.metadata.get(name);
                    what += &value.map_or_else(String::new, |it| format!(" {name} {it}"));
                }
            }
            StatusDetails::RetryInfo(info) => {
                let delay = info.retry_delay.map(duration);
                until +=
                    &delay.map_or_else(String::new, |it| format!(", in {} s", it.as_secs_f64()));
            }
            _ => {}
        }
    }
    format!(
        "a quota of project {project} in {region} is used up{what}: repeat later{until}, take another --region, or ask for \
         more at https://console.cloud.google.com/iam-admin/quotas?project={project}"
    )
}

fn duration(it: google_cloud_wkt::Duration) -> Duration {
    let seconds = u64::try_from(it.seconds()).unwrap_or_default();
    Duration::new(seconds, u32::try_from(it.nanos()).unwrap_or_default())
}

fn chain(err: &dyn std::error::Error) -> String {
    let mut said = err.to_string();
    let mut source = err.source();
    while let Some(err) = source {
        let next = err.to_string();
        if !said.contains(&next) {
            said += &format!(": {next}");
        }
        source = err.source();
    }
    said
}

//! The job that shall be: what is there, with what was asked for put over it. Pure.

use std::collections::HashMap;

use google_cloud_run_v2::model::env_var::Values;
use google_cloud_run_v2::model::{
    Container, EnvVar, EnvVarSource, Job, ResourceRequirements, SecretKeySelector, TaskTemplate,
};

use xtask::shell::Result;
use xtask::versions::Row;

use crate::settings::is_secret;
use crate::wish::{Place, Wish, normalized};

/// Whose labels and annotations they are: what the discovery document says at `labels`.
const SYSTEM: &[&str] = &[
    "run.googleapis.com",
    "cloud.googleapis.com",
    "serving.knative.dev",
    "autoscaling.knative.dev",
];
const MEMORY: &str = "2Gi";
const CPU: &str = "1";
const TIMEOUT_SECONDS: i64 = 3600;
const MAX_RETRIES: i32 = 1;

/// What others have set on the job stays; what Cloud Run reports about it goes.
pub fn desired(
    place: &Place,
    row: &Row,
    image: &str,
    wish: &Wish,
    now: Option<&Job>,
) -> Result<Job> {
    let mut job = now.map(settable).unwrap_or_default();
    job.name = place.job(row);
    for (name, value) in [
        ("managed-by", "plan-b-backup".to_owned()),
        ("database", row.engine.clone()),
        ("version", normalized(&row.version)),
    ] {
        job.labels.insert(name.to_owned(), value);
    }
    let execution = job.template.get_or_insert_default();
    if execution.task_count == 0 {
        execution.task_count = 1;
    }
    let task = execution.template.get_or_insert_default();
    task_settings(task, wish);
    if task.containers.is_empty() {
        task.containers.push(Container::new());
    }
    let container = &mut task.containers[0];
    container.image = image.to_owned();
    limits(container.resources.get_or_insert_default(), wish);
    container.env = variables(std::mem::take(&mut container.env), wish)?;
    Ok(job)
}

/// A job without what only Cloud Run may say.
pub(crate) fn settable(now: &Job) -> Job {
    let mut job = Job::new();
    job.name.clone_from(&now.name);
    job.etag.clone_from(&now.etag);
    job.labels = theirs(&now.labels);
    job.annotations = theirs(&now.annotations);
    job.client.clone_from(&now.client);
    job.client_version.clone_from(&now.client_version);
    job.launch_stage.clone_from(&now.launch_stage);
    job.binary_authorization
        .clone_from(&now.binary_authorization);
    job.template.clone_from(&now.template);
    if let Some(template) = &mut job.template {
        template.labels = theirs(&template.labels);
        template.annotations = theirs(&template.annotations);
    }
    job
}

/// Without the names that API v2 refuses to be sent, and that `gcloud run jobs replace` writes.
fn theirs(all: &HashMap<String, String>) -> HashMap<String, String> {
    let is_system = |name: &str| {
        let domain = name.split('/').next().unwrap_or_default();
        name.contains('/') && SYSTEM.iter().any(|it| domain.ends_with(it))
    };
    let kept = all.iter().filter(|(name, _)| !is_system(name));
    kept.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The container that runs the backup.
pub(crate) fn container(job: &Job) -> Option<&Container> {
    job.template.as_ref()?.template.as_ref()?.containers.first()
}

fn task_settings(task: &mut TaskTemplate, wish: &Wish) {
    let asked = wish
        .timeout
        .map(|it| i64::try_from(it.as_secs()).unwrap_or(i64::MAX));
    let timeout = match (asked, &task.timeout) {
        (Some(seconds), _) => Some(seconds),
        (None, None) => Some(TIMEOUT_SECONDS),
        (None, Some(_)) => None,
    };
    if let Some(seconds) = timeout {
        task.timeout = Some(google_cloud_wkt::Duration::clamp(seconds, 0));
    }
    let now = task.max_retries().copied();
    *task = std::mem::take(task).set_max_retries(wish.max_retries.or(now).unwrap_or(MAX_RETRIES));
    if let Some(account) = &wish.service_account {
        task.service_account.clone_from(account);
    }
}

fn limits(resources: &mut ResourceRequirements, wish: &Wish) {
    for (name, asked, default) in [("memory", &wish.memory, MEMORY), ("cpu", &wish.cpu, CPU)] {
        let now = resources.limits.get(name);
        let new = match (asked, now) {
            // Cloud Run may put it in other words: 1000m is 1.
            (Some(asked), Some(now)) if quantity(asked) == quantity(now) => continue,
            (Some(asked), _) => asked,
            (None, Some(_)) => continue,
            (None, None) => default,
        };
        resources.limits.insert(name.to_owned(), new.to_owned());
    }
}

/// In thousandths of a CPU or of a byte.
fn quantity(text: &str) -> Option<u128> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u128 = match &text[digits.len()..] {
        "m" => 1,
        "" => 1000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "Ki" => 1000 << 10,
        "Mi" => 1000 << 20,
        "Gi" => 1000 << 30,
        _ => return None,
    };
    digits.parse::<u128>().ok().map(|n| n * unit)
}

fn variables(now: Vec<EnvVar>, wish: &Wish) -> Result<Vec<EnvVar>> {
    let is_kept = |it: &EnvVar| {
        let asked = |names: Option<bool>| names.unwrap_or(false);
        let is_asked_for = asked(wish.plain.as_ref().map(|it_| it_.contains_key(&it.name)))
            || asked(wish.secrets.as_ref().map(|it_| it_.contains_key(&it.name)));
        let is_replaced = match it.value_source() {
            Some(_) => wish.secrets.is_some(),
            None => wish.plain.is_some(),
        };
        !is_asked_for && !is_replaced
    };
    let mut all: Vec<EnvVar> = now.into_iter().filter(is_kept).collect();
    let plain = wish.plain.iter().flatten();
    all.extend(plain.map(|(name, value)| {
        let value = Values::Value(value.clone());
        EnvVar::new().set_name(name).set_values(Some(value))
    }));
    let secrets = wish.secrets.iter().flatten();
    all.extend(secrets.map(|(name, it)| {
        let secret = SecretKeySelector::new()
            .set_secret(&it.secret)
            .set_version(&it.version);
        let source = EnvVarSource::new().set_secret_key_ref(secret);
        EnvVar::new().set_name(name).set_value_source(source)
    }));
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let in_plain = |it: &&EnvVar| it.value().is_some_and(|value| is_secret(&it.name, value));
    match all.iter().find(in_plain) {
        None => Ok(all),
        Some(it) => Err(format!(
            "the job holds {name} as a plain value: give --secret {name}=SECRET[:VERSION], which replaces it (and change it: \
             whoever may read the job has seen it), or --env-from, which drops it",
            name = it.name
        )
        .into()),
    }
}

//! The same job as the document of `gcloud run jobs replace`: Cloud Run Admin API v1. Pure.

use google_cloud_run_v2::model::{EnvVar, Job};
use serde_json::{Map, Value, json};

use crate::job::container;
use crate::wish::Place;

/// The `Job` of run.googleapis.com/v1.
pub(crate) fn document(place: &Place, job: &Job) -> Value {
    let execution = job.template.clone().unwrap_or_default();
    let task = execution.template.clone().unwrap_or_default();
    let container = container(job).cloned().unwrap_or_default();
    let resources = container.resources.clone().unwrap_or_default();
    let mut labels: Map<String, Value> = Map::new();
    for (name, value) in &job.labels {
        labels.insert(name.clone(), json!(value));
    }
    labels.insert(
        "cloud.googleapis.com/location".to_owned(),
        json!(place.region),
    );
    let limits: Map<String, Value> = resources
        .limits
        .iter()
        .map(|(k, v)| (k.clone(), json!(v)))
        .collect();
    let mut aliases = Vec::new();
    let env: Vec<Value> = container
        .env
        .iter()
        .map(|it| variable(it, &mut aliases))
        .collect();
    let mut spec = json!({
        "containers": [{ "image": container.image, "env": env, "resources": { "limits": limits } }],
        "maxRetries": task.max_retries().copied().unwrap_or_default(),
        "timeoutSeconds": task.timeout.map_or(0, |it| it.seconds()).to_string(),
    });
    if !task.service_account.is_empty() {
        spec["serviceAccountName"] = json!(task.service_account);
    }
    let mut template =
        json!({ "spec": { "taskCount": execution.task_count, "template": { "spec": spec } } });
    if !aliases.is_empty() {
        template["metadata"] =
            json!({ "annotations": { "run.googleapis.com/secrets": aliases.join(",") } });
    }
    json!({
        "apiVersion": "run.googleapis.com/v1",
        "kind": "Job",
        "metadata": {
            "name": job.name.rsplit('/').next(),
            "namespace": place.project,
            "labels": labels,
        },
        "spec": { "template": template },
    })
}

/// A secret of another project goes by an alias that the annotation explains.
fn variable(it: &EnvVar, aliases: &mut Vec<String>) -> Value {
    let Some(secret) = it.value_source().and_then(|it| it.secret_key_ref.as_ref()) else {
        return json!({ "name": it.name, "value": it.value() });
    };
    let mut name = secret.secret.clone();
    if name.contains('/') {
        let alias = format!("secret-{}", aliases.len() + 1);
        aliases.push(format!("{alias}:{name}"));
        name = alias;
    }
    json!({ "name": it.name, "valueFrom": { "secretKeyRef": { "name": name, "key": secret.version } } })
}

/// YAML of what JSON can say; texts are quoted, so that none is taken for a number or a date.
pub(crate) fn render(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

fn block(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                *text += &format!("{indent}{name}:");
                nested(value, depth, text);
            }
        }
        Value::Array(items) => {
            for item in items {
                let mut inner = String::new();
                block(item, depth + 1, &mut inner);
                *text += &format!("{indent}- {}", inner.trim_start());
            }
        }
        scalar => *text += &format!("{indent}{scalar}\n"),
    }
}

fn nested(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(fields) if fields.is_empty() => *text += " {}\n",
        Value::Array(items) if items.is_empty() => *text += " []\n",
        Value::Object(_) | Value::Array(_) => {
            text.push('\n');
            block(value, depth + 1, text);
        }
        scalar => *text += &format!(" {scalar}\n"),
    }
}

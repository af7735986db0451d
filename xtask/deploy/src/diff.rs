//! What would change, in lines. Pure.

use std::collections::{BTreeMap, BTreeSet};

use google_cloud_run_v2::model::Job;
use serde_json::Value;

use xtask::shell::{Context, Result};

use crate::job::settable;
use crate::settings::is_secret;

type Lines = BTreeMap<String, String>;

/// Empty when nothing differs; no secret is shown, not even one that is on its way out.
pub(crate) fn diff(now: Option<&Job>, then: &Job) -> Result<Vec<String>> {
    let now = match now {
        Some(job) => flat(&settable(job))?,
        None => Lines::new(),
    };
    let then = flat(then)?;
    let names: BTreeSet<_> = now.keys().chain(then.keys()).collect();
    let line = |name: &&String| match (now.get(*name), then.get(*name)) {
        (Some(a), Some(b)) if a == b => None,
        (Some(a), Some(b)) => Some(format!("~ {name}: {a} -> {b}")),
        (None, Some(b)) => Some(format!("+ {name}: {b}")),
        (a, None) => Some(format!("- {name}: {}", a.map_or("", String::as_str))),
    };
    Ok(names.iter().filter_map(line).collect())
}

fn flat(job: &Job) -> Result<Lines> {
    let mut lines = Lines::new();
    let mut json = serde_json::to_value(job).context("a job as JSON")?;
    if let Some(fields) = json.as_object_mut() {
        fields.remove("name");
        fields.remove("etag");
    }
    walk("", &json, &mut lines);
    Ok(lines)
}

fn walk(path: &str, value: &Value, lines: &mut Lines) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                walk(&join(path, name), value, lines);
            }
        }
        Value::Array(items) if path == "env" || path.ends_with(".env") => {
            for item in items {
                let name = item["name"].as_str().unwrap_or_default();
                lines.insert(join(path, name), variable(name, item));
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                walk(&format!("{path}[{at}]"), item, lines);
            }
        }
        value => {
            lines.insert(path.to_owned(), text(value));
        }
    }
}

fn variable(name: &str, item: &Value) -> String {
    let secret = &item["valueSource"]["secretKeyRef"];
    match (secret["secret"].as_str(), item["value"].as_str()) {
        (Some(secret_name), _) => format!("secret {secret_name}:{}", text(&secret["version"])),
        (None, Some(value)) if is_secret(name, value) => "*** (plain)".to_owned(),
        (None, value) => format!("{:?}", value.unwrap_or_default()),
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// Paths as in Cloud Run, less what every job has.
fn join(path: &str, name: &str) -> String {
    let path = path
        .strip_prefix("template.template.containers[0]")
        .map_or(path, |rest| rest.strip_prefix('.').unwrap_or(rest));
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

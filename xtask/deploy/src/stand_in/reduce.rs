//! Google's discovery documents reduced to what is used, without prose: run.v1.json and run.v2.json beside `Cargo.toml`.
//!
//! Anew: `pip download --no-deps google-api-python-client`, unzip, and
//! `cargo run -p xtask-deploy -- discovery googleapiclient/discovery_cache/documents`.

use std::path::Path;

use serde_json::{Map, Value, json};

use xtask::shell::{Context, Result};

use super::discovery::object;

/// The methods that we call, by their ids.
const METHODS: &[&str] = &[
    "run.projects.locations.jobs.create",
    "run.projects.locations.jobs.get",
    "run.projects.locations.jobs.patch",
    "run.projects.locations.jobs.run",
    "run.projects.locations.jobs.executions.get",
    "run.projects.locations.jobs.executions.tasks.list",
    "run.projects.locations.operations.get",
    "run.projects.locations.operations.wait",
];
/// What no method names: results of operations, errors.
const V2_ROOTS: &[&str] = &[
    "GoogleCloudRunV2Job",
    "GoogleCloudRunV2Execution",
    "GoogleRpcStatus",
];
/// The document of `gcloud run jobs replace`.
const V1_ROOTS: &[&str] = &["Job"];

/// Reduces Google's documents to what is used, and writes them into the repository.
pub(crate) fn write(from: &Path, root: &Path) -> Result<()> {
    for (name, methods, roots) in [
        ("run.v2.json", METHODS, V2_ROOTS),
        ("run.v1.json", &[], V1_ROOTS),
    ] {
        let path = from.join(name);
        let text = std::fs::read_to_string(&path).context(path.display())?;
        let document: Value = serde_json::from_str(&text).context(path.display())?;
        let reduced = reduced(&document, methods, roots);
        let text = serde_json::to_string_pretty(&reduced).context(name)? + "\n";
        let to = root.join("xtask/deploy").join(name);
        std::fs::write(&to, text).context(to.display())?;
        println!("wrote {} (revision {})", to.display(), document["revision"]);
    }
    Ok(())
}

fn reduced(document: &Value, methods: &[&str], roots: &[&str]) -> Value {
    let mut found = Map::new();
    collect_methods(document, methods, &mut found);
    let mut names: Vec<String> = roots.iter().map(|it| (*it).to_owned()).collect();
    found
        .values()
        .for_each(|method| references(method, &mut names));
    names.sort();
    names.dedup();
    let (roots, mut schemas) = (names.clone(), Map::new());
    while let Some(name) = names.pop() {
        if !schemas.contains_key(&name) {
            let schema = without_prose(&document["schemas"][&name]);
            references(&schema, &mut names);
            schemas.insert(name, schema);
        }
    }
    json!({
        "source": "Google API discovery document, as in the package google-api-python-client (Apache-2.0); reduced: see src/stand_in/reduce.rs",
        "id": document["id"],
        "revision": document["revision"],
        "parameters": without_prose(&document["parameters"]),
        "methods": found,
        "roots": roots,
        "schemas": schemas,
    })
}

fn collect_methods(resource: &Value, ids: &[&str], found: &mut Map<String, Value>) {
    for method in object(&resource["methods"]).values() {
        let id = method["id"].as_str().unwrap_or_default();
        if ids.contains(&id) {
            found.insert(id.to_owned(), without_prose(method));
        }
    }
    for inner in object(&resource["resources"]).values() {
        collect_methods(inner, ids, found);
    }
}

fn references(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            names.extend(
                fields
                    .get("$ref")
                    .and_then(Value::as_str)
                    .map(ToOwned::to_owned),
            );
            fields.values().for_each(|value| references(value, names));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, names)),
        _ => {}
    }
}

/// A field may be named `description`; then its schema is no text.
fn without_prose(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let is_prose = |name: &str, value: &Value| match name {
                "description" => value.is_string(),
                "enumDescriptions" | "scopes" => value.is_array(),
                _ => false,
            };
            let kept = fields.iter().filter(|(name, value)| !is_prose(name, value));
            kept.map(|(name, value)| (name.clone(), without_prose(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(without_prose).collect(),
        value => value.clone(),
    }
}

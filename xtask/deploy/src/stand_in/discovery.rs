//! Google's discovery document of the API as JSON Schema: a field that it does not know is an error.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::http::Request;

static V2: LazyLock<Discovery> =
    LazyLock::new(|| Discovery::new(include_str!("../../run.v2.json")));
#[cfg(test)]
static V1: LazyLock<Discovery> =
    LazyLock::new(|| Discovery::new(include_str!("../../run.v1.json")));

const ANY: &str = "type.googleapis.com/google.cloud.run.v2.";

/// Whose words are checked: what is output only must not be in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Request,
    Response,
}

/// A document ready to check with.
pub(crate) struct Discovery {
    methods: Vec<Method>,
    validators: BTreeMap<(Side, String), Validator>,
    /// Query parameters of every method.
    common: Vec<String>,
}

pub(crate) struct Method {
    pub(crate) id: String,
    verb: String,
    path: Vec<String>,
    query: BTreeMap<String, String>,
    request: Option<String>,
    response: String,
}

impl Discovery {
    /// Cloud Run Admin API v2.
    pub(crate) fn v2() -> &'static Self {
        &V2
    }

    /// Cloud Run Admin API v1, whose `Job` is what `gcloud run jobs replace` reads.
    #[cfg(test)]
    pub(crate) fn v1() -> &'static Self {
        &V1
    }

    #[expect(
        clippy::expect_used,
        reason = "the document is part of the program, and tests load it"
    )]
    fn new(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).expect("a discovery document is JSON");
        let mut validators = BTreeMap::new();
        for side in [Side::Request, Side::Response] {
            let schemas = object(&document["schemas"]).iter();
            let defs: Value = schemas
                .map(|(name, schema)| (name.clone(), converted(schema, side)))
                .collect();
            for name in document["roots"].as_array().into_iter().flatten() {
                let name = name.as_str().unwrap_or_default();
                let root = json!({ "$ref": format!("#/$defs/{name}"), "$defs": defs });
                let validator = jsonschema::validator_for(&root).expect("a schema");
                validators.insert((side, name.to_owned()), validator);
            }
        }
        let methods = object(&document["methods"]).values();
        Self {
            validators,
            methods: methods.map(Method::new).collect(),
            common: object(&document["parameters"]).keys().cloned().collect(),
        }
    }

    /// The method that a request is for, or everything that is wrong with it.
    pub(crate) fn request(&self, request: &Request) -> Result<&Method, Vec<String>> {
        let is_for = |it: &&Method| it.verb == request.verb && it.matches(&request.path);
        let method = self.methods.iter().find(is_for);
        let method = method.ok_or(vec![format!("no method {} {}", request.verb, request.path)])?;
        let mut problems = Vec::new();
        for (name, value) in &request.query {
            // `$alt` is a system parameter that the document lists under its other name.
            let is_common = self.common.contains(name) || name == "$alt";
            match method.query.get(name).map(String::as_str) {
                None if !is_common => problems.push(format!("unknown query parameter {name:?}")),
                Some("boolean") if !matches!(value.as_str(), "true" | "false") => {
                    problems.push(format!("query parameter {name}: {value:?} is no boolean"));
                }
                _ => {}
            }
        }
        match (
            &method.request,
            serde_json::from_slice::<Value>(&request.body),
        ) {
            (None, _) if request.body.is_empty() => {}
            (None, _) => problems.push("a body where there is none".to_owned()),
            (Some(_), Err(err)) => problems.push(format!("body: {err}")),
            (Some(schema), Ok(body)) => problems.extend(self.check(Side::Request, schema, &body)),
        }
        match problems.is_empty() {
            true => Ok(method),
            false => Err(problems),
        }
    }

    /// What is wrong with an answer.
    pub(crate) fn response(&self, method: &Method, body: &Value) -> Vec<String> {
        let mut problems = self.check(Side::Response, &method.response, body);
        for field in ["metadata", "response"] {
            let mut any = body[field].clone();
            let url = any
                .as_object_mut()
                .and_then(|fields| fields.remove("@type"));
            let url = url.as_ref().and_then(Value::as_str).unwrap_or_default();
            if let Some(name) = url.strip_prefix(ANY) {
                let name = format!("GoogleCloudRunV2{name}");
                problems.extend(self.check(Side::Response, &name, &any));
            }
        }
        problems
    }

    /// What is wrong with an error: a google.rpc.Status, in the envelope of Google's HTTP APIs, which no document describes.
    pub(crate) fn error(&self, body: &Value) -> Vec<String> {
        let mut error = body["error"].clone();
        if let Some(fields) = error.as_object_mut() {
            fields.remove("status");
        }
        self.check(Side::Response, "GoogleRpcStatus", &error)
    }

    /// What is wrong with a value of a schema, by where it is.
    pub(crate) fn check(&self, side: Side, schema: &str, value: &Value) -> Vec<String> {
        let Some(validator) = self.validators.get(&(side, schema.to_owned())) else {
            return vec![format!("no schema {schema}")];
        };
        let said = validator.iter_errors(value);
        said.map(|err| format!("{}: {err}", err.instance_path()))
            .collect()
    }
}

impl Method {
    fn new(method: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let query = object(&method["parameters"]).iter();
        let query = query.filter(|(_, it)| it["location"] == "query");
        Self {
            id: text(&method["id"]),
            verb: text(&method["httpMethod"]),
            path: text(&method["flatPath"])
                .split('/')
                .map(ToOwned::to_owned)
                .collect(),
            query: query
                .map(|(name, it)| (name.clone(), text(&it["type"])))
                .collect(),
            request: method["request"]["$ref"].as_str().map(ToOwned::to_owned),
            response: text(&method["response"]["$ref"]),
        }
    }

    /// `v2/projects/{projectsId}/…/jobs/{jobsId}:run`, segment by segment.
    fn matches(&self, path: &str) -> bool {
        let given: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        given.len() == self.path.len()
            && self
                .path
                .iter()
                .zip(given)
                .all(|(segment, given)| match segment.split_once('}') {
                    None => segment == given,
                    Some((_, verb)) => given
                        .strip_suffix(verb)
                        .is_some_and(|name| !name.is_empty() && !name.contains(':')),
                })
    }
}

pub(super) fn object(value: &Value) -> &Map<String, Value> {
    static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
    value.as_object().unwrap_or(&NOTHING)
}

/// A schema of the discovery format as JSON Schema.
fn converted(schema: &Value, side: Side) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        return json!({ "$ref": format!("#/$defs/{name}") });
    }
    let format = schema["format"].as_str().unwrap_or_default();
    match schema["type"].as_str().unwrap_or_default() {
        "any" => json!(true),
        "object" => match schema.get("additionalProperties") {
            Some(values) => {
                json!({ "type": "object", "additionalProperties": converted(values, side) })
            }
            None => fields(schema, side),
        },
        "array" => json!({ "type": "array", "items": converted(&schema["items"], side) }),
        // The SDK asks for numbers (`$alt=json;enum-encoding=int`); the document does not say which is which.
        "string" if schema.get("enum").is_some() => {
            json!({ "anyOf": [{ "enum": schema["enum"] }, { "type": "integer", "minimum": 0 }] })
        }
        "string" => match format {
            "int64" | "uint64" => json!({ "type": "string", "pattern": r"^-?\d+$" }),
            "google-duration" => json!({ "type": "string", "pattern": r"^-?\d+(\.\d{1,9})?s$" }),
            "google-datetime" => {
                json!({ "type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$" })
            }
            _ => json!({ "type": "string" }),
        },
        "integer" if format == "int32" => {
            json!({ "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX })
        }
        other => json!({ "type": other }),
    }
}

fn fields(schema: &Value, side: Side) -> Value {
    let all = object(&schema["properties"]).iter();
    let may = |it: &Value| side == Side::Response || it["readOnly"] != true;
    let known: Map<String, Value> = all
        .filter(|(_, it)| may(it))
        .map(|(name, it)| (name.clone(), converted(it, side)))
        .collect();
    json!({ "type": "object", "properties": known, "additionalProperties": false })
}

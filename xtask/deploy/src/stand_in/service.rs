//! What the stand-in does: jobs, operations, executions, and the refusals that a test asks for.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::discovery::{Discovery, Method};
use super::http::Request;

const NOW: &str = "2026-01-02T03:04:05.678901Z";
const ANY: &str = "type.googleapis.com/google.cloud.run.v2.";

/// An answer that a test puts in the place of the next to a method.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The end of the method's id: `jobs.create`.
    pub method: &'static str,
    pub code: u16,
    pub status: &'static str,
    pub message: String,
    pub details: Value,
}

/// Everything that it knows.
#[derive(Debug, Default)]
pub struct State {
    jobs: BTreeMap<String, Value>,
    operations: BTreeMap<String, Value>,
    executions: BTreeMap<String, Value>,
    n_made: u32,
    /// Requests that reached a method, in order.
    pub seen: Vec<(String, Request)>,
    /// What the discovery document did not allow.
    pub violations: Vec<String>,
    pub refusals: VecDeque<Refusal>,
    /// How often an operation is asked for before it is done.
    pub n_waits: u32,
    /// How an operation that has to be waited for ends, unless well: a google.rpc.Status.
    pub bad_end: Option<Value>,
    /// How the container of an execution ends.
    pub exit_code: i32,
    /// The registry lacks the image of every job.
    pub no_image: bool,
}

type Answer = (u16, Value);

impl State {
    /// A job as it is stored.
    pub fn job(&self, name: &str) -> Option<&Value> {
        self.jobs.get(name)
    }

    /// Somebody else changes a job.
    pub fn change(&mut self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut job = self.jobs.remove(name).unwrap_or_default();
        change(&mut job);
        self.store(name, job);
    }

    pub(super) fn answer(&mut self, discovery: &Discovery, request: Request) -> Answer {
        let method = match discovery.request(&request) {
            Ok(method) => method,
            Err(problems) => {
                let said = format!("Invalid JSON payload received. {}", problems.join("; "));
                self.violations.extend(problems);
                return refused(400, "INVALID_ARGUMENT", &said, &json!([]));
            }
        };
        self.seen.push((method.id.clone(), request.clone()));
        let refusal = self
            .refusals
            .pop_front_if(|it| method.id.ends_with(it.method));
        let (status, body) = match refusal {
            Some(it) => refused(it.code, it.status, &it.message, &it.details),
            None => self.act(method, &request),
        };
        let problems = match status {
            200 => discovery.response(method, &body),
            _ => discovery.error(&body),
        };
        if problems.is_empty() {
            return (status, body);
        }
        let said = format!("the stand-in's own answer: {}", problems.join("; "));
        self.violations.extend(problems);
        refused(500, "INTERNAL", &said, &json!([]))
    }

    fn act(&mut self, method: &Method, request: &Request) -> Answer {
        let name = request.path.trim_start_matches("/v2/");
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match method.id.trim_start_matches("run.projects.locations.") {
            "jobs.create" => self.create(name, request, body),
            "jobs.patch" => self.patch(name, request, body),
            "jobs.get" => self.read(name),
            "jobs.run" => self.run(name.trim_end_matches(":run")),
            "jobs.executions.get" => self.execution(name),
            "jobs.executions.tasks.list" => self.tasks(name.trim_end_matches("/tasks")),
            "operations.get" | "operations.wait" => self.operation(name.trim_end_matches(":wait")),
            other => refused(501, "UNIMPLEMENTED", other, &json!([])),
        }
    }

    /// A job that an unfinished operation is about says so.
    fn read(&mut self, name: &str) -> Answer {
        let (status, mut job) = found(self.jobs.get(name), name);
        if status == 200 && self.n_waits > 0 {
            self.n_waits -= 1;
            job["reconciling"] = json!(true);
        }
        (status, job)
    }

    fn create(&mut self, path: &str, request: &Request, job: Value) -> Answer {
        let id = request.query.get("jobId").cloned().unwrap_or_default();
        let name = format!("{path}/{id}");
        if job.get("name").is_some() {
            return refused(
                400,
                "INVALID_ARGUMENT",
                "job.name must be empty in a create",
                &json!([]),
            );
        }
        if self.jobs.contains_key(&name) {
            let said = format!("Resource '{id}' already exists.");
            return refused(409, "ALREADY_EXISTS", &said, &json!([]));
        }
        self.write(&name, request, job)
    }

    fn patch(&mut self, name: &str, request: &Request, job: Value) -> Answer {
        let Some(now) = self.jobs.get(name) else {
            return found(None, name);
        };
        if job.get("etag").is_some_and(|etag| *etag != now["etag"]) {
            let said = format!(
                "Conflict for resource '{name}': etag {} is not {}",
                job["etag"], now["etag"]
            );
            return refused(409, "ABORTED", &said, &json!([]));
        }
        self.write(name, request, job)
    }

    fn write(&mut self, name: &str, request: &Request, job: Value) -> Answer {
        let containers = &job["template"]["template"]["containers"];
        if !containers[0]["image"].is_string() {
            return refused(
                400,
                "INVALID_ARGUMENT",
                "a container has no image",
                &json!([]),
            );
        }
        if let Some(name) = system_name(&job) {
            let said = format!("labels and annotations such as {name} are the system's");
            return refused(400, "INVALID_ARGUMENT", &said, &json!([]));
        }
        if request
            .query
            .get("validateOnly")
            .is_none_or(|it| it != "true")
        {
            self.store(name, job);
        }
        let job = self.jobs.get(name).cloned().unwrap_or_default();
        self.begin(name, "Job", job)
    }

    /// Stores a job with what Cloud Run adds to it.
    fn store(&mut self, name: &str, mut job: Value) {
        self.n_made += 1;
        let task = &mut job["template"]["template"];
        fill(
            task,
            "executionEnvironment",
            json!("EXECUTION_ENVIRONMENT_GEN2"),
        );
        fill(task, "maxRetries", json!(3));
        fill(task, "timeout", json!("600s"));
        fill(
            task,
            "serviceAccount",
            json!("1-compute@developer.gserviceaccount.com"),
        );
        fill(&mut job["template"], "taskCount", json!(1));
        fill(&mut job, "launchStage", json!("GA"));
        fill(
            &mut job,
            "uid",
            json!("6f1c6a3e-0000-4000-8000-000000000001"),
        );
        fill(&mut job, "createTime", json!(NOW));
        job["name"] = json!(name);
        job["updateTime"] = json!(NOW);
        job["generation"] = json!(self.n_made.to_string());
        job["observedGeneration"] = json!(self.n_made.to_string());
        job["etag"] = json!(format!("\"etag-{}\"", self.n_made));
        job["creator"] = json!("deployer@shop.iam.gserviceaccount.com");
        job["terminalCondition"] = match self.no_image {
            false => {
                json!({ "type": "Ready", "state": "CONDITION_SUCCEEDED", "lastTransitionTime": NOW })
            }
            true => json!({
                "type": "Ready", "state": "CONDITION_FAILED", "reason": "CONTAINER_MISSING",
                "message": "Image 'registry.example/none' not found.", "severity": "ERROR",
            }),
        };
        self.jobs.insert(name.to_owned(), job);
    }

    /// An operation whose result comes after `n_waits` questions.
    fn begin(&mut self, name: &str, kind: &str, result: Value) -> Answer {
        self.n_made += 1;
        let parent = name.split("/jobs/").next().unwrap_or_default();
        let operation = format!("{parent}/operations/op-{}", self.n_made);
        let mut any = result;
        any["@type"] = json!(format!("{ANY}{kind}"));
        let mut body = json!({ "name": operation, "metadata": any });
        self.operations.insert(operation, any);
        if self.n_waits == 0 && kind == "Job" {
            body["done"] = json!(true);
            body["response"] = body["metadata"].clone();
        }
        (200, body)
    }

    fn operation(&mut self, name: &str) -> Answer {
        let Some(any) = self.operations.get(name) else {
            return found(None, name);
        };
        let mut body = json!({ "name": name, "metadata": any });
        self.n_waits = self.n_waits.saturating_sub(1);
        if self.n_waits == 0 {
            body["done"] = json!(true);
            match &self.bad_end {
                Some(status) => body["error"] = status.clone(),
                None => body["response"] = any.clone(),
            }
        }
        (200, body)
    }

    fn run(&mut self, name: &str) -> Answer {
        let Some(job) = self.jobs.get(name) else {
            return found(None, name);
        };
        let execution = json!({
            "name": format!("{name}/executions/{}-abcde", name.rsplit('/').next().unwrap_or_default()),
            "job": name, "createTime": NOW, "taskCount": 1, "template": job["template"]["template"],
            "logUri": "https://console.cloud.google.com/logs/viewer",
        });
        let id = execution["name"].as_str().unwrap_or_default().to_owned();
        self.executions.insert(id, execution.clone());
        self.begin(name, "Execution", execution)
    }

    /// Runs when first asked for, has ended when asked again.
    fn execution(&mut self, name: &str) -> Answer {
        let Some(execution) = self.executions.get_mut(name) else {
            return found(None, name);
        };
        if execution.get("startTime").is_none() {
            execution["startTime"] = json!(NOW);
            execution["runningCount"] = json!(1);
        } else {
            let end = if self.exit_code == 0 {
                "succeededCount"
            } else {
                "failedCount"
            };
            execution["runningCount"] = json!(0);
            execution[end] = json!(1);
            execution["completionTime"] = json!(NOW);
            if self.exit_code != 0 {
                execution["conditions"] = json!([{
                    "type": "Completed", "state": "CONDITION_FAILED", "executionReason": "NON_ZERO_EXIT_CODE",
                    "message": "Task 0 failed with message: The container exited with an error.",
                }]);
            }
        }
        (200, execution.clone())
    }

    fn tasks(&self, execution: &str) -> Answer {
        let said = "The container exited with an error.";
        let task = json!({
            "name": format!("{execution}/tasks/0"), "execution": execution, "retried": 1,
            "lastAttemptResult": { "exitCode": self.exit_code, "status": { "code": 2, "message": said } },
        });
        (200, json!({ "tasks": [task] }))
    }
}

/// API v2 refuses them at the job and at its template, as the descriptions of these fields say.
fn system_name(job: &Value) -> Option<&String> {
    let maps = ["labels", "annotations"].map(|map| [&job[map], &job["template"][map]]);
    let mut names = maps
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flat_map(|it| it.keys());
    names.find(|name| name.contains("googleapis.com/") || name.contains("knative.dev/"))
}

fn fill(value: &mut Value, field: &str, default: Value) {
    if value.get(field).is_none() {
        value[field] = default;
    }
}

fn found(value: Option<&Value>, name: &str) -> Answer {
    match value {
        Some(value) => (200, value.clone()),
        None => refused(
            404,
            "NOT_FOUND",
            &format!("Resource '{name}' not found"),
            &json!([]),
        ),
    }
}

fn refused(code: u16, status: &str, message: &str, details: &Value) -> Answer {
    let error = json!({ "code": code, "status": status, "message": message, "details": details });
    (code, json!({ "error": error }))
}

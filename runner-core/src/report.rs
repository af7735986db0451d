//! What a job tells the outside when it ends.

pub mod webhook;

use jiff::Timestamp;
use serde::Serialize;

use crate::error::Error;

pub use webhook::{Delivered, Webhook};

/// How a job ended: the callback's JSON. The fields' names are part of the public contract.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    pub job_id: String,
    /// `null` when the operation itself is not understood.
    pub operation: Option<String>,
    pub status: Status,
    /// One sentence for a person.
    pub message: String,
    pub engine: String,
    /// `null` when the server was never reached.
    pub engine_version: Option<String>,
    pub database: Option<String>,
    pub host: String,
    pub backup_path: Option<String>,
    pub logical_bytes: u64,
    pub stored_bytes: u64,
    pub artifacts: u64,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    pub duration_seconds: f64,
    pub error: Option<Failure>,
    pub runner_version: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Success,
    Failure,
}

/// Why a job failed, the same in the log's last line and in the callback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    pub kind: &'static str,
    pub message: String,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind().as_str(),
            message: error.to_string(),
        }
    }
}

impl Event {
    /// An event of a job that has done nothing yet; the rest is filled in as far as it is known.
    pub fn new(job_id: impl Into<String>, engine: &str, started_at: Timestamp) -> Self {
        Self {
            job_id: job_id.into(),
            operation: None,
            status: Status::Success,
            message: String::new(),
            engine: engine.to_owned(),
            engine_version: None,
            database: None,
            host: String::new(),
            backup_path: None,
            logical_bytes: 0,
            stored_bytes: 0,
            artifacts: 0,
            started_at,
            finished_at: started_at,
            duration_seconds: 0.0,
            error: None,
            runner_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// The event of a good end.
    #[must_use]
    pub fn succeeded(self, message: impl Into<String>, finished_at: Timestamp) -> Self {
        Self {
            status: Status::Success,
            message: message.into(),
            error: None,
            ..self.ended(finished_at)
        }
    }

    /// The event of a failure.
    #[must_use]
    pub fn failed(self, error: &Error, finished_at: Timestamp) -> Self {
        let operation = self.operation.as_deref().unwrap_or("job");
        Self {
            status: Status::Failure,
            message: format!("{operation} failed: {error}"),
            error: Some(error.into()),
            ..self.ended(finished_at)
        }
    }

    fn ended(self, finished_at: Timestamp) -> Self {
        let seconds = finished_at.duration_since(self.started_at).as_secs_f64();
        Self {
            finished_at,
            // A clock that was set back must not tell of a negative duration.
            duration_seconds: seconds.max(0.0),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::error::Kind;

    fn event() -> Event {
        let mut event = Event::new("7", "postgresql", "2026-01-02T03:04:05Z".parse().unwrap());
        event.operation = Some("backup".to_owned());
        event.engine_version = Some("17.2".to_owned());
        event.database = Some("shop".to_owned());
        event.host = "db".to_owned();
        event.runner_version = "0.1.0".to_owned();
        event
    }

    #[test]
    fn the_callback_has_the_fields_of_the_contract() {
        let end = "2026-01-02T03:04:06.5Z".parse().unwrap();
        let event = event().succeeded("42 tables", end);
        expect![[r#"
            {
              "job_id": "7",
              "operation": "backup",
              "status": "success",
              "message": "42 tables",
              "engine": "postgresql",
              "engine_version": "17.2",
              "database": "shop",
              "host": "db",
              "backup_path": null,
              "logical_bytes": 0,
              "stored_bytes": 0,
              "artifacts": 0,
              "started_at": "2026-01-02T03:04:05Z",
              "finished_at": "2026-01-02T03:04:06.5Z",
              "duration_seconds": 1.5,
              "error": null,
              "runner_version": "0.1.0"
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&event).unwrap());
    }

    #[test]
    fn a_failure_says_its_kind_and_whole_reason() {
        let error = Error::new(Kind::Store, "put a").because(std::io::Error::other("reset"));
        let event = event().failed(&error, "2026-01-02T03:04:01Z".parse().unwrap());
        expect![[r#"
            backup failed: put a: reset
            0
            {"kind":"store","message":"put a: reset"}"#]]
        .assert_eq(&format!(
            "{}\n{}\n{}",
            event.message,
            event.duration_seconds,
            serde_json::to_string(&event.error).unwrap()
        ));
    }
}

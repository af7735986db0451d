//! How much is logged, and in which shape.

use std::ffi::OsString;

use serde::Deserialize;

use super::EngineFacts;
use crate::env::{Env, Key, Origin, parse};

pub const KEYS: &[Key] = &[
    Key::plain(
        "LOG_LEVEL",
        "info",
        "`error`, `warn`, `info`, `debug` or `trace`; a filter in `RUST_LOG` wins",
    ),
    Key::plain(
        "LOG_FORMAT",
        "json, or text on a terminal",
        "`json` lines with Cloud Logging's field names, or `text`",
    ),
];

/// How to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// In the syntax of `RUST_LOG`.
    pub filter: String,
    pub format: LogFormat,
    /// Whether stderr is a terminal, which can show a bar.
    pub terminal: bool,
}

/// `LOG_FORMAT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Text,
}

#[derive(Default, Deserialize)]
struct Raw {
    log_level: Option<String>,
    log_format: Option<String>,
}

pub(super) fn read(
    env: &mut Env,
    facts: &EngineFacts,
    rust_log: Option<String>,
    terminal: bool,
) -> LogSettings {
    let raw = env.typed::<Raw>();
    let (default, name) = match terminal {
        true => (LogFormat::Text, "text"),
        false => (LogFormat::Json, "json"),
    };
    env.resolve("LOG_FORMAT", name, Origin::Default);
    let level = env.check("LOG_LEVEL", raw.log_level, "info", |it| {
        let choices = ["error", "warn", "info", "debug", "trace"].map(|level| (level, level));
        let it = if it.eq_ignore_ascii_case("warning") {
            "warn"
        } else {
            it
        };
        parse::choice(it, &choices)
    });
    LogSettings {
        filter: rust_log.unwrap_or_else(|| filter(level, facts.crate_name)),
        format: env.check("LOG_FORMAT", raw.log_format, default, |it| {
            parse::choice(it, &[("json", LogFormat::Json), ("text", LogFormat::Text)])
        }),
        terminal,
    }
}

/// The variable that every Rust program understands; not one of ours, so it has no flag.
pub(super) fn rust_log(vars: &[(OsString, OsString)]) -> Option<String> {
    let (_, value) = vars.iter().find(|(name, _)| name == "RUST_LOG")?;
    value
        .to_str()
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
}

/// Our own words at the level asked for. Libraries at `debug` would print requests, with what they carry.
fn filter(level: &str, crate_name: &str) -> String {
    let libraries = match level {
        "error" => "error",
        _ => "warn",
    };
    format!("{libraries},runner_core={level},{crate_name}={level}")
}

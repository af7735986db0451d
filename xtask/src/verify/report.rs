//! What a proof has shown, step by step: as lines while it runs, as JSON and Markdown when it is over.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::interrupt;
use crate::shell::{Context, Result};

/// The twelve steps, in order.
pub(super) const STEPS: [&str; 12] = [
    "database container",
    "MinIO container",
    "test data",
    "image build",
    "backup",
    "backup verified in MinIO",
    "registry push",
    "Cloud Run job",
    "summary",
    "restore",
    "data verification",
    "cleanup",
];

/// All rows of one run.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) started_at: String,
    pub(super) runner_version: &'static str,
    pub(super) revision: String,
    pub(super) docker: String,
    /// Whether the images had the dev build of the runner in them.
    pub(super) dev: bool,
    pub(super) passed: bool,
    pub(super) rows: Vec<RowReport>,
}

/// One image's proof.
#[derive(Serialize)]
pub(super) struct RowReport {
    pub(super) row: String,
    pub(super) image: String,
    pub(super) upstream: String,
    pub(super) facts: Facts,
    pub(super) passed: bool,
    /// Why nothing was tried on this machine, where nothing was.
    pub(super) unproven: Option<String>,
    pub(super) seconds: f64,
    pub(super) steps: Vec<Step>,
}

/// What became known on the way.
#[derive(Default, Serialize)]
pub(super) struct Facts {
    pub(super) server_version: Option<String>,
    pub(super) client: Option<String>,
    /// Why the client is not the server's own, where it is not.
    pub(super) stand_in_client: Option<String>,
    pub(super) image_bytes: Option<u64>,
    pub(super) image_id: Option<String>,
    /// As pushed to the registry and pulled back.
    pub(super) digest: Option<String>,
    pub(super) objects: Option<usize>,
    pub(super) stored_bytes: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Step {
    pub(super) number: usize,
    pub(super) name: &'static str,
    pub(super) state: State,
    pub(super) seconds: f64,
    /// What was seen, or why it failed or was not run.
    pub(super) said: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Passed,
    Failed,
    NotRun,
}

impl State {
    fn mark(self) -> &'static str {
        match self {
            Self::Passed => "✓",
            Self::Failed => "✗",
            Self::NotRun => "–",
        }
    }
}

/// The steps of one row, as they are done.
pub(super) struct Steps {
    pub(super) done: Vec<Step>,
    start: Instant,
}

impl Steps {
    pub(super) fn new() -> Self {
        Self {
            done: Vec::new(),
            start: Instant::now(),
        }
    }

    /// Does the step of this number, which yields its result and what to say about it.
    pub(super) fn run<T>(
        &mut self,
        number: usize,
        step: impl FnOnce() -> Result<(T, String)>,
    ) -> Result<T> {
        self.not_reached(number);
        announce(number);
        let start = Instant::now();
        let result = step().and_then(|it| match interrupt::pending() {
            Some(interrupted) => Err(interrupted.into()),
            None => Ok(it),
        });
        let (state, said) = match &result {
            Ok((_, said)) => (State::Passed, said.clone()),
            Err(err) => match interrupt::pending() {
                Some(interrupted) => (State::Failed, interrupted.to_string()),
                None => (State::Failed, err.to_string()),
            },
        };
        self.record(number, state, start.elapsed(), said);
        result
            .map(|(result, _)| result)
            .context(format!("step {number}, {}", STEPS[number - 1]))
    }

    /// Says of a step why there is nothing to do.
    pub(super) fn skip(&mut self, number: usize, why: &str) {
        self.not_reached(number);
        self.record(
            number,
            State::NotRun,
            Duration::ZERO,
            format!("not run: {why}"),
        );
    }

    pub(super) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    pub(super) fn passed(&self) -> bool {
        self.done.iter().all(|step| step.state != State::Failed)
    }

    /// The steps between the last one and this one were never begun.
    fn not_reached(&mut self, number: usize) {
        for between in self.done.len() + 1..number {
            self.record(between, State::NotRun, Duration::ZERO, "not reached".into());
        }
    }

    fn record(&mut self, number: usize, state: State, time: Duration, said: String) {
        let step = Step {
            number,
            name: STEPS[number - 1],
            state,
            seconds: time.as_secs_f64(),
            said,
        };
        let said = step
            .said
            .replace('\n', "\n                                              ");
        println!(
            "{} {number:>2}  {:<26} {:>6.1} s  {said}",
            state.mark(),
            step.name,
            step.seconds
        );
        self.done.push(step);
    }
}

/// On a terminal the line is overwritten by the step's result.
fn announce(number: usize) {
    let line = format!("· {number:>2}  {} …", STEPS[number - 1]);
    let mut err = std::io::stderr();
    // Nobody reads it any more: no reason to stop.
    let _ = if err.is_terminal() {
        write!(err, "{line}\r")
    } else {
        writeln!(err, "{line}")
    };
}

impl RowReport {
    /// In a few words: proven, unproven, or where it failed.
    pub(super) fn result(&self) -> String {
        if let Some(why) = &self.unproven {
            return format!("– unproven: {why}");
        }
        let failed = self.steps.iter().find(|step| step.state == State::Failed);
        failed.map_or("✓".into(), |step| {
            format!("✗ step {}, {}", step.number, step.name)
        })
    }
}

impl Report {
    /// Writes `{stem}.json` and `{stem}.md`.
    pub(super) fn write(&self, stem: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        for (extension, text) in [("json", json + "\n"), ("md", self.markdown())] {
            let path = stem.with_added_extension(extension);
            std::fs::write(&path, text).context(path.display())?;
        }
        Ok(())
    }

    fn markdown(&self) -> String {
        let build = if self.dev { "dev" } else { "release" };
        let mut text = format!(
            "# Proof of the images\n\nRunner {} ({build} build) of revision {}, Docker {}, {}.\n\n\
             | row | server | client | image | digest in the registry | result | time |\n|---|---|---|---:|---|---|---:|\n",
            self.runner_version, self.revision, self.docker, self.started_at
        );
        for row in &self.rows {
            let facts = &row.facts;
            let or_none = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "–".into());
            let stand_in = if facts.stand_in_client.is_some() {
                " (stand-in client)"
            } else {
                ""
            };
            let size = facts.image_bytes.map_or("–".into(), |bytes| {
                format!("{:.1} MB", bytes as f64 / 1e6)
            });
            let result = row.result();
            text += &format!(
                "| {} | {} | {}{stand_in} | {size} | {} | {result} | {:.1} s |\n",
                row.row,
                or_none(&facts.server_version),
                or_none(&facts.client),
                or_none(&facts.digest),
                row.seconds
            );
        }
        for row in &self.rows {
            text += &format!(
                "\n## {}\n\n| | step | time | |\n|---|---|---:|---|\n",
                row.row
            );
            for step in &row.steps {
                let said = step.said.replace('|', "\\|").replace('\n', "<br>");
                let (mark, number, name) = (step.state.mark(), step.number, step.name);
                text += &format!(
                    "| {mark} | {number} {name} | {:.1} s | {said} |\n",
                    step.seconds
                );
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_leaves_the_next_ones_not_reached_and_is_named_in_both_reports() {
        let mut steps = Steps::new();
        steps.run(1, || Ok(((), "postgres:17".into()))).unwrap();
        let err = steps.run(2, || -> Result<((), String)> {
            Err("gone | away\nsoon".into())
        });
        assert_eq!(
            err.unwrap_err().to_string(),
            "step 2, MinIO container: gone | away\nsoon"
        );
        steps.run(12, || Ok(((), "all".into()))).unwrap();
        assert!(!steps.passed());
        let states: Vec<_> = steps
            .done
            .iter()
            .map(|step| (step.number, step.state))
            .collect();
        assert_eq!(states.len(), 12);
        assert_eq!(
            (states[1], states[10], states[11]),
            ((2, State::Failed), (11, State::NotRun), (12, State::Passed))
        );
        let row = RowReport {
            row: "postgresql:17".into(),
            image: "i".into(),
            upstream: "postgres:17".into(),
            facts: Facts {
                stand_in_client: Some("newer".into()),
                client: Some("18".into()),
                ..Facts::default()
            },
            passed: steps.passed(),
            unproven: None,
            seconds: 1.0,
            steps: steps.done,
        };
        let report = Report {
            started_at: "now".into(),
            runner_version: "0",
            revision: "r".into(),
            docker: "d".into(),
            dev: true,
            passed: false,
            rows: vec![row],
        };
        let text = report.markdown();
        assert!(text.contains("| postgresql:17 | – | 18 (stand-in client) | – | – | ✗ step 2, MinIO container | 1.0 s |"), "{text}");
        assert!(
            text.contains("| ✗ | 2 MinIO container | 0.0 s | gone \\| away<br>soon |"),
            "{text}"
        );
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["rows"][0]["steps"][2]["state"], "not_run");
    }
}

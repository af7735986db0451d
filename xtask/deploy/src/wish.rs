//! What the command line asks for: options, checked all at once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use xtask::shell::Result;
use xtask::versions::Row;

use crate::settings::{self, SecretRef};

/// Longest time that Cloud Run grants a task.
const MAX_TIMEOUT: Duration = Duration::from_secs(168 * 3600);

/// An option left out keeps what the job has; a new job gets the default.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Options {
    /// ENGINE or ENGINE:VERSION; all without it.
    pub what: Option<String>,
    /// Google Cloud project [default: $GOOGLE_CLOUD_PROJECT]
    #[arg(long)]
    pub project: Option<String>,
    #[arg(long, default_value = "us-central1")]
    pub region: String,
    /// Registry and path that images were pushed to, e.g. us-central1-docker.pkg.dev/PROJECT/REPOSITORY.
    /// Docker, with its credentials, is asked for the digest.
    #[arg(long)]
    pub registry: Option<String>,
    /// Image by digest, in place of --registry: REGISTRY/NAME@sha256:…
    #[arg(long, conflicts_with = "registry")]
    pub image: Option<String>,
    /// Memory of a task [default: 2Gi]
    #[arg(long)]
    pub memory: Option<String>,
    /// CPUs of a task [default: 1]
    #[arg(long)]
    pub cpu: Option<String>,
    /// How long one attempt may take, to 168h [default: 3600s]
    #[arg(long)]
    pub timeout: Option<String>,
    /// How often a failed task is tried again; exit code 75 is what a retry helps with, and Cloud Run retries all [default: 1]
    #[arg(long)]
    pub max_retries: Option<i32>,
    /// Service account that the job runs as [default: the project's]
    #[arg(long)]
    pub service_account: Option<String>,
    /// File of NAME=value lines, as for `docker run --env-file`: all plain variables of the job. Secrets are refused.
    #[arg(long)]
    pub env_from: Option<PathBuf>,
    /// NAME=SECRET[:VERSION] in Secret Manager, again for each: all secret variables of the job.
    /// SECRET is a name or projects/P/secrets/NAME, VERSION is latest unless given
    #[arg(long = "secret", value_name = "NAME=SECRET[:VERSION]")]
    pub secrets: Vec<String>,
    /// How long to wait for Cloud Run to create or update a job.
    #[arg(long, default_value = "5m")]
    pub wait: String,
    /// Show what would change, and change nothing.
    #[arg(long, conflicts_with_all = ["run", "yaml"])]
    pub dry_run: bool,
    /// Then run the job and follow it to its end; its failure is this command's.
    #[arg(long, conflicts_with = "yaml")]
    pub run: bool,
    /// Print the document for `gcloud run jobs replace` in place of calling Google.
    #[arg(long)]
    pub yaml: bool,
}

/// Where jobs live.
#[derive(Clone, Debug)]
pub struct Place {
    pub project: String,
    pub region: String,
}

impl Place {
    pub fn parent(&self) -> String {
        format!("projects/{}/locations/{}", self.project, self.region)
    }

    /// The full name of a row's job.
    pub fn job(&self, row: &Row) -> String {
        format!("{}/jobs/{}", self.parent(), job_id(row))
    }
}

/// `plan-b-backup-{engine}-{version-normalized}`
pub(crate) fn job_id(row: &Row) -> String {
    format!("plan-b-backup-{}-{}", row.engine, normalized(&row.version))
}

/// As job names and labels want it: `8.4` gives `8-4`.
pub(crate) fn normalized(version: &str) -> String {
    let keep = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_lowercase(),
        false => '-',
    };
    version.chars().map(keep).collect()
}

/// What a job shall be; `None` keeps what it has.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    pub memory: Option<String>,
    pub cpu: Option<String>,
    pub timeout: Option<Duration>,
    pub max_retries: Option<i32>,
    pub service_account: Option<String>,
    pub plain: Option<BTreeMap<String, String>>,
    pub secrets: Option<BTreeMap<String, SecretRef>>,
}

impl Options {
    /// Where to deploy to.
    pub fn place(&self) -> Result<Place> {
        let named = || std::env::var("GOOGLE_CLOUD_PROJECT").ok();
        let project = self.project.clone().or_else(named);
        let project = project.filter(|project| !project.is_empty());
        let region = self.region.clone();
        let project = project.ok_or(
            "which Google Cloud project? Give --project P, or set GOOGLE_CLOUD_PROJECT (`gcloud projects list` names them)",
        )?;
        Ok(Place { project, region })
    }

    /// How long an operation may take.
    pub fn wait(&self) -> Result<Duration> {
        Ok(duration(&self.wait)
            .map_err(|expected| format!("--wait {:?}: {expected}", self.wait))?)
    }

    /// Checks everything that needs no network; every problem is listed.
    pub fn wish(&self, place: &Place) -> Result<Wish> {
        let mut problems = Vec::new();
        let mut wish = Wish {
            memory: self.memory.clone(),
            cpu: self.cpu.clone(),
            max_retries: self.max_retries,
            service_account: self.service_account.clone(),
            ..Wish::default()
        };
        if let Some(memory) = self.memory.as_ref().filter(|text| !is_memory(text)) {
            problems.push(format!("--memory {memory:?}: such as 512Mi, 2Gi"));
        }
        if let Some(cpu) = self.cpu.as_ref().filter(|text| !is_cpu(text)) {
            problems.push(format!("--cpu {cpu:?}: such as 1, 2, 4, 8, 1000m"));
        }
        if self.max_retries.is_some_and(|n| !(0..=10).contains(&n)) {
            problems.push("--max-retries: 0 to 10".to_owned());
        }
        match self.timeout.as_deref().map(duration) {
            Some(Ok(timeout)) if timeout > MAX_TIMEOUT => {
                problems.push("--timeout: Cloud Run grants 168h at most".to_owned());
            }
            Some(Err(expected)) => problems.push(format!("--timeout: {expected}")),
            timeout => wish.timeout = timeout.and_then(Result::ok),
        }
        if let Some(path) = &self.env_from {
            wish.plain = note(settings::env_file(path), &mut problems);
        }
        if !self.secrets.is_empty() {
            wish.secrets = note(settings::secrets(&self.secrets, place), &mut problems);
        }
        if let (Some(plain), Some(secrets)) = (&wish.plain, &wish.secrets) {
            for name in plain.keys().filter(|name| secrets.contains_key(*name)) {
                problems.push(format!("{name} is both in --env-from and a --secret"));
            }
        }
        match problems.as_slice() {
            [] => Ok(wish),
            problems => Err(problems.join("\n").into()),
        }
    }
}

/// Values, or everything that is wrong with them.
pub(crate) type Settings<T> = std::result::Result<T, Vec<String>>;

fn note<T>(read: Settings<T>, problems: &mut Vec<String>) -> Option<T> {
    read.map_err(|said| problems.extend(said)).ok()
}

/// `3600`, `3600s`, `60m`, `1h`.
pub(crate) fn duration(text: &str) -> std::result::Result<Duration, &'static str> {
    let expected = "such as 3600s, 60m, 1h";
    let digits = text.trim_end_matches(['s', 'm', 'h']);
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(expected),
    };
    let n: u32 = digits.parse().map_err(|_| expected)?;
    match n {
        0 => Err("more than 0"),
        n => Ok(Duration::from_secs(u64::from(n) * unit)),
    }
}

fn is_memory(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    digits.parse::<u32>().is_ok_and(|n| n > 0)
        && ["Mi", "Gi", "M", "G"].contains(&&text[digits.len()..])
}

fn is_cpu(text: &str) -> bool {
    let digits = text.trim_end_matches('m');
    digits.parse::<f64>().is_ok_and(|n| n > 0.0) && text.len() - digits.len() < 2
}

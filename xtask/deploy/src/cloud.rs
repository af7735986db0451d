//! Google's SDK: jobs read and written, long-running operations waited for, within a bound.

use std::time::Duration;

use google_cloud_auth::credentials::{self, Credentials, anonymous};
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_longrunning::model::{Operation, operation};
use google_cloud_run_v2::client::{Executions, Jobs, Tasks};
use google_cloud_run_v2::model::{Job, condition};
use tokio::time::{Instant, sleep};

use xtask::shell::{Context, Result};

use crate::fault;
use crate::wish::Place;

/// One request waits no longer for an operation; Cloud Run may answer earlier.
const LONG_POLL: Duration = Duration::from_secs(20);
/// How long a first token may take, from wherever it comes.
const TOKEN: Duration = Duration::from_secs(15);

/// Cloud Run in one project and region.
#[derive(Clone, Debug)]
pub struct Cloud {
    pub(crate) place: Place,
    pub(crate) jobs: Jobs,
    pub(crate) executions: Executions,
    pub(crate) tasks: Tasks,
    /// Between two questions about the same thing.
    pub(crate) pause: Duration,
    /// How long an operation may take.
    pub(crate) wait: Duration,
}

/// Who answers.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// Google, with Application Default Credentials.
    Google,
    /// A server that asks for no credentials.
    Anonymous(String),
}

impl Cloud {
    pub async fn connect(endpoint: Endpoint, place: Place, wait: Duration) -> Result<Self> {
        // The SDK leaves the choice to the program. Where one was made already, it stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (jobs, executions, tasks) = (Jobs::builder(), Executions::builder(), Tasks::builder());
        let (jobs, executions, tasks) = match &endpoint {
            Endpoint::Google => {
                let google = credentials().await?;
                (
                    jobs.with_credentials(google.clone()),
                    executions.with_credentials(google.clone()),
                    tasks.with_credentials(google),
                )
            }
            // It is on this machine: it answers, or it is not there.
            Endpoint::Anonymous(url) => {
                let nobody = anonymous::Builder::new().build();
                (
                    jobs.with_endpoint(url)
                        .with_credentials(nobody.clone())
                        .with_retry_policy(NeverRetry),
                    executions
                        .with_endpoint(url)
                        .with_credentials(nobody.clone())
                        .with_retry_policy(NeverRetry),
                    tasks
                        .with_endpoint(url)
                        .with_credentials(nobody)
                        .with_retry_policy(NeverRetry),
                )
            }
        };
        Ok(Self {
            place,
            jobs: jobs.build().await.context("the client of Cloud Run")?,
            executions: executions
                .build()
                .await
                .context("the client of Cloud Run")?,
            tasks: tasks.build().await.context("the client of Cloud Run")?,
            pause: match endpoint {
                Endpoint::Google => Duration::from_secs(2),
                Endpoint::Anonymous(_) => Duration::from_millis(5),
            },
            wait,
        })
    }

    /// The job as it is, if there is one.
    pub async fn job(&self, name: &str) -> Result<Option<Job>> {
        match self.jobs.get_job().set_name(name).send().await {
            Ok(job) => Ok(Some(job)),
            Err(err) if fault::is_not_found(&err) => Ok(None),
            Err(err) => Err(fault::explain(&self.place, &format!("read {name}"), &err)),
        }
    }

    pub async fn create(&self, job: &Job) -> Result<()> {
        // The name of a job that is to be is in the request, not in the job.
        let id = job.name.rsplit('/').next().unwrap_or_default();
        let mut body = job.clone();
        body.name.clear();
        let request = || {
            let create = self.jobs.create_job().set_parent(self.place.parent());
            create.set_job_id(id).set_job(body.clone()).send()
        };
        self.write("create", &job.name, request).await
    }

    /// Refused when somebody has changed the job since `job.etag` was read.
    pub async fn update(&self, job: &Job) -> Result<()> {
        let request = || self.jobs.update_job().set_job(job.clone()).send();
        self.write("update", &job.name, request).await
    }

    async fn write<F>(&self, verb: &str, name: &str, request: impl Fn() -> F) -> Result<()>
    where
        F: Future<Output = google_cloud_run_v2::Result<Operation>>,
    {
        let what = format!("{verb} {name}");
        let deadline = Instant::now() + self.wait;
        let operation = self.patiently(&what, deadline, request).await?;
        self.done(&what, operation, deadline).await?;
        self.settled(name, deadline).await
    }

    /// Waits for a job that is as it shall be, and that an earlier operation may still be about.
    pub async fn settle(&self, name: &str) -> Result<()> {
        self.settled(name, Instant::now() + self.wait).await
    }

    async fn settled(&self, name: &str, deadline: Instant) -> Result<()> {
        loop {
            let job = self.job(name).await?;
            let job = job.ok_or(format!("{name} is gone: somebody has deleted it meanwhile"))?;
            if !job.reconciling {
                return ready(&job);
            }
            if Instant::now() >= deadline {
                return Err(fault::slow(name, self.wait, "reconciling"));
            }
            sleep(self.pause).await;
        }
    }

    /// Sends a request; where a quota is used up and Google says until when, sends it again then.
    pub(crate) async fn patiently<T, F>(
        &self,
        what: &str,
        deadline: Instant,
        request: impl Fn() -> F,
    ) -> Result<T>
    where
        F: Future<Output = google_cloud_run_v2::Result<T>>,
    {
        loop {
            let err = match request().await {
                Ok(answer) => return Ok(answer),
                Err(err) => err,
            };
            match fault::retry_delay(&err).map(|delay| delay.max(self.pause)) {
                Some(delay) if Instant::now() + delay < deadline => {
                    eprintln!(
                        "  {what}: quota used up, again in {:.0} s",
                        delay.as_secs_f64()
                    );
                    sleep(delay).await;
                }
                _ => return Err(fault::explain(&self.place, what, &err)),
            }
        }
    }

    /// Waits for an operation; one that takes longer is named and goes on.
    async fn done(&self, what: &str, mut operation: Operation, deadline: Instant) -> Result<()> {
        while !operation.done {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(fault::slow(what, self.wait, &operation.name));
            }
            let name = operation.name.clone();
            let timeout = i64::try_from(left.min(LONG_POLL).as_secs()).unwrap_or_default();
            let timeout = google_cloud_wkt::Duration::clamp(timeout.max(1), 0);
            let wait = self
                .jobs
                .wait_operation()
                .set_name(name)
                .set_timeout(timeout);
            let asked = Instant::now();
            let answer = tokio::time::timeout(left, wait.send()).await;
            match answer {
                Ok(Ok(answer)) => operation = answer,
                Ok(Err(err)) => return Err(fault::explain(&self.place, what, &err)),
                Err(_) => return Err(fault::slow(what, self.wait, &operation.name)),
            }
            if !operation.done && asked.elapsed() < self.pause {
                sleep(self.pause).await;
            }
        }
        match operation.result {
            Some(operation::Result::Error(status)) => {
                Err(fault::operation(&self.place, what, &status))
            }
            _ => Ok(()),
        }
    }
}

/// Whether Cloud Run could run the job, as far as it knows.
fn ready(job: &Job) -> Result<()> {
    match &job.terminal_condition {
        Some(it) if it.state == condition::State::ConditionFailed => {
            let reason = match &it.reasons {
                Some(condition::Reasons::Reason(reason)) => reason.name().unwrap_or_default(),
                _ => "",
            };
            Err(fault::not_ready(&job.name, reason, &it.message))
        }
        _ => Ok(()),
    }
}

/// Application Default Credentials, asked once for a token: whoever has none shall not wait for a minute of retries.
async fn credentials() -> Result<Credentials> {
    let found = credentials::Builder::default().build();
    let found = found.map_err(|err| fault::no_credentials(&err))?;
    match tokio::time::timeout(TOKEN, found.headers(Default::default())).await {
        Ok(Ok(_)) => Ok(found),
        Ok(Err(err)) => Err(fault::no_credentials(&err)),
        Err(late) => Err(fault::no_credentials(&late)),
    }
}

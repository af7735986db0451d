//! An execution of a job, from its start to its end.

use google_cloud_run_v2::model::{Condition, Execution, TaskAttemptResult};
use tokio::time::{Instant, sleep};

use xtask::shell::{Context, Result};

use crate::cloud::Cloud;
use crate::fault;

/// Runs a job; an execution that does not succeed is an error that says how it ended.
pub(crate) async fn run(cloud: &Cloud, job: &str) -> Result<()> {
    let what = format!("run {job}");
    let request = || cloud.jobs.run_job().set_name(job).send();
    let operation = cloud
        .patiently(&what, Instant::now() + cloud.wait, request)
        .await?;
    let execution = operation.metadata.as_ref();
    let execution: Execution = execution
        .ok_or(format!(
            "{what}: Cloud Run does not say which execution it began"
        ))?
        .to_msg()
        .context(&what)?;
    println!("  runs as {}", execution.name);
    let ended = follow(cloud, execution).await?;
    let short = ended.name.rsplit('/').next().unwrap_or_default();
    if ended.failed_count + ended.cancelled_count == 0 && ended.succeeded_count >= ended.task_count
    {
        println!("  {short} succeeded");
        return Ok(());
    }
    let attempt = last_attempt(cloud, &ended.name).await?;
    let message = completed(&ended).map_or("", |it| &it.message);
    Err(format!(
        "{short} did not succeed: {}{message}\n  logs: {}",
        attempt.as_ref().map_or_else(String::new, verdict),
        ended.log_uri
    )
    .into())
}

async fn follow(cloud: &Cloud, mut execution: Execution) -> Result<Execution> {
    let mut shown = String::new();
    loop {
        let name = execution.name.clone();
        let get = cloud.executions.get_execution().set_name(&name).send();
        execution = get.await.map_err(|err| {
            fault::explain(&cloud.place, &format!("follow {name}, which goes on"), &err)
        })?;
        let state = format!(
            "{} running, {} succeeded, {} failed, {} retried, of {}",
            execution.running_count,
            execution.succeeded_count,
            execution.failed_count,
            execution.retried_count,
            execution.task_count
        );
        if state != shown {
            println!("  {state}");
            shown = state;
        }
        if execution.completion_time.is_some() {
            return Ok(execution);
        }
        sleep(cloud.pause).await;
    }
}

async fn last_attempt(cloud: &Cloud, execution: &str) -> Result<Option<TaskAttemptResult>> {
    let list = cloud.tasks.list_tasks().set_parent(execution).send();
    let tasks = list.await.map_err(|err| {
        fault::explain(
            &cloud.place,
            &format!("list the tasks of {execution}"),
            &err,
        )
    })?;
    let ends = tasks
        .tasks
        .into_iter()
        .filter_map(|task| task.last_attempt_result);
    Ok(ends
        .into_iter()
        .find(|it| it.exit_code != 0 || it.term_signal != 0))
}

fn verdict(attempt: &TaskAttemptResult) -> String {
    match (attempt.exit_code, attempt.term_signal) {
        (75, _) => "exit code 75, database or store away: a retry may help. ".to_owned(),
        (1, _) => "exit code 1, a person must act: the last log line says why. ".to_owned(),
        (0, signal) => format!("ended by signal {signal}: out of --memory, or past --timeout? "),
        (code, _) => format!("exit code {code}. "),
    }
}

fn completed(execution: &Execution) -> Option<&Condition> {
    execution
        .conditions
        .iter()
        .find(|it| it.r#type == "Completed")
}

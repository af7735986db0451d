//! One job from environment to exit code; the only file that sees all the others.

use std::ffi::OsString;
use std::future::Future;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::context::Context;
use crate::engine::{Engine, Verify};
use crate::error::{Error, Kind, Result};
use crate::job::{
    EngineFacts, Job, LogSettings, Notify, Operation, Precheck, Rejected, Request, Surroundings,
};
use crate::progress::Progress;
use crate::report::webhook::Timing;
use crate::report::{Event, Webhook};
use crate::show::{self, Shown};
use crate::telemetry::{self, Telemetry};
use crate::{backup, catalog, prune, restore, store, verify};

/// After a signal, an operation has this long to abort its uploads …
const WIND_DOWN: Duration = Duration::from_secs(6);
/// … and the callback this long, so that all ends within the 10 s that Cloud Run and Kubernetes grant.
const LAST_CALL: Duration = Duration::from_secs(3);
/// How long a callback is tried when nothing is pressing.
const CALLBACK_DEADLINE: Duration = Duration::from_secs(60);

/// A runner's whole `main`.
pub fn main<E: Engine>() -> ExitCode {
    // Both TLS users, the store's client and the callback's, take the process's default.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(run::<E>(std::env::args_os(), std::env::vars_os(), now));
            // Libraries' own tasks may panic when the runtime ends under them: MongoDB's driver unwraps what it awaits
            // (its `runtime/join_handle.rs`). Nobody waits for them any more, and the job's last line has been said.
            std::panic::set_hook(Box::new(|_| {}));
            // A client program or a blocked read must not keep a finished job alive.
            runtime.shutdown_timeout(Duration::from_millis(500));
            code
        }
        Err(_) => ExitCode::from(Kind::Bug.exit_code()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the clock is read"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

async fn run<E: Engine>(
    args: impl Iterator<Item = OsString>,
    vars: impl Iterator<Item = (OsString, OsString)>,
    now: fn() -> Timestamp,
) -> ExitCode {
    let started_at = now();
    let around = Surroundings {
        fresh_id: Uuid::now_v7().to_string(),
        n_cpus: std::thread::available_parallelism().map_or(1, usize::from),
        terminal: std::io::stderr().is_terminal(),
    };
    match Job::<E::Options>::from_env(&EngineFacts::of::<E>(), args, vars, &around) {
        Ok(Request::Print(text)) => print(&text),
        Ok(Request::Run(job)) => perform::<E>(*job, started_at, now).await,
        Err(rejected) => refuse::<E>(*rejected, started_at, now).await,
    }
}

fn start_log(
    log: &LogSettings,
    job_id: &str,
    operation: Option<&str>,
    now: fn() -> Timestamp,
) -> Telemetry {
    let context = telemetry::Context {
        job_id: job_id.to_owned(),
        operation: operation.unwrap_or_default().to_owned(),
    };
    telemetry::init(log, &context, now)
}

fn print(text: &str) -> ExitCode {
    // A closed pipe, as with `| head`, is no failure of the job.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// An invalid request: every problem in the log, and in the callback if that much could be read.
async fn refuse<E: Engine>(
    rejected: Rejected,
    started_at: Timestamp,
    now: fn() -> Timestamp,
) -> ExitCode {
    let operation = rejected.operation.map(|operation| operation.as_str());
    start_log(&rejected.log, &rejected.job_id, operation, now);
    rejected
        .warnings
        .iter()
        .for_each(|warning| tracing::warn!("{warning}"));
    let mut event = Event::new(&rejected.job_id, E::NAME, started_at);
    event.operation = operation.map(str::to_owned);
    event.host = rejected.host;
    event.database = rejected.database;
    let event = event.failed(&rejected.error, now());
    notify(rejected.notify.as_ref(), &event, CALLBACK_DEADLINE, now).await;
    telemetry::final_error(&event.message, &rejected.error);
    ExitCode::from(rejected.error.kind().exit_code())
}

async fn perform<E: Engine>(
    job: Job<E::Options>,
    started_at: Timestamp,
    now: fn() -> Timestamp,
) -> ExitCode {
    if job.operation == Operation::Config {
        return print(&show::config(&job));
    }
    let telemetry = start_log(&job.log, &job.job_id, Some(job.operation.as_str()), now);
    job.warnings
        .iter()
        .for_each(|warning| tracing::warn!("{warning}"));
    let cancel = CancellationToken::new();
    let mut event = Event::new(&job.job_id, E::NAME, started_at);
    event.operation = Some(job.operation.as_str().to_owned());
    event.host = job.database.host.clone();
    event.database = job.database.name.clone();
    let notify_to = job.notify.clone();
    let (result, code_of_signal) = until_signal(
        &cancel,
        operate::<E>(job, &mut event, &telemetry, &cancel, started_at, now),
    )
    .await;
    let deadline = if code_of_signal.is_some() {
        LAST_CALL
    } else {
        CALLBACK_DEADLINE
    };
    match result {
        Ok(text) => {
            let event = event.succeeded(text.message, now());
            tracing::info!(
                logical_bytes = event.logical_bytes,
                stored_bytes = event.stored_bytes,
                duration_seconds = event.duration_seconds,
                path = event.backup_path,
                "{}",
                event.message
            );
            notify(notify_to.as_ref(), &event, deadline, now).await;
            print(&text.stdout)
        }
        Err(error) => {
            let event = event.failed(&error, now());
            notify(notify_to.as_ref(), &event, deadline, now).await;
            telemetry::final_error(&event.message, &error);
            let code = code_of_signal.filter(|_| error.kind() == Kind::Interrupted);
            ExitCode::from(code.unwrap_or(error.kind().exit_code()))
        }
    }
}

/// Awaits the work; a SIGTERM or SIGINT cancels it and gives it `WIND_DOWN` to put things in order. Work that
/// succeeds all the same, having passed its last step, is a success.
async fn until_signal<R>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<R>>,
) -> (Result<R>, Option<u8>) {
    tokio::pin!(work);
    let caught = tokio::select! {
        result = &mut work => return (result, None),
        caught = caught() => caught,
    };
    let (name, code) = caught;
    tracing::warn!("{name}: stopping; uploads are aborted");
    cancel.cancel();
    let result = match tokio::time::timeout(WIND_DOWN, work).await {
        Ok(Err(err)) if err.kind() != Kind::Interrupted => {
            tracing::debug!(reason = %err, "while stopping");
            Err(interrupted(name))
        }
        Ok(Err(_)) => Err(interrupted(name)),
        Ok(Ok(done)) => Ok(done),
        Err(_) => Err(interrupted(name).because(Error::new(
            Kind::Interrupted,
            "not all uploads could be aborted in time; `prune` removes what is left",
        ))),
    };
    (result, Some(code))
}

fn interrupted(name: &str) -> Error {
    Error::new(Kind::Interrupted, format!("stopped by {name}"))
}

async fn caught() -> (&'static str, u8) {
    let (terminate, interrupt) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    match (terminate, interrupt) {
        (Ok(mut terminate), Ok(mut interrupt)) => tokio::select! {
            _ = terminate.recv() => ("SIGTERM", 143),
            _ = interrupt.recv() => ("SIGINT", 130),
        },
        // Without handlers the signals end the process by themselves.
        _ => std::future::pending().await,
    }
}

/// Tells the callback; what becomes of that never changes what became of the job.
async fn notify(
    notify: Option<&Notify>,
    event: &Event,
    deadline: Duration,
    now: fn() -> Timestamp,
) {
    let Some(notify) = notify else { return };
    let sent = async {
        let id = Uuid::now_v7().simple().to_string();
        Webhook::new(notify, &id, now)?
            .deliver(event, Timing::within(deadline))
            .await
    };
    match sent.await {
        Ok(delivered) => tracing::debug!(
            attempts = delivered.n_attempts,
            "the callback was delivered"
        ),
        Err(err) => tracing::warn!(reason = %err, "the callback could not be delivered"),
    }
}

/// One operation; fills in what the event is to tell.
async fn operate<E: Engine>(
    job: Job<E::Options>,
    event: &mut Event,
    telemetry: &Telemetry,
    cancel: &CancellationToken,
    started_at: Timestamp,
    now: fn() -> Timestamp,
) -> Result<Shown> {
    let engine = E::new(job.database.clone(), job.options.clone())?;
    let store = store::connect(&job.store).await?;
    let context = Context {
        store: Arc::clone(&store),
        progress: Progress::default(),
        cancel: cancel.clone(),
        now,
        started_at,
        job,
    };
    let ticker = telemetry.ticker(&context.progress);
    let result = match context.job.operation {
        Operation::Backup => back_up(&engine, &context, event).await,
        Operation::Restore => bring_back(&engine, &context, event).await,
        Operation::Verify => check(&engine, &context, event).await,
        Operation::List => {
            let backups = catalog::list(store, "").await?;
            Ok(show::list(&backups, context.job.json))
        }
        Operation::Show => match restore::find::<E>(&context).await? {
            restore::Found::Ours(backup) => show::manifest(&backup, context.job.json),
            restore::Found::Foreign(name) => Err(not_ours(&name)),
            restore::Found::Directory(directory) => Err(not_ours(directory.path())),
        },
        Operation::Delete => {
            let path = path_of::<E>(&context).await?;
            prune::delete(store.as_ref(), &path).await?;
            event.backup_path = Some(path.clone());
            Ok(Shown::message(format!("deleted {path}")))
        }
        Operation::Prune => {
            let pruned =
                prune::incomplete(store.as_ref(), context.job.prune_older_than, now()).await?;
            Ok(show::pruned(&pruned, context.job.json))
        }
        Operation::Config => Ok(Shown::message(String::new())),
    };
    drop(ticker);
    result
}

async fn back_up<E: Engine>(
    engine: &E,
    context: &Context<E::Options>,
    event: &mut Event,
) -> Result<Shown> {
    let path = backup::path::<E>(context)?;
    event.backup_path = Some(path.clone());
    let done = backup::run(engine, context, path).await?;
    fill(event, &done.manifest);
    let time = done
        .manifest
        .finished_at
        .duration_since(done.manifest.started_at);
    Ok(show::backed_up(
        &done.path,
        &done.manifest,
        time.unsigned_abs(),
    ))
}

async fn bring_back<E: Engine>(
    engine: &E,
    context: &Context<E::Options>,
    event: &mut Event,
) -> Result<Shown> {
    let done = restore::run(engine, context).await?;
    event.backup_path = Some(done.path);
    let mut message = done.restored.summary;
    if let Some(manifest) = &done.manifest {
        fill(event, manifest);
        message.push_str(&format!("; {} rows", done.restored.rows));
        match done.restored.n_verified {
            0 if context.job.restore.verify == Verify::None => {
                message.push_str(", not compared (RESTORE_VERIFY=none)");
            }
            0 => message.push_str(", nothing to compare"),
            n => message.push_str(&format!(
                ", {n} tables proven equal to the backup's snapshot"
            )),
        }
    }
    Ok(Shown::message(message))
}

async fn check<E: Engine>(
    _: &E,
    context: &Context<E::Options>,
    event: &mut Event,
) -> Result<Shown> {
    let backup = match restore::find::<E>(context).await? {
        restore::Found::Ours(backup) => backup,
        restore::Found::Foreign(name) => return Err(not_ours(&name)),
        restore::Found::Directory(directory) => return Err(not_ours(directory.path())),
    };
    event.backup_path = Some(backup.path().to_owned());
    fill(event, backup.manifest());
    if context.job.restore.precheck == Precheck::None {
        tracing::debug!("RESTORE_PRECHECK concerns restores; verify reads everything");
    }
    verify::run(
        &backup,
        context.job.parallelism,
        &context.progress,
        &context.cancel,
    )
    .await?;
    Ok(show::verified(&backup, context.job.json))
}

async fn path_of<E: Engine>(context: &Context<E::Options>) -> Result<String> {
    // Deleting needs no key, so that a backup whose key is lost can still be removed.
    match &context.job.backup_path {
        Some(crate::job::BackupPath::Path(path)) => Ok(path.clone()),
        Some(crate::job::BackupPath::Latest) => Err(Error::new(
            Kind::Config,
            "delete wants the backup's own path, not `latest`; `list` shows them",
        )),
        None => Err(Error::new(Kind::Config, "BACKUP_PATH is required")),
    }
}

fn not_ours(name: &str) -> Error {
    Error::new(
        Kind::Unfit,
        format!(
            "{name} is a foreign dump: it has no manifest to be checked against; restore reads it to its end"
        ),
    )
}

fn fill(event: &mut Event, manifest: &crate::manifest::Manifest) {
    event.engine_version = Some(manifest.engine_version.clone());
    event.database = event
        .database
        .take()
        .or_else(|| Some(manifest.database.clone()));
    event.logical_bytes = manifest.logical_bytes;
    event.stored_bytes = manifest.stored_bytes;
    event.artifacts = manifest.artifacts.len() as u64;
}

//! A program that runs: its streams, its exit, and the end of everything that it started.

use std::future;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::stderr::Stderr;
use super::{Finished, MemoryFile, Tool};
use crate::error::{Error, Kind, Result};
use crate::stream::{BLOCK_BYTES, ByteStream};

/// How long a cancelled program may tidy up (`pg_restore` cancels its queries) between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_millis(if cfg!(test) { 1_000 } else { 2_000 });

/// One running program; dropping it kills its whole process group.
pub(super) struct Running {
    name: String,
    group: Group,
    child: Child,
    stdout: Option<ChildStdout>,
    stderr: Stderr,
    feed: Option<AbortOnDropHandle<Fed>>,
    exit: Option<ExitStatus>,
    said: String,
    read_all_input: bool,
    cancel: CancellationToken,
    _files: Vec<MemoryFile>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.group.end();
    }
}

/// How feeding ended; `Ok(false)` when the program stopped reading, and the rest of the input was read to its
/// good end.
type Fed = Result<bool>;

impl Running {
    pub(super) fn new(
        mut child: Child,
        tool: &Tool,
        input: Option<ByteStream>,
        cancel: CancellationToken,
    ) -> Result<Self> {
        let group = Group::of(&child);
        let stdout = child.stdout.take();
        stdout.iter().for_each(widen);
        let feed = input.zip(child.stdin.take()).map(|(input, stdin)| {
            widen(&stdin);
            let stdin = Stdin {
                pipe: stdin,
                group: group.clone(),
                at_good_end: false,
            };
            AbortOnDropHandle::new(tokio::spawn(feed(stdin, input)))
        });
        let name = tool.name();
        let Some(stderr) = child.stderr.take() else {
            return Err(Error::new(Kind::Bug, format!("{name} has no stderr")));
        };
        Ok(Self {
            stderr: Stderr::drain(name.clone(), tool.secrets.clone(), stderr),
            name,
            group,
            child,
            stdout,
            feed,
            exit: None,
            said: String::new(),
            read_all_input: true,
            cancel,
            _files: tool.files.clone(),
        })
    }

    /// The next block of stdout, or `None`: stdout has ended, the exit code is 0, and the input, if any, ended
    /// well.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>> {
        let mut block = BytesMut::new();
        while self.stdout.is_some() || self.exit.is_none() || self.feed.is_some() {
            if self.stdout.is_some() {
                block.reserve(BLOCK_BYTES - block.len());
            }
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(self.stop().await),
                status = self.child.wait(), if self.exit.is_none() => self.exited(status).await?,
                fed = fed(&mut self.feed), if self.feed.is_some() => self.fed(fed).await?,
                read = read(&mut self.stdout, &mut block), if self.stdout.is_some() => {
                    let n_bytes = read.map_err(|err| self.broken("read from", err))?;
                    if n_bytes == 0 {
                        self.stdout = None;
                    }
                    let full = block.len() >= BLOCK_BYTES || n_bytes == 0;
                    if full && !block.is_empty() {
                        return Ok(Some(block.freeze()));
                    }
                }
            }
        }
        // Nothing that it left behind may go on; and stderr is logged to its end.
        self.group.end();
        self.said = self.stderr.tail().await;
        Ok(None)
    }

    /// The end of what a program that ended well said on stderr.
    pub(super) fn said(self) -> String {
        self.said.clone()
    }

    pub(super) fn finished(&self) -> Finished {
        Finished {
            read_all_input: self.read_all_input,
        }
    }

    async fn exited(&mut self, status: io::Result<ExitStatus>) -> Result<()> {
        let status = status.map_err(|err| self.broken("wait for", err))?;
        self.exit = Some(status);
        if status.success() {
            return Ok(());
        }
        if self.group.has_ended() && self.feed.is_some() {
            // We killed it ourselves, as its input failed: that is the reason.
            let fed = fed(&mut self.feed).await;
            self.fed(fed).await?;
        }
        self.group.end();
        let how = describe(status);
        let mut why = self.stderr.tail().await;
        if why.is_empty() {
            why.push_str("it said nothing on stderr");
        }
        let what = format!("{} {how}: {why}", self.name);
        Err(Error::new(Kind::Tool, what))
    }

    async fn fed(&mut self, fed: Fed) -> Result<()> {
        self.feed = None;
        match fed {
            Ok(read_all_input) => {
                self.read_all_input = read_all_input;
                Ok(())
            }
            Err(error) => {
                self.kill().await;
                Err(error)
            }
        }
    }

    /// On a signal: time to tidy up, then none.
    async fn stop(&mut self) -> Error {
        self.group.signal(Signal::TERM);
        let _ = tokio::time::timeout(GRACE, self.child.wait()).await;
        self.kill().await;
        Error::new(Kind::Interrupted, format!("{} was stopped", self.name))
    }

    async fn kill(&mut self) {
        self.group.end();
        let _ = self.child.wait().await;
    }

    fn broken(&self, what: &str, err: io::Error) -> Error {
        Error::new(Kind::Tool, format!("{what} {}", self.name)).because(err)
    }
}

async fn read(stdout: &mut Option<ChildStdout>, block: &mut BytesMut) -> io::Result<usize> {
    match stdout {
        Some(stdout) => stdout.read_buf(block).await,
        None => future::pending().await,
    }
}

async fn fed(feed: &mut Option<AbortOnDropHandle<Fed>>) -> Fed {
    let Some(feed) = feed else {
        return future::pending().await;
    };
    let what = "the task that feeds a program panicked";
    feed.await
        .unwrap_or_else(|err| Err(Error::new(Kind::Bug, what).because(err)))
}

async fn feed(mut stdin: Stdin, mut input: ByteStream) -> Fed {
    let mut refused = false;
    while let Some(block) = input.next().await {
        let block = block?;
        if refused {
            continue;
        }
        match stdin.pipe.write_all(&block).await {
            Ok(()) => {}
            Err(err) if err.kind() == io::ErrorKind::BrokenPipe => refused = true,
            Err(err) => {
                return Err(Error::new(Kind::Tool, "write to a program's stdin").because(err));
            }
        }
    }
    stdin.at_good_end = true;
    Ok(!refused)
}

/// A program takes the end of its stdin for the good end of its input, and may commit what it has. So unless it
/// is one, whatever drops this (an error, a panic, a runtime that shuts down) kills the program first.
struct Stdin {
    pipe: ChildStdin,
    group: Group,
    at_good_end: bool,
}

impl Drop for Stdin {
    fn drop(&mut self) {
        if !self.at_good_end {
            self.group.end();
        }
    }
}

/// A pipe that holds a whole block means fewer wake-ups; a kernel that refuses is fine.
fn widen(pipe: &impl std::os::fd::AsFd) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, BLOCK_BYTES);
}

fn describe(status: ExitStatus) -> String {
    let Some(signal) = status.signal() else {
        return format!("exited with {}", status.code().unwrap_or(-1));
    };
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        6 => "SIGABRT",
        7 => "SIGBUS",
        9 => "SIGKILL; was memory short?",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return format!("was killed by signal {signal}"),
    };
    format!("was killed by signal {signal} ({name})")
}

/// The program's process group, which has its id; 0 once it has ended.
#[derive(Clone)]
struct Group(Arc<AtomicI32>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(Arc::new(AtomicI32::new(id.unwrap_or(0))))
    }

    fn signal(&self, signal: Signal) {
        send(self.0.load(Ordering::SeqCst), signal);
    }

    /// Kills what there is of the group and forgets its id, which is free once its leader is reaped.
    fn end(&self) {
        send(self.0.swap(0, Ordering::SeqCst), Signal::KILL);
    }

    fn has_ended(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

fn send(group: i32, signal: Signal) {
    if let Some(group) = Pid::from_raw(group) {
        let _ = kill_process_group(group, signal); // gone already is fine
    }
}

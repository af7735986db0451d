//! Programs that we run: what they said when they failed is part of the error, and each wait can have a bound.

use std::fmt::Display;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::interrupt;

/// What a running program gets to end by itself after a signal to us: at a terminal it had the same one, and a
/// container whose creation is under way had better be there when we clean up.
const GRACE: Duration = Duration::from_secs(5);

/// Why a step failed, in words for the person at the terminal.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Puts what we were doing before what went wrong.
pub trait Context<T> {
    fn context(self, what: impl Display) -> Result<T>;
}

impl<T, E: Display> Context<T> for Result<T, E> {
    fn context(self, what: impl Display) -> Result<T> {
        self.map_err(|err| format!("{what}: {err}").into())
    }
}

/// A program about to be run.
pub struct Cmd {
    command: Command,
    words: String,
    input: Option<Vec<u8>>,
    limit: Option<Duration>,
}

/// What a program that was captured left behind.
pub struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// Prepares `program`, found in `PATH`, or by its own path.
pub fn cmd(program: impl AsRef<Path>) -> Cmd {
    let program = program.as_ref();
    Cmd {
        command: Command::new(program),
        words: program.display().to_string(),
        input: None,
        limit: None,
    }
}

impl Cmd {
    pub fn arg(mut self, arg: impl AsRef<str>) -> Self {
        self.words.push(' ');
        self.words.push_str(arg.as_ref());
        self.command.arg(arg.as_ref());
        self
    }

    pub fn args<S: AsRef<str>>(self, args: impl IntoIterator<Item = S>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    pub fn env(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.command.env(name, value.as_ref());
        self
    }

    /// `--env NAME` for a container, whose value comes by our own environment: a command line is no place for it.
    pub fn with(self, environment: &[(&str, String)]) -> Self {
        let pass =
            |cmd: Self, (name, value): &(&str, String)| cmd.args(["--env", name]).env(name, value);
        environment.iter().fold(self, pass)
    }

    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Kills the program when it takes longer.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Runs it in the open: its output is ours.
    pub fn run(mut self) -> Result<()> {
        self.command.stdin(Stdio::null());
        let mut child = self.spawn()?;
        let status = wait(&mut child, self.limit).context(&self.words)?;
        if status.success() {
            return Ok(());
        }
        Err(format!("`{}` failed: {status}", self.words).into())
    }

    /// Runs it silently and yields its trimmed standard output; a failure carries what it said.
    pub fn read(self) -> Result<String> {
        let words = self.words.clone();
        let output = self.output()?;
        if output.status.success() {
            return Ok(output.stdout.trim_end().to_owned());
        }
        let said = tail(&format!("{}\n{}", output.stdout, output.stderr), 40);
        Err(format!("`{words}` failed: {}\n{said}", output.status).into())
    }

    /// As [`Self::read`], while what it says on standard error is seen as it says it.
    pub fn read_aloud(mut self) -> Result<String> {
        self.command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = self.spawn()?;
        let stdout = drain(child.stdout.take());
        let status = wait(&mut child, self.limit).context(&self.words)?;
        if !status.success() {
            return Err(format!("`{}` failed: {status}", self.words).into());
        }
        Ok(text(stdout))
    }

    /// Whether it ran and succeeded, silently.
    pub fn succeeds(self) -> bool {
        self.output().is_ok_and(|output| output.status.success())
    }

    /// Runs it silently, whatever its exit status.
    pub fn output(mut self) -> Result<Output> {
        let stdin = if self.input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        };
        self.command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self.spawn()?;
        let (stdin, input) = (child.stdin.take(), self.input.take());
        let feeder = thread::spawn(move || match (stdin, input) {
            (Some(mut stdin), Some(input)) => stdin.write_all(&input),
            _ => Ok(()),
        });
        let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
        let status = wait(&mut child, self.limit).context(&self.words)?;
        // A program that ends without reading its input says why by its status.
        let _ = feeder.join();
        Ok(Output {
            status,
            stdout: text(stdout),
            stderr: text(stderr),
        })
    }

    fn spawn(&mut self) -> Result<Child> {
        match interrupt::pending() {
            None => self.command.spawn().context(&self.words),
            Some(interrupted) => Err(interrupted.into()),
        }
    }

    /// The bare command, for callers that keep the child.
    pub fn into_command(self) -> Command {
        self.command
    }
}

/// The last lines of a long text.
pub fn tail(text: &str, n_lines: usize) -> String {
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(n_lines)..].join("\n")
}

/// Whether a program of this name is in `PATH`.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Polls until `ready` yields something, or the time is up, or a signal comes.
pub fn poll<T>(limit: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return Some(value);
        }
        if start.elapsed() > limit || interrupt::pending().is_some() {
            return None;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn wait(child: &mut Child, limit: Option<Duration>) -> Result<ExitStatus> {
    let start = Instant::now();
    let mut stopped: Option<Instant> = None;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if let Some(limit) = limit.filter(|limit| start.elapsed() > *limit) {
            child.kill()?;
            child.wait()?;
            return Err(format!("no end after {} s, killed", limit.as_secs()).into());
        }
        if let Some(interrupted) = interrupt::pending()
            && stopped.get_or_insert_with(Instant::now).elapsed() > GRACE
        {
            child.kill()?;
            child.wait()?;
            return Err(interrupted.into());
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

type Reader = thread::JoinHandle<Vec<u8>>;

fn drain(pipe: Option<impl Read + Send + 'static>) -> Reader {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What arrived before a broken pipe is all there is to show.
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

fn text(reader: Reader) -> String {
    String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_carries_what_the_program_said() {
        let err = cmd("sh")
            .args(["-c", "echo why >&2; exit 3"])
            .read()
            .unwrap_err()
            .to_string();
        assert!(err.contains("why") && err.contains('3'), "{err}");
    }

    #[test]
    fn a_program_that_takes_too_long_is_killed() {
        let err = cmd("sleep")
            .arg("60")
            .limit(Duration::from_millis(10))
            .read()
            .unwrap_err();
        assert!(err.to_string().contains("killed"), "{err}");
    }

    #[test]
    fn input_larger_than_a_pipe_reaches_the_program() {
        assert_eq!(
            cmd("wc")
                .arg("-c")
                .input(vec![b'x'; 1 << 20])
                .read()
                .unwrap(),
            "1048576"
        );
    }
}

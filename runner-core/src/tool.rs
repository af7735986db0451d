//! Client programs as byte streams: the end of a stream is the good exit of its program.

mod memory_file;
mod running;
mod stderr;
#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;

use futures::{StreamExt, stream};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Kind, Result};
use crate::secret::Secret;
use crate::stream::ByteStream;
pub use memory_file::MemoryFile;
use running::Running;

/// The most that [`Tool::run`] keeps of a program's output.
const OUTPUT_BYTES: usize = 1024 * 1024;

/// One run of a client program: what to start, with which arguments, environment and secrets.
///
/// Its environment is empty but for `PATH`, a fixed locale and time zone, and what is set here: neither our
/// secrets nor a person's own settings (`HOME` and what lies below it) reach it. It runs in a process group of its
/// own, which ends with it, and when the future or stream that drives it is dropped.
#[derive(Clone)]
pub struct Tool {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    secrets: Vec<Secret>,
    files: Vec<MemoryFile>,
    way_out: String,
}

/// What a small program printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub stdout: String,
}

/// How a program that was fed ended: with exit code 0, after its input's good end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Whether it took all of its input, as far as a pipe can tell. If not, the rest was read and checked all
    /// the same, to its good end.
    pub read_all_input: bool,
}

impl Tool {
    /// A name that is looked up in `PATH`, or a path.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            secrets: Vec::new(),
            files: Vec::new(),
            way_out: "install it".to_owned(),
        }
    }

    /// Never a secret: anybody on the machine can see arguments.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Sets a variable that is masked wherever the program repeats it on stderr.
    #[must_use]
    pub fn secret_env(mut self, name: impl Into<OsString>, value: &Secret) -> Self {
        self.secrets.push(value.clone());
        self.env(name, value.reveal())
    }

    /// Masks a secret that reaches the program by another way, such as a file, wherever it repeats it on stderr.
    #[must_use]
    pub fn masked(mut self, secret: &Secret) -> Self {
        self.secrets.push(secret.clone());
        self
    }

    /// Adds the path of a memory file as the next argument, and keeps the file while the program runs.
    #[must_use]
    pub fn memory_file(mut self, file: &MemoryFile) -> Self {
        self.files.push(file.clone());
        self.arg(file.path_for_child())
    }

    /// What to do when the program is not there: `install the PostgreSQL client or set PG_BIN`.
    #[must_use]
    pub fn way_out(mut self, way_out: impl Into<String>) -> Self {
        self.way_out = way_out.into();
        self
    }

    /// What the program prints, as a stream that ends only after exit code 0.
    pub async fn read(self, cancel: &CancellationToken) -> Result<ByteStream> {
        Ok(self.start(None, Stdio::piped(), cancel)?.into_stream())
    }

    /// Feeds the program, and waits for its good end. Its stdin closes only at the good end of `input`; when
    /// that ends in an `Err`, the program is killed first and that error is returned.
    pub async fn write(self, input: ByteStream, cancel: &CancellationToken) -> Result<Finished> {
        let mut running = self.start(Some(input), Stdio::null(), cancel)?;
        while running.next().await?.is_some() {}
        Ok(running.finished())
    }

    /// As [`Tool::write`]; yields also the end of what the program said on stderr, for one whose exit code alone does
    /// not tell.
    pub async fn write_and_hear(
        self,
        input: ByteStream,
        cancel: &CancellationToken,
    ) -> Result<(Finished, String)> {
        let mut running = self.start(Some(input), Stdio::null(), cancel)?;
        while running.next().await?.is_some() {}
        Ok((running.finished(), running.said()))
    }

    /// Feeds the program and streams what it prints: both promises of [`Tool::write`] and [`Tool::read`].
    pub async fn pipe(self, input: ByteStream, cancel: &CancellationToken) -> Result<ByteStream> {
        let running = self.start(Some(input), Stdio::piped(), cancel)?;
        Ok(running.into_stream())
    }

    /// Runs a program that prints little, such as `--version`; more than 1 MiB is an error.
    pub async fn run(self, cancel: &CancellationToken) -> Result<Output> {
        let name = self.name();
        let mut running = self.start(None, Stdio::piped(), cancel)?;
        let mut stdout = Vec::new();
        while let Some(block) = running.next().await? {
            stdout.extend_from_slice(&block);
            if stdout.len() > OUTPUT_BYTES {
                let what = format!("{name} printed more than {OUTPUT_BYTES} bytes");
                return Err(Error::new(Kind::Tool, what));
            }
        }
        let stdout = String::from_utf8_lossy(&stdout).into_owned();
        Ok(Output { stdout })
    }

    fn name(&self) -> String {
        let name = self.program.file_name().unwrap_or(self.program.as_os_str());
        name.to_string_lossy().into_owned()
    }

    fn start(
        self,
        input: Option<ByteStream>,
        stdout: Stdio,
        cancel: &CancellationToken,
    ) -> Result<Running> {
        let stdin = match input {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        };
        let child = self.spawn(stdin, stdout)?;
        tracing::debug!(tool = self.name(), args = ?self.args, "started");
        Running::new(child, &self, input, cancel.clone())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is where child processes start, and where PATH is passed on to them"
    )]
    fn spawn(&self, stdin: Stdio, stdout: Stdio) -> Result<Child> {
        let path =
            std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        Command::new(&self.program)
            .args(&self.args)
            .env_clear()
            .env("PATH", &path)
            .env("LANG", "C")
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|err| self.not_started(err, &path))
    }

    fn not_started(&self, err: io::Error, path: &OsStr) -> Error {
        let program = self.program.display();
        let by_name = self.program.components().count() == 1;
        // A directory of PATH that may not be read makes exec say "permission denied" for a missing program.
        let found = if by_name {
            std::env::split_paths(path).any(|dir| dir.join(&self.program).is_file())
        } else {
            err.kind() != io::ErrorKind::NotFound
        };
        let way_out = &self.way_out;
        let what = match (found, by_name) {
            (true, _) => return Error::new(Kind::Tool, format!("start {program}")).because(err),
            (false, true) => format!("{program} is not in PATH ({}); {way_out}", path.display()),
            (false, false) => format!("there is no {program}; {way_out}"),
        };
        Error::new(Kind::Tool, what)
    }
}

/// Without the values of its environment.
impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool")
            .field("program", &self.program)
            .field("args", &self.args)
            .finish_non_exhaustive()
    }
}

impl Running {
    fn into_stream(self) -> ByteStream {
        stream::unfold(Some(self), |running| async {
            let mut running = running?;
            match running.next().await {
                Ok(Some(block)) => Some((Ok(block), Some(running))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }
}

//! A runner from outside: settings in, exit code and output out; as a process here, or as a container.

use std::fmt::Display;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::world::{setting, world};

/// The settings of a job, and nothing else of our own environment.
#[derive(Clone, Debug, Default)]
pub struct Env(Vec<(String, String)>);

/// How a runner ended.
#[derive(Clone, Debug)]
pub struct Run {
    /// The exit code; 128 and the signal's number when a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

/// A runner at work.
pub struct Running {
    child: Child,
    start: Instant,
    stderr: Arc<(Mutex<String>, Condvar)>,
    readers: [JoinHandle<()>; 2],
    stdout: Arc<Mutex<String>>,
}

impl Env {
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let key = key.into();
        self.0.retain(|(it, _)| *it != key);
        self.0.push((key, value.into()));
        self
    }

    pub fn without(mut self, key: &str) -> Self {
        self.0.retain(|(it, _)| it != key);
        self
    }

    /// Both; where they disagree, the other's.
    pub fn and(self, other: impl Into<Env>) -> Self {
        other
            .into()
            .0
            .into_iter()
            .fold(self, |env, (key, value)| env.with(key, value))
    }
}

impl From<&Env> for Env {
    fn from(env: &Env) -> Self {
        env.clone()
    }
}

impl From<&[(&str, &str)]> for Env {
    fn from(pairs: &[(&str, &str)]) -> Self {
        pairs
            .iter()
            .fold(Self::default(), |env, (key, value)| env.with(*key, *value))
    }
}

impl<const N: usize> From<&[(&str, &str); N]> for Env {
    fn from(pairs: &[(&str, &str); N]) -> Self {
        pairs.as_slice().into()
    }
}

impl Run {
    /// Fails the test with all that the runner said, unless it ended well.
    #[track_caller]
    pub fn good(self) -> Self {
        self.ended(0)
    }

    /// Fails the test with all that the runner said, unless it ended with this code.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(
            self.code, code,
            "exit code\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        );
        self
    }

    /// The one JSON document on standard output.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|err| panic!("{err} in {}", self.stdout))
    }

    /// The last line of the log, where a failure gives its reason.
    #[track_caller]
    pub fn last_words(&self) -> serde_json::Value {
        let line = self.stderr.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|err| panic!("{err} in {line}"))
    }
}

impl Running {
    /// Returns as soon as the log contains `words`; fails the test when the runner ends without.
    #[track_caller]
    pub fn wait_for(&self, words: &str) {
        let (log, changed) = &*self.stderr;
        let log = log.lock().unwrap();
        let wait = |log: &mut String| !log.contains(words) && !log.ends_with('\0');
        let (log, _) = changed
            .wait_timeout_while(log, Duration::from_secs(120), wait)
            .unwrap();
        assert!(
            log.contains(words),
            "the runner never said {words:?}:\n{log}"
        );
    }

    /// Whether it has not ended yet.
    pub fn is_running(&self) -> bool {
        !self.stderr.0.lock().unwrap().ends_with('\0')
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name: `TERM`, `INT`, `KILL`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    pub fn wait(mut self) -> Run {
        use std::os::unix::process::ExitStatusExt;
        let status = self.child.wait().unwrap();
        let took = self.start.elapsed();
        self.readers
            .into_iter()
            .for_each(|reader| reader.join().unwrap());
        let code = status.code().or(status.signal().map(|signal| 128 + signal));
        Run {
            code: code.unwrap(),
            stdout: self.stdout.lock().unwrap().clone(),
            stderr: self
                .stderr
                .0
                .lock()
                .unwrap()
                .trim_end_matches('\0')
                .to_owned(),
            took,
        }
    }
}

/// Runs the local PostgreSQL runner to its end.
pub fn run_runner(env: impl Into<Env>, args: &[&str]) -> Run {
    spawn_runner(env, args).wait()
}

/// Starts the local PostgreSQL runner.
pub fn spawn_runner(env: impl Into<Env>, args: &[&str]) -> Running {
    spawn_engine("postgresql", env, args)
}

/// Starts the local runner of an engine.
pub fn spawn_engine(engine: &str, env: impl Into<Env>, args: &[&str]) -> Running {
    let mut command = Command::new(format!("{}/{engine}-runner", setting("PLANB_RUNNERS")));
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(env.into().0)
        .args(args);
    spawn(&mut command)
}

/// Runs a runner's image; `docker_args` such as `["--read-only", "--memory=256m", "--user=10001"]`.
pub fn run_image(image: &str, env: impl Into<Env>, docker_args: &[&str], args: &[&str]) -> Run {
    let mut command = Command::new("docker");
    command
        .args(["run", "--rm"])
        .args(world().docker_args())
        .args(docker_args);
    for (key, value) in env.into().0 {
        command.arg("--env").arg(format!("{key}={value}"));
    }
    spawn(command.arg(image).args(args)).wait()
}

/// The directory of client tools of a version, which run on this machine.
pub(crate) fn tools(engine: &str, version: impl Display) -> String {
    setting(&format!("PLANB_TOOLS_{engine}_{version}"))
}

/// Starts `cargo xtask …` itself, without cargo.
pub fn spawn_xtask(args: &[&str]) -> Running {
    spawn_program(&setting("PLANB_XTASK"), args)
}

/// Starts any program; what it says can be waited for.
pub fn spawn_program(program: &str, args: &[&str]) -> Running {
    spawn(Command::new(program).args(args))
}

fn spawn(command: &mut Command) -> Running {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (start, mut child) = (Instant::now(), command.spawn().unwrap());
    let (stdout, stderr) = (
        Arc::<Mutex<String>>::default(),
        Arc::<(Mutex<String>, Condvar)>::default(),
    );
    let (mut out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (to_stdout, to_stderr) = (stdout.clone(), stderr.clone());
    let readers = [
        thread::spawn(move || {
            let mut bytes = Vec::new();
            out.read_to_end(&mut bytes).unwrap();
            *to_stdout.lock().unwrap() = String::from_utf8_lossy(&bytes).into_owned();
        }),
        thread::spawn(move || {
            let (log, changed) = &*to_stderr;
            for line in BufReader::new(err).split(b'\n').map_while(Result::ok) {
                log.lock()
                    .unwrap()
                    .push_str(&(String::from_utf8_lossy(&line) + "\n"));
                changed.notify_all();
            }
            // The end: whoever still waits for a line waits in vain.
            log.lock().unwrap().push('\0');
            changed.notify_all();
        }),
    ];
    Running {
        child,
        start,
        stderr,
        readers,
        stdout,
    }
}

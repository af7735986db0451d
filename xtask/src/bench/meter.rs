//! A container's use of the machine, seen from outside: wall, CPU of its cgroup, peak of its processes' memory.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::docker::docker;
use crate::shell::{Cmd, Context, Result, tail};

/// 20 times a second: a peak that is shorter is missed.
const PERIOD: Duration = Duration::from_millis(50);

/// What one container used.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage {
    pub wall: f64,
    pub cpu: f64,
    /// The sum over its processes of their proportional set size: shared pages count once.
    pub peak_bytes: u64,
    pub stdout: String,
}

/// Starts what `create` creates and watches it to its end, which must be a good one.
pub(super) fn measure(create: Cmd) -> Result<Usage> {
    let container = create.read()?;
    let watched = watch(&container);
    let logs = docker(["logs", &container]).output()?;
    let removed = docker(["rm", "--force", "--volumes", &container]).read();
    let (code, mut usage) = watched?;
    removed?;
    if code != "0" {
        return Err(format!(
            "exit code {code}: {}\n{}",
            tail(&logs.stdout, 5),
            tail(&logs.stderr, 20)
        )
        .into());
    }
    usage.stdout = logs.stdout;
    Ok(usage)
}

/// The CPU seconds that a running container has used so far.
pub(super) fn cpu_seconds(container: &str) -> Result<f64> {
    Ok(Cgroup::of(container)?.cpu_seconds().unwrap_or_default())
}

fn watch(container: &str) -> Result<(String, Usage)> {
    docker(["start", container]).read()?;
    let mut wait = docker(["wait", container]).into_command();
    let mut wait = wait
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("docker wait")?;
    // A container that has ended already leaves nothing to look at.
    let cgroup = Cgroup::of(container).ok();
    let mut usage = Usage::default();
    while wait.try_wait()?.is_none() {
        if let Some(cgroup) = &cgroup {
            usage.cpu = cgroup.cpu_seconds().unwrap_or(usage.cpu);
            usage.peak_bytes = usage.peak_bytes.max(cgroup.memory_bytes());
        }
        thread::sleep(PERIOD);
    }
    let format = "{{.State.ExitCode}} {{.State.StartedAt}} {{.State.FinishedAt}}";
    let said = docker(["inspect", "--format", format, container]).read()?;
    let [code, start, end] = said.split(' ').collect::<Vec<_>>()[..] else {
        return Err(format!("docker inspect said {said}").into());
    };
    let day = 86_400.0;
    usage.wall = (second_of_day(end)? - second_of_day(start)? + day) % day;
    Ok((code.to_owned(), usage))
}

/// `2026-11-21T12:40:47.123456789Z` as seconds since midnight.
fn second_of_day(timestamp: &str) -> Result<f64> {
    let (_, time) = timestamp
        .trim_end_matches('Z')
        .split_once('T')
        .ok_or("a timestamp without time")?;
    time.split(':').try_fold(0.0, |sum, part| {
        Ok(sum * 60.0 + part.parse::<f64>().context(timestamp)?)
    })
}

/// The control group of a container, whichever version of them the machine has.
struct Cgroup {
    cpu: PathBuf,
    procs: PathBuf,
}

impl Cgroup {
    fn of(container: &str) -> Result<Self> {
        let pid = docker(["inspect", "--format", "{{.State.Pid}}", container]).read()?;
        let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).context("cgroup")?;
        let mut found = Err("no cpuacct or unified control group".into());
        for line in groups.lines() {
            let Some((names, path)) = line
                .split_once(':')
                .and_then(|(_, rest)| rest.split_once(':'))
            else {
                continue;
            };
            let path = path.trim_start_matches('/');
            let root = Path::new("/sys/fs/cgroup");
            if names.split(',').any(|name| name == "cpuacct") {
                let dir = root.join("cpuacct").join(path);
                return Ok(Self {
                    cpu: dir.join("cpuacct.usage"),
                    procs: dir.join("cgroup.procs"),
                });
            }
            if names.is_empty() && root.join("cgroup.controllers").exists() {
                let dir = root.join(path);
                found = Ok(Self {
                    cpu: dir.join("cpu.stat"),
                    procs: dir.join("cgroup.procs"),
                });
            }
        }
        found
    }

    fn cpu_seconds(&self) -> Option<f64> {
        let text = std::fs::read_to_string(&self.cpu).ok()?;
        match text.strip_prefix("usage_usec ") {
            Some(rest) => Some(rest.lines().next()?.parse::<f64>().ok()? / 1e6),
            None => Some(text.trim().parse::<f64>().ok()? / 1e9),
        }
    }

    fn memory_bytes(&self) -> u64 {
        let pids = std::fs::read_to_string(&self.procs).unwrap_or_default();
        pids.lines().filter_map(process_bytes).sum()
    }
}

/// Proportional set size, or where that may not be read, resident set size.
fn process_bytes(pid: &str) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
    let field = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
    };
    rollup
        .ok()
        .and_then(|text| field(&text, "Pss:"))
        .or_else(|| {
            field(
                &std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?,
                "VmRSS:",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_timestamps_are_understood() {
        assert_eq!(second_of_day("2026-11-21T01:02:03.5Z").unwrap(), 3723.5);
        assert!(second_of_day("yesterday").is_err());
    }

    #[test]
    fn a_process_has_a_size() {
        assert!(process_bytes("self").unwrap() > 100_000);
    }
}

//! Containers on a leash: what carries our label is removed when we end, however we end.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Stdio};

use crate::shell::{Context, Result, cmd};

/// Waits for the pipe to us to close, which even SIGKILL does, and removes everything with the label.
const REAPER: &str = r#"
cat >/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    containers=$(docker ps --all --quiet --filter "label=$0")
    networks=$(docker network ls --quiet --filter "label=$0")
    volumes=$(docker volume ls --quiet --filter "label=$0")
    [ -n "$containers$networks$volumes" ] || break
    [ -z "$containers" ] || docker rm --force --volumes $containers
    [ -z "$networks" ] || docker network rm $networks
    [ -z "$volumes" ] || docker volume rm --force $volumes || sleep 1
done
"#;

/// While this lives, containers, networks and volumes with its label may live.
pub struct Leash {
    label: String,
    pipe: Option<ChildStdin>,
    reaper: Child,
}

impl Leash {
    /// `label` is `name=value`, unique to this process.
    pub fn new(label: impl Into<String>) -> Result<Self> {
        let label = label.into();
        let mut command = cmd("sh").args(["-c", REAPER, &label]).into_command();
        // A group of its own: Ctrl-C at the terminal ends us, and then the reaper does its work.
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut reaper = command.spawn().context("start the reaper of containers")?;
        Ok(Self {
            label,
            pipe: reaper.stdin.take(),
            reaper,
        })
    }

    /// The label that everything on this leash must carry.
    pub fn label(&self) -> &str {
        &self.label
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            // Dropping the pipe is the signal; there is nobody left to tell about a failure.
            let _ = pipe.flush();
        }
        let _ = self.reaper.wait();
    }
}

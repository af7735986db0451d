//! One image from its registry, if any answers.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::docker::docker;

/// How long a registry may take to say its first word; without one it is taken to be out of reach.
const FIRST_WORD: Duration = Duration::from_secs(6);
const PULL: Duration = Duration::from_secs(600);

/// How a pull ended.
pub(super) enum Pull {
    Done,
    /// The registry answered, and has or gives no such image: final.
    Refused,
    /// Nothing answered.
    Silent,
    /// Something answered and broke off: worth another try.
    Broken,
}

pub(super) fn pull(image: &str) -> Pull {
    let mut command = docker(["pull", image]).into_command();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        return Pull::Silent;
    };
    let (send, lines) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody listens any more once the time is up.
                let _ = send.send(line);
            }
        });
    }
    let answered = lines.recv_timeout(FIRST_WORD).is_ok();
    let end = Instant::now() + if answered { PULL } else { Duration::ZERO };
    while Instant::now() < end && child.try_wait().is_ok_and(|status| status.is_none()) {
        thread::sleep(Duration::from_millis(100));
    }
    // An error for a child that has just ended is no news.
    let _ = child.kill();
    let Ok(output) = child.wait_with_output() else {
        return Pull::Silent;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let refused = [
        "denied",
        "not found",
        "manifest unknown",
        "403",
        "404",
        "unauthorized",
    ];
    match (output.status.success(), answered) {
        (true, _) => Pull::Done,
        _ if refused.iter().any(|word| said.contains(word)) => Pull::Refused,
        (false, true) => Pull::Broken,
        (false, false) => Pull::Silent,
    }
}

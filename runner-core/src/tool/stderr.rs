//! A program's stderr: drained at all times, redacted, logged, and its tail kept for the error.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::task::AbortOnDropHandle;

use crate::secret::Secret;

/// How much of the end of stderr goes into an error.
const TAIL_BYTES: usize = 4 * 1024;

/// A longer line is taken for several.
const LINE_BYTES: usize = 8 * 1024;

/// How long a dead program's stderr may stay open, in the hands of a process that left its group.
const PATIENCE: Duration = Duration::from_secs(1);

/// Drains one program's stderr until it is dropped.
pub(super) struct Stderr {
    tail: Arc<Mutex<String>>,
    task: AbortOnDropHandle<()>,
}

impl Stderr {
    pub(super) fn drain(
        name: String,
        secrets: Vec<Secret>,
        pipe: impl AsyncRead + Send + Unpin + 'static,
    ) -> Self {
        let tail = Arc::default();
        let lines = Lines {
            name,
            secrets,
            pending: Vec::new(),
            tail: Arc::clone(&tail),
        };
        let task = AbortOnDropHandle::new(tokio::spawn(lines.read(pipe)));
        Self { tail, task }
    }

    /// The last 4 KiB as one line, once the program is dead.
    pub(super) async fn tail(&mut self) -> String {
        let _ = tokio::time::timeout(PATIENCE, &mut self.task).await;
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = last_bytes(&tail, TAIL_BYTES).lines().map(str::trim);
        let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
        lines.join("; ")
    }
}

struct Lines {
    name: String,
    secrets: Vec<Secret>,
    pending: Vec<u8>,
    tail: Arc<Mutex<String>>,
}

impl Lines {
    async fn read(mut self, mut pipe: impl AsyncRead + Unpin) {
        while let Ok(1..) = pipe.read_buf(&mut self.pending).await {
            while let Some(end) = self.pending.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                let line = self.redact(&line);
                self.tell(&line);
            }
            if self.pending.len() > LINE_BYTES {
                // What may be the first part of a secret stays behind until the rest is here.
                let longest = self.secrets.iter().map(|secret| secret.reveal().len());
                let kept = longest.max().unwrap_or(0);
                let text = self.redact(&self.pending);
                let kept = last_bytes(&text, kept);
                self.tell(&text[..text.len() - kept.len()]);
                self.pending = kept.as_bytes().to_vec();
            }
        }
        let rest = self.redact(&self.pending);
        self.tell(&rest);
    }

    fn redact(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let secrets = self.secrets.iter();
        secrets.fold(text, |text, secret| secret.redact(&text))
    }

    fn tell(&self, line: &str) {
        let line = line.trim_end();
        if line.is_empty() {
            return;
        }
        let lower = line.to_ascii_lowercase();
        let words = ["error", "fatal", "panic", "warning"];
        if words.iter().any(|word| lower.contains(word)) {
            tracing::warn!(tool = self.name, "{line}");
        } else {
            tracing::debug!(tool = self.name, "{line}");
        }
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.push_str(line);
        tail.push('\n');
        if tail.len() > 4 * TAIL_BYTES {
            *tail = last_bytes(&tail, TAIL_BYTES).to_owned();
        }
    }
}

/// At most the last `n_bytes`, whole characters only.
fn last_bytes(text: &str, n_bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(n_bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

//! The snapshot that a master sends to a new replica: where it begins, and where it ends.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use runner_core::error::{Error, Kind, Result};
use runner_core::stream::ByteStream;

use super::{Connection, reply};

/// Bytes of the mark that ends a snapshot whose length nobody knew.
const MARK_BYTES: usize = 40;

/// How long a server may say nothing to its replica: as `repl-timeout` unless set. While it makes a snapshot it sends an
/// empty line each second.
const SILENCE: Duration = Duration::from_secs(60);

/// How much is to come.
#[derive(Debug, PartialEq)]
enum Rest {
    /// So many bytes.
    Bytes(u64),
    /// Until this mark.
    Until(Bytes),
    Nothing,
}

impl Rest {
    /// Reads `$1234` or `$EOF:…`.
    fn of(line: &[u8]) -> Option<Self> {
        let text = line.strip_prefix(b"$")?;
        if let Some(mark) = text.strip_prefix(b"EOF:") {
            return (mark.len() == MARK_BYTES).then(|| Self::Until(Bytes::copy_from_slice(mark)));
        }
        Some(Self::Bytes(std::str::from_utf8(text).ok()?.parse().ok()?))
    }
}

impl Connection {
    /// The next line with something in it: empty ones say that the server is still there.
    pub(crate) async fn line_with_something(&mut self) -> Result<Bytes> {
        loop {
            match reply::line(&mut self.buf) {
                Some(line) if line.is_empty() => {}
                Some(line) => return Ok(line),
                None => self.fill_soon().await?,
            }
        }
    }

    /// Reads what the socket has, which must not be long in coming.
    async fn fill_soon(&mut self) -> Result<()> {
        let address = self.address.clone();
        within(SILENCE, &address, self.fill()).await
    }

    /// The snapshot that was asked for; the stream ends well only when all of it came.
    pub(crate) fn snapshot(self) -> ByteStream {
        stream::unfold(Some((self, None)), |state| async {
            let (mut connection, rest) = state?;
            match connection.part(rest).await {
                Ok(Some((part, rest))) => Some((Ok(part), Some((connection, Some(rest))))),
                Ok(None) => None,
                Err(err) => Some((Err(err.while_doing("read the server's snapshot")), None)),
            }
        })
        .boxed()
    }

    /// The next bytes, and what is to come after them.
    async fn part(&mut self, rest: Option<Rest>) -> Result<Option<(Bytes, Rest)>> {
        let rest = match rest {
            Some(rest) => rest,
            None => self.head().await?,
        };
        match rest {
            Rest::Nothing | Rest::Bytes(0) => Ok(None),
            Rest::Bytes(n_bytes) => {
                if self.buf.is_empty() {
                    self.fill_soon().await?;
                }
                let most = usize::try_from(n_bytes).unwrap_or(usize::MAX);
                let part = self.buf.split_to(self.buf.len().min(most)).freeze();
                let rest = Rest::Bytes(n_bytes - part.len() as u64);
                Ok(Some((part, rest)))
            }
            Rest::Until(mark) => {
                // What may be the mark's beginning stays behind.
                loop {
                    if self.buf.ends_with(&mark) {
                        let n_bytes = self.buf.len() - MARK_BYTES;
                        let part = self.buf.split_to(n_bytes).freeze();
                        return Ok((!part.is_empty()).then_some((part, Rest::Nothing)));
                    }
                    if self.buf.len() > MARK_BYTES {
                        let n_bytes = self.buf.len() - MARK_BYTES;
                        let part = self.buf.split_to(n_bytes).freeze();
                        return Ok(Some((part, Rest::Until(mark))));
                    }
                    self.fill_soon().await?;
                }
            }
        }
    }

    async fn head(&mut self) -> Result<Rest> {
        let line = self.line_with_something().await?;
        let rest = Rest::of(&line).ok_or_else(|| {
            let said = String::from_utf8_lossy(&line).into_owned();
            Error::new(
                Kind::Unreachable,
                format!("{} began no snapshot: {said}", self.address),
            )
        })?;
        self.read_by_clock(true)?;
        Ok(rest)
    }
}

/// What is read, unless it takes longer than a living server would.
async fn within<T>(
    silence: Duration,
    address: &str,
    read: impl Future<Output = Result<T>>,
) -> Result<T> {
    let read = tokio::time::timeout(silence, read).await;
    read.unwrap_or_else(|_| {
        Err(Error::new(
            Kind::Unreachable,
            format!("{address} has said nothing for {} s", silence.as_secs()),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_falls_silent_is_given_up() {
        let silent = within(
            Duration::from_millis(1),
            "db:6379",
            std::future::pending::<Result<()>>(),
        );
        let err = silent.await.unwrap_err();
        assert_eq!(err.kind(), Kind::Unreachable);
        assert!(err.to_string().contains("db:6379 has said nothing"));
    }

    #[test]
    fn a_snapshot_says_its_length_or_its_end() {
        let mark = b"0123456789012345678901234567890123456789";
        let line = [b"$EOF:", &mark[..]].concat();
        assert_eq!(Rest::of(&line), Some(Rest::Until(Bytes::from_static(mark))));
        assert_eq!(Rest::of(b"$77"), Some(Rest::Bytes(77)));
        assert_eq!(Rest::of(b"$EOF:short"), None);
        assert_eq!(Rest::of(b"-ERR no"), None);
    }
}

//! Reads a tar of small tables: each directory's members, joined, are one table's rows.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::error::{Error, Kind, Result, from_io};
use crate::manifest::{Artifact, Data};
use crate::stream::{BLOCK_BYTES, ByteStream};

/// One table.
struct Member {
    /// Its name in the manifest.
    directory: String,
    /// To be read to its end before the next member comes.
    body: ByteStream,
}

/// The tables of a tar artifact, one after the other, held to what the manifest says is in it.
pub struct Tables {
    members: BoxStream<'static, Result<Member>>,
    by_member: BTreeMap<String, Data>,
    path: String,
}

impl Tables {
    pub fn new(artifact: &Artifact, body: ByteStream) -> Self {
        let by_member = artifact
            .data
            .iter()
            .filter_map(|data| Some((data.member.clone()?, data.clone())));
        Self {
            members: members(body),
            by_member: by_member.collect(),
            path: artifact.path.clone(),
        }
    }

    /// The next table and its rows, which are to be read to their end before the one after; `None` once all came.
    pub async fn next(&mut self) -> Result<Option<(Data, ByteStream)>> {
        let damaged = |what: String| Error::new(Kind::Integrity, format!("{} {what}", self.path));
        let Some(member) = self.members.next().await else {
            return match self.by_member.len() {
                0 => Ok(None),
                n => Err(damaged(format!("lacks {n} of its tables"))),
            };
        };
        let Member { directory, body } = member?;
        match self.by_member.remove(&directory) {
            Some(data) => Ok(Some((data, body))),
            None => Err(damaged(format!("holds {directory}, which is no table's"))),
        }
    }
}

/// Splits the tar; a damaged one ends in an error, in the body that it cuts.
fn members(body: ByteStream) -> BoxStream<'static, Result<Member>> {
    let (sender, receiver) = mpsc::channel(1);
    let reader = SyncIoBridge::new(StreamReader::new(body.map_err(std::io::Error::from)));
    tokio::task::spawn_blocking(move || {
        let mut split = Split {
            members: sender,
            current: None,
        };
        if let Err(err) = split.run(reader) {
            split.fail(err);
        }
    });
    stream::unfold(receiver, |mut receiver| async {
        Some((receiver.recv().await?, receiver))
    })
    .boxed()
}

struct Split {
    members: mpsc::Sender<Result<Member>>,
    current: Option<(String, mpsc::Sender<Result<Bytes>>)>,
}

/// Nobody reads on: the restore has already failed elsewhere.
struct Abandoned;

impl Split {
    fn run(&mut self, reader: impl Read) -> Result<()> {
        let mut archive = tar::Archive::new(reader);
        let broken = |err| from_io(err, Kind::Integrity, "a tar artifact is damaged");
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let path = entry.path().map_err(broken)?.display().to_string();
            let (directory, _) = path.rsplit_once('/').ok_or_else(|| {
                Error::new(
                    Kind::Integrity,
                    format!("a tar artifact holds {path:?}, which is no table's"),
                )
            })?;
            if self.begin(directory).is_err() {
                return Ok(());
            }
            loop {
                let mut block = vec![
                    0;
                    BLOCK_BYTES
                        .min(usize::try_from(entry.size()).unwrap_or(BLOCK_BYTES))
                        .max(1)
                ];
                let n_bytes = entry.read(&mut block).map_err(broken)?;
                if n_bytes == 0 {
                    break;
                }
                block.truncate(n_bytes);
                if self.send(Bytes::from(block)).is_err() {
                    return Ok(());
                }
            }
        }
        // What follows the end mark still has to pass the checks of the layers below.
        let mut reader = archive.into_inner();
        std::io::copy(&mut reader, &mut std::io::sink()).map_err(broken)?;
        self.current = None;
        Ok(())
    }

    fn begin(&mut self, directory: &str) -> Result<(), Abandoned> {
        if self
            .current
            .as_ref()
            .is_some_and(|(current, _)| current == directory)
        {
            return Ok(());
        }
        let (sender, receiver) = mpsc::channel(4);
        let body = stream::unfold(receiver, |mut receiver: mpsc::Receiver<_>| async {
            Some((receiver.recv().await?, receiver))
        });
        self.current = Some((directory.to_owned(), sender));
        let member = Member {
            directory: directory.to_owned(),
            body: body.boxed(),
        };
        self.members
            .blocking_send(Ok(member))
            .map_err(|_| Abandoned)
    }

    fn send(&mut self, block: Bytes) -> Result<(), Abandoned> {
        match &self.current {
            Some((_, sender)) => sender.blocking_send(Ok(block)).map_err(|_| Abandoned),
            None => Err(Abandoned),
        }
    }

    fn fail(&mut self, err: Error) {
        // In the body first: without it, the table that was cut would look whole.
        let unsent = match self.current.take() {
            Some((_, sender)) => sender
                .blocking_send(Err(err))
                .err()
                .and_then(|unsent| unsent.0.err()),
            None => Some(err),
        };
        if let Some(err) = unsent {
            let _ = self.members.blocking_send(Err(err));
        }
    }
}

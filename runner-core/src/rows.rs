//! Bodies made of rows: one table's, or many small tables' in a tar.

use std::future::Future;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream;

use crate::engine::{Opened, Proof};
use crate::error::{Error, Kind, Result};
use crate::fingerprint::Tally;
use crate::manifest::Data;
use crate::progress::Progress;

/// A small table's rows are cut into tar members of this many bytes, so that a tar streams even when a table
/// turns out larger than its size on disk promised.
const MEMBER_BYTES: usize = 1 << 20;

/// Where rows come from, such as a pool of sessions in one snapshot.
pub trait RowSource: Clone + Send + Sync + 'static {
    /// What to read of a table, and how.
    type Query: Clone + Send + Sync + 'static;
    type Rows: Rows;

    fn start(&self, query: &Self::Query) -> impl Future<Output = Result<Self::Rows>> + Send;
}

/// Rows on their way, tallied as they pass.
pub trait Rows: Send + 'static {
    /// `None` once the server has said that all rows were sent.
    fn next_block(&mut self) -> impl Future<Output = Result<Option<Bytes>>> + Send;

    /// Of the rows so far.
    fn tally(&self) -> Tally;

    /// After the last block: of all rows.
    fn finish(self) -> Result<Tally>;
}

/// One table, or range of one, to read.
#[derive(Clone, Debug)]
pub struct Job<Q> {
    /// As in the manifest.
    pub data_name: String,
    /// The directory of its members in a tar.
    pub member: String,
    pub query: Q,
}

/// Rows that are reported to the job's progress.
pub struct Reader<R> {
    rows: R,
    progress: Progress,
    reported: u64,
    data_name: String,
}

impl<R: Rows> Reader<R> {
    pub async fn start<S: RowSource<Rows = R>>(
        source: &S,
        job: &Job<S::Query>,
        progress: &Progress,
    ) -> Result<Self> {
        let rows = source.start(&job.query).await;
        Ok(Self {
            rows: rows.map_err(|err| err.while_doing(format!("read {}", job.data_name)))?,
            progress: progress.clone(),
            reported: 0,
            data_name: job.data_name.clone(),
        })
    }

    pub async fn next_block(&mut self) -> Result<Option<Bytes>> {
        let block = self.rows.next_block().await;
        let n_rows = self.rows.tally().rows;
        self.progress.add_rows(n_rows - self.reported);
        self.reported = n_rows;
        block.map_err(|err| err.while_doing(format!("read {}", self.data_name)))
    }

    pub fn finish(self) -> Result<Tally> {
        self.rows.finish()
    }
}

/// Reads rows to the end for their tally alone.
pub async fn tally<S: RowSource>(
    source: &S,
    job: &Job<S::Query>,
    progress: &Progress,
) -> Result<Tally> {
    let mut reader = Reader::start(source, job, progress).await?;
    while let Some(block) = reader.next_block().await? {
        progress.add_logical(block.len() as u64);
    }
    reader.finish()
}

/// The rows of one table or range, as the server sends them.
pub async fn open_one<S: RowSource>(
    source: &S,
    job: &Job<S::Query>,
    progress: &Progress,
) -> Result<Opened> {
    let proof = Proof::default();
    let reader = Reader::start(source, job, progress).await?;
    let state = (reader, proof.clone());
    let body = stream::try_unfold(Some(state), |state| async {
        let Some((mut reader, proof)) = state else {
            return Ok(None);
        };
        match reader.next_block().await? {
            Some(block) => Ok(Some((block, Some((reader, proof))))),
            None => {
                let table = reader.data_name.clone();
                proof.set(vec![data(table, reader.finish()?, None)]);
                Ok(None)
            }
        }
    });
    Ok(Opened {
        body: body.boxed(),
        proof,
    })
}

/// What the manifest says of rows.
pub fn data(table: String, tally: Tally, member: Option<String>) -> Data {
    Data {
        table,
        rows: tally.rows,
        fingerprint: tally.fingerprint,
        member,
    }
}

/// Small tables, one after the other, as a tar of their rows; members' names end in `suffix`.
pub fn open_tar<S: RowSource>(
    source: &S,
    jobs: Vec<Job<S::Query>>,
    suffix: &'static str,
    progress: &Progress,
) -> Opened {
    let proof = Proof::default();
    let tar = Tar {
        source: source.clone(),
        progress: progress.clone(),
        suffix,
        jobs: jobs.into_iter(),
        current: None,
        held: BytesMut::new(),
        done: Vec::new(),
        proof: proof.clone(),
    };
    let body = stream::try_unfold(Some(tar), |tar| async {
        let Some(mut tar) = tar else { return Ok(None) };
        match tar.next_member().await? {
            Some(member) => Ok(Some((member, Some(tar)))),
            None => {
                tar.proof.set(tar.done);
                // Two empty blocks end a tar.
                Ok(Some((Bytes::from_static(&[0; 1024]), None)))
            }
        }
    });
    Opened {
        body: body.boxed(),
        proof,
    }
}

struct Tar<S: RowSource> {
    source: S,
    progress: Progress,
    suffix: &'static str,
    jobs: std::vec::IntoIter<Job<S::Query>>,
    current: Option<Current<S::Rows>>,
    held: BytesMut,
    done: Vec<Data>,
    proof: Proof,
}

struct Current<R> {
    reader: Reader<R>,
    member: String,
    n_members: usize,
}

impl<S: RowSource> Tar<S> {
    /// The next member with its header and padding; `None` after the last table.
    async fn next_member(&mut self) -> Result<Option<Bytes>> {
        loop {
            let Some(current) = &mut self.current else {
                let Some(job) = self.jobs.next() else {
                    return Ok(None);
                };
                let reader = Reader::start(&self.source, &job, &self.progress).await?;
                self.current = Some(Current {
                    reader,
                    member: job.member,
                    n_members: 0,
                });
                continue;
            };
            let block = current.reader.next_block().await?;
            let ended = block.is_none();
            self.held.extend_from_slice(&block.unwrap_or_default());
            if !ended && self.held.len() < MEMBER_BYTES {
                continue;
            }
            let path = format!("{}/{:05}{}", current.member, current.n_members, self.suffix);
            current.n_members += 1;
            if ended && let Some(current) = self.current.take() {
                let table = current.reader.data_name.clone();
                let tally = current.reader.finish()?;
                self.done.push(data(table, tally, Some(current.member)));
            }
            return member(&path, &self.held.split()).map(Some);
        }
    }
}

fn member(path: &str, content: &[u8]) -> Result<Bytes> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o600);
    let mut build = || {
        let mut builder = tar::Builder::new(Vec::with_capacity(content.len() + 2048));
        builder.append_data(&mut header, path, content)?;
        let mut bytes = builder.into_inner()?;
        bytes.truncate(bytes.len() - 1024); // the end mark, which only the last member is followed by
        Ok(bytes)
    };
    let bytes: std::io::Result<Vec<u8>> = build();
    bytes
        .map(Bytes::from)
        .map_err(|err| Error::new(Kind::Bug, format!("write the tar member {path}")).because(err))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn members_make_a_tar_that_stock_tools_read() {
        let long = "x".repeat(300);
        let mut tar = Vec::new();
        for (path, content) in [
            ("a/00000.copy", "one"),
            (long.as_str(), "two"),
            ("b/00000.copy", ""),
        ] {
            tar.extend_from_slice(&member(path, content.as_bytes()).unwrap());
        }
        tar.extend_from_slice(&[0; 1024]);
        let mut archive = tar::Archive::new(&tar[..]);
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            seen.push((entry.path().unwrap().display().to_string(), content));
        }
        let expected = [
            ("a/00000.copy", "one"),
            (&long, "two"),
            ("b/00000.copy", ""),
        ];
        assert!(
            seen.iter()
                .map(|(p, c)| (p.as_str(), c.as_str()))
                .eq(expected)
        );
    }
}

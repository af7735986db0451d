//! Bodies made of rows: one table's, or many small tables' in a tar.

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream;
use runner_core::engine::{Opened, Proof};
use runner_core::error::{Error, Kind, Result};
use runner_core::fingerprint::Tally;
use runner_core::manifest::Data;
use runner_core::progress::Progress;

use crate::session::Pool;
use crate::wire::{CopyFormat, CopyOut};

/// A small table's rows are cut into tar members of this many bytes, so that a tar streams even when a table
/// turns out larger than its size on disk promised.
const MEMBER_BYTES: usize = 1 << 20;

/// One table to read.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// As in the manifest.
    pub(crate) data_name: String,
    pub(crate) sql: String,
    pub(crate) format: CopyFormat,
    /// The directory of its members in a tar.
    pub(crate) member: String,
}

/// A running copy that reports rows to the job's progress.
struct Reader {
    copy: CopyOut,
    pool: Pool,
    progress: Progress,
    reported: u64,
    data_name: String,
}

impl Reader {
    async fn start(pool: &Pool, job: &Job, progress: &Progress) -> Result<Self> {
        let connection = pool.take().await?;
        let copy = CopyOut::start(connection, &job.sql, job.format)
            .await
            .map_err(|err| err.while_doing(format!("read {}", job.data_name)))?;
        Ok(Self {
            copy,
            pool: pool.clone(),
            progress: progress.clone(),
            reported: 0,
            data_name: job.data_name.clone(),
        })
    }

    async fn next_block(&mut self) -> Result<Option<Bytes>> {
        let block = self.copy.next_block().await;
        let rows = self.copy.tally().rows;
        self.progress.add_rows(rows - self.reported);
        self.reported = rows;
        block.map_err(|err| err.while_doing(format!("read {}", self.data_name)))
    }

    fn finish(self) -> Result<Tally> {
        let (connection, tally) = self.copy.finish()?;
        self.pool.give(connection);
        Ok(tally)
    }
}

/// Reads rows to the end for their tally alone.
pub(crate) async fn tally(pool: &Pool, job: &Job, progress: &Progress) -> Result<Tally> {
    let mut reader = Reader::start(pool, job, progress).await?;
    while let Some(block) = reader.next_block().await? {
        progress.add_logical(block.len() as u64);
    }
    reader.finish()
}

/// The rows of one table or range, as the server sends them.
pub(crate) async fn open_one(pool: &Pool, job: &Job, progress: &Progress) -> Result<Opened> {
    let proof = Proof::default();
    let reader = Reader::start(pool, job, progress).await?;
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

fn data(table: String, tally: Tally, member: Option<String>) -> Data {
    Data {
        table,
        rows: tally.rows,
        fingerprint: tally.fingerprint,
        member,
    }
}

/// Several copies of text, one after the other, as one script; those without a name are not tallied.
pub(crate) fn open_script(
    pool: &Pool,
    prefix: &str,
    jobs: Vec<(Option<&'static str>, String)>,
    progress: &Progress,
) -> Opened {
    let proof = Proof::default();
    let jobs: Vec<(Option<String>, String)> = jobs
        .into_iter()
        .map(|(name, sql)| (name.map(|name| format!("{prefix}{name}")), sql))
        .collect();
    let reader: Option<(Reader, Option<String>)> = None;
    let state = (
        pool.clone(),
        progress.clone(),
        jobs.into_iter(),
        reader,
        Vec::new(),
        proof.clone(),
    );
    let body = stream::try_unfold(state, |mut state| async {
        loop {
            let (pool, progress, jobs, reader, done, proof) = &mut state;
            let Some((mut open, name)) = reader.take() else {
                let Some((name, sql)) = jobs.next() else {
                    proof.set(std::mem::take(done));
                    return Ok(None);
                };
                let job = Job {
                    data_name: name.clone().unwrap_or_else(|| "large objects".to_owned()),
                    sql,
                    format: CopyFormat::Text,
                    member: String::new(),
                };
                *reader = Some((Reader::start(pool, &job, progress).await?, name));
                continue;
            };
            if let Some(block) = open.next_block().await? {
                *reader = Some((open, name));
                return Ok(Some((block, state)));
            }
            let tally = open.finish()?;
            if let Some(name) = name {
                done.push(data(name, tally, None));
            }
        }
    });
    Opened {
        body: body.boxed(),
        proof,
    }
}

/// Small tables, one after the other, as a tar of their copies.
pub(crate) fn open_tar(pool: &Pool, jobs: Vec<Job>, progress: &Progress) -> Opened {
    let proof = Proof::default();
    let tar = Tar {
        pool: pool.clone(),
        progress: progress.clone(),
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

struct Tar {
    pool: Pool,
    progress: Progress,
    jobs: std::vec::IntoIter<Job>,
    current: Option<Current>,
    held: BytesMut,
    done: Vec<Data>,
    proof: Proof,
}

struct Current {
    reader: Reader,
    member: String,
    n_members: usize,
}

impl Tar {
    /// The next member with its header and padding; `None` after the last table.
    async fn next_member(&mut self) -> Result<Option<Bytes>> {
        loop {
            let Some(current) = &mut self.current else {
                let Some(job) = self.jobs.next() else {
                    return Ok(None);
                };
                let reader = Reader::start(&self.pool, &job, &self.progress).await?;
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
            let path = format!("{}/{:05}.copy", current.member, current.n_members);
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

//! Rows out of a pool's sessions, and scripts that are made of copies.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use runner_core::engine::{Opened, Proof};
use runner_core::error::Result;
use runner_core::fingerprint::Tally;
use runner_core::progress::Progress;
use runner_core::rows::{self, Reader, RowSource, Rows, data};

use crate::session::Pool;
use crate::wire::{CopyFormat, CopyOut};

/// What the members of a tar end in.
pub(crate) const SUFFIX: &str = ".copy";

/// One table to read.
pub(crate) type Job = rows::Job<Copy>;

/// A statement, and how it writes rows.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    sql: String,
    format: CopyFormat,
}

pub(crate) fn job(data_name: String, sql: String, format: CopyFormat, member: String) -> Job {
    Job {
        data_name,
        member,
        query: Copy { sql, format },
    }
}

/// A running copy, and where its session goes back to.
pub(crate) struct Copying {
    copy: CopyOut,
    pool: Pool,
}

impl RowSource for Pool {
    type Query = Copy;
    type Rows = Copying;

    async fn start(&self, query: &Copy) -> Result<Copying> {
        let connection = self.take().await?;
        Ok(Copying {
            copy: CopyOut::start(connection, &query.sql, query.format).await?,
            pool: self.clone(),
        })
    }
}

impl Rows for Copying {
    async fn next_block(&mut self) -> Result<Option<Bytes>> {
        self.copy.next_block().await
    }

    fn tally(&self) -> Tally {
        self.copy.tally()
    }

    fn finish(self) -> Result<Tally> {
        let (connection, tally) = self.copy.finish()?;
        self.pool.give(connection);
        Ok(tally)
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
    let reader: Option<(Reader<Copying>, Option<String>)> = None;
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
                let data_name = name.clone().unwrap_or_else(|| "large objects".to_owned());
                let job = job(data_name, sql, CopyFormat::Text, String::new());
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

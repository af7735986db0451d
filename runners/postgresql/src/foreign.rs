//! Dumps that stock tools made: `.sql` by `psql`, `.dump` and `.tar` by `pg_restore`, streaming.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use runner_core::engine::{Foreign, Restored, Target};
use runner_core::error::{Error, Kind, Result};
use runner_core::stream::ByteStream;
use runner_core::tool::Finished;

use crate::details::DatabaseDetails;
use crate::engine::{Postgres, Server};
use crate::restore::{PSQL, Place, without_unknown_settings};
use crate::tools::check_not_older;

/// `pg_dump` begins and ends a script with these; a script that has the first and not the last was cut.
const BEGIN_MARK: &str = "-- PostgreSQL database dump\n";
const END_MARK: &str = "-- PostgreSQL database dump complete";

/// Restores a dump into a new or empty database, staged like a backup of ours; there is nothing to prove it
/// against but the tool's own checks.
pub(crate) async fn run(engine: &Postgres, foreign: Foreign, target: &Target) -> Result<Restored> {
    let program = match foreign.name.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("sql") => "psql",
        Some("dump" | "tar" | "backup" | "custom") => "pg_restore",
        _ => {
            return Err(Error::new(
                Kind::Unfit,
                format!(
                    "{:?} is neither a backup of ours nor a .sql, .dump or .tar of pg_dump",
                    foreign.name
                ),
            ));
        }
    };
    let server = engine
        .server(&["postgres", "template1", &target.database])
        .await?;
    let (_, client) = server.tools.version(program).await?;
    check_not_older(program, client, server.major())?;
    let details = DatabaseDetails {
        has_schema: true,
        encoding: "UTF8".into(),
        ..DatabaseDetails::default()
    };
    let place = Place::find(&server, &target.database, &details, target).await?;
    place.open(&server, &details, engine.options()).await?;
    let fed = feed(
        engine,
        &server,
        program,
        foreign,
        place.working_name(),
        target,
    )
    .await;
    if let Err(err) = fed {
        return Err(place.give_up(&server, err).await);
    }
    place.settle(&server, None, engine.options()).await?;
    Ok(Restored {
        n_verified: 0,
        rows: 0,
        summary: place.summary(),
    })
}

async fn feed(
    engine: &Postgres,
    server: &Server,
    program: &str,
    foreign: Foreign,
    database: &str,
    target: &Target,
) -> Result<()> {
    let tool = server.tools.tool(program, database);
    let doing = format!("restore {}", foreign.name);
    if program == "psql" {
        let (script, ended) = watch_end(foreign.body);
        let script = if server.has_transaction_timeout {
            script
        } else {
            without_unknown_settings(script)
        };
        let finished = tool.args(PSQL).write(script, &target.cancel).await;
        read_to_its_end(finished.map_err(|err| err.while_doing(doing))?)?;
        return ended.check();
    }
    let options = engine.options();
    let mut tool = tool.args(["--exit-on-error", "--no-password"]);
    if options.no_owner || options.owner.is_some() {
        tool = tool.arg("--no-owner");
    }
    if let Some(owner) = &options.owner {
        tool = tool.arg(format!("--role={owner}"));
    }
    if options.no_privileges {
        tool = tool.arg("--no-privileges");
    }
    if server.has_transaction_timeout || server.tools.version("pg_restore").await?.1 < 17 {
        // `--dbname=` alone lets PGDATABASE decide, which cannot be mistaken for a connection string.
        return tool
            .arg("--dbname=")
            .write(foreign.body, &target.cancel)
            .await
            .map(drop)
            .map_err(|err| err.while_doing(doing));
    }
    let script = tool
        .arg("--file=-")
        .pipe(foreign.body, &target.cancel)
        .await?;
    let psql = server.tools.tool("psql", database).args(PSQL);
    let script = without_unknown_settings(script);
    let finished = psql.write(script, &target.cancel).await;
    read_to_its_end(finished.map_err(|err| err.while_doing(doing))?)
}

/// A script that quits early has not restored what follows, though `psql` is content.
fn read_to_its_end(finished: Finished) -> Result<()> {
    match finished.read_all_input {
        true => Ok(()),
        false => Err(Error::new(
            Kind::Unfit,
            "psql left before the end of the script; is there a \\q in it?",
        )),
    }
}

/// What a script's first and last bytes told.
#[derive(Clone, Default)]
struct Ends(Arc<Mutex<(Vec<u8>, Vec<u8>)>>);

impl Ends {
    fn check(&self) -> Result<()> {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (head, tail) = (
            String::from_utf8_lossy(&ends.0),
            String::from_utf8_lossy(&ends.1),
        );
        if head.contains(BEGIN_MARK) && !tail.contains(END_MARK) {
            return Err(Error::new(
                Kind::Integrity,
                format!("the script lacks its last line ({END_MARK:?}): it was cut"),
            ));
        }
        Ok(())
    }
}

const END_BYTES: usize = 4096;

/// Remembers a script's ends as it passes, and stops one that would leave the database it is meant for.
fn watch_end(body: ByteStream) -> (ByteStream, Ends) {
    let ends = Ends::default();
    let watched = ends.clone();
    let body = body.map(move |block| {
        let block: Bytes = block?;
        let mut ends = watched.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = END_BYTES.saturating_sub(ends.0.len()).min(block.len());
        ends.0.extend_from_slice(block.get(..room).unwrap_or_default());
        let window = [ends.1.as_slice(), &block].concat();
        if let Some(statement) = escape(&window) {
            return Err(Error::new(
                Kind::Unfit,
                format!("the script runs {statement:?} and would leave the target; make it with pg_dump without --create, or restore it by hand"),
            ));
        }
        ends.1 = window.get(window.len().saturating_sub(END_BYTES)..).unwrap_or_default().to_vec();
        Ok(block)
    });
    (body.boxed(), ends)
}

/// In a copy's data a backslash is doubled, so a line that begins with `\connect` is an order to psql.
fn escape(text: &[u8]) -> Option<&'static str> {
    ["\n\\connect ", "\n\\c "]
        .into_iter()
        .find(|order| {
            text.windows(order.len())
                .any(|window| window == order.as_bytes())
        })
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    async fn verdict(script: &str, step: usize) -> Result<()> {
        let blocks: Vec<_> = script
            .as_bytes()
            .chunks(step)
            .map(|block| Ok(Bytes::copy_from_slice(block)))
            .collect();
        let (mut body, ends) = watch_end(stream::iter(blocks).boxed());
        while let Some(block) = body.next().await {
            block?;
        }
        ends.check()
    }

    #[tokio::test]
    async fn a_cut_script_is_told_from_a_whole_one() {
        let whole = format!("--\n{BEGIN_MARK}--\nSELECT 1;\n--\n{END_MARK}\n--\n");
        for step in [1, 10, 10_000] {
            assert!(verdict(&whole, step).await.is_ok());
            assert_eq!(
                verdict(&whole[..40], step).await.unwrap_err().kind(),
                Kind::Integrity
            );
            assert!(
                verdict("SELECT 1;", step).await.is_ok(),
                "a script of somebody's own has no marks"
            );
        }
    }

    #[tokio::test]
    async fn a_script_that_would_leave_its_database_is_stopped() {
        for step in [1, 10_000] {
            let error = verdict("CREATE DATABASE x;\n\\connect x\n", step)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), Kind::Unfit);
        }
    }
}

//! Archives that `mongodump --archive` made, with `--gzip` or without.
//!
//! Such an archive says itself what it holds, so it is proven like a backup of ours. But nothing vouches for it before its
//! end: one that is damaged is found while it is restored, and what it has brought is dropped again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::{StreamExt, stream};
use runner_core::engine::{Foreign, Restored, Target, Verify};
use runner_core::error::{Error, Kind, Result};
use runner_core::fingerprint::Tally;
use runner_core::stream::ByteStream;
use runner_core::workers::unless_cancelled;

use crate::archive::{Archive, Census, watch};
use crate::details::DatabaseDetails;
use crate::engine::Mongo;
use crate::restore::{Context, Expected, Place, give_up, refuse_reader};
use crate::tools::literal;

/// The most that the list of collections at an archive's beginning may take.
const PRELUDE_BYTES: usize = 64 * 1024 * 1024;

/// Restores one database of an archive, or all with `DB_NAME=*`.
pub(crate) async fn run(engine: &Mongo, foreign: Foreign, target: &Target) -> Result<Restored> {
    if !foreign.name.ends_with(".archive") {
        let what = format!(
            "{:?} is neither a backup of ours nor a .archive of mongodump",
            foreign.name
        );
        return Err(Error::new(Kind::Unfit, what));
    }
    let doing = |err: Error| err.while_doing(format!("restore {}", foreign.name));
    let server = engine.server().await?;
    refuse_reader(&server)?;
    let (listed, body) = prelude(foreign.body).await.map_err(doing)?;
    let names = choose(&listed, &target.database).map_err(doing)?;
    let mut places = Vec::new();
    for (from, to) in &names {
        let database = DatabaseDetails::new(from, "", &listed.namespaces)?;
        let wanted = database.wanted(target).map(|it| it.name.clone());
        places.push(Place::find(&server, to, wanted.collect(), target).await?);
    }
    let tools = engine.tools();
    let context = Context {
        server: &server,
        tools: &tools,
        target,
    };
    for place in &places {
        place.clear(&server).await?;
    }
    let work = restore(&context, &names, body);
    match unless_cancelled(&target.cancel, work).await {
        Ok((n_verified, rows)) => Ok(Restored {
            n_verified,
            rows,
            summary: places
                .iter()
                .map(Place::summary)
                .collect::<Vec<_>>()
                .join("; "),
        }),
        Err(err) => Err(doing(give_up(&server, &places, err).await)),
    }
}

async fn restore(
    context: &Context<'_>,
    names: &BTreeMap<String, String>,
    body: ByteStream,
) -> Result<(u64, u64)> {
    let target = context.target;
    let mut tool = context.mongorestore()?;
    let mut wanted = BTreeSet::new();
    for (from, to) in names {
        let from_name = literal(from);
        tool = tool.arg(format!("--nsInclude={from_name}.*"));
        if from != to {
            tool = tool
                .arg(format!("--nsFrom={from_name}.*"))
                .arg(format!("--nsTo={}.*", literal(to)));
        }
        wanted.insert(from.as_str());
    }
    let found = Arc::new(Mutex::new(None));
    let told = Arc::clone(&found);
    let body = watch(body, target.progress.clone(), move |archive| {
        *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(archive);
        Ok(())
    });
    context.feed(tool, body).await?;
    let archive = found.lock().unwrap_or_else(PoisonError::into_inner).take();
    let archive: Archive =
        archive.ok_or_else(|| Error::new(Kind::Bug, "an archive ended unheard"))?;
    if archive
        .namespaces
        .iter()
        .any(|it| it.is_oplog() && it.tally.rows > 0)
    {
        tracing::warn!(
            "the archive's oplog is not replayed: what is restored is not consistent under writes"
        );
    }
    let tallies: BTreeMap<String, Tally> = archive
        .namespaces
        .iter()
        .map(|it| (format!("{}.{}", it.database, it.collection), it.tally))
        .collect();
    let (mut n_verified, mut rows) = (0, 0);
    for (from, to) in names {
        let database = DatabaseDetails::new(from, "", &archive.namespaces)?;
        let expected = Expected::of(&database, target, &tallies);
        rows += expected.rows();
        if target.verify != Verify::None {
            n_verified += expected.check(context, to).await?;
        }
    }
    Ok((n_verified, rows))
}

/// Reads the list of what an archive holds, and gives the whole of it back.
async fn prelude(mut body: ByteStream) -> Result<(Archive, ByteStream)> {
    let mut census = Census::default();
    let mut blocks: Vec<Bytes> = Vec::new();
    let mut n_bytes = 0;
    while !census.has_list() {
        let Some(block) = body.next().await else {
            let what = "the archive was cut within its list of collections";
            return Err(Error::new(Kind::Integrity, what));
        };
        let block = block?;
        census.feed(&block)?;
        n_bytes += block.len();
        if n_bytes > PRELUDE_BYTES {
            let what = format!("its list of collections has more than {PRELUDE_BYTES} bytes");
            return Err(Error::new(Kind::Unfit, what));
        }
        blocks.push(block);
    }
    let blocks = stream::iter(blocks.into_iter().map(Ok));
    Ok((census.listed(), blocks.chain(body).boxed()))
}

/// Which databases of the archive go where.
fn choose(archive: &Archive, target: &str) -> Result<BTreeMap<String, String>> {
    let users = archive.namespaces.iter().filter(|it| it.is_users());
    let names: BTreeSet<_> = users.map(|it| it.database.as_str()).collect();
    let pair = |from: &str, to: &str| BTreeMap::from([(from.to_owned(), to.to_owned())]);
    let mut each = names.iter();
    match (each.next(), each.next()) {
        (None, _) => Err(Error::new(
            Kind::Unfit,
            "the archive holds no user database",
        )),
        _ if target == "*" => Ok(names
            .iter()
            .map(|it| ((*it).to_owned(), (*it).to_owned()))
            .collect()),
        (Some(only), None) => Ok(pair(only, target)),
        _ if names.contains(target) => Ok(pair(target, target)),
        _ => {
            let names: Vec<_> = names.into_iter().collect();
            Err(Error::new(
                Kind::NotFound,
                format!(
                    "the archive holds the databases {} and no {target:?}; DB_NAME chooses one of them, `*` all",
                    names.join(", ")
                ),
            ))
        }
    }
}

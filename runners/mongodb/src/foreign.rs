//! Archives that `mongodump --archive` made, with `--gzip` or without.
//!
//! Such an archive says itself what it holds, so it is proven like a backup of ours. As nothing vouches for it before its
//! end, it is read to there before the target is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::TryStreamExt;
use runner_core::engine::{Foreign, Restored, Target, Verify};
use runner_core::error::{Error, Kind, Result};
use runner_core::fingerprint::Tally;
use runner_core::stream::ByteStream;
use runner_core::workers::unless_cancelled;

use crate::archive::{Archive, list, watch};
use crate::details::DatabaseDetails;
use crate::engine::Mongo;
use crate::restore::{
    Context, Expected, Place, Selected, give_up, refuse_reader, refuse_unmatched,
};

/// Reads an archive to its end; touches nothing.
pub(crate) async fn check(foreign: Foreign, target: &Target) -> Result<()> {
    refuse_other(&foreign)?;
    target.progress.begin("check the archive", 0);
    let whole = watch(foreign.body, target.progress.clone(), |_| Ok(()));
    let checked = whole.try_for_each(|_| std::future::ready(Ok(()))).await;
    checked.map_err(|err| err.while_doing(format!("check {}", foreign.name)))
}

fn refuse_other(foreign: &Foreign) -> Result<()> {
    if foreign.name.ends_with(".archive") {
        return Ok(());
    }
    let what = format!(
        "{:?} is neither a backup of ours nor a .archive of mongodump",
        foreign.name
    );
    Err(Error::new(Kind::Unfit, what))
}

/// Restores one database of an archive, or all with `DB_NAME=*`.
pub(crate) async fn run(engine: &Mongo, foreign: Foreign, target: &Target) -> Result<Restored> {
    refuse_other(&foreign)?;
    let doing = |err: Error| err.while_doing(format!("restore {}", foreign.name));
    let server = engine.server().await?;
    refuse_reader(&server)?;
    let (listed, body) = list(foreign.body).await.map_err(doing)?;
    let names = choose(&listed, &target.database).map_err(doing)?;
    let mut databases = Vec::new();
    for from in names.keys() {
        databases.push(DatabaseDetails::new(from, "", &listed.namespaces)?);
    }
    refuse_unmatched(&mut databases, target)?;
    let (mut places, mut selected) = (Vec::new(), Vec::new());
    for database in &databases {
        let to = names.get(&database.name).unwrap_or(&database.name);
        let wanted: Vec<_> = database.wanted(target).map(|it| it.name.clone()).collect();
        selected.push(Selected {
            from: database.name.clone(),
            to: to.clone(),
            only: (!target.tables.is_empty()).then(|| wanted.clone()),
            users: false,
        });
        let has_series = database.wanted(target).any(|it| it.kind == "timeseries");
        places.push(Place::find(&server, to, wanted, has_series, target).await?);
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
    let work = restore(&context, &selected, &listed, body);
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
        Err(err) => Err(doing(give_up(&server, &places, err, &target.cancel).await)),
    }
}

async fn restore(
    context: &Context<'_>,
    selected: &[Selected],
    listed: &Archive,
    body: ByteStream,
) -> Result<(u64, u64)> {
    let target = context.target;
    let found = Arc::new(Mutex::new(None));
    let told = Arc::clone(&found);
    let body = watch(body, target.progress.clone(), move |archive| {
        *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(archive);
        Ok(())
    });
    context.documents(selected, listed, body).await?;
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
    let mut expected = Vec::new();
    for selected in selected {
        let database = DatabaseDetails::new(&selected.from, "", &archive.namespaces)?;
        expected.push((Expected::of(&database, target, &tallies), &selected.to));
    }
    let rows = expected.iter().map(|(expected, _)| expected.rows()).sum();
    let mut n_verified = 0;
    if target.verify != Verify::None {
        for (expected, to) in &expected {
            n_verified += expected.check_documents(context, to).await?;
        }
    }
    let built = context.indexes(selected, listed).await;
    built.map_err(|err| err.while_doing("build the indexes"))?;
    if target.verify == Verify::Full {
        for (expected, to) in &expected {
            expected.check_definitions(context, to, false).await?;
        }
    }
    Ok((n_verified, rows))
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

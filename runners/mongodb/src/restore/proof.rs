//! The proof: what stands in the target is what the backup's archive held, read back by `mongodump` through the same walk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, TryStreamExt};
use runner_core::engine::{Target, Verify};
use runner_core::error::{Error, Kind, Result};
use runner_core::fingerprint::{Tally, compare};
use runner_core::stream::ByteStream;

use super::Context;
use crate::archive::{Archive, BUCKETS, Definition, list, watch};
use crate::details::{Collection, DatabaseDetails};
use crate::tools::judge;

/// What one database must hold.
pub(crate) struct Expected {
    collections: Vec<Collection>,
    /// By collection; views have none.
    tallies: BTreeMap<String, Tally>,
}

impl Expected {
    /// The manifest's word on what this restore was to bring.
    pub(crate) fn of(
        database: &DatabaseDetails,
        target: &Target,
        tallies: &BTreeMap<String, Tally>,
    ) -> Self {
        let collections: Vec<_> = database.wanted(target).cloned().collect();
        let filled = collections.iter().filter(|it| it.kind != "view");
        let tally = |name: &str| tallies.get(&database.data_name(name)).copied();
        Self {
            tallies: filled
                .map(|it| (it.name.clone(), tally(&it.name).unwrap_or_default()))
                .collect(),
            collections,
        }
    }

    pub(crate) fn rows(&self) -> u64 {
        self.tallies.values().map(|tally| tally.rows).sum()
    }

    /// Compares the documents of the target; how many collections were compared.
    pub(crate) async fn check_documents(
        &self,
        context: &Context<'_>,
        database: &str,
    ) -> Result<u64> {
        if self.collections.is_empty() {
            return Ok(0);
        }
        tracing::info!(database, collections = self.tallies.len(), "prove");
        let verify = context.target.verify;
        let actual = match verify {
            Verify::Counts => self.count(context, database).await?,
            _ => {
                let archive = read_back(context, database).await?;
                let all = archive.namespaces.into_iter();
                all.filter(|it| it.database == database)
                    .map(|it| (it.collection, it.tally))
                    .collect()
            }
        };
        compare(&self.tallies, &actual, verify)?;
        Ok(self.tallies.len() as u64)
    }

    async fn count(
        &self,
        context: &Context<'_>,
        database: &str,
    ) -> Result<BTreeMap<String, Tally>> {
        let mut counts = BTreeMap::new();
        let filled = self.collections.iter().filter(|it| it.kind != "view");
        for collection in filled {
            // As an archive counts them: measurements come in buckets.
            let place = match collection.kind.as_str() {
                "timeseries" => format!("{BUCKETS}{}", collection.name),
                _ => collection.name.clone(),
            };
            let rows = context.server.count(database, &place).await?;
            let tally = Tally {
                rows,
                ..Tally::default()
            };
            counts.insert(collection.name.clone(), tally);
        }
        Ok(counts)
    }

    /// Compares options and indexes; but not those that an oplog which was replayed has made anew.
    pub(crate) async fn check_definitions(
        &self,
        context: &Context<'_>,
        database: &str,
        replayed: bool,
    ) -> Result<()> {
        let is_unknown = |it: &Collection| it.definition.is_empty();
        let is_other = |it: &Collection| replayed && it.redefined;
        let lasting = self.collections.iter();
        let lasting: Vec<_> = lasting
            .filter(|it| !is_unknown(it) && !is_other(it))
            .collect();
        if lasting.is_empty() {
            return Ok(());
        }
        // What it lists is all that is wanted of this archive; the tool ends with its reader.
        let (listed, _) = list(dump(context, database).await?).await?;
        let mut found = BTreeMap::new();
        for namespace in listed
            .namespaces
            .iter()
            .filter(|it| it.database == database)
        {
            let definition = namespace.definition()?.lasting();
            found.insert(namespace.collection.as_str(), definition);
        }
        let mut names = Vec::new();
        for collection in lasting {
            let found = found.get(collection.name.as_str());
            // An earlier release may have written it in other words.
            let expected = Definition::parse(&collection.definition)?.lasting();
            if found == Some(&expected) {
                continue;
            }
            tracing::debug!(
                collection = collection.name,
                expected,
                ?found,
                "another definition"
            );
            names.push(collection.name.as_str());
        }
        if names.is_empty() {
            return Ok(());
        }
        let names = names.join(", ");
        let what = format!("the restored indexes or options are not the backed-up ones: {names}");
        Err(Error::new(Kind::Integrity, what))
    }
}

/// Dumps the database as a backup would.
async fn dump(context: &Context<'_>, database: &str) -> Result<ByteStream> {
    let n = context.target.parallelism.max(1);
    let tool = context.tools.tool("mongodump", context.server)?.args([
        "--archive".to_owned(),
        format!("--db={database}"),
        format!("--numParallelCollections={n}"),
    ]);
    let body = tool.read(&context.target.cancel).await?;
    Ok(body.map_err(judge).boxed())
}

/// Walks every document of it.
async fn read_back(context: &Context<'_>, database: &str) -> Result<Archive> {
    let body = dump(context, database).await?;
    let found = Arc::new(Mutex::new(None));
    let told = Arc::clone(&found);
    let mut body = watch(body, context.target.progress.clone(), move |archive| {
        *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(archive);
        Ok(())
    });
    while let Some(block) = body.next().await {
        let n_bytes = block.map_err(|err| err.while_doing("read back"))?.len();
        context.target.progress.add_logical(n_bytes as u64);
    }
    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
    found
        .take()
        .ok_or_else(|| Error::new(Kind::Bug, "an archive ended unheard"))
}

//! The proof: what stands in the target is what the backup's archive held, read back by `mongodump` through the same walk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use runner_core::engine::{Target, Verify};
use runner_core::error::{Error, Kind, Result};
use runner_core::fingerprint::{Tally, compare};

use super::Context;
use crate::archive::{Archive, watch};
use crate::details::{Collection, DatabaseDetails, definition};

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

    /// Compares the target with it; how many collections were compared.
    pub(crate) async fn check(&self, context: &Context<'_>, database: &str) -> Result<u64> {
        tracing::info!(database, collections = self.collections.len(), "prove");
        let verify = context.target.verify;
        if verify == Verify::Counts {
            let mut actual = BTreeMap::new();
            for name in self.tallies.keys() {
                let rows = context.server.count(database, name).await?;
                let tally = Tally {
                    rows,
                    ..Tally::default()
                };
                actual.insert(name.clone(), tally);
            }
            compare(&self.tallies, &actual, verify)?;
            return Ok(self.tallies.len() as u64);
        }
        let archive = read_back(context, database).await?;
        let found = archive
            .namespaces
            .iter()
            .filter(|it| it.database == database);
        let actual = found
            .clone()
            .map(|it| (it.collection.clone(), it.tally))
            .collect();
        compare(&self.tallies, &actual, verify)?;
        let mut definitions = BTreeMap::new();
        for namespace in found {
            definitions.insert(namespace.collection.as_str(), definition(namespace)?);
        }
        let other = self.collections.iter().filter(|it| {
            let found = definitions.get(it.name.as_str());
            found != Some(&it.definition)
        });
        let other: Vec<_> = other.map(|it| it.name.as_str()).collect();
        for name in &other {
            let expected = self.collections.iter().find(|it| it.name == **name);
            tracing::debug!(
                collection = name,
                expected = ?expected.map(|it| &it.definition),
                found = ?definitions.get(name),
                "another definition"
            );
        }
        if !other.is_empty() {
            let other = other.join(", ");
            let what =
                format!("the restored indexes or options are not the backed-up ones: {other}");
            return Err(Error::new(Kind::Integrity, what));
        }
        Ok(self.collections.len() as u64)
    }
}

/// Walks the database as a backup would.
async fn read_back(context: &Context<'_>, database: &str) -> Result<Archive> {
    let n = context.target.parallelism.max(1);
    let tool = context.tools.tool("mongodump", context.server)?.args([
        "--archive".to_owned(),
        format!("--db={database}"),
        format!("--numParallelCollections={n}"),
    ]);
    let body = tool.read(&context.target.cancel).await?;
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

//! Restoring a backup of ours: documents, which are read back and compared; then the oplog, and indexes.
//!
//! Indexes come last. One that is unique may hold only once the oplog has been replayed, and one that expires documents
//! would take some away before they are proven.

mod load;
mod place;
mod proof;

use std::collections::BTreeMap;

use runner_core::engine::{Restored, Target, Verify};
use runner_core::error::{Error, Kind, Result};
use runner_core::manifest::{Artifact, Manifest};
use runner_core::source::Backup;
use runner_core::workers::unless_cancelled;

use crate::archive::{Archive, list};
use crate::details::{self, DatabaseDetails, Details};
use crate::engine::Mongo;
use crate::server::{OWN_DATABASES, Server};
use crate::tools::Tools;

pub(crate) use load::{Context, Selected};
pub(crate) use place::{Place, give_up};
pub(crate) use proof::Expected;

/// What one restore has settled before it begins.
struct Plan {
    server: Server,
    tools: Tools,
    details: Details,
    /// In the order of `details.databases`.
    places: Vec<Place>,
}

/// Refuses what cannot succeed, touching nothing.
pub(crate) async fn check(engine: &Mongo, manifest: &Manifest, target: &Target) -> Result<()> {
    plan(engine, manifest, target).await.map(drop)
}

async fn plan(engine: &Mongo, manifest: &Manifest, target: &Target) -> Result<Plan> {
    let mut details = Details::of(manifest)?;
    let named = target.database.as_str();
    let is_single = manifest.database != "*";
    if !is_single && named != "*" {
        details.choose(named)?;
    }
    let server = engine.server().await?;
    refuse_reader(&server)?;
    let tools = engine.tools();
    tools.version("mongorestore").await?;
    refuse_unmatched(&mut details.databases, target)?;
    let mut places = Vec::new();
    for database in &details.databases {
        let name = match named {
            "*" => &database.name,
            named => named,
        };
        let wanted = database.wanted(target).map(|it| it.name.clone());
        let has_series = database.wanted(target).any(|it| it.kind == "timeseries");
        let place = Place::find(&server, name, wanted.collect(), has_series, target).await?;
        places.push(place);
    }
    let renamed = details
        .databases
        .iter()
        .zip(&places)
        .any(|(database, place)| database.name != place.name);
    let own_users = details.databases.iter().any(|it| it.users);
    if engine.options().restore_users && own_users && renamed {
        return Err(Error::new(
            Kind::Config,
            "RESTORE_USERS: users belong to their database's name; restore into that, or set it to false",
        ));
    }
    Ok(Plan {
        server,
        tools,
        details,
        places,
    })
}

pub(crate) fn refuse_reader(server: &Server) -> Result<()> {
    match server.is_writable {
        true => Ok(()),
        false => Err(Error::new(
            Kind::Unfit,
            format!(
                "{} is a secondary; name its primary, or set DB_REPLICA_SET",
                server.address.shown
            ),
        )),
    }
}

/// Refuses names that mean nothing, and leaves out databases that nothing is wanted of.
pub(crate) fn refuse_unmatched(
    databases: &mut Vec<DatabaseDetails>,
    target: &Target,
) -> Result<()> {
    if target.tables.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = databases
        .iter()
        .flat_map(|database| database.collections.iter().map(move |it| (database, it)))
        .flat_map(|(database, it)| [it.name.clone(), database.data_name(&it.name)])
        .collect();
    let unmatched = target.tables.unmatched(names.iter().map(String::as_str));
    databases.retain(|database| database.wanted(target).next().is_some());
    if unmatched.is_empty() {
        return Ok(());
    }
    let unmatched = unmatched.join(", ");
    let what = format!("RESTORE_TABLES: no collection in the backup matches {unmatched}");
    Err(Error::new(Kind::Config, what))
}

/// Restores every database of the backup.
pub(crate) async fn run(engine: &Mongo, backup: &Backup, target: &Target) -> Result<Restored> {
    let plan = plan(engine, backup.manifest(), target).await?;
    let context = Context {
        server: &plan.server,
        tools: &plan.tools,
        target,
    };
    for place in &plan.places {
        place.clear(&plan.server).await?;
    }
    let work = async {
        let listed = plan.documents(engine, backup, &context).await?;
        let (n_verified, rows) = plan.prove(backup, &context).await?;
        let replayed = plan.indexes(engine, backup, &context, &listed).await?;
        plan.prove_definitions(&context, replayed).await?;
        plan.users(engine, backup, &context).await?;
        Ok((n_verified, rows))
    };
    match unless_cancelled(&target.cancel, work).await {
        Ok((n_verified, rows)) => {
            let names: Vec<_> = plan.places.iter().map(Place::summary).collect();
            Ok(Restored {
                n_verified,
                rows,
                summary: names.join("; "),
            })
        }
        Err(err) => Err(give_up(&plan.server, &plan.places, err, &target.cancel).await),
    }
}

/// One archive, and where its databases go.
struct Source<'a> {
    artifact: &'a Artifact,
    databases: Vec<(&'a DatabaseDetails, &'a Place)>,
}

impl Source<'_> {
    fn selected(&self, engine: &Mongo, target: &Target) -> Vec<Selected> {
        let each = self.databases.iter();
        each.map(|(database, place)| Selected {
            from: database.name.clone(),
            to: place.name.clone(),
            only: (!target.tables.is_empty())
                .then(|| database.wanted(target).map(|it| it.name.clone()).collect()),
            users: engine.options().restore_users && database.users && target.tables.is_empty(),
        })
        .collect()
    }
}

impl Plan {
    /// The archives, each with the databases that come out of it.
    fn archives<'a>(&'a self, manifest: &'a Manifest) -> Result<Vec<Source<'a>>> {
        let mut sources: Vec<Source<'a>> = Vec::new();
        for pair @ (database, _) in self.details.databases.iter().zip(&self.places) {
            let artifact = database.artifact(manifest)?;
            match sources
                .iter_mut()
                .find(|it| it.artifact.path == artifact.path)
            {
                Some(source) => source.databases.push(pair),
                None => sources.push(Source {
                    artifact,
                    databases: vec![pair],
                }),
            }
        }
        Ok(sources)
    }

    /// Brings the documents of every archive; what each says that it holds.
    async fn documents(
        &self,
        engine: &Mongo,
        backup: &Backup,
        context: &Context<'_>,
    ) -> Result<Vec<Archive>> {
        let target = context.target;
        let sources = self.archives(backup.manifest())?;
        let n_bytes = sources.iter().map(|it| it.artifact.logical_bytes);
        target.progress.begin("restore", n_bytes.sum());
        let mut archives = Vec::new();
        for source in sources {
            let doing = |err: Error| err.while_doing(format!("restore {}", source.artifact.path));
            let body = backup.open(source.artifact, target.progress.clone());
            let (listed, body) = list(body).await.map_err(doing)?;
            let selected = source.selected(engine, target);
            let fed = context.documents(&selected, &listed, body).await;
            fed.map_err(doing)?;
            archives.push(listed);
        }
        Ok(archives)
    }

    async fn prove(&self, backup: &Backup, context: &Context<'_>) -> Result<(u64, u64)> {
        let tallies = backup.manifest().tallies();
        let (mut n_verified, mut rows) = (0, 0);
        let n_bytes = backup.manifest().logical_bytes;
        context.target.progress.begin("prove", n_bytes);
        for (database, place) in self.details.databases.iter().zip(&self.places) {
            let expected = Expected::of(database, context.target, &tallies);
            rows += expected.rows();
            if context.target.verify != Verify::None {
                n_verified += expected.check_documents(context, &place.name).await?;
            }
        }
        Ok((n_verified, rows))
    }

    /// Builds the indexes, behind what was written while the backup ran; whether that was replayed.
    async fn indexes(
        &self,
        engine: &Mongo,
        backup: &Backup,
        context: &Context<'_>,
        listed: &[Archive],
    ) -> Result<bool> {
        let target = context.target;
        let has_oplog = self.details.oplog && self.details.n_operations > 0;
        let is_whole = target.database == "*" && target.tables.is_empty();
        if has_oplog && !is_whole {
            tracing::warn!(
                "the oplog is for all databases under their own names: without it, what is restored is not consistent under writes"
            );
        }
        for (source, listed) in self.archives(backup.manifest())?.iter().zip(listed) {
            let selected = source.selected(engine, target);
            if has_oplog && is_whole {
                tracing::info!(operations = self.details.n_operations, "replay the oplog");
                let body = backup.open(source.artifact, target.progress.clone());
                let replayed = context.replay(&selected, listed, body).await;
                replayed.map_err(|err| err.while_doing("replay the oplog"))?;
            } else {
                let built = context.indexes(&selected, listed).await;
                built.map_err(|err| err.while_doing("build the indexes"))?;
            }
        }
        Ok(has_oplog && is_whole)
    }

    async fn prove_definitions(&self, context: &Context<'_>, replayed: bool) -> Result<()> {
        if context.target.verify != Verify::Full {
            return Ok(());
        }
        for (database, place) in self.details.databases.iter().zip(&self.places) {
            let expected = Expected::of(database, context.target, &BTreeMap::new());
            expected
                .check_definitions(context, &place.name, replayed)
                .await?;
        }
        Ok(())
    }

    async fn users(&self, engine: &Mongo, backup: &Backup, context: &Context<'_>) -> Result<()> {
        let Some(archive) = self
            .details
            .users
            .as_deref()
            .filter(|_| engine.options().restore_users)
        else {
            return Ok(());
        };
        let artifact = details::artifact(backup.manifest(), archive)?;
        let tool = context.mongorestore()?.arg("--nsInclude=admin.system.*");
        let body = backup.open(artifact, context.target.progress.clone());
        let fed = context.feed(tool, body).await;
        fed.map_err(|err| err.while_doing("restore users and roles"))
    }
}

/// Refuses names that are the server's own.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if !OWN_DATABASES.contains(&name) {
        return Ok(());
    }
    Err(Error::new(
        Kind::Config,
        format!("DB_NAME={name}: that database is the server's own; restore into another"),
    ))
}

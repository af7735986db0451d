//! Restoring a backup of ours: `mongorestore`, then everything read back and compared, then the oplog.

mod place;
mod proof;

use runner_core::engine::{Restored, Target, Verify};
use runner_core::error::{Error, Kind, Result};
use runner_core::manifest::{Artifact, Manifest};
use runner_core::source::Backup;
use runner_core::stream::ByteStream;
use runner_core::tool::Tool;
use runner_core::workers::unless_cancelled;

use crate::archive::only_oplog;
use crate::details::{self, DatabaseDetails, Details};
use crate::engine::Mongo;
use crate::server::{OWN_DATABASES, Server};
use crate::tools::{Tools, literal};

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
    let mut places = Vec::new();
    for database in &details.databases {
        let name = match named {
            "*" => &database.name,
            named => named,
        };
        check_wanted(database, target)?;
        let wanted = database.wanted(target).map(|it| it.name.clone());
        places.push(Place::find(&server, name, wanted.collect(), target).await?);
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

fn check_wanted(database: &DatabaseDetails, target: &Target) -> Result<()> {
    let names = database.collections.iter();
    let names: Vec<_> = names
        .flat_map(|it| [it.name.clone(), database.data_name(&it.name)])
        .collect();
    let unmatched = target.tables.unmatched(names.iter().map(String::as_str));
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
        plan.fill(engine, backup, &context).await?;
        let (n_verified, rows) = plan.prove(backup, &context).await?;
        plan.replay(backup, &context).await?;
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
        Err(err) => Err(give_up(&plan.server, &plan.places, err).await),
    }
}

/// What every step of a restore needs.
pub(crate) struct Context<'a> {
    pub(crate) server: &'a Server,
    pub(crate) tools: &'a Tools,
    pub(crate) target: &'a Target,
}

impl Context<'_> {
    /// `mongorestore` as all of ours run it; it reads an archive on standard input.
    pub(crate) fn mongorestore(&self) -> Result<Tool> {
        let n = self.target.parallelism.max(1);
        Ok(self.tools.tool("mongorestore", self.server)?.args([
            "--archive".to_owned(),
            "--stopOnError".to_owned(),
            format!("--numParallelCollections={n}"),
            format!("--numInsertionWorkersPerCollection={n}"),
        ]))
    }

    /// Feeds it, and judges its exit and its counts.
    pub(crate) async fn feed(&self, tool: Tool, body: ByteStream) -> Result<()> {
        let (finished, said) = tool.write_and_hear(body, &self.target.cancel).await?;
        if !finished.read_all_input {
            let what = "mongorestore left before the end of the archive";
            return Err(Error::new(Kind::Tool, what));
        }
        match failures(&said) {
            Some(0) => Ok(()),
            Some(n) => Err(Error::new(
                Kind::Tool,
                format!("mongorestore exited with 0, but {n} documents failed: {said}"),
            )),
            None => Err(Error::new(
                Kind::Tool,
                format!(
                    "mongorestore exited with 0 and did not say how many documents it restored: {said}"
                ),
            )),
        }
    }
}

/// `3 document(s) restored successfully. 0 document(s) failed to restore.`
fn failures(said: &str) -> Option<u64> {
    let (before, _) = said.rsplit_once(" document(s) failed to restore")?;
    before.rsplit(' ').next()?.parse().ok()
}

/// One archive, and where its databases go.
struct Source<'a> {
    artifact: &'a Artifact,
    databases: Vec<(&'a DatabaseDetails, &'a Place)>,
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

    async fn fill(&self, engine: &Mongo, backup: &Backup, context: &Context<'_>) -> Result<()> {
        let target = context.target;
        let archives = self.archives(backup.manifest())?;
        let n_bytes = archives.iter().map(|it| it.artifact.logical_bytes);
        target.progress.begin("restore", n_bytes.sum());
        for Source {
            artifact,
            databases,
        } in archives
        {
            let mut tool = context.mongorestore()?;
            for (database, place) in databases {
                if engine.options().restore_users && database.users && target.tables.is_empty() {
                    // Only this old way of naming a database brings its users.
                    tool = tool
                        .arg(format!("--db={}", database.name))
                        .arg("--restoreDbUsersAndRoles");
                    continue;
                }
                let name = literal(&database.name);
                if target.tables.is_empty() {
                    tool = tool.arg(format!("--nsInclude={name}.*"));
                } else {
                    let wanted = database
                        .wanted(target)
                        .map(|it| format!("--nsInclude={name}.{}", literal(&it.name)));
                    tool = tool.args(wanted);
                }
                if database.name != place.name {
                    tool = tool
                        .arg(format!("--nsFrom={name}.*"))
                        .arg(format!("--nsTo={}.*", literal(&place.name)));
                }
            }
            let body = backup.open(artifact, target.progress.clone());
            let fed = context.feed(tool, body).await;
            fed.map_err(|err| err.while_doing(format!("restore {}", artifact.path)))?;
        }
        Ok(())
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
                n_verified += expected.check(context, &place.name).await?;
            }
        }
        Ok((n_verified, rows))
    }

    /// What was written while the backup ran, behind the proof: the archive's documents are from before it.
    async fn replay(&self, backup: &Backup, context: &Context<'_>) -> Result<()> {
        if !self.details.oplog || self.details.n_operations == 0 {
            return Ok(());
        }
        let is_whole = context.target.database == "*" && context.target.tables.is_empty();
        if !is_whole {
            tracing::warn!(
                "the oplog is for all databases under their own names: without it, what is restored is not consistent under writes"
            );
            return Ok(());
        }
        for Source { artifact, .. } in self.archives(backup.manifest())? {
            tracing::info!(operations = self.details.n_operations, "replay the oplog");
            let body = only_oplog(backup.open(artifact, context.target.progress.clone()));
            let tool = context.mongorestore()?.arg("--oplogReplay");
            let fed = context.feed(tool, body).await;
            fed.map_err(|err| err.while_doing("replay the oplog"))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mongorestores_own_count_of_failures_is_read() {
        let said = "2026 finished; 2026 3 document(s) restored successfully. 12 document(s) failed to restore.";
        assert_eq!(failures(said), Some(12));
        assert_eq!(failures("done"), None);
    }
}

//! Restoring a backup of ours: check everything, load beside what is there, prove, then rename into place.

mod globals;
mod guard;
mod load;
mod place;
mod proof;
mod schema;

use runner_core::engine::{Restored, Target, Verify};
use runner_core::error::{Error, Kind, Result};
use runner_core::manifest::Manifest;
use runner_core::source::Backup;
use runner_core::workers::unless_cancelled;

use crate::details::{DatabaseDetails, Details, Table};
use crate::engine::{Postgres, Server};
use crate::options::Options;
use crate::session::Pool;
use crate::tools::check_not_older;

pub(crate) use place::{Place, properties};
pub(crate) use schema::{PSQL, without_unknown_settings};

/// What one restore has settled before it begins.
struct Plan {
    server: Server,
    details: Details,
    /// In the order of `details.databases`.
    places: Vec<Place>,
}

/// Refuses what cannot succeed, touching nothing.
pub(crate) async fn check(engine: &Postgres, manifest: &Manifest, target: &Target) -> Result<()> {
    plan(engine, manifest, target).await.map(drop)
}

async fn plan(engine: &Postgres, manifest: &Manifest, target: &Target) -> Result<Plan> {
    let mut details = Details::of(manifest)?;
    let is_single = matches!(details.databases.as_slice(), [_]) && manifest.database != "*";
    let named = target.database.as_str();
    if !is_single && named != "*" {
        details.choose(named)?;
    }
    let server = match is_single {
        true => engine.server(&["postgres", "template1", named]).await?,
        false => engine.server(&["postgres", "template1"]).await?,
    };
    if server.in_recovery {
        return Err(Error::new(
            Kind::Unfit,
            format!(
                "{} is a standby; restore into its primary",
                server.endpoint.address()
            ),
        ));
    }
    check_versions(&server, &details, manifest).await?;
    let mut places = Vec::new();
    for database in &details.databases {
        let name = match is_single && named != "*" {
            true => named,
            false => &database.name,
        };
        check_tables_wanted(database, target)?;
        let place = Place::find(&server, name, database, target).await?;
        place
            .check_needs(&server, database, engine.options(), details.globals)
            .await?;
        if !database.has_schema {
            load::refuse_filled(&server, database, name, target, engine.options()).await?;
        }
        places.push(place);
    }
    Ok(Plan {
        server,
        details,
        places,
    })
}

async fn check_versions(server: &Server, details: &Details, manifest: &Manifest) -> Result<()> {
    let source_major = details.server_version_num / 10_000;
    let binary = details
        .databases
        .iter()
        .flat_map(|database| &database.tables)
        .find(|table| table.format == "binary");
    if let Some(table) = binary.filter(|_| server.major() < source_major) {
        return Err(Error::new(
            Kind::Unfit,
            format!(
                "the backup is of PostgreSQL {source_major} and holds {} in binary, which restores into {source_major} or newer, not into {}; back up with PG_COPY_FORMAT=text to go to an older version",
                table.display_name(),
                server.major()
            ),
        ));
    }
    if details
        .databases
        .iter()
        .all(|database| !database.has_schema)
    {
        return Ok(());
    }
    let (_, client) = server.tools.version("pg_restore").await?;
    check_not_older("pg_restore", client, server.major())?;
    let dumped_by = manifest
        .tools
        .get("pg_dump")
        .map(String::as_str)
        .unwrap_or_default();
    let dumped_by = dumped_by
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .unwrap_or(0);
    if client < dumped_by {
        return Err(Error::new(
            Kind::Tool,
            format!(
                "the schema was written by pg_dump {dumped_by} and pg_restore is {client}; use the image plan-b-backup-postgresql:{dumped_by}, or set PG_BIN to a client of that version or newer"
            ),
        ));
    }
    Ok(())
}

fn check_tables_wanted(database: &DatabaseDetails, target: &Target) -> Result<()> {
    let names: Vec<String> = database.tables.iter().map(Table::plain_name).collect();
    let unmatched = target.tables.unmatched(names.iter().map(String::as_str));
    if unmatched.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Config,
        format!(
            "RESTORE_TABLES: no table in the backup matches {}",
            unmatched.join(", ")
        ),
    ))
}

/// Restores every database of the backup.
pub(crate) async fn run(engine: &Postgres, backup: &Backup, target: &Target) -> Result<Restored> {
    let plan = plan(engine, backup.manifest(), target).await?;
    if plan.details.globals {
        globals::restore(&plan.server, backup, target).await?;
    }
    let mut restored = Restored::default();
    let mut names = Vec::new();
    for (database, place) in plan.details.databases.iter().zip(plan.places) {
        let context = Context {
            server: &plan.server,
            options: engine.options(),
            backup,
            target,
            database,
        };
        let done = context
            .restore(place)
            .await
            .map_err(|err| match names.is_empty() {
                true => err,
                false => err.while_doing(format!("{}, which stays; then", names.join("; "))),
            })?;
        restored.n_verified += done.n_verified;
        restored.rows += done.rows;
        names.push(done.summary);
    }
    restored.summary = names.join("; ");
    Ok(restored)
}

/// Tables whose rows are to be restored.
fn tables_of<'a>(
    database: &'a DatabaseDetails,
    target: &'a Target,
    options: &'a Options,
) -> impl Iterator<Item = &'a Table> {
    let (wanted, skipped) = (&target.tables, &options.skip_extensions);
    let is_skipped = |table: &Table| {
        let extension = table.extension.as_ref();
        extension.is_some_and(|extension| skipped.contains(extension))
    };
    let tables = database.tables.iter();
    tables.filter(move |table| {
        !is_skipped(table) && (wanted.is_empty() || wanted.matches(&table.plain_name()))
    })
}

/// What every step of restoring one database needs.
struct Context<'a> {
    server: &'a Server,
    options: &'a Options,
    backup: &'a Backup,
    target: &'a Target,
    database: &'a DatabaseDetails,
}

impl Context<'_> {
    async fn restore(&self, place: Place) -> Result<Restored> {
        place.open(self.server, self.database, self.options).await?;
        // Whatever step a signal meets, it is left at once: what was made has to be dropped within the grace.
        match unless_cancelled(self.cancel(), self.fill(&place)).await {
            Ok((n_verified, rows)) => {
                // A backup of rows alone says nothing about the database as a whole.
                let properties = self.database.has_schema.then_some(self.database);
                place.settle(self.server, properties, self.options).await?;
                Ok(Restored {
                    n_verified,
                    rows,
                    summary: place.summary(),
                })
            }
            Err(err) => Err(place.give_up(self.server, err).await),
        }
    }

    async fn fill(&self, place: &Place) -> Result<(u64, u64)> {
        let database = place.working_name();
        let pool = Pool::plain(
            &self.server.endpoint,
            database,
            self.server.patience,
            &self.database.encoding,
        );
        let schema = schema::Schema::read(self).await?;
        if let Some(schema) = &schema {
            schema.restore(self, database, "pre-data").await?;
        } else {
            load::make_room(self, &pool).await?;
        }
        let rows = load::rows(self, &pool).await? + load::scripts(self, &pool).await?;
        if let Some(schema) = &schema {
            self.target.progress.begin("indexes and constraints", 0);
            schema.restore(self, database, "post-data").await?;
        }
        let mut connection = pool.take().await?;
        self.target.progress.begin("analyze", 0);
        tracing::info!(database, "analyze");
        connection
            .execute("ANALYZE")
            .await
            .map_err(|err| err.while_doing("analyze"))?;
        pool.give(connection);
        let n_verified = match self.target.verify {
            Verify::None => 0,
            verify => proof::check(self, &pool, verify).await?,
        };
        pool.close().await;
        Ok((n_verified, rows))
    }

    /// Tables whose rows are to be restored.
    fn tables(&self) -> impl Iterator<Item = &Table> {
        tables_of(self.database, self.target, self.options)
    }

    /// Whether some tables stay empty although the schema has them.
    fn is_partial(&self) -> bool {
        !self.target.tables.is_empty() || !self.database.without_rows.is_empty()
    }
}

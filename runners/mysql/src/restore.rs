//! Restoring a backup of ours: check everything, fill, prove, then add what may fire or look at rows.

mod accounts;
mod indexes;
mod insert;
mod load;
mod objects;
mod place;
mod proof;
mod statements;

use std::collections::BTreeSet;

use runner_core::engine::{Restored, Target, Verify};
use runner_core::error::{Error, Kind, Result};
use runner_core::manifest::Manifest;
use runner_core::source::Backup;
use runner_core::workers::unless_cancelled;

use crate::details::{DatabaseDetails, Details, Table};
use crate::engine::Site;
use crate::features;
use crate::options::Options;
use crate::server::Server;
use crate::session::Pool;
use crate::sql::{self, ident};
use indexes::Indexes;

pub(crate) use objects::with_definer;
pub(crate) use place::Place;

/// What one restore has settled before it begins.
struct Plan {
    server: Server,
    /// Of the databases that were chosen.
    details: Details,
    /// Each with where it goes.
    databases: Vec<(DatabaseDetails, Place)>,
}

/// Refuses what cannot succeed, touching nothing.
pub(crate) async fn check(site: &Site, manifest: &Manifest, target: &Target) -> Result<()> {
    plan(site, manifest, target).await.map(drop)
}

async fn plan(site: &Site, manifest: &Manifest, target: &Target) -> Result<Plan> {
    let mut details = Details::of(manifest)?;
    let is_single = matches!(details.databases.as_slice(), [_]) && manifest.database != "*";
    let named = target.database.as_str();
    if !is_single && named != "*" {
        details.choose(named)?;
    }
    let server = site.server().await?;
    let mut databases = Vec::new();
    for database in details.databases.clone() {
        let name = match is_single && named != "*" {
            true => named.to_owned(),
            false => database.name.clone(),
        };
        check_tables_wanted(&database, target)?;
        check_known(&server, &database).await?;
        let place = Place::find(&server, &name, &database, target).await?;
        databases.push((database, place));
    }
    Ok(Plan {
        server,
        details,
        databases,
    })
}

fn check_tables_wanted(database: &DatabaseDetails, target: &Target) -> Result<()> {
    let names: Vec<String> = database
        .tables
        .iter()
        .map(|table| database.plain_name(&table.name))
        .collect();
    let unmatched = target.tables.unmatched(names.iter().map(String::as_str));
    match unmatched.is_empty() {
        true => Ok(()),
        false => Err(Error::new(
            Kind::Config,
            format!(
                "RESTORE_TABLES: no table in the backup matches {}",
                unmatched.join(", ")
            ),
        )),
    }
}

/// Names what the backup uses and this server does not have, before anything is touched.
async fn check_known(server: &Server, database: &DatabaseDetails) -> Result<()> {
    if !database.has_schema {
        return Ok(());
    }
    let mut connection = server.connect().await?;
    let mut names = BTreeSet::new();
    for statement in [
        "SELECT COLLATION_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY",
        "SELECT FULL_COLLATION_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY",
        "SELECT ENGINE FROM information_schema.ENGINES WHERE SUPPORT IN ('YES', 'DEFAULT')",
    ] {
        match connection.query(statement).await {
            Ok(answer) => names.extend(answer.rows.iter().map(|row| row.text(0))),
            // Only MariaDB has full names.
            Err(err) if crate::wire::has_code(&err, 1054) => {}
            Err(err) => return Err(err),
        }
    }
    connection.close().await;
    // One character set, by its old name and its new one.
    let is_known = |name: &&String| {
        let renamed = [("utf8_", "utf8mb3_"), ("utf8mb3_", "utf8_")]
            .map(|(from, to)| name.strip_prefix(from).map(|rest| format!("{to}{rest}")));
        names.contains(name.as_str()) || renamed.iter().flatten().any(|name| names.contains(name))
    };
    let uses = database.uses.iter();
    let mut unknown: Vec<String> = uses.filter(|name| !is_known(name)).cloned().collect();
    unknown.extend(features::unknown(&database.features, server));
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(Error::new(
            Kind::Unfit,
            format!(
                "{} {} has no {}, which the database {:?} uses; restore into a server that has, nothing was changed",
                server.family.title(),
                server.version,
                unknown.join(", "),
                database.name
            ),
        )),
    }
}

/// Restores every database of the backup.
pub(crate) async fn run(site: &Site, backup: &Backup, target: &Target) -> Result<Restored> {
    let plan = plan(site, backup.manifest(), target).await?;
    let mut restored = Restored::default();
    let mut names = Vec::new();
    let accounts = accounts::Accounts::create(&plan.server, &plan.details, backup, target).await?;
    for (database, place) in plan.databases {
        let context = Context {
            server: &plan.server,
            options: &site.options,
            backup,
            target,
            database: &database,
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
    names.extend(accounts.grant(&plan.server, backup, target).await?);
    restored.summary = names.join("; ");
    Ok(restored)
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
    async fn restore(&self, mut place: Place) -> Result<Restored> {
        place.open(self.server).await?;
        // Whatever step a signal meets, it is left at once: what was made has to be dropped within the grace.
        let filled = unless_cancelled(&self.target.cancel, self.fill(&place)).await;
        let (n_verified, rows) = match filled {
            Ok(done) => done,
            Err(err) => return Err(place.give_up(self.server, err).await),
        };
        place.settle(self.server).await?;
        if self.database.has_schema {
            let objects = objects::restore(self, &place.name);
            unless_cancelled(&self.target.cancel, objects)
                .await
                .map_err(|err| {
                    err.while_doing(format!(
                        "{:?} holds all tables and rows, {}, and lacks some views, triggers, routines or events",
                        place.name,
                        if n_verified > 0 { "proven" } else { "not proven" }
                    ))
                })?;
        }
        Ok(Restored {
            n_verified,
            rows,
            summary: place.summary(),
        })
    }

    async fn fill(&self, place: &Place) -> Result<(u64, u64)> {
        let working = place.working_name();
        let pool = self.pool(working);
        if self.database.has_schema {
            statements::script(self, &pool, "schema", working).await?;
        } else {
            load::make_room(self, &pool).await?;
        }
        let mut indexes = match self.database.has_schema {
            true => Some(Indexes::read(self).await?),
            false => None,
        };
        if let Some(indexes) = &mut indexes {
            indexes.add_early(&pool).await?;
        }
        let rows = load::rows(self, &pool).await?;
        if let Some(indexes) = indexes {
            self.target.progress.begin("indexes and constraints", 0);
            indexes.add_late(self, &pool).await?;
        }
        let n_verified = match self.target.verify {
            Verify::None => 0,
            verify => proof::check(self, &pool, working, verify).await?,
        };
        pool.close().await;
        if place.is_staged() && self.database.has_schema {
            objects::rehearse(self, working).await?;
        }
        Ok((n_verified, rows))
    }

    /// Sessions in the database that is filled.
    fn pool(&self, working: &str) -> Pool {
        let mut prologue = self.server.pins.clone();
        prologue.push(format!("USE {}", ident(working)));
        prologue.push(sql::RAW_RESULTS.to_owned());
        Pool::growing(&self.server.endpoint, self.server.patience, prologue)
    }

    /// Tables whose rows are to be restored.
    fn tables(&self) -> impl Iterator<Item = &Table> {
        let wanted = &self.target.tables;
        let tables = self.database.tables.iter();
        tables.filter(|table| {
            wanted.is_empty() || wanted.matches(&self.database.plain_name(&table.name))
        })
    }
}

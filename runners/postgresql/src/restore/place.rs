//! Where a database is restored: beside what is there and then renamed into place, or in place.

mod databases;
pub(crate) mod properties;

use std::collections::BTreeSet;

use runner_core::engine::Target;
use runner_core::error::{Error, Kind, Result};

use crate::details::DatabaseDetails;
use crate::engine::Server;
use crate::options::Options;
use crate::sql::{ident, literal};
use crate::wire::Connection;
use databases::{clear, create_statement, drop_database, names, rename, shut_out, user_objects};

/// A target database.
pub(crate) struct Place {
    name: String,
    exists: bool,
    /// The owner of the database that is there.
    owner: Option<String>,
    /// The name under which it is filled, when that is another one.
    staging: Option<String>,
    /// Old contents that have to go first, because nothing can be renamed here.
    clear: bool,
    /// The backup has no definitions: tables that are there are filled.
    rows_only: bool,
}

impl Place {
    /// Looks at what is there, and refuses a target that may not be touched.
    pub(crate) async fn find(
        server: &Server,
        name: &str,
        database: &DatabaseDetails,
        target: &Target,
    ) -> Result<Self> {
        let mut connection = server.connect(&server.maintenance).await?;
        let statement = format!(
            "SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = {}",
            literal(name)
        );
        let owner = connection.query_one(&statement).await?;
        connection.close().await;
        let exists = owner.is_some();
        let may_stage = target.staging
            && server.may_create_databases
            && database.has_schema
            && name != server.maintenance;
        let may_create =
            target.create_database && server.may_create_databases && database.has_schema;
        if !(exists || may_create) {
            return Err(Error::new(
                Kind::NotFound,
                format!(
                    "there is no database {name:?} on {} and it is not to be created: {}",
                    server.endpoint.address(),
                    match (database.has_schema, target.create_database) {
                        (false, _) => "the backup was made with DATA_ONLY and has no schema",
                        (_, false) => "RESTORE_CREATE_DATABASE=false",
                        _ =>
                            "the login may not create databases; GRANT it CREATEDB or create the database",
                    }
                ),
            ));
        }
        let mut clear = false;
        if exists && database.has_schema {
            let found = user_objects(server, name).await?;
            if !found.is_empty() && !target.drop_existing {
                return Err(Error::new(
                    Kind::Unfit,
                    format!(
                        "database {name:?} on {} is not empty ({}{}); it was left untouched. Restore under another DB_NAME, or set RESTORE_DROP_EXISTING=true to replace it",
                        server.endpoint.address(),
                        found.iter().take(3).cloned().collect::<Vec<_>>().join(", "),
                        if found.len() > 3 { ", …" } else { "" }
                    ),
                ));
            }
            clear = !found.is_empty() && !may_stage;
        }
        let staging = may_stage.then(|| beside(server, name, "planb"));
        Ok(Self {
            name: name.to_owned(),
            exists,
            owner,
            staging,
            clear,
            rows_only: !database.has_schema,
        })
    }

    /// Refuses when roles or extensions are missing, and says which setting skips each.
    pub(crate) async fn check_needs(
        &self,
        server: &Server,
        database: &DatabaseDetails,
        options: &Options,
        globals: bool,
    ) -> Result<()> {
        if !database.has_schema {
            return Ok(());
        }
        let mut connection = server.connect(&server.maintenance).await?;
        let roles = names(&mut connection, "SELECT rolname FROM pg_catalog.pg_roles").await?;
        let available = names(
            &mut connection,
            "SELECT name FROM pg_catalog.pg_available_extensions",
        )
        .await?;
        connection.close().await;
        let missing = |wanted: &[String], there: &BTreeSet<String>| -> Vec<String> {
            wanted
                .iter()
                .filter(|name| !there.contains(*name))
                .map(|name| format!("{name:?}"))
                .collect()
        };
        let mut problems = Vec::new();
        if !globals {
            let owners = missing(&database.owners, &roles);
            if !owners.is_empty() && !options.no_owner && options.owner.is_none() {
                problems.push(format!("roles {} own objects in the backup and are missing here; create them, or set RESTORE_NO_OWNER=true or RESTORE_OWNER", owners.join(", ")));
            }
            let grantees = missing(&database.grantees, &roles);
            if !grantees.is_empty() && !options.no_privileges {
                problems.push(format!("roles {} are granted privileges in the backup and are missing here; create them, or set RESTORE_NO_PRIVILEGES=true", grantees.join(", ")));
            }
        }
        if let Some(owner) = options
            .owner
            .as_ref()
            .filter(|owner| !roles.contains(*owner))
        {
            problems.push(format!("RESTORE_OWNER: there is no role {owner:?}"));
        }
        let extensions: Vec<String> = database
            .extensions
            .iter()
            .filter(|name| !options.skip_extensions.contains(name))
            .cloned()
            .collect();
        let extensions = missing(&extensions, &available);
        if !extensions.is_empty() {
            problems.push(format!("extensions {} are not available on {}; install them there, or set RESTORE_SKIP_EXTENSIONS", extensions.join(", "), server.endpoint.address()));
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Error::new(Kind::Unfit, problems.join("; "))),
        }
    }

    /// The database that is filled.
    pub(crate) fn working_name(&self) -> &str {
        self.staging.as_deref().unwrap_or(&self.name)
    }

    /// Creates the database that is to be filled, for the role that is to own everything in it, or empties it.
    pub(crate) async fn open(
        &self,
        server: &Server,
        database: &DatabaseDetails,
        options: &Options,
    ) -> Result<()> {
        if self.staging.is_some() || !self.exists {
            let working = self.working_name();
            tracing::info!(database = working, "create");
            let owner = options.owner.as_deref();
            let statement = create_statement(server, working, database, owner);
            let mut connection = server.connect(&server.maintenance).await?;
            connection.execute(&statement).await.map_err(|err| {
                err.while_doing(format!(
                    "create the database {working:?}; nothing else was touched"
                ))
            })?;
            connection.close().await;
        } else if self.clear {
            clear(server, &self.name).await?;
        }
        Ok(())
    }

    /// Renames the proven database into place, and gives it what belongs to a database as a whole.
    pub(crate) async fn settle(
        &self,
        server: &Server,
        database: Option<&DatabaseDetails>,
        options: &Options,
    ) -> Result<()> {
        let mut connection = server.connect(&server.maintenance).await?;
        if let Some(staging) = &self.staging {
            self.swap(server, &mut connection, staging).await?;
        }
        for statement in properties::statements(self, &server.endpoint.user, database, options) {
            if let Err(err) = connection.execute(&statement).await {
                tracing::warn!(statement, reason = %err, "a property of the database could not be restored");
            }
        }
        connection.close().await;
        Ok(())
    }

    async fn swap(
        &self,
        server: &Server,
        connection: &mut Connection,
        staging: &str,
    ) -> Result<()> {
        let swapped = match self.exists {
            true => self.replace(server, connection, staging).await,
            false => rename(connection, staging, &self.name)
                .await
                .map_err(|err| {
                    (
                        err,
                        format!("there is no database {:?}, as before", self.name),
                    )
                }),
        };
        let Err((err, state)) = swapped else {
            return Ok(());
        };
        let dropped = drop_database(server, connection, staging).await;
        let outcome = outcome(staging, &dropped);
        Err(err.while_doing(format!(
            "rename the restored database into place; {state}; {outcome}"
        )))
    }

    /// Moves the old database aside and the new one into its place; an error comes with what state that left.
    async fn replace(
        &self,
        server: &Server,
        connection: &mut Connection,
        staging: &str,
    ) -> Result<(), (Error, String)> {
        let name = &self.name;
        let reopen = format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", ident(name));
        let old = beside(server, name, "planb_old");
        let moved = async {
            shut_out(connection, name).await?;
            rename(connection, name, &old).await
        };
        if let Err(err) = moved.await {
            let _ = connection.execute(&reopen).await;
            return Err((err, format!("the old database {name:?} is untouched")));
        }
        if let Err(err) = rename(connection, staging, name).await {
            let state = match rename(connection, &old, name).await {
                Ok(()) => format!("the old database {name:?} is back in its place"),
                Err(_) => format!(
                    "the old database is whole and now called {old:?}; rename it to {name:?}"
                ),
            };
            let _ = connection.execute(&reopen).await;
            return Err((err, state));
        }
        if let Err(err) = drop_database(server, connection, &old).await {
            tracing::warn!(database = old, reason = %err, "the replaced database could not be dropped; drop it by hand");
        }
        Ok(())
    }

    /// Removes what a failed restore left, and adds to its error what state the target is in.
    pub(crate) async fn give_up(&self, server: &Server, err: Error) -> Error {
        let created = self.staging.is_some() || !self.exists;
        if !created {
            let state = match (self.rows_only, self.clear) {
                (true, _) => {
                    "whose tables may hold some of the new rows now; set RESTORE_DROP_EXISTING=true for the next attempt"
                }
                (_, true) => {
                    "which was emptied first and is now partly filled; drop its contents before the next attempt"
                }
                _ => {
                    "which was empty and is now partly filled; drop its contents before the next attempt"
                }
            };
            return err.while_doing(format!("restore into {:?}, {state}", self.name));
        }
        let working = self.working_name();
        let dropped = async {
            let mut connection = server.connect(&server.maintenance).await?;
            drop_database(server, &mut connection, working).await
        };
        let dropped = dropped.await;
        let state = match self.exists {
            true => format!("the database {:?} is as it was", self.name),
            false => format!("there is no database {:?}, as before", self.name),
        };
        err.while_doing(format!(
            "restore into {:?}; {state}; {}",
            self.name,
            outcome(working, &dropped)
        ))
    }

    pub(crate) fn summary(&self) -> String {
        let how = match (&self.staging, self.exists) {
            (Some(_), true) => "replaced",
            (_, false) => "created",
            (None, true) => "filled in place",
        };
        format!("database {:?} {how}", self.name)
    }
}

fn outcome(database: &str, dropped: &Result<()>) -> String {
    match dropped {
        Ok(()) => "what was restored of the new one is dropped".to_owned(),
        Err(err) => format!("drop {database:?} by hand ({err})"),
    }
}

/// A name next to `name` that no other job uses; identifiers hold 63 bytes.
fn beside(server: &Server, name: &str, word: &str) -> String {
    let application = &server.endpoint.application_name;
    let tail: String = application
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let tail = tail
        .get(tail.len().saturating_sub(8)..)
        .unwrap_or_default()
        .to_lowercase();
    let suffix = format!("_{word}_{tail}");
    let mut base = name.to_owned();
    while base.len() + suffix.len() > 63 {
        base.pop();
    }
    base + &suffix
}

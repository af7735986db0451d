//! Which database is filled, and how it comes to bear its name.
//!
//! A database cannot be renamed here, but its tables can be moved to another. So where old contents are to be replaced,
//! tables are filled and proven in a staging database, and moved in one statement once the old ones are dropped.

use runner_core::engine::Target;
use runner_core::error::{Error, Kind, Result};

use crate::details::DatabaseDetails;
use crate::server::Server;
use crate::sql::{ident, literal, qualified};
use crate::wire::{Connection, has_code};

/// Where a database goes.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) name: String,
    /// `CHARACTER SET … COLLATE …` that the restored database has.
    charset: String,
    /// The same of the database that is there.
    present: Option<String>,
    is_filled: bool,
    /// Rows alone: the database and its tables stay.
    rows_only: bool,
    /// Whether to fill beside the old contents.
    may_stage: bool,
    /// While it is filled.
    staging: Option<String>,
}

impl Place {
    /// Looks what is there, and refuses what may not be replaced; touches nothing.
    pub(crate) async fn find(
        server: &Server,
        name: &str,
        database: &DatabaseDetails,
        target: &Target,
    ) -> Result<Self> {
        const SYSTEM: [&str; 4] = ["mysql", "information_schema", "performance_schema", "sys"];
        if SYSTEM.contains(&name.to_lowercase().as_str()) {
            return Err(Error::new(
                Kind::Config,
                format!("DB_NAME: {name:?} is the server's own database"),
            ));
        }
        let mut connection = server.connect().await?;
        let present = charset_of(&mut connection, name).await?;
        let found = match present {
            Some(_) => objects(&mut connection, name).await?,
            None => Vec::new(),
        };
        if present.is_none() && (!target.create_database || !database.has_schema) {
            return Err(Error::new(
                Kind::NotFound,
                format!(
                    "there is no database {name:?} on {} and it is not to be created",
                    server.endpoint.address()
                ),
            ));
        }
        if database.has_schema && !found.is_empty() && !target.drop_existing {
            return Err(Error::new(
                Kind::Unfit,
                format!(
                    "the database {name:?} is not empty ({}) and nothing was changed; set RESTORE_DROP_EXISTING=true to replace it",
                    found.join(", ")
                ),
            ));
        }
        if !database.has_schema {
            refuse_filled(&mut connection, name, database, target).await?;
        }
        connection.close().await;
        Ok(Self {
            name: name.to_owned(),
            charset: match database.charset.is_empty() {
                // A dump that does not say leaves a database what it has.
                true => present.clone().unwrap_or_default(),
                false => clause(&database.charset, &database.collation),
            },
            present,
            is_filled: !found.is_empty(),
            rows_only: !database.has_schema,
            // A default of a table names its sequence's database, which would be the staging one for ever.
            may_stage: target.staging && database.n_sequences == 0,
            staging: None,
        })
    }

    /// The database that is filled.
    pub(crate) fn working_name(&self) -> &str {
        self.staging.as_deref().unwrap_or(&self.name)
    }

    /// Whether the old contents are still there while it is filled.
    pub(crate) fn is_staged(&self) -> bool {
        self.staging.is_some()
    }

    /// Makes the database that is filled.
    pub(crate) async fn open(&mut self, server: &Server) -> Result<()> {
        if self.rows_only {
            return Ok(());
        }
        let mut connection = server.connect().await?;
        if self.is_filled && self.may_stage {
            let staging = staging_name(&self.name, connection.id);
            match create(&mut connection, &staging, &self.charset).await {
                Ok(()) => {
                    tracing::info!(
                        database = self.name,
                        staging,
                        "the old contents stay until the new are proven"
                    );
                    self.staging = Some(staging);
                    connection.close().await;
                    return Ok(());
                }
                Err(err) if err.kind() == Kind::Denied => tracing::warn!(
                    database = self.name,
                    "the login may not create a database to fill first: the old contents are dropped before the new are proven"
                ),
                Err(err) => return Err(err),
            }
        }
        if self.present.is_some() {
            if self.is_filled {
                tracing::warn!(database = self.name, "the old contents are dropped");
            }
            let statement = format!("DROP DATABASE {}", ident(&self.name));
            connection
                .execute(&statement)
                .await
                .map_err(|err| err.while_doing(format!("drop the database {:?}", self.name)))?;
        }
        create(&mut connection, &self.name, &self.charset).await?;
        connection.close().await;
        Ok(())
    }

    /// After the proof: gives the filled tables their place.
    pub(crate) async fn settle(&self, server: &Server) -> Result<()> {
        let Some(staging) = &self.staging else {
            return Ok(());
        };
        let mut connection = server.connect().await?;
        let tables = connection
            .query(format!(
                "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_TYPE <> 'VIEW'",
                literal(staging)
            ))
            .await?;
        let drop = format!("DROP DATABASE {}", ident(&self.name));
        connection.execute(&drop).await.map_err(|err| {
            err.while_doing(format!(
                "replace {:?}, which is untouched; the proven tables are in {staging:?}",
                self.name
            ))
        })?;
        let moved = async {
            create(&mut connection, &self.name, &self.charset).await?;
            let moves: Vec<String> = tables
                .rows
                .iter()
                .map(|row| row.text(0))
                .map(|table| {
                    let (from, to) = (qualified(staging, &table), qualified(&self.name, &table));
                    format!("{from} TO {to}")
                })
                .collect();
            if !moves.is_empty() {
                let statement = format!("RENAME TABLE {}", moves.join(", "));
                connection.execute(&statement).await?;
            }
            connection
                .execute(format!("DROP DATABASE {}", ident(staging)))
                .await
        };
        moved.await.map_err(|err| {
            err.while_doing(format!(
                "move the proven tables from {staging:?} to {:?}, whose old contents are gone; RENAME TABLE moves them by hand",
                self.name
            ))
        })?;
        connection.close().await;
        Ok(())
    }

    /// After a failure: drops what was made, and says what stands where.
    pub(crate) async fn give_up(&self, server: &Server, err: Error) -> Error {
        if self.rows_only {
            return err.while_doing(format!(
                "{:?} holds a part of the restored rows; run it again with RESTORE_DROP_EXISTING=true",
                self.name
            ));
        }
        let undone = async {
            let mut connection = server.connect().await?;
            let drop = format!("DROP DATABASE {}", ident(self.working_name()));
            connection.execute(&drop).await?;
            if let (None, Some(present)) = (&self.staging, &self.present) {
                create(&mut connection, &self.name, present).await?;
            }
            connection.close().await;
            Ok::<_, Error>(())
        };
        let patience = std::time::Duration::from_secs(8);
        match tokio::time::timeout(patience, undone).await {
            Ok(Ok(())) => err.while_doing(match (&self.staging, &self.present) {
                (Some(_), _) => format!("{:?} is as it was", self.name),
                (None, None) => format!("the unfinished database {:?} was dropped", self.name),
                (None, Some(_)) if self.is_filled => {
                    format!("{:?} is empty: its old contents are gone", self.name)
                }
                (None, Some(_)) => format!("{:?} is empty, as it was", self.name),
            }),
            _ => err.while_doing(format!(
                "the unfinished database {:?} could not be dropped and is still there",
                self.working_name()
            )),
        }
    }

    /// For the last line of the log.
    pub(crate) fn summary(&self) -> String {
        match (self.rows_only, self.is_filled) {
            (true, _) => format!("{:?} holds the rows", self.name),
            (false, true) => format!("{:?} is replaced", self.name),
            (false, false) => format!("{:?} is restored", self.name),
        }
    }
}

/// Within the 64 characters of a name.
fn staging_name(name: &str, id: u32) -> String {
    let stem: String = name.chars().take(40).collect();
    format!("{stem}_planb_{id}")
}

fn clause(charset: &str, collation: &str) -> String {
    format!(" CHARACTER SET {charset} COLLATE {collation}")
}

async fn create(connection: &mut Connection, name: &str, charset: &str) -> Result<()> {
    let statement = format!("CREATE DATABASE {}{charset}", ident(name));
    connection
        .execute(&statement)
        .await
        .map_err(|err| match has_code(&err, 1044) {
            true => err.while_doing(format!(
                "create the database {name:?}; GRANT CREATE, DROP ON {}.* to the login",
                ident(name)
            )),
            false => err.while_doing(format!("create the database {name:?}")),
        })
}

async fn charset_of(connection: &mut Connection, name: &str) -> Result<Option<String>> {
    let answer = connection
        .query(format!(
            "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {}",
            literal(name)
        ))
        .await?;
    Ok(answer
        .rows
        .first()
        .map(|row| clause(&row.text(0), &row.text(1))))
}

/// A few of the things in a database, by name.
async fn objects(connection: &mut Connection, name: &str) -> Result<Vec<String>> {
    let name = literal(name);
    let answer = connection
        .query(format!(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {name} \
             UNION ALL SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {name} \
             UNION ALL SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {name} LIMIT 4"
        ))
        .await?;
    Ok(answer.rows.iter().map(|row| row.text(0)).collect())
}

/// For a backup without a schema: the tables must be there and empty, or may be emptied.
async fn refuse_filled(
    connection: &mut Connection,
    name: &str,
    database: &DatabaseDetails,
    target: &Target,
) -> Result<()> {
    for table in &database.tables {
        let plain = database.plain_name(&table.name);
        if !target.tables.is_empty() && !target.tables.matches(&plain) {
            continue;
        }
        let statement = format!("SELECT 1 FROM {} LIMIT 1", qualified(name, &table.name));
        let row = connection.query_one(&statement).await.map_err(|err| {
            err.while_doing(format!(
                "look into {name}.{}: a DATA_ONLY backup restores into tables that are there",
                table.name
            ))
        })?;
        if row.is_some() && !target.drop_existing {
            return Err(Error::new(
                Kind::Unfit,
                format!(
                    "the table {} in {name:?} is not empty and nothing was changed; set RESTORE_DROP_EXISTING=true to replace its rows",
                    table.name
                ),
            ));
        }
    }
    Ok(())
}

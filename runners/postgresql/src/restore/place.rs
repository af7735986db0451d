//! Where a database is restored: beside what is there and then renamed into place, or in place.

pub(crate) mod properties;

use std::collections::BTreeSet;

use runner_core::engine::Target;
use runner_core::error::{Error, Kind, Result};

use crate::details::DatabaseDetails;
use crate::engine::Server;
use crate::options::Options;
use crate::sql::{ident, literal};
use crate::wire::Connection;

/// Everything a user could have made, by name; an empty database has none.
const USER_OBJECTS: &str = r"
SELECT name FROM (
  SELECT n.nspname || '.' || c.relname AS name, 'pg_class'::regclass AS classid, c.oid FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND c.oid >= 16384 AND n.nspname !~ '^pg_'
    AND n.nspname <> 'information_schema'
  UNION ALL SELECT n.nspname || '.' || p.proname, 'pg_proc'::regclass, p.oid FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid >= 16384 AND n.nspname !~ '^pg_'
  UNION ALL SELECT n.nspname || '.' || t.typname, 'pg_type'::regclass, t.oid FROM pg_type t
    JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.oid >= 16384 AND t.typtype IN ('d', 'e', 'r') AND n.nspname !~ '^pg_'
  UNION ALL SELECT 'schema ' || nspname, 'pg_namespace'::regclass, oid FROM pg_namespace
    WHERE oid >= 16384 AND nspname !~ '^pg_'
  UNION ALL SELECT 'collation ' || collname, 'pg_collation'::regclass, oid FROM pg_collation WHERE oid >= 16384
  UNION ALL SELECT 'operator ' || oprname, 'pg_operator'::regclass, oid FROM pg_operator WHERE oid >= 16384
  UNION ALL SELECT 'cast ' || oid, 'pg_cast'::regclass, oid FROM pg_cast WHERE oid >= 16384
  UNION ALL SELECT 'language ' || lanname, 'pg_language'::regclass, oid FROM pg_language WHERE oid >= 16384
  UNION ALL SELECT 'text search ' || cfgname, 'pg_ts_config'::regclass, oid FROM pg_ts_config WHERE oid >= 16384
  UNION ALL SELECT 'text search ' || dictname, 'pg_ts_dict'::regclass, oid FROM pg_ts_dict WHERE oid >= 16384
  UNION ALL SELECT 'server ' || srvname, 'pg_foreign_server'::regclass, oid FROM pg_foreign_server
  UNION ALL SELECT 'event trigger ' || evtname, 'pg_event_trigger'::regclass, oid FROM pg_event_trigger
  UNION ALL SELECT 'publication ' || pubname, 'pg_publication'::regclass, oid FROM pg_publication
  UNION ALL SELECT 'large object ' || oid, 'pg_largeobject'::regclass, oid FROM pg_largeobject_metadata
) o WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.classid AND d.objid = o.oid AND d.deptype = 'e')
ORDER BY name LIMIT 4";

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

/// Who is to own what is restored owns the database from the start, or could create nothing in it.
fn create_statement(
    server: &Server,
    name: &str,
    database: &DatabaseDetails,
    owner: Option<&str>,
) -> String {
    let mut statement = format!(
        "CREATE DATABASE {} TEMPLATE template0 ENCODING {}",
        ident(name),
        literal(&database.encoding)
    );
    if let Some(owner) = owner {
        statement.push_str(&format!(" OWNER {}", ident(owner)));
    }
    let has_provider = database
        .locale
        .iter()
        .any(|(option, _)| option == "LOCALE_PROVIDER");
    if server.has_locale_provider && !has_provider {
        statement.push_str(" LOCALE_PROVIDER libc");
    }
    for (option, value) in &database.locale {
        match option.as_str() {
            "LOCALE_PROVIDER" => statement.push_str(&format!(" {option} {value}")),
            _ => statement.push_str(&format!(" {option} {}", literal(value))),
        }
    }
    statement
}

async fn names(connection: &mut Connection, statement: &str) -> Result<BTreeSet<String>> {
    let rows = connection.query(statement).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| row.into_iter().next().flatten())
        .collect())
}

async fn user_objects(server: &Server, name: &str) -> Result<Vec<String>> {
    let mut connection = server.connect(name).await?;
    connection.execute("SET search_path = pg_catalog").await?;
    let found = names(&mut connection, USER_OBJECTS).await?;
    connection.close().await;
    Ok(found.into_iter().collect())
}

async fn rename(connection: &mut Connection, from: &str, to: &str) -> Result<()> {
    connection
        .execute(&format!(
            "ALTER DATABASE {} RENAME TO {}",
            ident(from),
            ident(to)
        ))
        .await
}

/// A database with sessions cannot be renamed; new ones are kept out while the old ones end.
async fn shut_out(connection: &mut Connection, name: &str) -> Result<()> {
    let statement = format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", ident(name));
    connection.execute(&statement).await?;
    let statement = format!(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = {} AND pid <> pg_catalog.pg_backend_pid()",
        literal(name)
    );
    connection.execute(&statement).await
}

async fn drop_database(server: &Server, connection: &mut Connection, name: &str) -> Result<()> {
    if server.has_forced_drop {
        return connection
            .execute(&format!(
                "DROP DATABASE IF EXISTS {} WITH (FORCE)",
                ident(name)
            ))
            .await;
    }
    // Nobody else knows a staging name, so what is left of our own sessions is all there can be.
    let _ = shut_out(connection, name).await;
    connection
        .execute(&format!("DROP DATABASE IF EXISTS {}", ident(name)))
        .await
}

/// The list is sorted, and so complete before the first drop; what an earlier one took along is passed over.
const CLEAR_SCHEMA: &str = r"DO $clear$ DECLARE object text; BEGIN
FOR object IN SELECT o FROM (
  SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE'
    WHEN 'S' THEN 'SEQUENCE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END || ' IF EXISTS ' || c.oid::pg_catalog.regclass AS o,
    CASE WHEN relkind IN ('r', 'p') THEN 1 ELSE 2 END AS n, 'pg_class'::pg_catalog.regclass AS classid, c.oid AS objid
    FROM pg_catalog.pg_class c WHERE relnamespace = pg_catalog.to_regnamespace(pg_catalog.quote_ident(SCHEMA_NAME))
    AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
  UNION ALL SELECT 'ROUTINE IF EXISTS ' || oid::pg_catalog.regprocedure, 3, 'pg_proc'::pg_catalog.regclass, oid
    FROM pg_catalog.pg_proc WHERE pronamespace = pg_catalog.to_regnamespace(pg_catalog.quote_ident(SCHEMA_NAME))
  UNION ALL SELECT 'TYPE IF EXISTS ' || oid::pg_catalog.regtype, 4, 'pg_type'::pg_catalog.regclass, oid
    FROM pg_catalog.pg_type WHERE typnamespace = pg_catalog.to_regnamespace(pg_catalog.quote_ident(SCHEMA_NAME))
    AND typtype IN ('d', 'e', 'r')) x
  WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = x.classid AND d.objid = x.objid AND d.deptype = 'e')
  ORDER BY n, o
LOOP EXECUTE 'DROP ' || object || ' CASCADE'; END LOOP; END $clear$";

/// Drops everything a user has made, where no other database may be created.
async fn clear(server: &Server, name: &str) -> Result<()> {
    tracing::warn!(
        database = name,
        "the login may not create databases: the old contents are dropped before the new are proven"
    );
    let mut connection = server.connect(name).await?;
    let owned = |is_owned: &str| {
        format!(
            "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' \
             AND {is_owned} pg_catalog.pg_has_role(nspowner, 'USAGE')"
        )
    };
    let mut statements = vec!["BEGIN".to_owned()];
    // Of a schema that is somebody else's, as `public` is before 15, only what is in it can go.
    for schema in names(&mut connection, &owned("NOT")).await? {
        statements.push(CLEAR_SCHEMA.replace("SCHEMA_NAME", &literal(&schema)));
    }
    let schemas = names(&mut connection, &owned("")).await?;
    statements.extend(
        schemas
            .iter()
            .map(|schema| format!("DROP SCHEMA {} CASCADE", ident(schema))),
    );
    if schemas.contains("public") {
        statements.push("CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC".to_owned());
    }
    statements.push(
        "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata; COMMIT"
            .to_owned(),
    );
    connection
        .execute(&statements.join("; "))
        .await
        .map_err(|err| {
            err.while_doing(format!("empty the database {name:?}, which is untouched"))
        })?;
    connection.close().await;
    Ok(())
}

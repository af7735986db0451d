//! A database's definitions as scripts for the stock client: tables, then (after the rows) indexes, then all that may
//! fire or look at rows.
//!
//! Each object is headed by a line that says what it is, for messages. Texts that people wrote are kept byte for byte,
//! in the character set that they were written in, which the script sets before them.

mod libraries;
mod sequences;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use runner_core::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

use crate::ddl;
use crate::features;
use crate::sql::{self, ident, literal};
use crate::tables::Source;
use crate::wire::{Answer, Connection};
use libraries::with_own_libraries;
pub(crate) use sequences::{Sequences, sequences};

/// What begins the line that heads an object.
pub(crate) const HEADER: &str = "-- planb: ";

/// What a header says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// `table`, `indexes`, `foreign keys`, `sequence`, `library`, `procedure`, `function`, `package`, `package body`,
    /// `view`, `trigger`, `event`, and of a whole server `account`, `grant`.
    pub(crate) kind: String,
    pub(crate) name: String,
}

/// The scripts of one database.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scripts {
    /// Without [`sequences`], which stand before them.
    pub(crate) tables: Vec<u8>,
    pub(crate) indexes: Vec<u8>,
    pub(crate) objects: Vec<u8>,
    /// Of each object but events, which the server itself ends and drops.
    pub(crate) stamps: Stamps,
    /// Accounts that objects run as.
    pub(crate) definers: BTreeSet<String>,
    /// What only some servers know.
    pub(crate) features: BTreeSet<String>,
}

/// By what people call a thing: all that a change of its definition would change.
pub(crate) type Stamps = BTreeMap<String, String>;

/// What a script needs of its session, whoever runs it.
const PROLOGUE: &str = "SET NAMES utf8mb4;\n\
    SET SESSION time_zone = '+00:00', foreign_key_checks = 0, unique_checks = 0, \
    sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION';\n";

/// From MySQL 8.4 on, a foreign key to something that is not unique is refused without it.
const LOOSE_KEYS: &str = "/*!80400 SET SESSION restrict_fk_on_non_standard_key = 0 */;\n";

/// Reads them all but [`sequences`]; `catalog` becomes a session in that database.
pub(crate) async fn read(
    catalog: &mut Connection,
    database: &str,
    sources: &[Source],
) -> Result<Scripts> {
    // Views that look at their own database only are then written without its name.
    catalog.execute(format!("USE {}", ident(database))).await?;
    let mut scripts = Scripts {
        tables: Vec::new(),
        indexes: [PROLOGUE, LOOSE_KEYS].concat().into(),
        objects: PROLOGUE.into(),
        ..Scripts::default()
    };
    let mut foreign_keys = Vec::new();
    for source in sources {
        let name = &source.table.name;
        let answer = catalog
            .query(format!("SHOW CREATE TABLE {}", ident(name)))
            .await
            .map_err(|err| err.while_doing(format!("read the definition of {name}")))?;
        let create = text(&answer, "Create Table", name)?;
        scripts.features.extend(features::of_table(&create));
        if ddl::outside_quotes(&create).contains(" MASKING POLICY ") {
            let table = sql::display_name(database, name);
            tracing::warn!(
                table,
                "a masking policy is on it: unless that lets this login see the values, the backup holds the masks"
            );
        }
        let split = ddl::split(name, &create);
        add(&mut scripts.tables, "table", name, &[split.create]);
        add(&mut scripts.indexes, "indexes", name, &split.indexes);
        foreign_keys.push((name, split.foreign_keys));
    }
    for (name, statements) in foreign_keys {
        add(&mut scripts.indexes, "foreign keys", name, &statements);
    }
    let mut writer = Writer {
        catalog,
        database,
        scripts,
    };
    writer.but_events().await?;
    writer.events().await?;
    let scripts = writer.scripts;
    catalog.execute(sql::TEXT_RESULTS).await?;
    Ok(scripts)
}

/// The stamps of all objects as they are now.
pub(crate) async fn stamps(catalog: &mut Connection, database: &str) -> Result<Stamps> {
    catalog.execute(format!("USE {}", ident(database))).await?;
    let mut writer = Writer {
        catalog,
        database,
        scripts: Scripts::default(),
    };
    writer.but_events().await?;
    Ok(writer.scripts.stamps)
}

/// The line that heads an object, after an empty one.
pub(crate) fn header(kind: &str, name: &str) -> String {
    let header = Header {
        kind: kind.to_owned(),
        name: name.to_owned(),
    };
    let json = serde_json::to_string(&header).unwrap_or_default();
    format!("\n{HEADER}{json}\n")
}

fn add(script: &mut Vec<u8>, kind: &str, name: &str, statements: &[String]) {
    for statement in statements {
        script.extend_from_slice(header(kind, name).as_bytes());
        script.extend_from_slice(statement.as_bytes());
        script.extend_from_slice(b";\n");
    }
}

/// A definition that the login may not see comes as NULL.
fn text(answer: &Answer, column: &str, name: &str) -> Result<String> {
    answer.named(column).ok_or_else(|| hidden(name))
}

fn hidden(name: &str) -> Error {
    Error::new(
        Kind::Denied,
        format!(
            "the login may not read the definition of {name}; GRANT SHOW_ROUTINE ON *.* (MySQL 8.0.20 and later), or SELECT ON *.*, or SELECT ON mysql.proc (MariaDB, MySQL 5.7)"
        ),
    )
}

struct Writer<'a> {
    catalog: &'a mut Connection,
    database: &'a str,
    scripts: Scripts,
}

/// An object's text, and what it was written under.
struct Object {
    kind: String,
    name: String,
    create: Vec<u8>,
    charset: String,
    collation: String,
    /// None for views.
    sql_mode: Option<String>,
    /// Of events.
    time_zone: Option<String>,
}

impl Writer<'_> {
    async fn but_events(&mut self) -> Result<()> {
        self.libraries().await?;
        self.routines().await?;
        self.views().await?;
        self.triggers().await
    }

    async fn routines(&mut self) -> Result<()> {
        let answer = self
            .catalog
            .query(format!(
                "SELECT ROUTINE_TYPE, ROUTINE_NAME, CHARACTER_SET_CLIENT, EXTERNAL_LANGUAGE FROM information_schema.ROUTINES \
                 WHERE ROUTINE_SCHEMA = {} ORDER BY ROUTINE_TYPE = 'PACKAGE BODY', ROUTINE_TYPE, ROUTINE_NAME",
                literal(self.database)
            ))
            .await?;
        for row in &answer.rows {
            let kind = row.text(0).to_lowercase();
            let column = match kind.as_str() {
                "procedure" => "Create Procedure",
                "function" => "Create Function",
                "package" => "Create Package",
                "package body" => "Create Package Body",
                _ => continue,
            };
            let statement = format!("SHOW CREATE {} {}", row.text(0), ident(&row.text(1)));
            if kind == "package" {
                self.scripts.features.insert(features::PACKAGES.to_owned());
            }
            let mut object = self
                .object(&kind, &row.text(1), &statement, column, &row.text(2))
                .await?;
            if row.text(3) == "JAVASCRIPT" {
                let features = &mut self.scripts.features;
                features.insert(features::JAVASCRIPT.to_owned());
                object.create = with_own_libraries(&object.create, self.database);
            }
            self.write(&object);
        }
        Ok(())
    }

    /// Each after those that it looks at.
    async fn views(&mut self) -> Result<()> {
        let answer = self
            .catalog
            .query(format!(
                "SELECT TABLE_NAME, CHARACTER_SET_CLIENT FROM information_schema.VIEWS WHERE TABLE_SCHEMA = {} ORDER BY 1",
                literal(self.database)
            ))
            .await?;
        let mut views = Vec::new();
        for row in &answer.rows {
            let name = row.text(0);
            let statement = format!("SHOW CREATE VIEW {}", ident(&name));
            let view = self
                .object("view", &name, &statement, "Create View", &row.text(1))
                .await?;
            if features::is_duality_view(&view.create) {
                let features = &mut self.scripts.features;
                features.insert(features::DUALITY_VIEWS.to_owned());
            }
            views.push(view);
        }
        let texts: Vec<(String, String)> = views
            .iter()
            .map(|view| {
                (
                    view.name.clone(),
                    String::from_utf8_lossy(&view.create).into_owned(),
                )
            })
            .collect();
        for at in in_order(&texts) {
            if let Some(view) = views.get(at) {
                self.write(view);
            }
        }
        Ok(())
    }

    async fn triggers(&mut self) -> Result<()> {
        let answer = self
            .catalog
            .query(format!(
                "SELECT TRIGGER_NAME, CHARACTER_SET_CLIENT FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = {} \
                 ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER",
                literal(self.database)
            ))
            .await?;
        for row in &answer.rows {
            let name = row.text(0);
            let statement = format!("SHOW CREATE TRIGGER {}", ident(&name));
            let column = "SQL Original Statement";
            let object = self
                .object("trigger", &name, &statement, column, &row.text(1))
                .await?;
            self.write(&object);
        }
        Ok(())
    }

    async fn events(&mut self) -> Result<()> {
        let answer = self
            .catalog
            .query(format!(
                "SELECT EVENT_NAME, CHARACTER_SET_CLIENT FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {} ORDER BY 1",
                literal(self.database)
            ))
            .await?;
        for row in &answer.rows {
            let name = row.text(0);
            let statement = format!("SHOW CREATE EVENT {}", ident(&name));
            let object = self
                .object("event", &name, &statement, "Create Event", &row.text(1))
                .await?;
            self.write(&object);
        }
        Ok(())
    }

    /// Reads an object's text in the character set that it was written in.
    async fn object(
        &mut self,
        kind: &str,
        name: &str,
        statement: &str,
        column: &str,
        charset: &str,
    ) -> Result<Object> {
        self.catalog
            .execute(format!(
                "SET SESSION character_set_results = {}",
                literal(charset)
            ))
            .await?;
        let answer =
            self.catalog.query(statement).await.map_err(|err| {
                err.while_doing(format!("read the definition of the {kind} {name}"))
            })?;
        self.catalog.execute(sql::TEXT_RESULTS).await?;
        let create = answer
            .named_bytes(column)
            .ok_or_else(|| hidden(&format!("the {kind} {name}")))?;
        self.scripts.definers.extend(definer(create));
        Ok(Object {
            kind: kind.to_owned(),
            name: name.to_owned(),
            create: create.to_vec(),
            charset: answer
                .named("character_set_client")
                .unwrap_or_else(|| charset.to_owned()),
            collation: answer.named("collation_connection").unwrap_or_default(),
            sql_mode: answer.named("sql_mode"),
            time_zone: answer.named("time_zone"),
        })
    }

    fn write(&mut self, object: &Object) {
        let mut settings = vec![format!(
            "character_set_client = {}",
            literal(&object.charset)
        )];
        // A library has none.
        if !object.collation.is_empty() {
            settings.push(format!(
                "collation_connection = {}",
                literal(&object.collation)
            ));
        }
        let sql_mode = object
            .sql_mode
            .as_deref()
            .unwrap_or("NO_AUTO_VALUE_ON_ZERO");
        settings.push(format!("sql_mode = {}", literal(sql_mode)));
        let zone = object.time_zone.as_deref().unwrap_or("+00:00");
        settings.push(format!("time_zone = {}", literal(zone)));
        let delimiter = [";;", "$$", "//", "$planb$"]
            .into_iter()
            .find(|delimiter| {
                let mut windows = object.create.windows(delimiter.len());
                !windows.any(|window| window == delimiter.as_bytes())
            })
            .unwrap_or("$planb-end$");
        if object.kind != "event" {
            let name = sql::display_name(self.database, &object.name);
            let mut stamp = DefaultHasher::new();
            (&object.create, &settings).hash(&mut stamp);
            let stamp = stamp.finish().to_string();
            let stamps = &mut self.scripts.stamps;
            stamps.insert(format!("{} {name}", object.kind), stamp);
        }
        let script = &mut self.scripts.objects;
        let before = format!(
            "\nSET SESSION {};\nDELIMITER {delimiter}{}",
            settings.join(", "),
            header(&object.kind, &object.name)
        );
        script.extend_from_slice(before.as_bytes());
        script.extend_from_slice(&object.create);
        script.extend_from_slice(format!(" {delimiter}\nDELIMITER ;\n").as_bytes());
    }
}

/// The account after the first `DEFINER=`, which stands before anything that a person wrote.
fn definer(create: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(create.get(..1024).unwrap_or(create)).into_owned();
    let (_, rest) = head.split_once("DEFINER=")?;
    // Under ANSI_QUOTES it is in double quotes.
    let quote = rest.chars().next().filter(|quote| "`\"".contains(*quote))?;
    let mut parts = rest.split(quote).skip(1);
    let (user, at, host) = (parts.next()?, parts.next(), parts.next());
    Some(match (at, host) {
        (Some("@"), Some(host)) => format!("{user}@{host}"),
        _ => user.to_owned(),
    })
}

/// The numbers of views, each after those that its text names; views that name each other come last, as they were.
fn in_order(views: &[(String, String)]) -> Vec<usize> {
    let mut order = Vec::new();
    let mut waiting: Vec<usize> = (0..views.len()).collect();
    loop {
        let is_free = |at: &usize| {
            let text = views
                .get(*at)
                .map(|view| view.1.as_str())
                .unwrap_or_default();
            !waiting.iter().any(|other| {
                let name = views
                    .get(*other)
                    .map(|view| ident(&view.0))
                    .unwrap_or_default();
                other != at && text.contains(&name)
            })
        };
        let (free, blocked): (Vec<usize>, Vec<usize>) = waiting.iter().partition(|at| is_free(at));
        if free.is_empty() {
            order.extend(blocked);
            return order;
        }
        order.extend(free);
        waiting = blocked;
    }
}

#[cfg(test)]
mod tests;

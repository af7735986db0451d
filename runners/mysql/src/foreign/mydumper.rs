//! Directories of mydumper: which object holds what, in which order they go in, and whether all of them are there.
//!
//! Tables first, then rows in parallel, then routines and events, views, triggers: as `myloader` does it, so that no
//! trigger fires for rows that it fired for before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use runner_core::error::{Error, Kind, Result};
use runner_core::foreign::ForeignDirectory;
use runner_core::workers::{each, unless_cancelled};

use super::Fill;
use super::feed::{Feed, is_blocked};
use crate::sql;
use crate::wire::has_code;

/// Says that the dump ended, and in newer versions how many rows each table has.
const METADATA: &str = "metadata";
/// What it is called until then.
const UNFINISHED: [&str; 2] = ["metadata.partial", "metadata.tmp"];
/// More is no metadata.
const MAX_METADATA_BYTES: usize = 64 << 20;

/// What an object holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Create,
    Sequence,
    Table,
    Rows,
    /// Routines and events.
    Post,
    View,
    Triggers,
}

/// By the end of an object's name; without any of these it holds rows.
const ENDS: [(&str, Part); 6] = [
    ("-schema-create.sql", Part::Create),
    ("-schema-sequence.sql", Part::Sequence),
    ("-schema-post.sql", Part::Post),
    ("-schema-view.sql", Part::View),
    ("-schema-triggers.sql", Part::Triggers),
    ("-schema.sql", Part::Table),
];

/// Whether a directory looks like one of mydumper's, whole or not.
pub(crate) fn is_directory(directory: &ForeignDirectory) -> bool {
    let names: BTreeSet<&str> = directory.names().collect();
    let is_metadata = |name: &str| name == METADATA || UNFINISHED.contains(&name);
    let is_script = |name: &&str| name.ends_with(".sql");
    names.iter().any(|name| is_metadata(name)) && names.iter().any(is_script)
}

/// A dump of one database.
pub(super) struct Mydumper {
    directory: ForeignDirectory,
    objects: BTreeMap<Part, Vec<String>>,
    /// Rows of each table, where the dump says.
    rows: BTreeMap<String, u64>,
}

impl Mydumper {
    /// Looks through the directory, touching nothing else; of several databases, the wanted one is taken.
    pub(super) async fn of(directory: ForeignDirectory, wanted: &str) -> Result<Self> {
        let names: Vec<&str> = directory.names().collect();
        let metadata = match names.contains(&METADATA) {
            true => read(&directory, METADATA).await?,
            false => String::new(),
        };
        if !metadata.contains("Finished dump at") {
            return Err(Error::new(
                Kind::Integrity,
                format!(
                    "{}: its metadata does not say \"Finished dump at\": mydumper did not end, or the upload did not",
                    directory.path()
                ),
            ));
        }
        let databases = databases(&names);
        let database = match databases.iter().collect::<Vec<_>>().as_slice() {
            [only] => (*only).clone(),
            _ if databases.contains(wanted) => wanted.to_owned(),
            _ => {
                return Err(Error::new(
                    Kind::NotFound,
                    format!(
                        "{} holds the databases {databases:?} and no {wanted:?}; DB_NAME chooses one of them",
                        directory.path()
                    ),
                ));
            }
        };
        let mut objects = BTreeMap::<Part, Vec<String>>::new();
        for name in names.iter().filter(|name| name.ends_with(".sql")) {
            if let Some(part) = part(name, &database) {
                objects.entry(part).or_default().push((*name).to_owned());
            }
        }
        Ok(Self {
            objects,
            rows: rows(&metadata, &database),
            directory,
        })
    }

    /// How many rows there were.
    pub(super) async fn restore(self, fill: &Arc<Fill>) -> Result<u64> {
        let mut feed = Feed::start_in(fill, &self.directory).await?;
        self.all(Part::Create, &mut feed).await?;
        feed.end().await;
        let mut feed = Feed::start_in(fill, &self.directory).await?;
        feed.take_values().await?;
        self.all(Part::Sequence, &mut feed).await?;
        self.tables(&mut feed).await?;
        feed.end().await;
        let rows = self.rows(fill).await?;
        self.check(fill).await?;
        // These keep the mode that they are defined under, of which the dump says nothing.
        let mut feed = Feed::start_in(fill, &self.directory).await?;
        self.all(Part::Post, &mut feed).await?;
        self.all(Part::View, &mut feed).await?;
        feed.views().await?;
        self.all(Part::Triggers, &mut feed).await?;
        feed.end().await;
        Ok(rows)
    }

    fn of_part(&self, part: Part) -> &[String] {
        self.objects.get(&part).map_or(&[], Vec::as_slice)
    }

    async fn all(&self, part: Part, feed: &mut Feed) -> Result<()> {
        for name in self.of_part(part) {
            let body = self.directory.open(name).await?;
            feed.object(name, body).await?;
        }
        Ok(())
    }

    /// Tries again those whose defaults ask a sequence that comes later, until none is left or none can be made.
    async fn tables(&self, feed: &mut Feed) -> Result<()> {
        let mut waiting = self.of_part(Part::Table).to_vec();
        while !waiting.is_empty() {
            let names = std::mem::take(&mut waiting);
            for name in &names {
                let body = self.directory.open(name).await?;
                match feed.object(name, body).await {
                    // Unknown sequence.
                    Err(err)
                        if (is_blocked(&err) || has_code(&err, 4091))
                            && waiting.len() + 1 < names.len() =>
                    {
                        waiting.push(name.clone());
                    }
                    done => done?,
                }
            }
        }
        Ok(())
    }

    /// In parallel, largest first.
    async fn rows(&self, fill: &Arc<Fill>) -> Result<u64> {
        let mut names = self.of_part(Part::Rows).to_vec();
        names.sort_by_key(|name| std::cmp::Reverse(self.directory.stored_bytes(name)));
        let target = &fill.target;
        let stored_bytes = names.iter().map(|name| self.directory.stored_bytes(name));
        target.progress.begin("load rows", stored_bytes.sum());
        let rows = each(names, target.parallelism, &target.cancel, |name, stop| {
            let (fill, directory) = (Arc::clone(fill), self.directory.clone());
            async move { unless_cancelled(&stop, load(&fill, &directory, &name)).await }
        });
        Ok(rows.await?.into_iter().sum())
    }

    /// Compares with what the dump says.
    async fn check(&self, fill: &Arc<Fill>) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut connection = fill.connect().await?;
        for (table, expected) in &self.rows {
            let name = sql::qualified(&fill.database, table);
            let counted = connection
                .query_one(format!("SELECT count(*) FROM {name}"))
                .await
                .map_err(|err| err.while_doing(format!("count {table:?}, which the dump names")))?;
            let counted: u64 = counted.and_then(|n| n.parse().ok()).unwrap_or(0);
            if counted != *expected {
                return Err(Error::new(
                    Kind::Integrity,
                    format!(
                        "{table:?} has {counted} rows and the dump's metadata says {expected}: objects are missing or were cut"
                    ),
                ));
            }
        }
        connection.close().await;
        tracing::info!(
            tables = self.rows.len(),
            "as many rows as the dump's metadata says"
        );
        Ok(())
    }
}

async fn load(fill: &Arc<Fill>, directory: &ForeignDirectory, name: &str) -> Result<u64> {
    let mut feed = Feed::start_in(fill, directory).await?;
    feed.take_values().await?;
    let body = directory.open(name).await?;
    feed.object(name, body).await?;
    Ok(feed.end().await)
}

async fn read(directory: &ForeignDirectory, name: &str) -> Result<String> {
    let mut body = directory.open(name).await?;
    let mut bytes = Vec::new();
    while let Some(block) = body.next().await {
        bytes.extend_from_slice(&block?);
        if bytes.len() > MAX_METADATA_BYTES {
            let text = format!("{name} is longer than anything of mydumper");
            return Err(Error::new(Kind::Unfit, text));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Those that a statement creates; in a dump without such, those that names begin with.
fn databases(names: &[&str]) -> BTreeSet<String> {
    let created: BTreeSet<String> = names
        .iter()
        .filter_map(|name| name.strip_suffix("-schema-create.sql"))
        .map(str::to_owned)
        .collect();
    if !created.is_empty() {
        return created;
    }
    let scripts = names.iter().filter(|name| name.ends_with(".sql"));
    scripts
        .filter_map(|name| name.split_once('.').filter(|(_, rest)| *rest != "sql"))
        .map(|(database, _)| database.to_owned())
        .collect()
}

/// What a script of this database holds; `None` for another's.
fn part(name: &str, database: &str) -> Option<Part> {
    let rest = name.strip_prefix(database)?;
    let (end, part) = ENDS
        .into_iter()
        .find(|(end, _)| name.ends_with(end))
        .unwrap_or((".sql", Part::Rows));
    // Of a database or of one of its tables.
    match part {
        Part::Create | Part::Post if rest == end => Some(part),
        Part::Create => None,
        _ => rest.starts_with('.').then_some(part),
    }
}

/// The rows of this database's tables by the sections of newer versions' metadata.
fn rows(metadata: &str, database: &str) -> BTreeMap<String, u64> {
    let mut rows = BTreeMap::new();
    let mut table = None;
    let prefix = format!("{}.", sql::ident(database));
    for line in metadata.lines() {
        if let Some(section) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            let name = section.strip_prefix(&prefix);
            let name = name.and_then(|it| it.strip_prefix('`')?.strip_suffix('`'));
            table = name.map(|name| name.replace("``", "`"));
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        match (&mut table, key.trim(), value.trim()) {
            // The section's own name is fit for a file.
            (Some(table), "real_table_name", name) => name.clone_into(table),
            (Some(table), "rows", n) => {
                rows.extend(n.parse().ok().map(|n: u64| (table.clone(), n)));
            }
            _ => {}
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_told_by_its_name() {
        for (name, expected) in [
            ("shop-schema-create.sql", Some(Part::Create)),
            ("shop-schema-post.sql", Some(Part::Post)),
            ("shop.orders-schema.sql", Some(Part::Table)),
            ("shop.orders.sql", Some(Part::Rows)),
            ("shop.orders.00012.sql", Some(Part::Rows)),
            ("shop.orders-schema-triggers.sql", Some(Part::Triggers)),
            ("shop.totals-schema-view.sql", Some(Part::View)),
            ("shop.numbers-schema-sequence.sql", Some(Part::Sequence)),
            ("shop.we`ird \"name'.%-schema.sql", Some(Part::Table)),
            // Another's.
            ("shopping-schema-create.sql", None),
            ("shopping.orders.sql", None),
            ("shop-schema-triggers.sql", None),
        ] {
            assert_eq!(part(name, "shop"), expected, "{name}");
        }
    }

    #[test]
    fn databases_are_those_that_are_created_or_those_that_names_begin_with() {
        let names = [
            "metadata",
            "a-schema-create.sql",
            "a.t.sql",
            "a.t-schema.sql",
        ];
        assert_eq!(databases(&names), BTreeSet::from(["a".to_owned()]));
        let names = ["metadata", "a.t.sql", "b.t.00000.sql", "all-schema-x.dat"];
        assert_eq!(
            databases(&names),
            BTreeSet::from(["a".to_owned(), "b".to_owned()])
        );
    }

    #[test]
    fn newer_metadata_counts_rows() {
        let metadata = "# Started dump at: 2023-05-05 13:57:17\n[config]\nquote_character = BACKTICK\n\n\
            [master]\nFile = binlog.000005\nPosition = 1049552\n\n\
            [`shop`.`orders`]\nreal_table_name=orders\nrows = 10000\n\n\
            [`shop`.`mydumper_2`]\nreal_table_name=a b\nrows = 0\n\n[`shopping`.`orders`]\nrows = 3\n\
            # Finished dump at: 2023-05-05 13:57:18\n";
        let expected = [("a b".to_owned(), 0), ("orders".to_owned(), 10_000)];
        assert_eq!(rows(metadata, "shop"), expected.into());
        let old = "Started dump at: 2026-11-21 18:20:32\nFinished dump at: 2026-11-21 18:20:32\n";
        assert!(rows(old, "shop").is_empty());
    }
}

//! What a database holds before its snapshot, what of it is wanted, and whether it is still the same later.

use runner_core::engine::{Content, Scope};
use runner_core::error::{Error, Kind, Result};

use crate::details::DatabaseDetails;
use crate::rows::component;
use crate::schema::{self, Scripts, Stamps};
use crate::snapshot::Lockable;
use crate::sql;
use crate::tables::{self, Source};
use crate::wire::Connection;

/// A database before its snapshot.
pub(super) struct Found {
    pub(super) details: DatabaseDetails,
    /// Tables whose rows are wanted.
    pub(super) wanted: Vec<Source>,
    /// All tables, whose definitions are wanted.
    pub(super) all: Vec<Source>,
    /// `None` for `DATA_ONLY`. Read before tables without transactions are locked: once they are, somebody's `FLUSH
    /// TABLES` waits for us, and whoever wants to open them waits for that.
    pub(super) scripts: Option<Scripts>,
}

impl Found {
    pub(super) fn lockable(&self) -> impl Iterator<Item = Lockable> {
        self.wanted.iter().map(|source| Lockable {
            database: self.details.name.clone(),
            table: source.table.name.clone(),
            is_transactional: source.is_transactional,
        })
    }
}

/// What a database holds and what of it is wanted; all names of tables go to `seen`.
pub(super) async fn look(
    catalog: &mut Connection,
    scope: &Scope,
    name: &str,
    all: bool,
    seen: &mut Vec<String>,
) -> Result<Found> {
    let (charset, collation) = tables::charset(catalog, name).await?;
    let mut details = DatabaseDetails {
        name: name.to_owned(),
        prefix: match all {
            true => format!("{}/", component(name)),
            false => String::new(),
        },
        charset,
        collation,
        has_schema: scope.content != Content::DataOnly,
        ..DatabaseDetails::default()
    };
    let all = tables::read(catalog, name).await?;
    let mut wanted = Vec::new();
    for source in &all {
        let plain = details.plain_name(&source.table.name);
        let included = scope.include.is_empty() || scope.include.matches(&plain);
        if included && !scope.exclude.matches(&plain) && scope.content != Content::SchemaOnly {
            wanted.push(source.clone());
        } else {
            let name = details.data_name(&source.table);
            details.without_rows.push(name);
        }
        seen.push(plain);
    }
    details.uses = all.iter().flat_map(|source| source.uses.clone()).collect();
    details.uses.insert(details.collation.clone());
    details.tables = wanted.iter().map(|source| source.table.clone()).collect();
    let scripts = match details.has_schema {
        true => Some(schema::read(catalog, name, &all).await?),
        false => None,
    };
    Ok(Found {
        details,
        wanted,
        all,
        scripts,
    })
}

pub(super) fn stamps(database: &str, tables: &[Source]) -> Stamps {
    let stamp = |source: &Source| {
        let name = sql::display_name(database, &source.table.name);
        (name, source.stamp.clone())
    };
    tables.iter().map(stamp).collect()
}

/// A snapshot covers rows and no definitions: a change of one on the way would make a backup of two moments.
pub(super) fn refuse_changed(before: &Stamps, now: &Stamps) -> Result<()> {
    let changed: Vec<String> = before
        .iter()
        .filter_map(|(name, before)| match now.get(name) {
            None => Some(format!("{name} is gone")),
            Some(now) if now != before => Some(format!("{name} has another definition")),
            Some(_) => None,
        })
        .collect();
    match changed.is_empty() {
        true => Ok(()),
        false => Err(Error::new(
            Kind::Unreachable,
            format!(
                "definitions changed during the backup, which would not be of one moment: {}; run it again when nothing is altered, dropped, renamed or truncated",
                changed.join(", ")
            ),
        )),
    }
}

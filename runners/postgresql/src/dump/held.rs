//! One database's snapshot, held open, and what stands in it.

use runner_core::engine::{Content, Scope};
use runner_core::error::Result;

use super::component;
use crate::details::{DatabaseDetails, Table};
use crate::engine::Server;
use crate::session::{self, Pool};
use crate::tables::{self, Source};
use crate::wire::Connection;
use crate::{describe, largeobjects, sequences, sql};

/// One database's snapshot.
pub(super) struct Held {
    pub(super) holder: Connection,
    pub(super) pool: Pool,
    pub(super) snapshot: String,
    pub(super) lsn: Option<String>,
    pub(super) details: DatabaseDetails,
    /// Tables that are not even described.
    pub(super) hidden: Vec<Table>,
}

impl Held {
    pub(super) async fn take(server: &Server, name: &str, all: bool) -> Result<Self> {
        let mut holder = session::connect(&server.endpoint, name, server.patience).await?;
        holder.execute(sql::BEGIN_SNAPSHOT).await?;
        let snapshot = holder
            .query_one("SELECT pg_catalog.pg_export_snapshot()")
            .await?
            .unwrap_or_default();
        let lsn = holder
            .query_one(
                "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() \
                 ELSE pg_catalog.pg_current_wal_lsn() END",
            )
            .await?;
        let mut details = describe::read(&mut holder, name).await?;
        if all {
            details.prefix = format!("{}/", component(name));
        }
        let pool = Pool::in_snapshot(
            &server.endpoint,
            name,
            server.patience,
            &details.encoding,
            &snapshot,
        );
        Ok(Self {
            holder,
            pool,
            snapshot,
            lsn,
            details,
            hidden: Vec::new(),
        })
    }
}

impl Held {
    /// The tables whose rows are wanted, locked; what is left out is recorded.
    pub(super) async fn tables(
        &mut self,
        server: &Server,
        scope: &Scope,
        seen: &mut Vec<String>,
    ) -> Result<Vec<Source>> {
        let mut sources = tables::read(&mut self.holder, server.copy_format).await?;
        seen.extend(sources.iter().map(|source| source.table.plain_name()));
        if scope.content == Content::SchemaOnly {
            let names = sources.drain(..).map(|source| source.table.display_name());
            self.details.without_rows = names.collect();
        }
        let (sources, left_out) = select(sources, scope);
        self.details.without_rows.extend(left_out.without_rows);
        self.hidden = left_out.hidden;
        if scope.content == Content::All {
            tables::refuse_needed(&mut self.holder, &self.hidden).await?;
        }
        tables::refuse_unreadable(&sources, &server.endpoint.user)?;
        tables::lock(&mut self.holder, &sources).await?;
        self.details.tables = sources.iter().map(|source| source.table.clone()).collect();
        Ok(sources)
    }

    /// Counts what else is wanted, and reads the sequences' script.
    pub(super) async fn take_stock(&mut self, server: &Server, scope: &Scope) -> Result<String> {
        self.details.has_schema = scope.content != Content::DataOnly;
        if scope.content == Content::SchemaOnly {
            return Ok(String::new());
        }
        let user = &server.endpoint.user;
        let (script, n_sequences) = sequences::script(&mut self.holder, user).await?;
        self.details.n_sequences = n_sequences;
        // A choice of tables is no choice of large objects, which belong to none.
        if scope.include.is_empty() {
            self.details.n_large_objects = largeobjects::count(&mut self.holder, user).await?;
        }
        Ok(script)
    }
}

/// Tables that stay out.
#[derive(Default)]
struct LeftOut {
    without_rows: Vec<String>,
    /// Excluded, and not to be locked either, which `pg_dump` does with all that it describes.
    hidden: Vec<Table>,
}

/// Splits tables into those whose rows are wanted and readable here, and the rest.
fn select(sources: Vec<Source>, scope: &Scope) -> (Vec<Source>, LeftOut) {
    let mut left_out = LeftOut::default();
    let mut kept = Vec::new();
    for source in sources {
        let name = source.table.plain_name();
        let included = scope.include.is_empty() || scope.include.matches(&name);
        let wanted = included && !scope.exclude.matches(&name);
        match source.unreadable {
            Some(tables::UNLOGGED) if wanted => {
                tracing::warn!(
                    table = name,
                    "unlogged: a standby cannot read its rows; only its definition is backed up"
                );
                left_out.without_rows.push(source.table.display_name());
            }
            _ if wanted => kept.push(source),
            Some(tables::NO_SELECT | tables::NO_USAGE) if scope.exclude.matches(&name) => {
                tracing::warn!(
                    table = name,
                    "excluded and not readable: not even its definition is backed up"
                );
                left_out.hidden.push(source.table);
            }
            _ => left_out.without_rows.push(source.table.display_name()),
        }
    }
    (kept, left_out)
}

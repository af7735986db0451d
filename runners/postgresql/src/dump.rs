//! A snapshot of one or all databases, held open, and the plan of what to read in it.

mod held;

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use runner_core::engine::{Content, Dump, Finished, Opened, Piece, Proof, Scope};
use runner_core::error::{Error, Kind, Result};
use runner_core::plan::{self, Unit};
use runner_core::progress::Progress;
use runner_core::rows as bodies;
use runner_core::store::layout::safe_component;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::cut;
use crate::details::{Details, Table};
use crate::engine::Server;
use crate::rows::{self, Job};
use crate::sql;
use crate::tables::Source;
use crate::tools::Tools;
use crate::wire::Connection;
use crate::{largeobjects, roles};
use held::Held;

/// What `begin` makes.
pub(crate) struct PgDump {
    tools: Tools,
    pieces: Vec<Piece>,
    units: BTreeMap<String, Work>,
    databases: Vec<Held>,
    details: Details,
    progress: Progress,
    cancel: CancellationToken,
}

/// What stands behind a piece's name; the number is that of its database.
enum Work {
    Schema(usize),
    Rows(usize, Box<Job>),
    Small(usize, Vec<Job>),
    Script(Bytes),
    LargeObjects(usize),
}

impl PgDump {
    /// Takes the snapshots, one right after the other, then plans.
    pub(crate) async fn begin(
        server: &Server,
        scope: &Scope,
        names: Vec<String>,
        all: bool,
    ) -> Result<Self> {
        let mut dump = Self {
            tools: server.tools.clone(),
            pieces: Vec::new(),
            units: BTreeMap::new(),
            databases: Vec::new(),
            details: Details {
                server_version_num: server.version_num,
                globals: all && scope.content != Content::DataOnly,
                databases: Vec::new(),
            },
            progress: scope.progress.clone(),
            cancel: scope.cancel.clone(),
        };
        for name in &names {
            dump.databases.push(Held::take(server, name, all).await?);
        }
        if let Some(first) = dump.databases.first_mut().filter(|_| dump.details.globals) {
            let script = roles::script(&mut first.holder, server.is_superuser).await?;
            let n_bytes = script.len() as u64;
            dump.add(
                "globals.sql",
                "globals",
                n_bytes,
                Work::Script(script.into()),
            );
        }
        let mut seen = Vec::new();
        for n in 0..dump.databases.len() {
            dump.plan_database(n, server, scope, &mut seen).await?;
        }
        scope.refuse_unmatched(&seen, "table")?;
        // What every restore needs first is read first; then the largest, so that none is left alone at the end.
        dump.pieces.sort_by_key(|piece| {
            let is_rows = matches!(piece.kind, "rows" | "small");
            (is_rows, std::cmp::Reverse(piece.estimated_bytes))
        });
        Ok(dump)
    }

    fn add(&mut self, name: &str, kind: &'static str, estimated_bytes: u64, work: Work) {
        self.pieces.push(Piece {
            name: name.to_owned(),
            kind,
            estimated_bytes,
        });
        self.units.insert(name.to_owned(), work);
    }

    async fn plan_database(
        &mut self,
        n: usize,
        server: &Server,
        scope: &Scope,
        seen: &mut Vec<String>,
    ) -> Result<()> {
        let Some(held) = self.databases.get_mut(n) else {
            return Ok(());
        };
        let sources = held.tables(server, scope, seen).await?;
        let script = held.take_stock(server, scope).await?;
        let bounds = key_bounds(&mut held.holder, &sources, server).await?;
        let details = held.details.clone();
        let prefix = &details.prefix;
        if details.has_schema {
            let name = format!("{prefix}schema.dump");
            self.add(&name, "schema", 1 << 20, Work::Schema(n));
        }
        if details.n_sequences > 0 {
            let name = format!("{prefix}sequences.sql");
            let n_bytes = script.len() as u64;
            self.add(&name, "sequences", n_bytes, Work::Script(script.into()));
        }
        if details.n_large_objects > 0 {
            let name = format!("{prefix}largeobjects.sql");
            let n_bytes = details.n_large_objects << 10;
            self.add(&name, "large_objects", n_bytes, Work::LargeObjects(n));
        }
        let has_scan = server.has_tid_range_scan;
        let units = plan::units(sources.iter().enumerate().map(|(n, source)| {
            let bounds = bounds.get(&n).copied();
            (
                source.size_bytes,
                cut::ranges(source, scope.parallelism, has_scan, bounds),
            )
        }));
        self.add_units(n, prefix, &sources, units);
        Ok(())
    }

    fn add_units(&mut self, n: usize, prefix: &str, sources: &[Source], units: Vec<(Unit, u64)>) {
        let mut n_tars = 0;
        for (unit, estimated_bytes) in units {
            match unit {
                Unit::Rows {
                    table,
                    range,
                    n: part,
                    of,
                } => {
                    let Some(source) = sources.get(table) else {
                        continue;
                    };
                    let job = job(prefix, &source.table, range.as_deref());
                    let name = match of {
                        1 => format!("{prefix}data/{}.copy", job.member),
                        _ => format!("{prefix}data/{}/{part:05}.copy", job.member),
                    };
                    self.add(&name, "rows", estimated_bytes, Work::Rows(n, Box::new(job)));
                }
                Unit::Small(tables) => {
                    let jobs = tables.iter().filter_map(|table| sources.get(*table));
                    let jobs = jobs
                        .map(|source| job(prefix, &source.table, None))
                        .collect();
                    let name = format!("{prefix}data/small-{n_tars:05}.tar");
                    n_tars += 1;
                    self.add(&name, "small", estimated_bytes, Work::Small(n, jobs));
                }
            }
        }
    }

    async fn open_schema(&self, n: usize) -> Result<Opened> {
        let held = self.held(n)?;
        let tool = self
            .tools
            .tool("pg_dump", &held.details.name)
            .args([
                "--format=custom",
                "--compress=0",
                "--no-password",
                "--lock-wait-timeout=60000",
            ])
            // Rows, sequence values and large objects are ours; the rest is all that these two sections hold.
            .args(["--section=pre-data", "--section=post-data", "--no-blobs"])
            .arg(format!("--snapshot={}", held.snapshot))
            .args(
                held.hidden
                    .iter()
                    .map(|table| format!("--exclude-table={}", table.sql_name())),
            );
        Ok(Opened {
            body: tool.read(&self.cancel).await?,
            proof: Proof::default(),
        })
    }

    fn held(&self, n: usize) -> Result<&Held> {
        self.databases
            .get(n)
            .ok_or_else(|| Error::new(Kind::Bug, "a piece of no database"))
    }
}

impl Dump for PgDump {
    fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    async fn open(&self, piece: &Piece) -> Result<Opened> {
        let work = self.units.get(&piece.name);
        match work.ok_or_else(|| Error::new(Kind::Bug, format!("no piece {:?}", piece.name)))? {
            Work::Schema(n) => self.open_schema(*n).await,
            Work::Rows(n, job) => bodies::open_one(&self.held(*n)?.pool, job, &self.progress).await,
            Work::Small(n, jobs) => Ok(bodies::open_tar(
                &self.held(*n)?.pool,
                jobs.clone(),
                rows::SUFFIX,
                &self.progress,
            )),
            Work::Script(script) => {
                let script = script.clone();
                let body = stream::once(async move { Ok(script) }).boxed();
                Ok(Opened {
                    body,
                    proof: Proof::default(),
                })
            }
            Work::LargeObjects(n) => {
                let held = self.held(*n)?;
                Ok(rows::open_script(
                    &held.pool,
                    &held.details.prefix,
                    largeobjects::copies(),
                    &self.progress,
                ))
            }
        }
    }

    async fn finish(mut self) -> Result<Finished> {
        let mut points = Vec::new();
        for mut held in self.databases {
            // An error here means that the snapshot did not live to the end.
            held.holder.execute("COMMIT").await.map_err(|err| {
                err.while_doing(format!("release the snapshot of {:?}", held.details.name))
            })?;
            held.pool.close().await;
            held.holder.close().await;
            points.push(
                json!({"database": held.details.name, "snapshot": held.snapshot, "lsn": held.lsn}),
            );
            self.details.databases.push(held.details);
        }
        let consistency = match points.len() {
            1 => points.remove(0),
            _ => json!({"databases": points}),
        };
        let details = serde_json::to_value(&self.details)
            .map_err(|err| Error::new(Kind::Bug, "render details").because(err))?;
        Ok(Finished {
            consistency,
            details,
        })
    }
}

/// A table's name in paths: dots inside a name are escaped, so that two tables never share one.
fn component(name: &str) -> String {
    safe_component(name).replace('.', "%2E")
}

pub(crate) fn job(prefix: &str, table: &Table, range: Option<&str>) -> Job {
    rows::job(
        format!("{prefix}{}", table.display_name()),
        table.copy_out_sql(range),
        table.copy_format(),
        format!("{}.{}", component(&table.schema), component(&table.name)),
    )
}

/// The least and the greatest key of large tables that have one, where ranges are cut by key.
async fn key_bounds(
    holder: &mut Connection,
    sources: &[Source],
    server: &Server,
) -> Result<BTreeMap<usize, (i64, i64)>> {
    let mut bounds = BTreeMap::new();
    if server.has_tid_range_scan {
        return Ok(bounds);
    }
    for (n, source) in sources.iter().enumerate() {
        let Some(key) = source
            .key
            .as_ref()
            .filter(|_| source.size_bytes >= cut::SPLIT_BYTES)
        else {
            continue;
        };
        let key = sql::ident(key);
        let statement = format!(
            "SELECT min({key}), max({key}) FROM ONLY {}",
            source.table.sql_name()
        );
        let row = holder.query(&statement).await?.pop().unwrap_or_default();
        let number = |i: usize| row.get(i).cloned().flatten().and_then(|n| n.parse().ok());
        if let (Some(min), Some(max)) = (number(0), number(1)) {
            bounds.insert(n, (min, max));
        }
    }
    Ok(bounds)
}

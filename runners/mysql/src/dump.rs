//! A backup: the moment held open, the plan of what to read in it, and whether definitions stayed as they were.

mod found;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use runner_core::engine::{Content, Dump, Finished, Opened, Piece, Proof, Scope};
use runner_core::error::{Error, Kind, Result};
use runner_core::plan::{self, Unit};
use runner_core::progress::Progress;
use runner_core::rows::{self as bodies, Job};
use runner_core::stream::BLOCK_BYTES;

use crate::details::{DatabaseDetails, Details};
use crate::options::Options;
use crate::rows::{self, Select};
use crate::schema::{self, Scripts, Sequences, Stamps};
use crate::server::Server;
use crate::snapshot::{self, Lockable, Snapshot};
use crate::tables::{self, Source};
use crate::wire::Connection;
use crate::{accounts, cut, features, privileges, sql};
use found::{Found, look, refuse_changed, stamps};

/// What `begin` makes.
pub struct MyDump {
    server: Server,
    pieces: Vec<Piece>,
    units: BTreeMap<String, Work>,
    snapshot: Snapshot,
    details: Details,
    /// By database: the definitions as they were, of tables and of objects, in the order of `details.databases`.
    stamps: Vec<[Stamps; 2]>,
    progress: Progress,
}

/// What stands behind a piece's name.
enum Work {
    Script(Bytes),
    Rows(Box<Job<Select>>),
    Small(Vec<Job<Select>>),
}

impl Work {
    fn rank(&self) -> u8 {
        let is_loose = match self {
            Self::Script(_) => return 0,
            Self::Rows(job) => job.query.is_loose,
            Self::Small(jobs) => jobs.iter().any(|job| job.query.is_loose),
        };
        if is_loose { 1 } else { 2 }
    }
}

impl MyDump {
    /// Looks what there is, takes the snapshot, then plans.
    pub(crate) async fn begin(
        server: &Server,
        options: &Options,
        scope: &Scope,
        names: Vec<String>,
        all: bool,
    ) -> Result<Self> {
        let mut catalog = server.connect().await?;
        let mut found = Vec::new();
        let mut seen = Vec::new();
        privileges::check(&mut catalog, server, &names, scope.content).await?;
        for name in &names {
            found.push(look(&mut catalog, scope, name, all, &mut seen).await?);
        }
        scope.refuse_unmatched(&seen, "table")?;
        let lockable: Vec<Lockable> = found.iter().flat_map(Found::lockable).collect();
        if options.refuse_nontransactional {
            snapshot::refuse_nontransactional(&lockable)?;
        }
        let snapshot =
            Snapshot::take(server, scope.parallelism, &lockable, options.lock_timeout).await?;
        let mut dump = Self {
            server: server.clone(),
            pieces: Vec::new(),
            units: BTreeMap::new(),
            snapshot,
            details: Details {
                family: server.family.name().to_owned(),
                server_version: server.version.clone(),
                accounts: false,
                databases: Vec::new(),
            },
            stamps: Vec::new(),
            progress: scope.progress.clone(),
        };
        for found in found {
            dump.plan_database(&mut catalog, scope, found).await?;
        }
        if all && scope.content != Content::DataOnly {
            dump.plan_accounts(&mut catalog).await?;
        }
        catalog.close().await;
        // What every restore needs first is read first, then what writers are kept off; then the largest, so that none
        // is left alone at the end.
        let units = &dump.units;
        dump.pieces.sort_by_key(|piece| {
            let rank = units.get(&piece.name).map_or(0, Work::rank);
            (rank, std::cmp::Reverse(piece.estimated_bytes))
        });
        Ok(dump)
    }

    fn add(&mut self, name: String, kind: &'static str, estimated_bytes: u64, work: Work) {
        self.units.insert(name.clone(), work);
        self.pieces.push(Piece {
            name,
            kind,
            estimated_bytes,
        });
    }

    async fn plan_accounts(&mut self, catalog: &mut Connection) -> Result<()> {
        let Some(scripts) = accounts::scripts(catalog, self.server.family).await? else {
            return Ok(());
        };
        self.details.accounts = true;
        for (name, kind, script) in [
            ("accounts.sql", "accounts", scripts.accounts),
            ("grants.sql", "grants", scripts.grants),
        ] {
            let n_bytes = script.len() as u64;
            self.add(name.to_owned(), kind, n_bytes, Work::Script(script.into()));
        }
        Ok(())
    }

    async fn plan_database(
        &mut self,
        catalog: &mut Connection,
        scope: &Scope,
        found: Found,
    ) -> Result<()> {
        let Found {
            mut details,
            wanted,
            all,
            scripts,
        } = found;
        // Read again: the snapshot is of a later moment than the first look.
        let now = tables::read(catalog, &details.name).await?;
        let (before, now) = (stamps(&details.name, &all), stamps(&details.name, &now));
        refuse_changed(&before, &now)?;
        // What is new may be from before the snapshot.
        refuse_changed(&now, &before)?;
        let mut objects = Stamps::default();
        if let Some(mut scripts) = scripts {
            objects = std::mem::take(&mut scripts.stamps);
            let sequences = schema::sequences(catalog, &details.name).await?;
            details.n_sequences = sequences.n;
            self.add_scripts(&mut details, scripts, &sequences);
        }
        let (covered, loose): (Vec<Source>, Vec<Source>) = wanted
            .into_iter()
            .partition(|source| source.is_transactional);
        let mut n_tars = 0;
        for (sources, is_loose) in [(loose, true), (covered, false)] {
            let ranges = self.ranges(scope, &details, &sources, is_loose).await?;
            let sizes = sources.iter().map(|source| source.size_bytes);
            let units = plan::units(sizes.zip(ranges));
            self.add_units(&details, &sources, units, is_loose, &mut n_tars);
        }
        self.details.databases.push(details);
        self.stamps.push([before, objects]);
        Ok(())
    }

    fn add_scripts(
        &mut self,
        details: &mut DatabaseDetails,
        mut scripts: Scripts,
        sequences: &Sequences,
    ) {
        let tables = scripts.tables_after(sequences);
        details.definers = scripts.definers.into_iter().collect();
        details.features = scripts.features;
        if sequences.n > 0 {
            details.features.insert(features::SEQUENCES.to_owned());
        }
        for (name, kind, script) in [
            ("schema.sql", "schema", tables),
            ("indexes.sql", "indexes", scripts.indexes),
            ("objects.sql", "objects", scripts.objects),
        ] {
            let n_bytes = script.len() as u64;
            let name = format!("{}{name}", details.prefix);
            self.add(name, kind, n_bytes, Work::Script(script.into()));
        }
    }

    /// Where each table is cut; of tables that are locked, the session is asked that locked them, for the same reason.
    async fn ranges(
        &self,
        scope: &Scope,
        details: &DatabaseDetails,
        sources: &[Source],
        is_loose: bool,
    ) -> Result<Vec<Vec<Option<String>>>> {
        let mut ranges = Vec::new();
        if sources.is_empty() {
            return Ok(ranges);
        }
        let loose = &self.snapshot.sessions.loose;
        let mut cutter = match is_loose {
            true => loose.take().await?,
            false => self.server.connect().await?,
        };
        cutter.execute(sql::RAW_RESULTS).await?;
        for source in sources {
            let cuts = cut::ranges(&mut cutter, &details.name, source, scope.parallelism).await;
            let cuts = cuts.map_err(|err| {
                let name = details.data_name(&source.table);
                err.while_doing(format!("cut {name} into ranges"))
            })?;
            ranges.push(cuts);
        }
        match is_loose {
            true => loose.give(cutter),
            false => cutter.close().await,
        }
        Ok(ranges)
    }

    fn add_units(
        &mut self,
        database: &DatabaseDetails,
        sources: &[Source],
        units: Vec<(Unit, u64)>,
        is_loose: bool,
        n_tars: &mut usize,
    ) {
        let prefix = &database.prefix;
        let from = database.name.as_str();
        let mut n_jobs = 0;
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
                    let range = range.as_deref();
                    let job = rows::job(database, &source.table, from, range, is_loose);
                    n_jobs += 1;
                    let name = match of {
                        1 => format!("{prefix}data/{}.tsv", job.member),
                        _ => format!("{prefix}data/{}/{part:05}.tsv", job.member),
                    };
                    self.add(name, "rows", estimated_bytes, Work::Rows(Box::new(job)));
                }
                Unit::Small(tables) => {
                    let jobs = tables.iter().filter_map(|table| sources.get(*table));
                    let jobs: Vec<Job<Select>> = jobs
                        .map(|it| rows::job(database, &it.table, from, None, is_loose))
                        .collect();
                    n_jobs += jobs.len();
                    let name = format!("{prefix}data/small-{n_tars:05}.tar");
                    *n_tars += 1;
                    self.add(name, "small", estimated_bytes, Work::Small(jobs));
                }
            }
        }
        if is_loose {
            let n_loose = &self.snapshot.sessions.n_loose;
            n_loose.fetch_add(n_jobs, Ordering::Relaxed);
        }
    }
}

impl Dump for MyDump {
    fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    async fn open(&self, piece: &Piece) -> Result<Opened> {
        let work = self.units.get(&piece.name);
        match work.ok_or_else(|| Error::new(Kind::Bug, format!("no piece {:?}", piece.name)))? {
            Work::Rows(job) => bodies::open_one(&self.snapshot.sessions, job, &self.progress).await,
            Work::Small(jobs) => Ok(bodies::open_tar(
                &self.snapshot.sessions,
                jobs.clone(),
                rows::SUFFIX,
                &self.progress,
            )),
            Work::Script(script) => {
                let script = script.clone();
                let blocks: Vec<_> = (0..script.len())
                    .step_by(BLOCK_BYTES)
                    .map(|at| Ok(script.slice(at..script.len().min(at + BLOCK_BYTES))))
                    .collect();
                Ok(Opened {
                    body: stream::iter(blocks).boxed(),
                    proof: Proof::default(),
                })
            }
        }
    }

    async fn finish(self) -> Result<Finished> {
        let mut catalog = self.server.connect().await?;
        for (database, [tables, objects]) in self.details.databases.iter().zip(&self.stamps) {
            let now = tables::read(&mut catalog, &database.name).await?;
            refuse_changed(tables, &stamps(&database.name, &now))?;
            if !objects.is_empty() {
                let now = schema::stamps(&mut catalog, &database.name).await?;
                refuse_changed(objects, &now)?;
            }
        }
        catalog.close().await;
        let consistency = self.snapshot.release().await?;
        let details = serde_json::to_value(&self.details)
            .map_err(|err| Error::new(Kind::Bug, "render details").because(err))?;
        Ok(Finished {
            consistency,
            details,
        })
    }
}

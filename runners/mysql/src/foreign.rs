//! Dumps that stock tools made: `.sql` of `mysqldump` or `mariadb-dump`, streamed statement by statement.
//!
//! There is nothing to prove such a dump by but its own ends and the server's answers. It runs in the target database and
//! in no other: what would reach beyond it is left out where a restore can do without, and refused where it cannot.

mod ends;
mod order;

use std::time::Duration;

use futures::StreamExt;
use runner_core::engine::{Foreign, Restored, Target};
use runner_core::error::{Error, Kind, Result};
use runner_core::workers::unless_cancelled;

use crate::details::DatabaseDetails;
use crate::engine::Site;
use crate::options::Options;
use crate::restore::{Place, with_definer};
use crate::script::Splitter;
use crate::server::Server;
use crate::sql::{ident, literal};
use crate::wire::{Connection, has_code};
use ends::Ends;
use order::Order;

/// What a script finds with the stock client; references are not checked, as tables come in no order of theirs.
const AS_THE_CLIENT: &str =
    "SET SESSION time_zone = DEFAULT, sql_mode = DEFAULT, unique_checks = DEFAULT";

/// Restores a dump into a new or empty database, or in place of what the database holds.
pub(crate) async fn run(site: &Site, foreign: Foreign, target: &Target) -> Result<Restored> {
    check(&foreign, target)?;
    let server = site.server().await?;
    let details = DatabaseDetails {
        has_schema: true,
        ..DatabaseDetails::default()
    };
    // Triggers, views and routines cannot be moved from one database to another: there is nothing to rename into place.
    let target = Target {
        staging: false,
        ..target.clone()
    };
    let mut place = Place::find(&server, &target.database, &details, &target).await?;
    place.open(&server).await?;
    let connection = server.connect().await;
    let id = connection.as_ref().map(|it| it.id).unwrap_or_default();
    let fed = unless_cancelled(&target.cancel, async {
        let mut feed = Feed {
            connection: connection?,
            options: &site.options,
            target: place.working_name(),
            source: None,
            blocked: Vec::new(),
            takes_dates: false,
            n_statements: 0,
            warnings: 0,
            rows: 0,
        };
        feed.run(foreign).await?;
        let rows = feed.rows;
        feed.connection.close().await;
        Ok(rows)
    });
    match fed.await {
        Ok(rows) => Ok(Restored {
            n_verified: 0,
            rows,
            summary: place.summary(),
        }),
        Err(err) => {
            end_session(&server, id).await;
            Err(place.give_up(&server, err).await)
        }
    }
}

/// Refuses what is no such dump, before anything is touched.
fn check(foreign: &Foreign, target: &Target) -> Result<()> {
    if !foreign.name.ends_with(".sql") {
        return Err(Error::new(
            Kind::Unfit,
            format!(
                "{:?} is neither a backup of ours nor a .sql of mysqldump or mariadb-dump",
                foreign.name
            ),
        ));
    }
    if target.database == "*" {
        return Err(Error::new(
            Kind::Config,
            "DB_NAME: a foreign dump is restored into one database; name it",
        ));
    }
    if !target.tables.is_empty() {
        return Err(Error::new(
            Kind::Config,
            "RESTORE_TABLES: a foreign dump is restored whole or not at all",
        ));
    }
    Ok(())
}

/// A session that still runs a statement holds locks, behind which the unfinished database could not be dropped.
async fn end_session(server: &Server, id: u32) {
    let ended = async {
        let mut connection = server.connect().await?;
        connection.execute(format!("KILL {id}")).await?;
        connection.close().await;
        Ok::<_, Error>(())
    };
    // It mostly has ended by itself, and a server that is away has ended them all.
    let _ = tokio::time::timeout(Duration::from_secs(1), ended).await;
}

/// A script on its way into a session.
struct Feed<'a> {
    connection: Connection,
    options: &'a Options,
    target: &'a str,
    /// The database that the script names, which the target stands for.
    source: Option<String>,
    /// Views that look at one that comes later.
    blocked: Vec<View>,
    /// Whether dates that are none are taken as they are.
    takes_dates: bool,
    n_statements: u64,
    warnings: u64,
    rows: u64,
}

/// A view's definition, and what its text was sent under.
struct View {
    statement: Vec<u8>,
    n: u64,
    settings: String,
}

impl Feed<'_> {
    async fn run(&mut self, foreign: Foreign) -> Result<()> {
        let Foreign { name, mut body } = foreign;
        let doing = |err: Error| err.while_doing(format!("restore {name}"));
        self.connection.execute(AS_THE_CLIENT).await?;
        let begin = format!("USE {}", ident(self.target));
        self.connection.execute(begin).await?;
        let mut splitter = Splitter::default();
        let mut ends = Ends::default();
        while let Some(block) = body.next().await {
            let block = block.map_err(doing)?;
            ends.see(&block);
            splitter.feed(&block);
            while let Some(statement) = splitter.next_statement().map_err(doing)? {
                self.statement(&statement).await.map_err(doing)?;
            }
        }
        splitter.end();
        // A dump that was cut is called so, rather than by what the server says of its last piece.
        ends.check().map_err(doing)?;
        while let Some(statement) = splitter.next_statement().map_err(doing)? {
            self.statement(&statement).await.map_err(doing)?;
        }
        self.views().await.map_err(doing)?;
        if self.n_statements == 0 {
            return Err(doing(Error::new(
                Kind::Integrity,
                "the script holds no statement",
            )));
        }
        if self.warnings > 0 {
            tracing::warn!(
                warnings = self.warnings,
                "the server gave warnings while rows were inserted"
            );
        }
        Ok(())
    }

    async fn statement(&mut self, statement: &[u8]) -> Result<()> {
        let order = Order::of(statement);
        match &order {
            Order::LeftOut => {
                tracing::info!(
                    statement = order::brief(statement, 3),
                    "left out: it is about the whole server"
                );
                return Ok(());
            }
            Order::Lock => return Ok(()),
            Order::Use(name) | Order::Drop(name) => return self.only(name),
            Order::Create(name, settings) => {
                self.only(name)?;
                if settings.is_empty() {
                    return Ok(());
                }
                let alter = format!("ALTER DATABASE {} {settings}", ident(self.target));
                return self.connection.execute(alter).await;
            }
            Order::Insert | Order::Define | Order::Other => {}
        }
        self.take_dates(order == Order::Insert).await?;
        self.n_statements += 1;
        let changed;
        let statement = match order {
            Order::Define => {
                changed = with_definer(statement, &self.options.definer);
                changed.as_slice()
            }
            _ => statement,
        };
        let answer = match self.connection.query(statement).await {
            Err(err) if is_blocked(&err) && order::is_view(statement) => {
                return self.block(statement).await;
            }
            answer => answer.map_err(|err| explain(err, statement, self.n_statements))?,
        };
        if order == Order::Insert {
            self.rows += answer.affected;
            self.warnings += u64::from(answer.warnings);
        }
        Ok(())
    }

    /// The tools set a mode in which dates that are none, such as a thirtieth of February, would become zeros. The mode
    /// is another's again before anything that keeps it is defined.
    async fn take_dates(&mut self, wanted: bool) -> Result<()> {
        if wanted == self.takes_dates {
            return Ok(());
        }
        self.takes_dates = wanted;
        let statement = match wanted {
            true => {
                "SET @planb_mode = @@sql_mode, \
                 SESSION sql_mode = CONCAT_WS(',', NULLIF(@@sql_mode, ''), 'ALLOW_INVALID_DATES')"
            }
            false => "SET SESSION sql_mode = @planb_mode",
        };
        self.connection.execute(statement).await
    }

    /// The tools write views by name, with a stand-in for each, which is not always enough for one that looks at it.
    async fn block(&mut self, statement: &[u8]) -> Result<()> {
        let settings = "SELECT @@character_set_client, @@collation_connection";
        let answer = self.connection.query(settings).await?;
        let at = |n| answer.rows.first().map(|row| literal(&row.text(n)));
        self.blocked.push(View {
            statement: statement.to_vec(),
            n: self.n_statements,
            settings: format!(
                "SET SESSION character_set_client = {}, collation_connection = {}",
                at(0).unwrap_or_default(),
                at(1).unwrap_or_default()
            ),
        });
        Ok(())
    }

    /// Tries them until none is left, or none can be made.
    async fn views(&mut self) -> Result<()> {
        while !self.blocked.is_empty() {
            let views = std::mem::take(&mut self.blocked);
            let n_views = views.len();
            for view in views {
                self.connection.execute(&view.settings).await?;
                match self.connection.execute(&view.statement).await {
                    Ok(()) => {}
                    Err(err) if is_blocked(&err) && self.blocked.len() + 1 < n_views => {
                        self.blocked.push(view);
                    }
                    Err(err) => return Err(explain(err, &view.statement, view.n)),
                }
            }
        }
        Ok(())
    }

    /// A script that names a database is that database's; a second one would be outside of the target.
    fn only(&mut self, name: &str) -> Result<()> {
        let source = self.source.get_or_insert_with(|| name.to_owned());
        if source == name {
            return Ok(());
        }
        Err(Error::new(
            Kind::Unfit,
            format!(
                "the script is of several databases ({source:?}, {name:?}) and only one fits into {:?}; dump one at a time",
                self.target
            ),
        ))
    }
}

/// No such table, view, column or function; or a view that takes no rows where one is to be checked.
fn is_blocked(err: &Error) -> bool {
    [1146, 1356, 1054, 1305, 1368]
        .iter()
        .any(|code| has_code(err, *code))
}

fn explain(err: Error, statement: &[u8], n: u64) -> Error {
    let way_out = if has_code(&err, 1227) || has_code(&err, 1449) {
        "; it runs as another account, which the login may not set: RESTORE_NO_DEFINER=true or RESTORE_DEFINER"
    } else if has_code(&err, 1418) || has_code(&err, 1419) {
        "; set log_bin_trust_function_creators=1 on the server"
    } else if has_code(&err, 1273) || has_code(&err, 1115) {
        "; the dump is of a server with other collations: restore it into one of its kind"
    } else if has_code(&err, 3105) {
        "; the dump gives a generated column values, as MariaDB's tool does of MySQL's tables: make it with mysqldump, or back up with plan-b-backup-mysql"
    } else if err.kind() == Kind::Denied {
        "; GRANT ALL on the database to the login"
    } else {
        ""
    };
    let brief = order::brief(statement, 8);
    err.while_doing(format!("statement {n}, {brief:?}{way_out}"))
}

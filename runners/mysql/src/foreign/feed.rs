//! Statements of a foreign dump on their way into a session: what each asks for, and whether it may.

use std::sync::Arc;

use futures::StreamExt;
use runner_core::codec::Layers;
use runner_core::engine::Foreign;
use runner_core::error::{Error, Kind, Result};
use runner_core::foreign::ForeignDirectory;
use runner_core::stream::ByteStream;

use super::Fill;
use super::ends::Ends;
use super::order::{self, Order};
use crate::restore::with_definer;
use crate::script::Splitter;
use crate::sql::{ident, literal};
use crate::wire::{Connection, has_code};

/// What a script finds with the stock client; references are not checked, as tables come in no order of theirs.
const AS_THE_CLIENT: &str =
    "SET SESSION time_zone = DEFAULT, sql_mode = DEFAULT, unique_checks = DEFAULT";

/// Scripts on their way into a session.
pub(super) struct Feed {
    fill: Arc<Fill>,
    connection: Connection,
    /// The database that the script names, which the target stands for.
    source: Option<String>,
    /// Views that look at one that comes later.
    blocked: Vec<View>,
    /// Whether dates that are none are taken as they are.
    takes_dates: bool,
    /// Whether that stays as it is.
    is_pinned: bool,
    /// Where the files are that statements load.
    directory: Option<ForeignDirectory>,
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

impl Feed {
    /// A session as the stock client's, in the database that is filled.
    pub(super) async fn start(fill: &Arc<Fill>) -> Result<Self> {
        let mut connection = fill.connect().await?;
        connection.execute(AS_THE_CLIENT).await?;
        let begin = format!("USE {}", ident(&fill.database));
        connection.execute(begin).await?;
        Ok(Self {
            fill: Arc::clone(fill),
            connection,
            source: None,
            blocked: Vec::new(),
            takes_dates: false,
            is_pinned: false,
            directory: None,
            n_statements: 0,
            warnings: 0,
            rows: 0,
        })
    }

    /// As [`Self::start`], for objects of a directory of mydumper.
    pub(super) async fn start_in(fill: &Arc<Fill>, directory: &ForeignDirectory) -> Result<Self> {
        let mut feed = Self::start(fill).await?;
        feed.directory = Some(directory.clone());
        Ok(feed)
    }

    /// Ends the session; how many rows there were.
    pub(super) async fn end(self) -> u64 {
        if self.warnings > 0 {
            tracing::warn!(
                warnings = self.warnings,
                "the server gave warnings while rows were inserted"
            );
        }
        self.connection.close().await;
        self.rows
    }

    /// The whole of a dump in one script.
    pub(super) async fn script(&mut self, foreign: Foreign) -> Result<()> {
        let Foreign { name, mut body } = foreign;
        let doing = |err: Error| err.while_doing(format!("restore {name}"));
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
        match self.n_statements {
            0 => Err(doing(Error::new(
                Kind::Integrity,
                "the script holds no statement",
            ))),
            _ => Ok(()),
        }
    }

    /// An object of mydumper, where a statement ends with a semicolon at the end of a line, whatever holds it.
    pub(super) async fn object(&mut self, name: &str, mut body: ByteStream) -> Result<()> {
        let doing = |err: Error| err.while_doing(format!("restore {name}"));
        let mut splitter = Splitter::until(b";\n");
        while let Some(block) = body.next().await {
            splitter.feed(&block.map_err(doing)?);
            while let Some(statement) = splitter.next_statement().map_err(doing)? {
                self.statement(&statement).await.map_err(doing)?;
            }
        }
        splitter.end();
        while let Some(statement) = splitter.next_statement().map_err(doing)? {
            let whole = match splitter.is_open() {
                true => statement.strip_suffix(b";"),
                false => Some(statement.as_slice()),
            };
            let cut = "its last statement does not end: it was cut";
            let whole = whole.ok_or_else(|| doing(Error::new(Kind::Integrity, cut)))?;
            self.statement(whole).await.map_err(doing)?;
        }
        Ok(())
    }

    /// A session as the tools' own that load rows: their values are taken as they are.
    pub(super) async fn take_values(&mut self) -> Result<()> {
        let mode = "SET SESSION unique_checks = 0, \
                    sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION'";
        self.is_pinned = true;
        self.connection.execute(mode).await
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
                let alter = format!("ALTER DATABASE {} {settings}", ident(&self.fill.database));
                return self.connection.execute(alter).await;
            }
            Order::Load(file) => return self.load(statement, file).await,
            Order::Insert | Order::Define | Order::Other => {}
        }
        self.take_dates(order == Order::Insert).await?;
        self.n_statements += 1;
        let changed;
        let statement = match order {
            Order::Define => {
                changed = with_definer(statement, &self.fill.options.definer);
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

    /// A statement that names a file of its own directory.
    async fn load(&mut self, statement: &[u8], file: &str) -> Result<()> {
        let Some(directory) = &self.directory else {
            let text = format!("the script loads {file:?}, which is no part of it");
            return Err(Error::new(Kind::Unfit, text));
        };
        let (_, name) = Layers::of_name(file.rsplit('/').next().unwrap_or(file));
        let body = directory.open(name).await?;
        self.n_statements += 1;
        let text = String::from_utf8_lossy(statement);
        let loaded = self.connection.load(&text, body).await;
        let loaded = loaded.map_err(|err| explain(err, statement, self.n_statements))?;
        self.rows += loaded.rows;
        self.warnings += u64::from(loaded.warnings);
        Ok(())
    }

    /// The tools set a mode in which dates that are none, such as a thirtieth of February, would become zeros. The mode
    /// is another's again before anything that keeps it is defined.
    async fn take_dates(&mut self, wanted: bool) -> Result<()> {
        if self.is_pinned || wanted == self.takes_dates {
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
    pub(super) async fn views(&mut self) -> Result<()> {
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
                self.fill.database
            ),
        ))
    }
}

/// No such table, view, column or function; or a view that takes no rows where one is to be checked.
pub(super) fn is_blocked(err: &Error) -> bool {
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
    } else if has_code(&err, 3948) || has_code(&err, 1148) || has_code(&err, 4166) {
        "; it loads a file: set local_infile=1 on the server"
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

//! Sessions that see one moment, and what it took to make them.
//!
//! Each session begins a transaction with a consistent snapshot while nobody can write; the lock is held for that moment
//! only. Which lock depends on what the login may do, from the least in the way of others to one session alone.

mod position;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use runner_core::error::{Error, Kind, Result};
use serde_json::Value;

use crate::server::{Family, Server};
use crate::session::Pool;
use crate::sql;
use crate::wire::{Answer, Connection, has_code};
use position::position;

/// A table to be read, as far as locks are concerned.
#[derive(Clone, Debug)]
pub(crate) struct Lockable {
    pub(crate) database: String,
    pub(crate) table: String,
    /// Of an engine whose transactions a snapshot covers.
    pub(crate) is_transactional: bool,
}

/// Where the rows of the moment are read.
#[derive(Clone)]
pub(crate) struct Sessions {
    /// Transactions in the snapshot.
    pub(crate) snapshot: Pool,
    /// The one session that keeps writers off the tables without transactions. Another could not be sure to open them:
    /// somebody's `FLUSH TABLES` would have it wait for this one.
    pub(crate) loose: Pool,
    /// How many readings of those tables are still to end, after which they are let go.
    pub(crate) n_loose: Arc<AtomicUsize>,
}

/// One moment, held open.
pub(crate) struct Snapshot {
    pub(crate) sessions: Sessions,
    n_sessions: usize,
    /// Holds definitions as they are, where the server can do that.
    guard: Option<Connection>,
    /// For the manifest.
    pub(crate) point: Value,
}

/// How the moment was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    /// MariaDB's: commits wait, queries do not matter.
    BackupStage,
    /// `FLUSH TABLES WITH READ LOCK`.
    Global,
    /// `LOCK TABLES … READ` on every table.
    Tables,
    /// Nothing is locked: one session reads everything.
    None,
}

impl Lock {
    fn title(self) -> &'static str {
        match self {
            Self::BackupStage => "backup stage block_commit",
            Self::Global => "flush tables with read lock",
            Self::Tables => "lock tables read",
            Self::None => "one session",
        }
    }

    fn release(self) -> Option<&'static str> {
        match self {
            Self::BackupStage => Some("BACKUP STAGE END"),
            Self::Global | Self::Tables => Some("UNLOCK TABLES"),
            Self::None => None,
        }
    }
}

/// Snapshots without a lock begin like this too, so that a later one cannot be mistaken for an earlier.
const BEGIN: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

impl Snapshot {
    /// Takes the snapshot in `n_sessions` sessions, or in one where no lock can be had.
    pub(crate) async fn take(
        server: &Server,
        n_sessions: usize,
        tables: &[Lockable],
        timeout: Duration,
    ) -> Result<Self> {
        let loose: Vec<&Lockable> = tables.iter().filter(|it| !it.is_transactional).collect();
        // Everything that takes time is done before the lock.
        let mut sessions = Vec::new();
        for _ in 0..n_sessions.max(1) {
            sessions.push(reader(server).await?);
        }
        let mut locker = server.connect().await?;
        let (lock, guard) = locks(server, &mut locker, tables, timeout).await?;
        if lock == Lock::None {
            refuse_loose(&loose)?;
            sessions.truncate(1);
        }
        try_join_all(sessions.iter_mut().map(|session| session.execute(BEGIN))).await?;
        let mut point = position(server, &mut locker).await;
        let loose_session = match loose.is_empty() {
            true => Vec::new(),
            false => vec![lock_loose(server, &loose, timeout).await?],
        };
        if let Some(statement) = lock.release() {
            locker.execute(statement).await.map_err(|err| {
                err.while_doing("the lock that makes the backup consistent was lost before its end")
            })?;
        }
        locker.close().await;
        if let Value::Object(point) = &mut point {
            point.insert("method".into(), lock.title().into());
            point.insert("definitions_locked".into(), guard.is_some().into());
        }
        tracing::info!(
            method = lock.title(),
            sessions = sessions.len(),
            definitions_locked = guard.is_some(),
            nontransactional_tables = loose.len(),
            "the snapshot is taken"
        );
        Ok(Self {
            n_sessions: sessions.len(),
            sessions: Sessions {
                snapshot: Pool::fixed(sessions),
                loose: Pool::fixed(loose_session),
                n_loose: Arc::default(),
            },
            guard,
            point,
        })
    }

    /// Ends the transactions and lets go of what is still locked.
    pub(crate) async fn release(self) -> Result<Value> {
        if let Some(mut guard) = self.guard {
            // Its end here shows that it held until now.
            guard
                .execute("UNLOCK INSTANCE")
                .await
                .map_err(|err| err.while_doing("a lock of the backup was lost before its end"))?;
            guard.close().await;
        }
        let n_idle = self.sessions.snapshot.close().await;
        self.sessions.loose.close().await;
        if n_idle != self.n_sessions {
            return Err(Error::new(
                Kind::Bug,
                "a session of the snapshot is still in use at its end",
            ));
        }
        Ok(self.point)
    }
}

async fn reader(server: &Server) -> Result<Connection> {
    let mut session = server.connect().await?;
    session
        .execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        .await?;
    session.execute(sql::RAW_RESULTS).await?;
    Ok(session)
}

/// Not understood, or not to be had with the server's settings.
fn is_unknown(err: &Error) -> bool {
    [1064, 1235, 1289, 1290].iter().any(|it| has_code(err, *it))
}

/// Locks as much as the login may, in the order in which the server locks for a statement that changes a definition: all
/// writes first, then what definitions are, then tables (lock_table_names, sql_base.cc). In any other order, such a
/// statement could hold one and wait for another, and we the other way round; in two sessions of ours, no server sees
/// that, and all writers would wait with us for nothing.
async fn locks(
    server: &Server,
    locker: &mut Connection,
    tables: &[Lockable],
    timeout: Duration,
) -> Result<(Lock, Option<Connection>)> {
    // Connected before anything is locked, as this takes time.
    let guard = match server.family {
        Family::MySql => Some(server.connect().await?),
        Family::MariaDb => None,
    };
    let patience = Patience::new(server, timeout);
    let backup_stages = [
        "BACKUP STAGE START",
        "BACKUP STAGE FLUSH",
        "BACKUP STAGE BLOCK_DDL",
        "BACKUP STAGE BLOCK_COMMIT",
    ];
    if server.family == Family::MariaDb {
        if patience
            .lock(locker, Lock::BackupStage.title(), &backup_stages)
            .await?
        {
            return Ok((Lock::BackupStage, None));
        }
        // A stage that was entered has to be left; none was if this is refused.
        let _ = locker.execute("BACKUP STAGE END").await;
    }
    let is_global = patience
        .lock(
            locker,
            Lock::Global.title(),
            &["FLUSH TABLES WITH READ LOCK"],
        )
        .await?;
    let guard = definitions(guard, &patience).await?;
    if is_global {
        return Ok((Lock::Global, guard));
    }
    let all: Vec<&Lockable> = tables.iter().collect();
    if !all.is_empty()
        && patience
            .lock(locker, Lock::Tables.title(), &[&lock_tables(&all)])
            .await?
    {
        return Ok((Lock::Tables, guard));
    }
    tracing::warn!(
        "the login may lock nothing (RELOAD, or LOCK TABLES): one session reads everything, without parallelism"
    );
    Ok((Lock::None, guard))
}

/// Keeps definitions as they are while the backup runs; nothing else waits for it. `None` where that cannot be had.
async fn definitions(
    guard: Option<Connection>,
    patience: &Patience<'_>,
) -> Result<Option<Connection>> {
    let Some(mut guard) = guard else {
        return Ok(None);
    };
    let lock = ["LOCK INSTANCE FOR BACKUP"];
    if patience
        .lock(&mut guard, "lock instance for backup", &lock)
        .await?
    {
        return Ok(Some(guard));
    }
    guard.close().await;
    Ok(None)
}

/// How long locks are waited for, all together.
struct Patience<'a> {
    server: &'a Server,
    timeout: Duration,
    begun: Instant,
}

impl<'a> Patience<'a> {
    fn new(server: &'a Server, timeout: Duration) -> Self {
        let begun = Instant::now();
        Self {
            server,
            timeout,
            begun,
        }
    }

    /// Whether the lock is held now; `false` if this login or this server has no such lock. `title` is for people.
    async fn lock(
        &self,
        session: &mut Connection,
        title: &str,
        statements: &[&str],
    ) -> Result<bool> {
        let left = self.timeout.saturating_sub(self.begun.elapsed());
        // Whole seconds, and never none: the server would not even ask.
        let seconds = left.as_secs().max(1);
        session
            .execute(format!("SET SESSION lock_wait_timeout = {seconds}"))
            .await?;
        match run(session, statements, left).await {
            Ok(()) => Ok(true),
            Err(err) if matches!(err.kind(), Kind::Denied) => {
                tracing::info!(reason = %err, "no {title} for this login");
                Ok(false)
            }
            Err(err) if is_unknown(&err) => {
                tracing::debug!(reason = %err, "no {title} on this server");
                Ok(false)
            }
            Err(err) => {
                let seconds = self.timeout.as_secs().max(1);
                Err(explain(self.server, err, title, seconds).await)
            }
        }
    }
}

/// Waits no longer than `timeout`, whatever the server makes of its own setting.
async fn run(session: &mut Connection, statements: &[&str], timeout: Duration) -> Result<()> {
    let all = async {
        for statement in statements {
            session.execute(*statement).await?;
        }
        Ok(())
    };
    let patience = timeout + Duration::from_secs(5);
    tokio::time::timeout(patience, all)
        .await
        .unwrap_or_else(|_| {
            Err(Error::new(
                Kind::Unreachable,
                "the server did not answer in time",
            ))
        })
}

fn lock_tables(tables: &[&Lockable]) -> String {
    let names: Vec<String> = tables
        .iter()
        .map(|it| format!("{} READ", sql::qualified(&it.database, &it.table)))
        .collect();
    format!("LOCK TABLES {}", names.join(", "))
}

/// Answered with `Id`, `User`, `Host`, `db`, `Command`, `Time` in seconds, `State` and `Info`, the statement.
const PROCESSES: &str = "SHOW PROCESSLIST";

/// Names who is in the way, so that nobody has to guess.
async fn explain(server: &Server, err: Error, lock: &str, seconds: u64) -> Error {
    let longest = async {
        let mut connection = server.connect().await?;
        // The same table of information_schema fails on MySQL 9 when anybody's statement has an emoji in it.
        connection.query(PROCESSES).await
    };
    let who = match longest.await {
        Ok(Answer { rows, .. }) => {
            let others = rows
                .iter()
                .filter(|row| row.text(4) == "Query" && row.text(7) != PROCESSES);
            let longest = others.max_by_key(|row| row.text(5).parse().unwrap_or(0_u64));
            longest.map(|row| {
                format!(
                    "; the longest statement is that of session {} ({}), running for {} s",
                    row.text(0),
                    row.text(1),
                    row.text(5)
                )
            })
        }
        Err(_) => None,
    };
    err.while_doing(format!(
        "no {} within {seconds} s (BACKUP_LOCK_TIMEOUT); the backup gave up rather than have other sessions wait behind it{}",
        lock,
        who.unwrap_or_default()
    ))
}

fn refuse_loose(loose: &[&Lockable]) -> Result<()> {
    if loose.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Denied,
        format!(
            "{} without transactions, and the login may not lock them; GRANT LOCK TABLES, or leave them out with EXCLUDE_TABLES",
            listed(loose)
        ),
    ))
}

/// `shop.a, shop.b and 3 more are tables`.
fn listed(tables: &[&Lockable]) -> String {
    const SHOWN: usize = 10;
    let names: Vec<String> = tables
        .iter()
        .take(SHOWN)
        .map(|it| sql::display_name(&it.database, &it.table))
        .collect();
    let more = match tables.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let are = match tables {
        [_] => "is a table",
        _ => "are tables",
    };
    format!("{}{more} {are}", names.join(", "))
}

/// Refuses tables without transactions where the setting says so.
pub(crate) fn refuse_nontransactional(tables: &[Lockable]) -> Result<()> {
    let loose: Vec<&Lockable> = tables.iter().filter(|it| !it.is_transactional).collect();
    if loose.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Unfit,
        format!(
            "{} without transactions and BACKUP_NONTRANSACTIONAL=refuse; convert them to InnoDB, leave them out with EXCLUDE_TABLES, or set BACKUP_NONTRANSACTIONAL=lock",
            listed(&loose)
        ),
    ))
}

/// Keeps writers off the tables that no snapshot covers; taken while the moment's lock still holds.
async fn lock_loose(server: &Server, loose: &[&Lockable], timeout: Duration) -> Result<Connection> {
    let mut guard = server.connect().await?;
    let seconds = timeout.as_secs().max(1);
    guard
        .execute(format!("SET SESSION lock_wait_timeout = {seconds}"))
        .await?;
    guard.execute(sql::RAW_RESULTS).await?;
    run(&mut guard, &[&lock_tables(loose)], timeout)
        .await
        .map_err(|err| {
            err.while_doing(format!(
                "{} without transactions, which have to be locked while they are read (LOCK TABLES)",
                listed(loose)
            ))
        })?;
    Ok(guard)
}

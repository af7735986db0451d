//! Accounts: those that are missing are created, with what they may do; those that are there stay as they are.

use std::collections::BTreeSet;

use runner_core::engine::Target;
use runner_core::error::{Error, Kind, Result};
use runner_core::manifest::Artifact;
use runner_core::source::Backup;
use runner_core::workers::unless_cancelled;

use super::statements::Statements;
use crate::accounts;
use crate::details::Details;
use crate::server::Server;

/// Accounts on their way.
#[derive(Default)]
pub(super) struct Accounts {
    /// Created by this restore.
    new: BTreeSet<String>,
    n_failed: usize,
}

impl Accounts {
    /// Before the databases, whose objects run as them.
    pub(super) async fn create(
        server: &Server,
        details: &Details,
        backup: &Backup,
        target: &Target,
    ) -> Result<Self> {
        let mut accounts = Self::default();
        let script = backup.of_kind("accounts").next();
        let Some(script) = script.filter(|_| details.accounts) else {
            return Ok(accounts);
        };
        if server.family.name() != details.family {
            tracing::warn!(
                "accounts are not restored: those of {} do not fit {}",
                details.family,
                server.family.title()
            );
            return Ok(accounts);
        }
        let mut catalog = server.connect().await?;
        let present = accounts::list(&mut catalog, server.family).await?;
        catalog.close().await;
        let Some(present) = present else {
            return Err(Error::new(
                Kind::Denied,
                "restore accounts: the login may not read those that are there, and nothing was changed; GRANT SELECT ON mysql.* and CREATE USER to it, or restore one database at a time with DB_NAME",
            ));
        };
        let present: BTreeSet<String> = present.iter().map(accounts::Account::name).collect();
        let created = accounts.run(server, backup, script, |name| !present.contains(name));
        accounts.new = unless_cancelled(&target.cancel, created).await?;
        tracing::info!(
            created = accounts.new.len(),
            present = present.len(),
            "accounts; those that were there stay as they are"
        );
        Ok(accounts)
    }

    /// After the databases, whose tables they may use.
    pub(super) async fn grant(
        mut self,
        server: &Server,
        backup: &Backup,
        target: &Target,
    ) -> Result<Option<String>> {
        if let Some(script) = backup.of_kind("grants").next()
            && !self.new.is_empty()
        {
            let new = self.new.clone();
            let granted = self.run(server, backup, script, |name| new.contains(name));
            unless_cancelled(&target.cancel, granted).await?;
        }
        let n_new = self.new.len();
        Ok(match (n_new, self.n_failed) {
            (0, 0) => None,
            (_, 0) => Some(format!("{n_new} accounts are created")),
            (_, n) => Some(format!(
                "{n_new} accounts are created, and not all of them or of their grants could be (the log names {n})"
            )),
        })
    }

    /// Runs the statements about the accounts that are wanted; whose they were. One that the server does not take is told
    /// and left out: data does not wait for an account.
    async fn run(
        &mut self,
        server: &Server,
        backup: &Backup,
        script: &Artifact,
        wants: impl Fn(&str) -> bool,
    ) -> Result<BTreeSet<String>> {
        let mut done = BTreeSet::new();
        let mut connection = server.connect().await?;
        let mut statements = Statements::of(backup, script);
        while let Some(statement) = statements.next().await? {
            let name = &statement.header.name;
            if name.is_empty() {
                connection.execute(&statement.text).await?;
                continue;
            }
            if !wants(name) {
                continue;
            }
            match connection.execute(&statement.text).await {
                Ok(()) => drop(done.insert(name.clone())),
                Err(err) if err.kind() == Kind::Unreachable => return Err(err),
                // The statement may hold a password's hash and is not repeated here.
                Err(err) => {
                    self.n_failed += 1;
                    tracing::warn!(reason = %err, account = name, "not restored: {}", statement.header.kind);
                }
            }
        }
        connection.close().await;
        Ok(done)
    }
}

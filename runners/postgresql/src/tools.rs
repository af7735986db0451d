//! The client programs: where they are, which version they have, how they log in.

use std::path::PathBuf;
use std::time::Duration;

use runner_core::engine::TlsMode;
use runner_core::error::{Error, Kind, Result};
use runner_core::tool::{MemoryFile, Tool};
use tokio_util::sync::CancellationToken;

use crate::wire::Endpoint;

/// The client programs of one installation.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    bin: Option<PathBuf>,
    endpoint: Endpoint,
    /// A copy of the client's key that nobody else may read: libpq insists on that, and where secrets are mounted, all may.
    key: Option<MemoryFile>,
    patience: Duration,
}

impl Tools {
    pub(crate) fn new(
        bin: Option<PathBuf>,
        endpoint: Endpoint,
        patience: Duration,
    ) -> Result<Self> {
        let copy = |file: &PathBuf| {
            let key = std::fs::read(file).map_err(|err| {
                let what = format!("DB_TLS_KEY_FILE: cannot read {}", file.display());
                Error::new(Kind::Config, what).because(err)
            })?;
            MemoryFile::of_bytes("the client's key", &key)
        };
        let key = endpoint.tls.key_file.as_ref().map(copy).transpose()?;
        Ok(Self {
            bin,
            endpoint,
            key,
            patience,
        })
    }

    /// A program that logs in to `database` as the job does; nothing secret is in its arguments.
    pub(crate) fn tool(&self, program: &str, database: &str) -> Tool {
        let endpoint = &self.endpoint;
        let mut tool = self
            .bare(program)
            .env("PGHOST", &endpoint.host)
            .env("PGPORT", endpoint.port.to_string())
            .env("PGUSER", &endpoint.user)
            .env("PGDATABASE", database)
            .env("PGAPPNAME", &endpoint.application_name)
            .env(
                "PGCONNECT_TIMEOUT",
                self.patience.as_secs().max(2).to_string(),
            )
            // None that lies about; of one that is no plain file, libpq complains.
            .env("PGPASSFILE", "/nonexistent")
            .env("PGSSLMODE", ssl_mode(endpoint.tls.mode));
        if let Some(password) = &endpoint.password {
            tool = tool.secret_env("PGPASSWORD", password);
        }
        let verify = matches!(endpoint.tls.mode, TlsMode::VerifyCa | TlsMode::VerifyFull);
        // libpq has no notion of the system's certificates before 16.
        let system_ca = verify.then(|| PathBuf::from("/etc/ssl/certs/ca-certificates.crt"));
        let files = [
            ("PGSSLROOTCERT", endpoint.tls.ca_file.clone().or(system_ca)),
            ("PGSSLCERT", endpoint.tls.cert_file.clone()),
            (
                "PGSSLKEY",
                self.key.as_ref().map(MemoryFile::path_for_child),
            ),
        ];
        for (name, file) in files {
            if let Some(file) = file {
                tool = tool.env(name, file);
            }
        }
        tool
    }

    fn bare(&self, program: &str) -> Tool {
        match &self.bin {
            Some(bin) => Tool::new(bin.join(program)),
            None => Tool::new(program),
        }
    }

    /// A program's version as text and as its major number.
    pub(crate) async fn version(&self, program: &str) -> Result<(String, u32)> {
        let cancel = CancellationToken::new();
        let output = self
            .bare(program)
            .arg("--version")
            .run(&cancel)
            .await
            .map_err(|err| {
                err.while_doing("the PostgreSQL client programs must be in PATH or PG_BIN")
            })?;
        parse_version(&output.stdout).ok_or_else(|| {
            Error::new(
                Kind::Tool,
                format!("{program} --version says {:?}", output.stdout.trim()),
            )
        })
    }
}

/// `pg_dump (PostgreSQL) 17.2 (Debian 17.2-1)` is version 17.2 of major 17.
fn parse_version(text: &str) -> Option<(String, u32)> {
    let version = text
        .split_once("(PostgreSQL) ")?
        .1
        .split_whitespace()
        .next()?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((version.to_owned(), digits.parse().ok()?))
}

/// Refuses a client older than the server, as `pg_dump` itself would, but with the way out.
pub(crate) fn check_not_older(program: &str, client: u32, server: u32) -> Result<()> {
    if client >= server {
        return Ok(());
    }
    Err(Error::new(
        Kind::Tool,
        format!(
            "{program} is version {client} and the server is {server}; use the image plan-b-backup-postgresql:{server}, or set PG_BIN to a client of version {server} or newer"
        ),
    ))
}

fn ssl_mode(mode: TlsMode) -> &'static str {
    match mode {
        TlsMode::Disable => "disable",
        TlsMode::Prefer => "prefer",
        TlsMode::Require => "require",
        TlsMode::VerifyCa => "verify-ca",
        TlsMode::VerifyFull => "verify-full",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_stock_and_beta_clients() {
        let debian = "pg_dump (PostgreSQL) 17.2 (Debian 17.2-1.pgdg120+1)\n";
        assert_eq!(parse_version(debian), Some(("17.2".into(), 17)));
        assert_eq!(
            parse_version("psql (PostgreSQL) 19beta1"),
            Some(("19beta1".into(), 19))
        );
        assert_eq!(parse_version("pg_dump: command not found"), None);
    }

    #[test]
    fn an_older_client_is_refused_with_the_way_out() {
        assert!(check_not_older("pg_dump", 17, 17).is_ok());
        let error = check_not_older("pg_dump", 15, 17).unwrap_err().to_string();
        assert!(
            error.contains("PG_BIN") && error.contains("postgresql:17"),
            "{error}"
        );
    }
}

//! What the server is and can do, asked once.

use std::time::Duration;

use runner_core::error::{Error, Kind, Result};

use crate::session;
use crate::sql::{self, PIN_WHERE_KNOWN};
use crate::wire::{Connection, Endpoint};

/// Who made the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    MySql,
    MariaDb,
}

impl Family {
    /// As in `DB_ENGINE`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MySql => "mysql",
            Self::MariaDb => "mariadb",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::MySql => "MySQL",
            Self::MariaDb => "MariaDB",
        }
    }

    fn of(version: &str) -> Self {
        match version.to_ascii_lowercase().contains("mariadb") {
            true => Self::MariaDb,
            false => Self::MySql,
        }
    }
}

/// The server, and the capabilities that everything else asks about.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) endpoint: Endpoint,
    pub(crate) patience: Duration,
    pub(crate) family: Family,
    /// Such as `8.0.36`.
    pub(crate) version: String,
    /// Takes `LOAD DATA LOCAL`.
    pub(crate) has_local_infile: bool,
    pub(crate) has_binlog: bool,
    pub(crate) read_only: bool,
    /// Of one statement.
    pub(crate) max_packet_bytes: u64,
    /// InnoDB's memory for pages.
    pub(crate) buffer_pool_bytes: u64,
    /// Statements that pin what only some servers know.
    pub(crate) pins: Vec<String>,
}

const FACTS: &str = "SELECT VERSION(), @@global.local_infile, @@global.log_bin, @@global.read_only, \
     @@max_allowed_packet, @@innodb_buffer_pool_size";
/// The oldest version of each family that is served.
const OLDEST_MYSQL: (u32, u32) = (5, 7);
const OLDEST_MARIADB: (u32, u32) = (10, 5);

impl Server {
    /// Waits for the server and learns what it is.
    pub(crate) async fn find(endpoint: &Endpoint, patience: Duration) -> Result<Self> {
        let mut connection = session::connect(endpoint, patience).await?;
        let answer = connection.query(FACTS).await?;
        let row = answer
            .rows
            .first()
            .ok_or_else(|| Error::new(Kind::Bug, "a server without a version"))?;
        let full = row.text(0);
        let family = Family::of(&full);
        let version = full.split('-').next().unwrap_or_default().to_owned();
        let oldest = match family {
            Family::MySql => OLDEST_MYSQL,
            Family::MariaDb => OLDEST_MARIADB,
        };
        if major_minor(&version) < oldest {
            return Err(Error::new(
                Kind::Unfit,
                format!(
                    "{} {version} is not served; {}.{} and later are",
                    family.title(),
                    oldest.0,
                    oldest.1
                ),
            ));
        }
        let mut server = Self {
            endpoint: endpoint.clone(),
            patience,
            family,
            version,
            has_local_infile: row.text(1) == "1",
            has_binlog: row.text(2) == "1",
            read_only: row.text(3) == "1",
            max_packet_bytes: row.number(4),
            buffer_pool_bytes: row.number(5),
            pins: Vec::new(),
        };
        server.pins = pins(&mut connection).await?;
        connection.close().await;
        Ok(server)
    }

    /// A session with every setting pinned.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        let mut connection = session::connect(&self.endpoint, self.patience).await?;
        for pin in &self.pins {
            connection.execute(pin).await?;
        }
        Ok(connection)
    }

    /// User databases.
    pub(crate) async fn databases(&self) -> Result<Vec<String>> {
        let mut connection = self.connect().await?;
        let answer = connection
            .query(
                "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN \
                 ('information_schema', 'performance_schema', 'mysql', 'sys') ORDER BY 1",
            )
            .await?;
        connection.close().await;
        Ok(answer.rows.iter().map(|row| row.text(0)).collect())
    }
}

/// Settings that are there and that the login may set.
async fn pins(connection: &mut Connection) -> Result<Vec<String>> {
    let names: Vec<String> = PIN_WHERE_KNOWN
        .iter()
        .map(|(name, _)| sql::literal(name))
        .collect();
    let statement = format!(
        "SHOW SESSION VARIABLES WHERE Variable_name IN ({})",
        names.join(", ")
    );
    let answer = connection.query(&statement).await?;
    let mut pins = Vec::new();
    for (name, value) in PIN_WHERE_KNOWN {
        if !answer.rows.iter().any(|row| row.text(0) == name) {
            continue;
        }
        let pin = format!("SET SESSION {name} = {value}");
        match connection.execute(&pin).await {
            Ok(()) => pins.push(pin),
            Err(err) if err.kind() == Kind::Unreachable => return Err(err),
            Err(err) => tracing::debug!(reason = %err, "{name} stays as it is"),
        }
    }
    Ok(pins)
}

/// The first three numbers of a version.
pub(crate) fn numbers(version: &str) -> [u32; 3] {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| numbers.next().unwrap_or(0))
}

/// The first two numbers of a version.
pub(crate) fn major_minor(version: &str) -> (u32, u32) {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_tells_the_family() {
        assert_eq!(Family::of("8.0.36"), Family::MySql);
        assert_eq!(
            Family::of("11.8.6-MariaDB-0+deb13u1 from Debian-log"),
            Family::MariaDb
        );
        assert_eq!(Family::of("5.5.5-10.5.29-MariaDB"), Family::MariaDb);
        assert!(major_minor("5.7.22") >= OLDEST_MYSQL);
        assert!(major_minor("10.4.1") < OLDEST_MARIADB);
        assert!(major_minor("11.8.6") >= OLDEST_MARIADB);
    }

    /// As on 8.4 and later: settings that later versions know, and one that the login may not set.
    #[tokio::test]
    async fn settings_are_pinned_where_they_are_known_and_allowed() {
        use crate::wire::scripted::{Said, Script, Scripted};
        const FACTS: Said = Said::Row(&[
            ("VERSION()", "9.4.0"),
            ("@@global.local_infile", "0"),
            ("@@global.log_bin", "1"),
            ("@@global.read_only", "0"),
            ("@@max_allowed_packet", "67108864"),
            ("@@innodb_buffer_pool_size", "134217728"),
        ]);
        const KNOWN: Said = Said::Row(&[
            ("Variable_name", "restrict_fk_on_non_standard_key"),
            ("Value", "ON"),
        ]);
        const SCRIPT: Script = &[
            ("SELECT VERSION()", FACTS),
            ("SHOW SESSION VARIABLES", KNOWN),
        ];
        let patience = Duration::from_secs(20);
        let scripted = Scripted::start("9.4.0", SCRIPT);
        let server = Server::find(&scripted.endpoint, patience).await.unwrap();
        assert_eq!(
            (server.family, server.version.as_str()),
            (Family::MySql, "9.4.0")
        );
        assert_eq!(
            server.pins,
            ["SET SESSION restrict_fk_on_non_standard_key = 0"]
        );
        assert!(server.has_binlog && !server.has_local_infile);
        const MAY_NOT: Script = &[
            ("SELECT VERSION()", FACTS),
            ("SHOW SESSION VARIABLES", KNOWN),
            (
                "SET SESSION restrict_fk",
                Said::Refused(1227, "you need SESSION_VARIABLES_ADMIN"),
            ),
        ];
        let scripted = Scripted::start("9.4.0", MAY_NOT);
        let server = Server::find(&scripted.endpoint, patience).await.unwrap();
        assert_eq!(server.pins, [""; 0]);
    }
}

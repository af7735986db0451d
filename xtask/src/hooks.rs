//! What the proof of an image asks of a database engine; everything else is the same for all of them.

pub mod mongodb;
pub mod mysql;
pub mod postgresql;
pub mod redis;

// What new-engine writes has to compile.
#[cfg(test)]
#[path = "new_engine/hooks.rs"]
#[expect(unreachable_pub, reason = "a real engine's module is public")]
mod newcomer;

use crate::server::Server;
use crate::shell::Result;
use crate::versions::Row;

/// One engine's part: a server, something in it, and an eye that shares no code with the runner.
pub trait Hooks: Sync {
    /// How the engine's image is started, and when it serves.
    fn server(&self) -> ServerSpec;

    /// Images that `Server::beside` runs programs of, where the server's own has none.
    fn tools(&self) -> &'static [&'static str] {
        &[]
    }

    /// The version that a running server gives.
    fn server_version(&self, server: &Server) -> Result<String>;

    /// Whose client is in our image; `run` runs a program in it and yields what it printed.
    fn client(&self, run: Program<'_>, server_version: &str) -> Result<Client>;

    /// Fills an empty server with something of every kind, and takes its measure.
    fn create_test_data(&self, server: &Server) -> Result<Measure>;

    /// What the runner is told of the server, beside host and port; it reaches the runner by its environment alone.
    fn backup_environment(&self) -> Vec<(&'static str, String)>;

    /// Holds what a restore has made against the measure; yields what was compared.
    fn verify_restored_data(&self, server: &Server, before: &Measure) -> Result<String>;
}

/// Runs a program in an image and yields its output.
pub type Program<'a> = &'a dyn Fn(&[&str]) -> Result<String>;

/// How a server's container is started.
#[derive(Clone, Debug, Default)]
pub struct ServerSpec {
    /// The container's environment; the values never show on a command line.
    pub environment: Vec<(&'static str, String)>,
    /// What comes after the image's name.
    pub args: Vec<String>,
    /// A program in the container that succeeds as soon as clients are served.
    pub ready: Vec<&'static str>,
}

/// The client program in an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Client {
    /// Of the server's own version, or none where the runner needs none.
    Own(String),
    /// Of a newer version, where the server's own is not to be had.
    StandIn(String),
}

/// What a restore must bring back, a line each: what it is, then `|`, then which and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure(String);

/// The part that the row's engine plays.
pub fn of(row: &Row) -> Result<&'static dyn Hooks> {
    match row.engine.as_str() {
        "mariadb" => Ok(&mysql::Family::MariaDb),
        "mongodb" => Ok(&mongodb::Mongodb),
        "mysql" => Ok(&mysql::Family::MySql),
        "postgresql" => Ok(&postgresql::Postgresql),
        "redis" => Ok(&redis::Family::Redis),
        "valkey" => Ok(&redis::Family::Valkey),
        engine => Err(format!("{engine} has no hooks: see xtask/src/hooks.rs").into()),
    }
}

impl Client {
    /// The server's own, a stand-in, or, where it is older than the server, a mistake. Versions are the first
    /// numbers in the texts, of which `n_parts` make a major version.
    pub fn judge(client: &str, server: &str, n_parts: usize) -> Result<Self> {
        let [ours, theirs] = [client, server].map(|text| major(text, n_parts));
        match ours.cmp(&theirs) {
            _ if ours.is_empty() || theirs.is_empty() => {
                Err(format!("no version in {client:?} or {server:?}").into())
            }
            std::cmp::Ordering::Less => Err(format!(
                "wrong client version: {client} is older than the server, {server}"
            )
            .into()),
            std::cmp::Ordering::Equal => Ok(Self::Own(client.to_owned())),
            std::cmp::Ordering::Greater => Ok(Self::StandIn(client.to_owned())),
        }
    }
}

fn major(text: &str, n_parts: usize) -> Vec<u32> {
    let is_number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    let mut words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    let number = words.find(is_number).unwrap_or_default();
    let parts = number.split('.').map_while(|part| part.parse().ok());
    parts.take(n_parts).collect()
}

impl Measure {
    /// Lines as a server's own programs print them.
    pub fn new(lines: impl Into<String>) -> Self {
        Self(lines.into())
    }

    /// How many lines there are of one kind.
    pub fn count(&self, kind: &str) -> usize {
        self.of(kind).count()
    }

    /// The sum of the numbers in the `n`th field of the lines of one kind, the kind itself being the 0th.
    pub fn sum(&self, kind: &str, n: usize) -> u64 {
        let number = |line: &str| line.split('|').nth(n)?.parse::<u64>().ok();
        self.of(kind).filter_map(number).sum()
    }

    /// Fails with the lines that only one of the two has.
    pub fn compare(&self, after: &Self) -> Result<()> {
        let lines = |text: &Self| -> Vec<String> { text.0.lines().map(str::to_owned).collect() };
        let (before, after) = (lines(self), lines(after));
        let lost = before.iter().filter(|line| !after.contains(line));
        let new = after.iter().filter(|line| !before.contains(line));
        let lost = lost.map(|line| format!("- {line}"));
        let differences: Vec<_> = lost
            .chain(new.map(|line| format!("+ {line}")))
            .take(20)
            .collect();
        if before.is_empty() {
            return Err("there was nothing to compare".into());
        }
        if differences.is_empty() && before.len() == after.len() {
            return Ok(());
        }
        Err(format!("the restored database differs:\n{}", differences.join("\n")).into())
    }

    fn of(&self, kind: &str) -> impl Iterator<Item = &str> {
        let own = move |line: &&str| line.split('|').next() == Some(kind);
        self.0.lines().filter(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_the_servers_own_a_stand_in_or_a_mistake() {
        let says = "pg_dump (PostgreSQL) 17.6 (Debian 17.6-0+deb13u1)";
        let own = Client::Own(says.to_owned());
        assert_eq!(Client::judge(says, "17.5", 1).unwrap(), own);
        let stand_in = Client::StandIn(says.to_owned());
        assert_eq!(Client::judge(says, "16.9", 1).unwrap(), stand_in);
        let err = Client::judge(says, "18.0", 1).unwrap_err().to_string();
        assert!(err.contains("older than the server"), "{err}");
        assert!(Client::judge("none", "18.0", 1).is_err());
        let mysql = "mysqldump  Ver 8.0.36 for Linux on x86_64";
        assert!(Client::judge(mysql, "8.4.1", 2).is_err());
        assert!(matches!(
            Client::judge(mysql, "8.0.15", 2),
            Ok(Client::Own(_))
        ));
    }

    #[test]
    fn a_new_engine_says_what_its_proof_lacks() {
        let run = |_: &[&str]| Ok(String::new());
        let err = newcomer::Newcomer.client(&run, "1.0").unwrap_err();
        assert_eq!(
            err.to_string(),
            "newcomer: this engine has no client to judge yet"
        );
    }

    #[test]
    fn a_measure_tells_what_was_lost_and_what_is_new() {
        let before = Measure::new("table|a|3|x\ntable|b|4|y\nindex|i|t|z");
        assert_eq!((before.count("table"), before.sum("table", 2)), (2, 7));
        before.compare(&before).unwrap();
        let after = Measure::new("table|a|3|x\ntable|b|4|other");
        let err = before.compare(&after).unwrap_err().to_string();
        assert!(
            err.contains("- table|b|4|y\n- index|i|t|z\n+ table|b|4|other"),
            "{err}"
        );
        let twice = Measure::new("table|a|3|x\ntable|b|4|y\nindex|i|t|z\nindex|i|t|z");
        before.compare(&twice).unwrap_err();
        Measure::new("").compare(&Measure::new("")).unwrap_err();
    }
}

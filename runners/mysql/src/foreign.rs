//! Dumps that `mysqldump` or `mariadb-dump` made: their statements, cut from the script as it streams, run in one session.

use futures::StreamExt;
use runner_core::engine::{Foreign, Restored, Target};
use runner_core::error::{Error, Kind, Result};
use runner_core::stream::ByteStream;
use runner_core::workers::unless_cancelled;

use crate::details::DatabaseDetails;
use crate::engine::Site;
use crate::options::Definer;
use crate::restore::{Place, with_definer};
use crate::script::{Splitter, without_comments};
use crate::server::Server;
use crate::sql::ident;

/// The tools begin and end a script with these; a script that has the first and not the last was cut.
const BEGIN_MARKS: [&str; 2] = ["-- MySQL dump ", "-- MariaDB dump "];
const END_MARK: &str = "-- Dump completed";
const END_BYTES: usize = 4096;

/// Restores a dump into a new or empty database; there is nothing to prove it against but the statements' own success.
pub(crate) async fn run(site: &Site, foreign: Foreign, target: &Target) -> Result<Restored> {
    if !foreign.name.ends_with(".sql") {
        return Err(Error::new(
            Kind::Unfit,
            format!(
                "{:?} is neither a backup of ours nor a .sql of mysqldump or mariadb-dump",
                foreign.name
            ),
        ));
    }
    let server = site.server().await?;
    let details = DatabaseDetails {
        has_schema: true,
        ..DatabaseDetails::default()
    };
    // Views and triggers, which the script makes in between, could not be moved from a staging database.
    let in_place = Target {
        staging: false,
        ..target.clone()
    };
    let mut place = Place::find(&server, &target.database, &details, &in_place).await?;
    place.open(&server).await?;
    let name = foreign.name.clone();
    let fed = feed(&server, &place, foreign.body, &site.options.definer);
    match unless_cancelled(&target.cancel, fed).await {
        Ok(rows) => Ok(Restored {
            n_verified: 0,
            rows,
            summary: place.summary(),
        }),
        Err(err) => {
            let err = err.while_doing(format!("restore {name}"));
            Err(place.give_up(&server, err).await)
        }
    }
}

async fn feed(
    server: &Server,
    place: &Place,
    mut body: ByteStream,
    definer: &Definer,
) -> Result<u64> {
    let mut connection = server.connect().await?;
    let statement = format!("USE {}", ident(&place.name));
    connection.execute(&statement).await?;
    let (mut splitter, mut guard, mut ends) =
        (Splitter::default(), Guard::default(), Ends::default());
    let mut rows = 0;
    loop {
        while let Some(statement) = splitter.next_statement()? {
            let code = without_comments(&statement);
            match guard.verdict(code)? {
                Verdict::Skip => continue,
                Verdict::Run => {}
            }
            let is_create = starts_with_word(without_version(code), "CREATE");
            let changed = is_create.then(|| with_definer(code, definer));
            let answer = connection.query(changed.as_deref().unwrap_or(code)).await;
            let answer = answer.map_err(|err| err.while_doing(excerpt(code)))?;
            if starts_with_word(code, "INSERT") || starts_with_word(code, "REPLACE") {
                rows += answer.affected;
            }
        }
        if splitter.has_ended() {
            break;
        }
        match body.next().await {
            Some(block) => {
                let block = block?;
                ends.pass(&block);
                splitter.feed(&block);
            }
            None => {
                // Before what is left runs: it may be half a statement.
                ends.check()?;
                splitter.end();
            }
        }
    }
    connection.close().await;
    Ok(rows)
}

/// How a statement begins, without the values that it may hold.
fn excerpt(statement: &[u8]) -> String {
    let head = String::from_utf8_lossy(statement.get(..200).unwrap_or(statement)).into_owned();
    let head = head.split("VALUES").next().unwrap_or_default();
    let words: Vec<&str> = head.split_whitespace().take(8).collect();
    format!("run {:?}", words.join(" "))
}

enum Verdict {
    Run,
    Skip,
}

/// Keeps a script within the database that it is meant for.
#[derive(Default)]
struct Guard {
    /// The one database that the script itself names.
    named: Option<String>,
}

impl Guard {
    fn verdict(&mut self, statement: &[u8]) -> Result<Verdict> {
        let head = statement.get(..512).unwrap_or(statement);
        let text = String::from_utf8_lossy(without_version(head)).into_owned();
        let upper = text.to_ascii_uppercase();
        if upper.starts_with("SET ")
            && (upper.contains("SQL_LOG_BIN") || upper.contains("GTID_PURGED"))
        {
            tracing::warn!("left out, as it is about the old server's binary log: {text}");
            return Ok(Verdict::Skip);
        }
        let mut words = upper.split_whitespace();
        let orders = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let is_database = |word: &str| matches!(word, "DATABASE" | "SCHEMA");
        match orders {
            ("USE", _) => self.name(&text),
            ("CREATE" | "DROP" | "ALTER", what) if is_database(what) => self.name(&text),
            _ => Ok(Verdict::Run),
        }
    }

    /// A dump made with `--databases` names its database, in whose place the target is; a second one has none.
    fn name(&mut self, statement: &str) -> Result<Verdict> {
        let name = named(statement);
        match &self.named {
            Some(first) if *first != name => Err(Error::new(
                Kind::Unfit,
                format!(
                    "the script holds the databases {first:?} and {name:?}; make one dump for each, or restore it by hand"
                ),
            )),
            _ => {
                self.named = Some(name);
                Ok(Verdict::Skip)
            }
        }
    }
}

/// The first name in backticks, or the last word.
fn named(statement: &str) -> String {
    let quoted = statement.split('`').nth(1).map(str::to_owned);
    let bare = || {
        let words = statement.split_whitespace();
        let is_name = |word: &&str| {
            let word = word.to_ascii_uppercase();
            ![
                "USE", "CREATE", "DROP", "ALTER", "DATABASE", "SCHEMA", "IF", "NOT", "EXISTS",
            ]
            .contains(&word.as_str())
                && !word.starts_with("/*")
                && !word.ends_with("*/")
        };
        words.filter(is_name).map(str::to_owned).next()
    };
    quoted.or_else(bare).unwrap_or_default()
}

/// What a version comment in front hides from older servers.
fn without_version(statement: &[u8]) -> &[u8] {
    let Some(rest) = statement.strip_prefix(b"/*") else {
        return statement;
    };
    let rest = rest.strip_prefix(b"M").unwrap_or(rest);
    let Some(rest) = rest.strip_prefix(b"!") else {
        return statement;
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    rest.get(digits..).unwrap_or_default().trim_ascii_start()
}

fn starts_with_word(statement: &[u8], word: &str) -> bool {
    let head = statement.get(..word.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()))
}

/// What a script's first and last bytes told.
#[derive(Default)]
struct Ends {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Ends {
    fn pass(&mut self, block: &[u8]) {
        let room = END_BYTES.saturating_sub(self.head.len()).min(block.len());
        self.head
            .extend_from_slice(block.get(..room).unwrap_or_default());
        self.tail.extend_from_slice(
            block
                .get(block.len().saturating_sub(END_BYTES)..)
                .unwrap_or_default(),
        );
        let extra = self.tail.len().saturating_sub(END_BYTES);
        self.tail.drain(..extra);
    }

    fn check(&self) -> Result<()> {
        let (head, tail) = (
            String::from_utf8_lossy(&self.head),
            String::from_utf8_lossy(&self.tail),
        );
        let is_dump = BEGIN_MARKS.iter().any(|mark| head.contains(mark));
        match is_dump && !tail.contains(END_MARK) {
            true => Err(Error::new(
                Kind::Integrity,
                format!("the script lacks its last line ({END_MARK:?}): it was cut"),
            )),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(guard: &mut Guard, statement: &str) -> Result<bool> {
        let verdict = guard.verdict(statement.as_bytes())?;
        Ok(matches!(verdict, Verdict::Run))
    }

    #[test]
    fn a_script_stays_in_its_target() {
        let mut guard = Guard::default();
        let create = "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `shop` /*!40100 DEFAULT CHARACTER SET utf8 */";
        assert!(!verdict(&mut guard, create).unwrap());
        assert!(!verdict(&mut guard, "USE `shop`").unwrap());
        assert!(verdict(&mut guard, "CREATE TABLE use_it (a int)").unwrap());
        assert!(
            verdict(
                &mut guard,
                "/*!40000 ALTER TABLE `database` DISABLE KEYS */"
            )
            .unwrap()
        );
        let error = verdict(&mut guard, "use other").unwrap_err();
        assert_eq!(error.kind(), Kind::Unfit);
        assert!(
            error.to_string().contains("\"shop\" and \"other\""),
            "{error}"
        );
    }

    #[test]
    fn the_old_servers_binary_log_is_left_alone() {
        let mut guard = Guard::default();
        for statement in [
            "SET @@SESSION.SQL_LOG_BIN= 0",
            "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ 'a:1-5'",
        ] {
            assert!(!verdict(&mut guard, statement).unwrap());
        }
        assert!(verdict(&mut guard, "/*!40101 SET NAMES utf8 */").unwrap());
    }

    #[test]
    fn a_cut_script_is_told_from_a_whole_one() {
        let check = |script: &str| {
            let mut ends = Ends::default();
            script
                .as_bytes()
                .chunks(7)
                .for_each(|block| ends.pass(block));
            ends.check()
        };
        let whole = format!("-- MySQL dump 10.13\nSELECT 1;\n{END_MARK} on 2026\n");
        assert!(check(&whole).is_ok());
        assert_eq!(check(&whole[..30]).unwrap_err().kind(), Kind::Integrity);
        assert!(
            check("SELECT 1;").is_ok(),
            "a script of somebody's own has no marks"
        );
    }

    #[test]
    fn an_excerpt_holds_no_values() {
        assert_eq!(
            excerpt(b"INSERT INTO `users` VALUES (1,'s3cret')"),
            "run \"INSERT INTO `users`\""
        );
    }
}

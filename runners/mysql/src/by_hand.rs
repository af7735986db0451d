//! `RESTORE.md`: how to restore this very backup with stock tools alone.

use runner_core::by_hand::{decode_command, read, shell_quote, tools};
use runner_core::manifest::{Artifact, Manifest};

use crate::details::{DatabaseDetails, Details, Table};
use crate::sql::ident;

/// What every session needs, so that values come back as they were.
const SESSION: &str = "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', time_zone = '+00:00', foreign_key_checks = 0, unique_checks = 0";

/// Renders the instructions; commands are to be run in a copy of the backup's directory.
pub(crate) fn render(manifest: &Manifest) -> String {
    let details = Details::of(manifest).unwrap_or_default();
    let decode = decode_command(manifest);
    let mut text = format!(
        "# Restoring this backup by hand\n\n\
         {} {} on {}, database `{}`, taken {}.\n\n\
         Stock tools are enough: the client `mysql` (or `mariadb`, which is called the same way){}. Copy this directory to a\n\
         disk, change into it, and put host, user and password into `~/.my.cnf`. The server must have `local_infile=ON` while\n\
         the rows are loaded. To check the copy first, compare `sha256sum` of each file with `manifest.json`.\n",
        details.family,
        manifest.engine_version,
        manifest.host,
        manifest.database,
        manifest.started_at,
        tools(manifest),
    );
    if manifest.encryption.is_some() {
        text.push_str("\nThe files are encrypted with age: put your identity into `key.txt`, or, if a passphrase was\nused, leave out `-i key.txt` and type it when asked.\n");
    }
    let of_all = |kind: &str| {
        let mut artifacts = manifest.artifacts.iter();
        artifacts.find(|artifact| artifact.kind == kind)
    };
    // Objects of the databases run as accounts, and accounts may use objects.
    if let Some(accounts) = of_all("accounts") {
        text.push_str(&format!(
            "\n## Accounts\n\nThose that are there already stay as they are.\n\n```sh\n{} | mysql --binary-mode --force\n```\n",
            read(&decode, accounts)
        ));
    }
    for database in &details.databases {
        text.push_str(&one_database(manifest, database, &decode));
    }
    if let Some(grants) = of_all("grants") {
        text.push_str(&format!(
            "\n## Grants\n\nAlso to accounts that were there already: take out what they shall not have.\n\n```sh\n{} | mysql --binary-mode --force\n```\n",
            read(&decode, grants)
        ));
    }
    text
}

fn one_database(manifest: &Manifest, database: &DatabaseDetails, decode: &str) -> String {
    let script = |kind: &str| -> Option<&Artifact> {
        manifest.artifacts.iter().find(|artifact| {
            let name = manifest.name(artifact).strip_prefix(&database.prefix);
            artifact.kind == kind && name.is_some_and(|name| !name.contains('/'))
        })
    };
    let name = shell_quote(&database.name);
    let mut text = format!(
        "\n## Database `{}`\n\n```sh\nload() {{ mysql --local-infile=1 --default-character-set=utf8mb4 --init-command=\"{SESSION}\" \"$@\"; }}\n",
        database.name
    );
    let run = |script: Option<&Artifact>| {
        script.map(|script| {
            // Texts in other character sets pass as they are.
            format!(
                "{} | mysql --binary-mode --default-character-set=utf8mb4 {name}\n",
                read(decode, script)
            )
        })
    };
    if database.has_schema {
        let statement = format!(
            "CREATE DATABASE {} CHARACTER SET {} COLLATE {}",
            ident(&database.name),
            database.charset,
            database.collation
        );
        text.push_str(&format!("mysql -e {}\n", shell_quote(&statement)));
    }
    text.extend(run(script("schema")));
    for table in &database.tables {
        for line in load_lines(manifest, database, table, decode) {
            text.push_str(&line);
        }
    }
    text.extend(run(script("indexes")));
    text.extend(run(script("objects")));
    text.push_str("```\n");
    if database.tables.iter().any(Table::has_shapes) {
        text.push_str(
            "\nSome servers (seen: MySQL 8.0.15) refuse to load a shape that may not be NULL (error 1364): make its column\n\
             nullable for the load, with `ALTER TABLE`, and `NOT NULL` again afterwards.\n",
        );
    }
    text
}

/// `LOAD DATA` from the decoding pipeline, one for each file that holds rows of the table.
fn load_lines(
    manifest: &Manifest,
    database: &DatabaseDetails,
    table: &Table,
    decode: &str,
) -> Vec<String> {
    let data_name = database.data_name(table);
    let mut lines = Vec::new();
    for artifact in &manifest.artifacts {
        for data in artifact.data.iter().filter(|data| data.table == data_name) {
            let mut command = read(decode, artifact);
            if let Some(member) = &data.member {
                command.push_str(&format!(" | tar -xOf - {}", shell_quote(member)));
            }
            lines.push(format!(
                "{command} | load {} -e {}\n",
                shell_quote(&database.name),
                shell_quote(&table.load_sql(None, "/dev/stdin"))
            ));
        }
    }
    lines
}

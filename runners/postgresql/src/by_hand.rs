//! `RESTORE.md`: how to restore this very backup with stock tools alone.

use runner_core::by_hand::{decode_command, read, shell_quote, tools};
use runner_core::manifest::Manifest;

use crate::details::{DatabaseDetails, Details, Table};
use crate::restore::properties;

/// Renders the instructions; commands are to be run in a copy of the backup's directory.
pub(crate) fn render(manifest: &Manifest) -> String {
    let details = Details::of(manifest).unwrap_or_default();
    let decode = decode_command(manifest);
    let mut text = format!(
        "# Restoring this backup by hand\n\n\
         PostgreSQL {} on {}, database `{}`, taken {}.\n\n\
         Stock tools are enough: `psql` and `pg_restore` of PostgreSQL {} or newer{}. Copy this directory\n\
         to a disk, change into it, and set `PGHOST`, `PGUSER` and so on. To check the copy first, compare\n\
         `sha256sum` of each file with `manifest.json`.\n",
        manifest.engine_version,
        manifest.host,
        manifest.database,
        manifest.started_at,
        details.server_version_num / 10_000,
        tools(manifest),
    );
    if manifest.encryption.is_some() {
        text.push_str("\nThe files are encrypted with age: put your identity into `key.txt`, or, if a passphrase was\nused, leave out `-i key.txt` and type it when asked.\n");
    }
    if let Some(globals) = manifest
        .artifacts
        .iter()
        .find(|artifact| artifact.kind == "globals")
    {
        text.push_str(&format!(
            "\n## Roles\n\nErrors that a role already exists can be ignored.\n\n```sh\n{} | psql -d postgres\n```\n",
            read(&decode, globals)
        ));
    }
    for database in &details.databases {
        text.push_str(&one_database(manifest, database, &decode));
    }
    text
}

fn one_database(manifest: &Manifest, database: &DatabaseDetails, decode: &str) -> String {
    let of_kind = |kind: &str| {
        let directory = database.prefix.clone();
        let kind = kind.to_owned();
        manifest.artifacts.iter().filter(move |artifact| {
            let name = manifest.name(artifact).strip_prefix(&directory);
            artifact.kind == kind && name.is_some_and(|name| !name.contains('/'))
        })
    };
    let name = shell_quote(&database.name);
    let mut text = format!(
        "\n## Database `{}`\n\n```sh\nexport PGCLIENTENCODING=UTF8\n",
        database.name
    );
    let schema = of_kind("schema").next();
    if let Some(schema) = schema {
        let locale: String = database
            .locale
            .iter()
            .filter_map(|(option, value)| match option.as_str() {
                "LC_COLLATE" => Some(format!(" --lc-collate={}", shell_quote(value))),
                "LC_CTYPE" => Some(format!(" --lc-ctype={}", shell_quote(value))),
                _ => None,
            })
            .collect();
        text.push_str(&format!(
            "createdb --template=template0 --encoding={}{locale} {name}\n",
            database.encoding
        ));
        text.push_str(&format!("{} > schema.dump\n", read(decode, schema)));
        text.push_str(&format!(
            "pg_restore --exit-on-error --section=pre-data -d {name} schema.dump\n"
        ));
    }
    for table in &database.tables {
        for line in copy_lines(manifest, database, table, decode) {
            text.push_str(&line);
        }
    }
    for kind in ["sequences", "large_objects"] {
        for artifact in of_kind(kind) {
            text.push_str(&format!(
                "{} | psql -X -q -v ON_ERROR_STOP=1 -o /dev/null -d {name}\n",
                read(decode, artifact)
            ));
        }
    }
    if schema.is_some() {
        text.push_str(&format!(
            "pg_restore --exit-on-error --section=post-data -d {name} schema.dump\n"
        ));
    }
    if schema.is_some() {
        let statements = properties::by_hand(database).join(";\n");
        let statements = shell_quote(&statements);
        text.push_str(&format!("psql -X -q -d {name} -c {statements}\n"));
    }
    text.push_str(&format!("psql -X -d {name} -c ANALYZE\n```\n"));
    text
}

/// `COPY` from the decoding pipeline, one for each file that holds rows of the table.
fn copy_lines(
    manifest: &Manifest,
    database: &DatabaseDetails,
    table: &Table,
    decode: &str,
) -> Vec<String> {
    let data_name = database.data_name(table);
    let mut lines = Vec::new();
    // Rows are in the database's own encoding, everything else is in UTF-8.
    let encoding = match database.encoding.as_str() {
        "UTF8" => String::new(),
        other => format!("PGCLIENTENCODING={} ", shell_quote(other)),
    };
    for artifact in &manifest.artifacts {
        for data in artifact.data.iter().filter(|data| data.table == data_name) {
            let mut command = read(decode, artifact);
            if let Some(member) = &data.member {
                command.push_str(&format!(" | tar -xOf - {}", shell_quote(member)));
            }
            lines.push(format!(
                "{command} | {encoding}psql -X -q -v ON_ERROR_STOP=1 -d {} -c {}\n",
                shell_quote(&database.name),
                shell_quote(&table.copy_in_sql())
            ));
        }
    }
    lines
}

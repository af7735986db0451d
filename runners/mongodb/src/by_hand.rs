//! `RESTORE.md`: how to restore this very backup with stock tools alone.

use runner_core::by_hand::{decode_command, read, shell_quote};
use runner_core::codec::Compression;
use runner_core::manifest::Manifest;

use crate::details::{DatabaseDetails, Details, artifact};
use crate::tools::literal;

/// Renders the instructions; commands are to be run in a copy of the backup's directory.
pub(crate) fn render(manifest: &Manifest) -> String {
    let details = Details::of(manifest).unwrap_or_default();
    let decode = decode_command(manifest);
    let mut text = format!(
        "# Restoring this backup by hand\n\n\
         MongoDB {} on {}, database `{}`, taken {}.\n\n\
         Stock tools are enough: `mongorestore` of the MongoDB Database Tools{}. Copy this directory to a disk\n\
         and change into it. Put the connection string into a file that only you can read, `config.yaml`, with the one\n\
         line `uri: mongodb://…`. To check the copy first, compare `sha256sum` of each file with `manifest.json`.\n\
         Capped collections keep their order with `--maintainInsertionOrder`; `--bypassDocumentValidation` brings documents\n\
         that are older than their collection's validator.\n",
        manifest.engine_version,
        manifest.host,
        manifest.database,
        manifest.started_at,
        tools(manifest),
    );
    if manifest.encryption.is_some() {
        text.push_str("\nThe files are encrypted with age: put your identity into `key.txt`, or, if a passphrase was\nused, leave out `-i key.txt` and type it when asked.\n");
    }
    let held = details.databases.iter();
    for database in held.filter(|it| !it.collections.is_empty()) {
        text.push_str(&one_database(manifest, database, &decode));
    }
    if details.oplog {
        text.push_str(&oplog(manifest, &details, &decode));
    }
    if let Some(users) = details
        .users
        .as_deref()
        .and_then(|name| artifact(manifest, name).ok())
    {
        text.push_str(&format!(
            "\n## Users and roles\n\nThey are added to those that are there.\n\n```sh\n{} | mongorestore --config=config.yaml --archive --nsInclude='admin.system.*'\n```\n",
            read(&decode, users)
        ));
    }
    text
}

/// The stock tools that the files need, each after a comma.
fn tools(manifest: &Manifest) -> String {
    let mut tools = match Compression::parse(&manifest.compression) {
        Ok(Compression::Zstd(_)) => ", `zstd`",
        Ok(Compression::Gzip(_)) => ", `gzip`",
        Ok(Compression::Lz4) => ", `lz4`",
        _ => "",
    }
    .to_owned();
    if manifest.encryption.is_some() {
        tools.push_str(", `age`");
    }
    tools
}

fn one_database(manifest: &Manifest, database: &DatabaseDetails, decode: &str) -> String {
    let Ok(archive) = database.artifact(manifest) else {
        return String::new();
    };
    let name = literal(&database.name);
    let command = format!(
        "{} | mongorestore --config=config.yaml --archive --stopOnError",
        read(decode, archive)
    );
    let include = shell_quote(&format!("--nsInclude={name}.*"));
    let from = shell_quote(&format!("--nsFrom={name}.*"));
    let mut text = format!(
        "\n## Database `{}`\n\n```sh\n{command} {include}\n```\n\n\
         Under another name:\n\n```sh\n{command} {include} \\\n  {from} --nsTo='copy.*'\n```\n",
        database.name
    );
    if database.users {
        let db = shell_quote(&format!("--db={}", database.name));
        text.push_str(&format!(
            "\nWith its users and roles:\n\n```sh\n{command} {db} --restoreDbUsersAndRoles\n```\n"
        ));
    }
    text
}

fn oplog(manifest: &Manifest, details: &Details, decode: &str) -> String {
    let archive = details
        .databases
        .first()
        .and_then(|it| it.artifact(manifest).ok());
    let Some(archive) = archive else {
        return String::new();
    };
    format!(
        "\n## Everything, of one moment\n\n\
         The archive ends with what was written while it was made: {} operations. Into an empty replica set, in place of\n\
         all of the above:\n\n```sh\n{} | mongorestore --config=config.yaml --archive --stopOnError --oplogReplay\n```\n",
        details.n_operations,
        read(decode, archive)
    )
}

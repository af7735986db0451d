//! `RESTORE.md`: how to restore this very backup with stock tools alone.

use runner_core::by_hand::{decode_command, read};
use runner_core::manifest::{Artifact, Manifest};

use crate::details::{Details, Shard};
use crate::dump::{ACL, RDB};

/// Renders the instructions; commands are to be run in a copy of the backup's directory.
pub(crate) fn render(manifest: &Manifest) -> String {
    let details = Details::of(manifest).unwrap_or_default();
    let mut text = format!(
        "# Restoring this backup by hand\n\n\
         {} {} on {}, {}, taken {}.{}\n\n\
         {} as the server itself writes it, in version {}: any server of the same kind that is at least as\n\
         new loads it when it starts. Copy this directory to the server's machine and change into it. To check the copy first,\n\
         compare `sha256sum` of each file with `manifest.json`.\n",
        details.family,
        manifest.engine_version,
        manifest.host,
        match manifest.database.as_str() {
            "" | "*" => "all databases".to_owned(),
            number => format!("database {number}"),
        },
        manifest.started_at,
        moment(manifest, &details),
        match details.shards.is_empty() {
            true => format!("`{RDB}` is an RDB file"),
            false => "Each file of keys is an RDB file".to_owned(),
        },
        details.rdb_version,
    );
    if manifest.encryption.is_some() {
        text.push_str("\nThe files are encrypted with age: put your identity into `key.txt`, or, if a passphrase was\nused, leave out `-i key.txt` and type it when asked.\n");
    }
    if let Some(rdb) = named(manifest, RDB) {
        text.push_str(&of_server(manifest, rdb));
    }
    if !details.shards.is_empty() {
        text.push_str(&of_cluster(manifest, &details.shards));
    }
    if let Some(acl) = named(manifest, ACL) {
        text.push_str(&format!(
            "\n## Users\n\nEach line of this file is what follows `ACL SETUSER`, or the whole is a file for `aclfile`:\n\n```sh\n{} > \"${{DATA:-/data}}/users.acl\"\n```\n",
            read(&decode_command(manifest), acl)
        ));
    }
    text
}

/// Of which moment the keys are, where that is not one.
fn moment(manifest: &Manifest, details: &Details) -> &'static str {
    match manifest.consistency["mode"].as_str() {
        _ if details.point_in_time => "",
        Some("scan") | None => {
            " Each key is of a moment of its own: the server did not allow a snapshot."
        }
        Some(_) => " Each shard of the cluster is of one moment, but not all of them of the same.",
    }
}

fn named<'a>(manifest: &'a Manifest, name: &str) -> Option<&'a Artifact> {
    let mut artifacts = manifest.artifacts.iter();
    artifacts.find(|it| manifest.name(it).starts_with(name))
}

fn of_server(manifest: &Manifest, rdb: &Artifact) -> String {
    let server = format!("{}-server", manifest.engine);
    format!(
        "\n## Keys\n\n\
         1. Stop the server. `DATA` is its directory, as `dir` in its configuration says; `{RDB}` stands for `dbfilename`.\n\
         2. Put the file in its place. What was there is lost: keep a copy of it.\n\n\
         ```sh\nDATA=${{DATA:-/data}}\n{} > \"$DATA/{RDB}\"\n```\n\n\
         3. Start it with the append-only file off, or it would load that file instead:\n   `{server} --dir \"$DATA\" --dbfilename {RDB} --appendonly no`\n\
         4. Where the append-only file shall be on: `CONFIG SET appendonly yes` in the running server writes a new one.\n",
        read(&decode_command(manifest), rdb)
    )
}

fn of_cluster(manifest: &Manifest, shards: &[Shard]) -> String {
    let engine = &manifest.engine;
    let mut text = format!(
        "\n## Keys\n\n\
         This is a backup of a cluster: a file for each of its masters, with the keys of that master's slots.\n\n\
         1. Start as many empty nodes with `cluster-enabled yes` as there are files, give each the slots of one file, as below,\n   and join them: `{engine}-cli -h NODE cluster meet ADDRESS PORT`\n\
         2. Stop each: `{engine}-cli -h NODE shutdown nosave`. Its `nodes.conf` stays.\n\
         3. Put its file in its place, as below. `DATA` is the node's directory, as `dir` in its configuration says;\n   `{RDB}` stands for `dbfilename`.\n\
         4. Start each with the append-only file off, or it would load that file instead:\n   `{engine}-server --dir \"$DATA\" --dbfilename {RDB} --appendonly no --cluster-enabled yes`\n\
         5. Where the append-only file shall be on: `CONFIG SET appendonly yes` in the running nodes writes a new one.\n",
    );
    for shard in shards {
        let Some(rdb) = named(manifest, &shard.artifact) else {
            continue;
        };
        let ranges = shard.slots.split(", ");
        let ranges = ranges.map(|range| match range.split_once('-') {
            Some((first, last)) => format!("$(seq {first} {last})"),
            None => range.to_owned(),
        });
        text.push_str(&format!(
            "\n### Slots {}\n\n```sh\n{engine}-cli -h \"$NODE\" cluster addslots {}\n```\n\n\
             ```sh\nDATA=${{DATA:-/data}}\n{} > \"$DATA/{RDB}\"\n```\n",
            shard.slots,
            ranges.collect::<Vec<_>>().join(" "),
            read(&decode_command(manifest), rdb)
        ));
    }
    text
}

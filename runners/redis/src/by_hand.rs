//! `RESTORE.md`: how to restore this very backup with stock tools alone.

use runner_core::by_hand::{decode_command, read};
use runner_core::manifest::Manifest;

use crate::details::Details;
use crate::dump::{ACL, RDB};

/// Renders the instructions; commands are to be run in a copy of the backup's directory.
pub(crate) fn render(manifest: &Manifest) -> String {
    let details = Details::of(manifest).unwrap_or_default();
    let decode = decode_command(manifest);
    let server = format!("{}-server", manifest.engine);
    let mut text = format!(
        "# Restoring this backup by hand\n\n\
         {} {} on {}, {}, taken {}.{}\n\n\
         `{RDB}` is an RDB file as the server itself writes it, in version {}: any server of the same kind that is at least as\n\
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
        match details.point_in_time {
            true => "",
            false => " Each key is of a moment of its own: the server did not allow a snapshot.",
        },
        details.rdb_version,
    );
    if manifest.encryption.is_some() {
        text.push_str("\nThe files are encrypted with age: put your identity into `key.txt`, or, if a passphrase was\nused, leave out `-i key.txt` and type it when asked.\n");
    }
    let named = |name: &str| {
        let mut artifacts = manifest.artifacts.iter();
        artifacts.find(|it| manifest.name(it).starts_with(name))
    };
    if let Some(rdb) = named(RDB) {
        text.push_str(&format!(
            "\n## Keys\n\n\
             1. Stop the server. `DATA` is its directory, as `dir` in its configuration says; `{RDB}` stands for `dbfilename`.\n\
             2. Put the file in its place. What was there is lost: keep a copy of it.\n\n\
             ```sh\nDATA=${{DATA:-/data}}\n{} > \"$DATA/{RDB}\"\n```\n\n\
             3. Start it with the append-only file off, or it would load that file instead:\n   `{server} --dir \"$DATA\" --dbfilename {RDB} --appendonly no`\n\
             4. Where the append-only file shall be on: `CONFIG SET appendonly yes` in the running server writes a new one.\n",
            read(&decode, rdb)
        ));
    }
    if let Some(acl) = named(ACL) {
        text.push_str(&format!(
            "\n## Users\n\nEach line of this file is what follows `ACL SETUSER`, or the whole is a file for `aclfile`:\n\n```sh\n{} > \"${{DATA:-/data}}/users.acl\"\n```\n",
            read(&decode, acl)
        ));
    }
    text
}

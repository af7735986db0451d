//! Instructions for what no server here can be backed up with; the others are followed by the end-to-end tests.

use serde_json::{Value, json};

use super::*;

fn manifest(artifacts: &[&str], details: Value) -> Manifest {
    let artifacts: Vec<_> = artifacts
        .iter()
        .map(|name| json!({ "path": format!("0-1/{name}"), "kind": "archive", "logical_bytes": 1, "stored_bytes": 1, "sha256": "" }))
        .collect();
    serde_json::from_value(json!({
        "format": "planb/1", "backup_id": "0-1", "job_id": "j", "runner_version": "0.1.0", "engine": "mongodb",
        "engine_version": "8.0.4", "tools": {}, "host": "db", "database": "*", "backup_type": "full", "parent": null,
        "started_at": "2026-11-21T18:41:43Z", "finished_at": "2026-11-21T18:41:46Z", "consistency": {},
        "compression": "zstd:1", "encryption": null, "logical_bytes": 1, "stored_bytes": 1,
        "artifacts": artifacts, "details": details,
    }))
    .unwrap()
}

/// The commands, without what decodes.
fn commands(manifest: &Manifest) -> Vec<String> {
    let text = render(manifest);
    let blocks = text.split("```sh\n").skip(1);
    let commands = blocks.filter_map(|it| it.split("\n```").next());
    commands
        .filter_map(|it| it.split_once("mongorestore --config=config.yaml "))
        .map(|(_, rest)| rest.to_owned())
        .collect()
}

#[test]
fn a_backup_of_one_moment_is_replayed_whole() {
    let collection = json!({ "name": "orders", "kind": "collection", "definition": "" });
    let details = json!({
        "oplog": true, "n_operations": 7, "users": "all.archive",
        "databases": [
            { "name": "later", "archive": "all.archive", "collections": [] },
            { "name": "shop", "archive": "all.archive", "collections": [collection] },
        ],
    });
    assert_eq!(
        commands(&manifest(&["all.archive.zst"], details)),
        [
            "--archive --stopOnError '--nsInclude=shop.*'",
            "--archive --stopOnError '--nsInclude=shop.*' \\\n  '--nsFrom=shop.*' --nsTo='copy.*'",
            "--archive --stopOnError --oplogReplay",
            "--archive --nsInclude='admin.system.*'",
        ]
    );
}

#[test]
fn a_databases_own_users_come_with_it() {
    let collection = json!({ "name": "a", "kind": "collection", "definition": { "indexes": [] } });
    let details = json!({
        "oplog": false,
        "databases": [{ "name": "a b", "archive": "databases/a_b.archive", "users": true, "collections": [collection] }],
    });
    let commands = commands(&manifest(&["databases/a_b.archive.zst"], details));
    assert_eq!(
        commands.last().map(String::as_str),
        Some("--archive --stopOnError '--db=a b' --restoreDbUsersAndRoles")
    );
}

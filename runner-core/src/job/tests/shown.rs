use expect_test::expect;
use serde_json::Value;

use super::{FACTS, Options, check, job, read};
use crate::env::{Group, Key};
use crate::job::{KEYS, Request, env_table_markdown, groups};

#[test]
fn help_lists_every_setting_with_its_variable() {
    let Ok(Request::Print(help)) = read(&["--help"], &[]) else {
        panic!("no help");
    };
    for key in crate::env::keys(&groups::<Options>(&FACTS)) {
        assert!(help.contains(key.name), "{} is missing", key.name);
    }
    assert!(
        !help.contains("--db-password "),
        "no secret on a command line"
    );
    assert!(help.lines().all(|line| line == line.trim_end()), "{help}");
    let head = help.lines().take(24).collect::<Vec<_>>();
    expect![[r#"
        Backs up a postgresql database, and proves that the backup restores

        Usage: runner [OPTIONS] [OPERATION] [PATH]

        Arguments:
          [OPERATION]  What to do [env: OPERATION_TYPE] [default: backup]
          [PATH]       The backup that restore, verify, show and delete are about [env: BACKUP_PATH]

        Options:
          -h, --help     Print help
          -V, --version  Print version

        Job:
              --operation-type <VALUE>    What to do: `backup`, `restore`, `verify`, `list`, `show`, `delete`, `prune` or `config`, in any case [env: OPERATION_TYPE] [default: backup]
              --job-id <VALUE>            Name of this run in logs, callbacks and manifests [env: JOB_ID] [default: a new UUIDv7]
              --backup-path <VALUE>       Where the backup lies below `STORAGE_PREFIX`; to read one also `latest` (the newest complete one of `DB_HOST` and `DB_NAME`), or to restore one the key of a stock tool's dump [env: BACKUP_PATH] [default: {engine}/{host}/{db}/{YYYY-MM-DD}/{HH-MM-SS}-{job id}]
              --parallelism <VALUE>       Tables or streams at work at the same time, 1 to 64 [env: PARALLELISM] [default: CPUs + 1, at most 8]
              --prune-older-than <VALUE>  Age from which `prune` removes incomplete backups and orphaned multipart uploads [env: PRUNE_OLDER_THAN] [default: 24h]
              --json[=<VALUE>]            `list`, `show`, `config`, `verify` and `prune` print one JSON document [env: JSON] [default: false]

        Database:
              --db-engine <VALUE>         Engine that is expected; a different one is refused [env: DB_ENGINE] [default: the runner's own]
              --db-host <VALUE>           Name or address of the server; a path that starts with `/` is the directory of a Unix socket [env: DB_HOST] [default: localhost]
              --db-port <VALUE>           Port of the server; of the `tcp://host:port` that Kubernetes injects, the port is used [env: DB_PORT] [default: the engine's port]"#]].assert_eq(&head.join("\n"));
    check(
        "--version",
        &expect![[r#"
        postgresql-runner 0.1.0
    "#]],
    );
}

#[test]
fn settings_are_one_json_list_with_secrets_masked() {
    let job = job(
        &["config"],
        &[("DB_PASSWORD", "hunter2"), ("STORAGE_BUCKET", "b")],
    );
    let json = serde_json::to_value(job.effective()).unwrap();
    assert!(!json.to_string().contains("hunter2"));
    let lines =
        json.as_array().unwrap().iter().filter(|it| {
            it["name"].as_str().unwrap().starts_with("DB_") || it["origin"] != "default"
        });
    let line = |it: &Value| format!("{} {} {}", it["name"], it["value"], it["origin"]);
    expect![[r#"
        "OPERATION_TYPE" "config" "flag"
        "DB_ENGINE" "postgresql" "default"
        "DB_HOST" "localhost" "default"
        "DB_PORT" "5432" "default"
        "DB_NAME" "" "default"
        "DB_USERNAME" "the engine's convention" "default"
        "DB_PASSWORD" "***" "environment"
        "DB_TLS_MODE" "prefer" "default"
        "DB_TLS_CA_FILE" "the system's" "default"
        "DB_TLS_CERT_FILE" "" "default"
        "DB_TLS_KEY_FILE" "" "default"
        "STORAGE_BUCKET" "b" "environment""#]]
    .assert_eq(&lines.map(line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_table_shows_twins_and_defaults() {
    const SOME: &[Key] = &[
        Key::plain("A", "60s", "First"),
        Key::secret("B", "", "Second"),
        Key::plain("C", "two words", "Third"),
    ];
    let group = Group {
        title: "Some",
        keys: SOME,
    };
    expect![[r#"
        ### Some

        | variable | default | meaning |
        |---|---|---|
        | `A` | `60s` | First |
        | `B` `B_FILE` |  | Second |
        | `C` | two words | Third |
    "#]]
    .assert_eq(&env_table_markdown(&[group]));
}

/// A documented default that a parser would read differently would be a lie.
#[test]
fn documented_defaults_are_the_real_ones() {
    let is_literal = |key: &&&Key| {
        !key.default.is_empty() && !key.default.contains([' ', '{', '\'']) && !key.secret
    };
    let no_value = [
        "STORAGE_ENDPOINT",
        "INCLUDE_TABLES",
        "EXCLUDE_TABLES",
        "RESTORE_TABLES",
    ];
    let keys = crate::env::keys(KEYS).collect::<Vec<_>>();
    let literal = keys
        .iter()
        .filter(is_literal)
        .filter(|key| !no_value.contains(&key.name));
    let vars = literal
        .map(|key| (key.name, key.default))
        .collect::<Vec<_>>();
    assert!(vars.len() > 20, "{vars:?}");
    let vars = [&vars[..], &[("DB_NAME", "x"), ("STORAGE_TYPE", "s3")]].concat();
    let mut explicit = job(&[], &vars);
    let mut implicit = job(&[], &[("DB_NAME", "x"), ("STORAGE_TYPE", "s3")]);
    for job in [&mut explicit, &mut implicit] {
        job.settings.clear();
        job.warnings.clear();
    }
    assert_eq!(format!("{explicit:#?}"), format!("{implicit:#?}"));
}

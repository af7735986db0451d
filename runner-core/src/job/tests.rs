use std::ffi::OsString;

use expect_test::{Expect, expect};
use serde_json::Value;

use super::*;
use crate::env::{Env, Key, Origin};
use crate::secret::Secret;

#[derive(Clone, Debug)]
struct Options {
    bin: Option<String>,
}

impl FromEnv for Options {
    const KEYS: &'static [Key] = &[
        Key::plain("PG_BIN", "PATH", "Directory of the client tools"),
        Key::plain("RESTORE_NO_OWNER", "false", "Restore without owners"),
    ];

    fn from_env(env: &mut Env) -> Self {
        env.flag("RESTORE_NO_OWNER", false);
        let bin = env.text("PG_BIN");
        Self { bin }
    }
}

const FACTS: EngineFacts = EngineFacts {
    name: "postgresql",
    default_port: 5432,
    has_databases: true,
};

fn read(args: &[&str], vars: &[(&str, &str)]) -> Result<Request<Options>, Box<Rejected>> {
    let args = ["runner"].iter().chain(args).map(OsString::from);
    let vars = vars
        .iter()
        .map(|(k, v)| (OsString::from(k), OsString::from(v)));
    let around = Surroundings {
        fresh_id: "fresh".to_owned(),
        n_cpus: 2,
        terminal: false,
    };
    Job::from_env(&FACTS, args, vars, &around)
}

fn job(args: &[&str], vars: &[(&str, &str)]) -> Job<Options> {
    match read(args, vars) {
        Ok(Request::Run(job)) => *job,
        Ok(Request::Print(text)) => panic!("printed: {text}"),
        Err(rejected) => panic!("{}", rejected.error),
    }
}

/// A valid request as its settings that are not defaults, a refused one as its problems.
fn check(line: &str, expected: &Expect) {
    check_with(&[], line, expected);
}

/// Words with `=` and no `--` in front are variables, the others arguments.
fn check_with(vars: &[(&str, &str)], line: &str, expected: &Expect) {
    let is_var = |word: &&str| !word.starts_with('-') && word.contains('=');
    let (words, args) = line.split_whitespace().partition::<Vec<_>, _>(is_var);
    let words = words.iter().filter_map(|word| word.split_once('='));
    let vars = words.chain(vars.iter().copied()).collect::<Vec<_>>();
    let (mut seen, warnings) = match read(&args, &vars) {
        Ok(Request::Run(job)) => {
            let given = job
                .effective()
                .iter()
                .filter(|it| it.origin != Origin::Default);
            let lines = given.map(|it| format!("{}={} ({})", it.name, it.value, it.origin));
            let lines = [format!("run {}", job.operation)].into_iter().chain(lines);
            (lines.collect::<Vec<_>>().join("\n"), job.warnings)
        }
        Ok(Request::Print(text)) => (text, Vec::new()),
        Err(rejected) => {
            assert_eq!(rejected.error.kind(), Kind::Config);
            (rejected.error.to_string(), rejected.warnings)
        }
    };
    for warning in warnings {
        seen += &format!("\nwarning: {warning}");
    }
    expected.assert_eq(&seen);
}

#[test]
fn a_valid_request_says_where_each_value_came_from() {
    check(
        "DB_NAME=shop",
        &expect![[r#"
        run backup
        DB_NAME=shop (environment)"#]],
    );
    check(
        "BACKUP DB_NAME=shop DB_HOST=a --db-host b --json",
        &expect![[r#"
            run backup
            OPERATION_TYPE=BACKUP (flag)
            JSON=true (flag)
            DB_HOST=b (flag)
            DB_NAME=shop (environment)"#]],
    );
    check(
        "OPERATION_TYPE=Restore BACKUP_PATH=a/b/ DB_PASSWORD=x",
        &expect![[r#"
            run restore
            OPERATION_TYPE=Restore (environment)
            BACKUP_PATH=a/b/ (environment)
            DB_PASSWORD=*** (environment)"#]],
    );
    check(
        "show latest --json=false",
        &expect![[r#"
        run show
        OPERATION_TYPE=show (flag)
        BACKUP_PATH=latest (flag)
        JSON=false (flag)"#]],
    );
    check(
        "--restore-drop-existing restore latest",
        &expect![[r#"
        run restore
        OPERATION_TYPE=restore (flag)
        BACKUP_PATH=latest (flag)
        RESTORE_DROP_EXISTING=true (flag)"#]],
    );
    check(
        "DB_NAME=shop DB_PORT=tcp://10.0.0.5:5432",
        &expect![[r#"
        run backup
        DB_PORT=tcp://10.0.0.5:5432 (environment)
        DB_NAME=shop (environment)
        warning: DB_PORT is an address as Kubernetes injects it: its port is used, and the host stays localhost as DB_HOST is not set"#]],
    );
    check(
        "list STORAGE_URL=s3://b/p/q/",
        &expect![[r#"
        run list
        OPERATION_TYPE=list (flag)
        STORAGE_URL=s3://b/p/q/ (environment)
        STORAGE_TYPE=s3 (STORAGE_URL)
        STORAGE_BUCKET=b (STORAGE_URL)
        STORAGE_PREFIX=p/q (STORAGE_URL)"#]],
    );
    check(
        "list DB_NAME= JOB_ID= PG_BIN=/opt/bin",
        &expect![[r#"
        run list
        OPERATION_TYPE=list (flag)
        PG_BIN=/opt/bin (environment)"#]],
    );
}

#[test]
fn every_problem_is_listed_at_once() {
    check(
        "",
        &expect![
            "invalid configuration: DB_NAME is required: the database to back up, or * for all"
        ],
    );
    check(
        "bakup DB_ENGINE=mysql DB_PORT=x PARALLELISM=65 CONNECT_TIMEOUT=soon DB_TLS_MODE=maybe COMPRESSION=rar \
         BACKUP_TYPE=incremental SCHEMA_ONLY=1 DATA_ONLY=yes RESTORE_STAGING=on RESTORE_VERIFY=some JOB_ID=a/b \
         INCLUDE_TABLES=, DB_TLS_CERT_FILE=/c RESTORE_POINT_IN_TIME=2026-01-01T00:00:00Z LOG_LEVEL=loud \
         RESTORE_NO_OWNER=perhaps PRUNE_OLDER_THAN=old",
        &expect![[r#"
            invalid configuration, 19 problems:
            - LOG_LEVEL "loud": expected error, warn, info, debug or trace
            - OPERATION_TYPE "bakup": expected backup, restore, verify, list, show, delete, prune or config
            - JOB_ID "a/b": expected at most 128 letters, digits and -_.:
            - PARALLELISM "65": expected a number from 1 to 64
            - DB_ENGINE "mysql": this is the runner for postgresql; use the image of that engine
            - DB_NAME is required: the database to back up, or * for all
            - DB_TLS_CERT_FILE and DB_TLS_KEY_FILE need each other; set both
            - DB_PORT "x": expected a port from 1 to 65535
            - DB_TLS_MODE "maybe": expected disable, prefer, require, verify-ca or verify-full
            - CONNECT_TIMEOUT "soon": expected a duration such as 60s, 5m, 1h30m or 500ms
            - RESTORE_NO_OWNER "perhaps": expected true or false
            - BACKUP_TYPE "incremental": expected full, which is all that this release makes
            - COMPRESSION "rar": expected zstd[:1-19], gzip[:1-9], lz4 or none
            - SCHEMA_ONLY and DATA_ONLY exclude each other; set neither for all
            - INCLUDE_TABLES ",": has an empty pattern between its commas
            - RESTORE_POINT_IN_TIME "2026-01-01T00:00:00Z": not in this release; unset it to restore the backup's own moment
            - RESTORE_STAGING "on": expected auto or off
            - RESTORE_VERIFY "some": expected full, counts or none
            - PRUNE_OLDER_THAN "old": expected a duration such as 60s, 5m, 1h30m or 500ms"#]],
    );
}

#[test]
fn a_backups_path_is_relative_and_known_where_one_is_read() {
    for operation in ["restore", "verify", "show", "delete"] {
        assert!(read(&[operation], &[]).is_err());
    }
    check(
        "restore",
        &expect![
            "invalid configuration: BACKUP_PATH is required for restore: a path that `list` shows, or latest"
        ],
    );
    check(
        "restore ../up",
        &expect![[
            r#"invalid configuration: BACKUP_PATH "../up": expected a path without . and .. components"#
        ]],
    );
    check(
        "restore /abs",
        &expect![[r#"invalid configuration: BACKUP_PATH "/abs": expected a relative path"#]],
    );
    check(
        "restore a//b",
        &expect![[
            r#"invalid configuration: BACKUP_PATH "a//b": expected a path without empty components"#
        ]],
    );
    check(
        r"restore a\b",
        &expect![[
            r#"invalid configuration: BACKUP_PATH "a\\b": expected a path without backslashes and control characters"#
        ]],
    );
    check(
        "DB_NAME=x BACKUP_PATH=latest",
        &expect![[
            r#"invalid configuration: BACKUP_PATH "latest": backup needs a path of its own"#
        ]],
    );
    check(
        "delete latest",
        &expect![[
            r#"invalid configuration: BACKUP_PATH "latest": delete needs a path of its own"#
        ]],
    );
    check(
        "restore a --backup-path b",
        &expect!["invalid configuration: PATH and --backup-path are both given; keep one"],
    );
    check(
        "list a",
        &expect!["invalid configuration: list takes no BACKUP_PATH"],
    );
    check(
        "restore a b",
        &expect!["invalid configuration: b is not understood; --help lists what is understood"],
    );
}

#[test]
fn a_store_is_one_url_or_its_parts() {
    check(
        "list STORAGE_URL=file:///srv/b STORAGE_BUCKET=b STORAGE_PATH=/x",
        &expect![[r#"
            invalid configuration, 2 problems:
            - STORAGE_URL and STORAGE_BUCKET are both set; the URL says it all
            - STORAGE_URL and STORAGE_PATH are both set; the URL says it all"#]],
    );
    check(
        "list STORAGE_URL=gs://b/p",
        &expect![[
            r#"invalid configuration: STORAGE_URL "gs://b/p": not in this release; use s3 with STORAGE_ENDPOINT=https://storage.googleapis.com and an HMAC key"#
        ]],
    );
    check(
        "list STORAGE_TYPE=sftp",
        &expect![[
            r#"invalid configuration: STORAGE_TYPE "sftp": not in this release; use s3 or file"#
        ]],
    );
    check(
        "list STORAGE_URL=s3://key:s3cret@b/p",
        &expect![[
            r#"invalid configuration: STORAGE_URL "s3://***@b/p": expected no login in it; use STORAGE_ACCESS_KEY and STORAGE_SECRET_KEY"#
        ]],
    );
    check(
        "list STORAGE_URL=file://srv/b",
        &expect![[
            r#"invalid configuration: STORAGE_URL "file://srv/b": expected three slashes and an absolute path: file:///dir"#
        ]],
    );
    check(
        "list STORAGE_URL=s3://b/../p",
        &expect![[
            r#"invalid configuration: STORAGE_URL "s3://b/../p": expected a path without . and .. components"#
        ]],
    );
    check(
        "list STORAGE_URL=nonsense",
        &expect![[
            r#"invalid configuration: STORAGE_URL "nonsense": expected s3://bucket/prefix or file:///dir"#
        ]],
    );
    check(
        "list STORAGE_BUCKET=b/p STORAGE_ACCESS_KEY=k STORAGE_ENDPOINT=minio:9000",
        &expect![[r#"
            invalid configuration, 3 problems:
            - STORAGE_BUCKET "b/p": expected a bucket's name; what follows it belongs in STORAGE_PREFIX
            - STORAGE_ACCESS_KEY and STORAGE_SECRET_KEY need each other
            - STORAGE_ENDPOINT "minio:9000": expected a URL such as https://host/path"#]],
    );
    check(
        "list STORAGE_BUCKET=b STORAGE_SESSION_TOKEN=k STORAGE_SSE_KMS_KEY_ID=k STORAGE_PART_BYTES=1MiB",
        &expect![[r#"
            invalid configuration, 3 problems:
            - STORAGE_SESSION_TOKEN needs STORAGE_ACCESS_KEY and STORAGE_SECRET_KEY
            - STORAGE_PART_BYTES "1MiB": expected 5MiB to 5GiB
            - STORAGE_SSE_KMS_KEY_ID needs STORAGE_SSE=aws:kms"#]],
    );
    check(
        "list STORAGE_ENDPOINT=http://minio:9000 STORAGE_REGION=eu",
        &expect![[r#"
            run list
            OPERATION_TYPE=list (flag)
            STORAGE_ENDPOINT=http://minio:9000 (environment)
            STORAGE_REGION=eu (environment)
            warning: STORAGE_ENDPOINT is not used, as the store is a directory; set STORAGE_BUCKET or STORAGE_TYPE=s3 for S3
            warning: STORAGE_REGION is not used, as the store is a directory; set STORAGE_BUCKET or STORAGE_TYPE=s3 for S3"#]],
    );
    check(
        "list STORAGE_TYPE=S3 STORAGE_PATH=/x",
        &expect![[r#"
        run list
        OPERATION_TYPE=list (flag)
        STORAGE_TYPE=S3 (environment)
        STORAGE_PATH=/x (environment)
        warning: STORAGE_PATH is not used, as the store is a bucket; set STORAGE_TYPE=file for a directory"#]],
    );
}

#[test]
fn store_settings_are_typed() {
    let s3 = |vars: &[(&str, &str)]| match job(&["list"], vars).store {
        StoreSettings::S3(s3) => s3,
        StoreSettings::File { path, .. } => panic!("{}", path.display()),
    };
    let aws = s3(&[("STORAGE_TYPE", "s3"), ("STORAGE_PREFIX", "/a/b/")]);
    expect![[r#"
        S3Settings {
            bucket: "planb-backups",
            prefix: "a/b",
            endpoint: None,
            region: "us-east-1",
            path_style: false,
            access_key: None,
            secret_key: None,
            session_token: None,
            create_bucket: true,
            timeout: 60s,
            part_bytes: 8388608,
            parts_in_flight: 2,
            checksums: false,
            sse: None,
            ca_file: None,
        }"#]]
    .assert_eq(&format!("{aws:#?}"));
    let minio = s3(&[
        ("STORAGE_URL", "s3://B-1/p"),
        ("STORAGE_ENDPOINT", "http://minio:9000"),
        ("STORAGE_ACCESS_KEY", "key"),
        ("STORAGE_SECRET_KEY", "secret"),
        ("STORAGE_SESSION_TOKEN", "token"),
        ("STORAGE_CREATE_BUCKET", "no"),
        ("STORAGE_TIMEOUT", "5m"),
        ("STORAGE_PART_BYTES", "16MiB"),
        ("STORAGE_CHECKSUMS", "when_supported"),
        ("STORAGE_SSE", "aws:kms"),
        ("STORAGE_SSE_KMS_KEY_ID", "k"),
        ("STORAGE_CA_FILE", "/ca"),
    ]);
    expect![[r#"
        S3Settings {
            bucket: "B-1",
            prefix: "p",
            endpoint: Some(
                "http://minio:9000",
            ),
            region: "us-east-1",
            path_style: true,
            access_key: Some(
                "key",
            ),
            secret_key: Some(
                ***,
            ),
            session_token: Some(
                ***,
            ),
            create_bucket: false,
            timeout: 300s,
            part_bytes: 16777216,
            parts_in_flight: 2,
            checksums: true,
            sse: Some(
                Kms {
                    key_id: Some(
                        "k",
                    ),
                },
            ),
            ca_file: Some(
                "/ca",
            ),
        }"#]]
    .assert_eq(&format!("{minio:#?}"));
    let file = job(&["list"], &[("STORAGE_URL", "file:///srv/my backups")]).store;
    expect![[r#"File { path: "/srv/my backups", prefix: "" }"#]].assert_eq(&format!("{file:?}"));
    let file = job(&["list"], &[("STORAGE_PREFIX", "a")]).store;
    expect![[r#"File { path: "/backups", prefix: "a" }"#]].assert_eq(&format!("{file:?}"));
}

#[test]
fn encryption_is_never_half_configured() {
    let identity = ("ENCRYPTION_IDENTITY", "AGE-SECRET-KEY-1SECRET");
    check(
        "DB_NAME=x ENCRYPTION_RECIPIENTS=age1x ENCRYPTION_PASSPHRASE=p",
        &expect![
            "invalid configuration: ENCRYPTION_RECIPIENTS and ENCRYPTION_PASSPHRASE are both set; keep one"
        ],
    );
    check(
        "DB_NAME=x ENCRYPTION_RECIPIENTS=me",
        &expect![[r#"invalid configuration: ENCRYPTION_RECIPIENTS "me": expected age recipients"#]],
    );
    check(
        "DB_NAME=x ENCRYPTION_RECIPIENTS= ENCRYPTION_PASSPHRASE_FILE=",
        &expect![[r#"
            run backup
            DB_NAME=x (environment)
            warning: ENCRYPTION_PASSPHRASE_FILE is set but empty, which counts as unset
            warning: ENCRYPTION_RECIPIENTS is set but empty, which counts as unset"#]],
    );
    check(
        "DB_NAME=x ENCRYPTION_RECIPIENT=age1x",
        &expect![
            "invalid configuration: ENCRYPTION_RECIPIENT is not a known variable; did you mean ENCRYPTION_RECIPIENTS?"
        ],
    );
    check_with(
        &[identity],
        "DB_NAME=x",
        &expect![[r#"
        run backup
        DB_NAME=x (environment)
        ENCRYPTION_IDENTITY=*** (environment)
        warning: ENCRYPTION_IDENTITY only opens backups; this one is not encrypted without ENCRYPTION_RECIPIENTS"#]],
    );
    check_with(
        &[identity],
        "restore latest ENCRYPTION_PASSPHRASE=p",
        &expect![
            "invalid configuration: ENCRYPTION_IDENTITY and ENCRYPTION_PASSPHRASE are both set; keep one"
        ],
    );
    check_with(
        &[("ENCRYPTION_IDENTITY", "s3cret")],
        "restore latest",
        &expect![[r#"invalid configuration: ENCRYPTION_IDENTITY: "***" is no age identity"#]],
    );
    let sealed = job(&[], &[("DB_NAME", "x"), ("ENCRYPTION_PASSPHRASE", "p")]);
    assert!(sealed.codec.encryption.is_some());
    assert!(job(&[], &[("DB_NAME", "x")]).codec.encryption.is_none());
}

#[test]
fn flags_that_are_not_understood_are_problems_too() {
    check(
        "--db-hots x DB_NAME=y PARALLELISM=0",
        &expect![[r#"
        invalid configuration, 2 problems:
        - --db-hots is not understood; did you mean --db-host?
        - PARALLELISM "0": expected a number from 1 to 64"#]],
    );
    check(
        "--db-password hunter2 DB_NAME=y",
        &expect![
            "invalid configuration: --db-password is not understood; did you mean --db-password-file?"
        ],
    );
    check(
        "--db-password=hunter2 DB_NAME=y",
        &expect![
            "invalid configuration: --db-password is not understood; did you mean --db-password-file?"
        ],
    );
    check(
        "--db-host DB_NAME=y",
        &expect![
            "invalid configuration: --db-host <VALUE> needs a value; --help lists what is understood"
        ],
    );
    check(
        "--db-host a --db-host b DB_NAME=y",
        &expect![
            "invalid configuration: --db-host <VALUE> is given more than once; --help lists what is understood"
        ],
    );
    check(
        "--json true",
        &expect![[r#"
        invalid configuration, 2 problems:
        - OPERATION_TYPE "true": expected backup, restore, verify, list, show, delete, prune or config
        - DB_NAME is required: the database to back up, or * for all"#]],
    );
}

#[test]
fn a_refused_job_can_still_be_reported() {
    let vars = [
        ("CALLBACK_URL", "https://hooks/s3cret"),
        ("CALLBACK_TOKEN", "s3cret"),
        ("JOB_ID", "7"),
        ("OPERATION_TYPE", "bakup"),
    ];
    let rejected = read(&[], &vars).unwrap_err();
    assert_eq!(
        rejected.notify.clone().unwrap().url.reveal(),
        "https://hooks/s3cret"
    );
    let text = format!("{rejected:?}");
    assert!(!text.contains("s3cret"), "{text}");
    expect![[r#"7 None localhost LogSettings { filter: "warn,runner_core=info,postgresql_runner=info", format: Json, terminal: false }"#]].assert_eq(&format!(
        "{} {:?} {} {:?}",
        rejected.job_id, rejected.operation, rejected.host, rejected.log
    ));
    check(
        "DB_NAME=x CALLBACK_URL=hooks CALLBACK_SECRET=whsec_! CALLBACK_TOKEN=\u{e9}",
        &expect![[r#"
            invalid configuration, 3 problems:
            - CALLBACK_URL: expected a URL such as https://host/path
            - CALLBACK_TOKEN: expected printable ASCII, as it is sent in a header
            - CALLBACK_SECRET: expected base64 after whsec_"#]],
    );
    check(
        "DB_NAME=x CALLBACK_TOKEN=t",
        &expect![[r#"
        run backup
        DB_NAME=x (environment)
        CALLBACK_TOKEN=*** (environment)
        warning: CALLBACK_TOKEN is not used without CALLBACK_URL"#]],
    );
}

#[test]
fn a_job_is_typed() {
    let vars = [
        ("DB_NAME", "shop"),
        ("DB_PASSWORD", "hunter2"),
        ("DB_USERNAME", "me"),
        ("CONNECT_TIMEOUT", "5"),
        ("INCLUDE_TABLES", "a,b.*"),
        ("PG_BIN", "/opt"),
        ("LOG_LEVEL", "DEBUG"),
        ("LOG_FORMAT", "text"),
    ];
    let job = job(&["restore", "latest"], &vars);
    assert_eq!(job.database.password, Some(Secret::new("hunter2")));
    assert_eq!(job.options.bin.as_deref(), Some("/opt"));
    assert_eq!(job.backup_path, Some(BackupPath::Latest));
    assert_eq!(job.restore.database.as_deref(), Some("shop"));
    assert_eq!(job.parallelism, 3);
    assert!(job.include.matches("b.c"));
    expect![[r#"
        Database { host: "localhost", port: None, name: Some("shop"), username: Some("me"), password: Some(***), tls: Tls { mode: Prefer, ca_file: None, cert_file: None, key_file: None }, connect_timeout: 5s, job_id: "fresh" }
        RestoreSettings { database: Some("shop"), create_database: true, drop_existing: false, precheck: Full, staging: true, tables: Patterns([]), verify: Full }
        LogSettings { filter: "warn,runner_core=debug,postgresql_runner=debug", format: Text, terminal: false }"#]].assert_eq(&format!(
        "{:?}\n{:?}\n{:?}",
        job.database, job.restore, job.log
    ));
    assert!(!format!("{job:?}").contains("hunter2"));
}

#[test]
fn rust_log_wins_over_the_level() {
    let log = job(
        &["list"],
        &[("RUST_LOG", "hyper=trace"), ("LOG_LEVEL", "debug")],
    )
    .log;
    assert_eq!(log.filter, "hyper=trace");
}

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
              --backup-path <VALUE>       Where the backup lies below `STORAGE_PREFIX`; to read one also `latest`, or the key of a stock tool's dump [env: BACKUP_PATH] [default: {engine}/{host}/{db}/{YYYY-MM-DD}/{HH-MM-SS}-{job id}]
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
    let lines = json.as_array().unwrap().iter();
    let line = |it: &Value| format!("{} {} {}", it["name"], it["value"], it["origin"]);
    expect![[r#"
        "OPERATION_TYPE" "config" "flag"
        "JOB_ID" "fresh" "default"
        "BACKUP_PATH" "{engine}/{host}/{db}/{YYYY-MM-DD}/{HH-MM-SS}-{job id}" "default"
        "PARALLELISM" "3" "default"
        "PRUNE_OLDER_THAN" "24h" "default"
        "JSON" "false" "default"
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
        "CONNECT_TIMEOUT" "60s" "default"
        "STORAGE_URL" "" "default"
        "STORAGE_TYPE" "s3" "default"
        "STORAGE_BUCKET" "b" "environment"
        "STORAGE_PREFIX" "" "default"
        "STORAGE_ENDPOINT" "AWS" "default"
        "STORAGE_REGION" "us-east-1" "default"
        "STORAGE_PATH_STYLE" "false" "default"
        "STORAGE_ACCESS_KEY" "the cloud's default credential chain" "default"
        "STORAGE_SECRET_KEY" "the cloud's default credential chain" "default"
        "STORAGE_SESSION_TOKEN" "" "default"
        "STORAGE_CREATE_BUCKET" "true" "default"
        "STORAGE_PATH" "/backups" "default"
        "STORAGE_TIMEOUT" "60s" "default"
        "STORAGE_PART_BYTES" "8MiB" "default"
        "STORAGE_PARTS_IN_FLIGHT" "2" "default"
        "STORAGE_CHECKSUMS" "when_required" "default"
        "STORAGE_SSE" "the bucket's own" "default"
        "STORAGE_SSE_KMS_KEY_ID" "the account's" "default"
        "STORAGE_CA_FILE" "the system's" "default"
        "BACKUP_TYPE" "full" "default"
        "COMPRESSION" "zstd" "default"
        "ENCRYPTION_RECIPIENTS" "" "default"
        "ENCRYPTION_PASSPHRASE" "" "default"
        "ENCRYPTION_IDENTITY" "" "default"
        "INCLUDE_TABLES" "all" "default"
        "EXCLUDE_TABLES" "none" "default"
        "SCHEMA_ONLY" "false" "default"
        "DATA_ONLY" "false" "default"
        "RESTORE_CREATE_DATABASE" "true" "default"
        "RESTORE_DROP_EXISTING" "false" "default"
        "RESTORE_PRECHECK" "full" "default"
        "RESTORE_STAGING" "auto" "default"
        "RESTORE_TABLES" "all" "default"
        "RESTORE_POINT_IN_TIME" "" "default"
        "RESTORE_VERIFY" "full" "default"
        "CALLBACK_URL" "" "default"
        "CALLBACK_TOKEN" "" "default"
        "CALLBACK_SECRET" "" "default"
        "LOG_LEVEL" "info" "default"
        "LOG_FORMAT" "json" "default"
        "PG_BIN" "PATH" "default"
        "RESTORE_NO_OWNER" "false" "default""#]]
    .assert_eq(&lines.map(line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_table_shows_twins_and_defaults() {
    const KEYS: &[Key] = &[
        Key::plain("A", "60s", "First"),
        Key::secret("B", "", "Second"),
        Key::plain("C", "two words", "Third"),
    ];
    let group = Group {
        title: "Some",
        keys: KEYS,
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

mod shown;
mod store;

use std::ffi::OsString;

use expect_test::{Expect, expect};

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
    crate_name: "postgresql_runner",
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
}

#[test]
fn a_switch_takes_no_word_that_follows_it() {
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
}

#[test]
fn what_is_injected_or_implied_is_understood() {
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
            - COMPRESSION "rar": "rar" is none of zstd[:1-19], gzip[:1-9], lz4, none
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
            r#"invalid configuration: BACKUP_PATH "../up": ".." is not allowed as a component"#
        ]],
    );
    check(
        "restore /abs",
        &expect![[
            r#"invalid configuration: BACKUP_PATH "/abs": it must be relative; drop the leading /"#
        ]],
    );
    check(
        "restore a//b",
        &expect![[r#"invalid configuration: BACKUP_PATH "a//b": it has an empty component"#]],
    );
    check(
        r"restore a\b",
        &expect![[r#"
            run restore
            OPERATION_TYPE=restore (flag)
            BACKUP_PATH=a\b (flag)"#]],
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

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use expect_test::{Expect, expect};

use super::*;

const GROUPS: &[Group] = &[Group {
    title: "Some",
    keys: &[
        Key::plain("DB_HOST", "localhost", "Host"),
        Key::plain("DB_PORT", "", "Port"),
        Key::plain("DB_USERNAME", "", "Login"),
        Key::secret("DB_PASSWORD", "", "Password"),
        Key::plain("STORAGE_BUCKET", "", "Bucket"),
        Key::plain("ENCRYPTION_RECIPIENTS", "", "Recipients"),
        Key::plain("JOB_ID", "", "Job"),
        Key::plain("DRY", "false, mostly", "A switch"),
    ],
}];

fn env(flags: &[(&str, &str)], vars: &[(&str, &str)]) -> Env {
    let flags = flags
        .iter()
        .map(|(k, v)| ((*k).to_owned(), OsString::from(v)));
    let vars = vars
        .iter()
        .map(|(k, v)| (OsString::from(k), OsString::from(v)));
    Env::merge(GROUPS, flags, vars)
}

fn told(env: &Env) -> String {
    let mut text = String::new();
    for key in keys(GROUPS).filter(|key| env.is_set(key.name)) {
        let (value, origin) = env.shown(key);
        text += &format!("{}={value} ({origin})\n", key.name);
    }
    for problem in env.problems() {
        text += &format!("problem: {problem}\n");
    }
    for warning in env.warnings() {
        text += &format!("warning: {warning}\n");
    }
    text
}

fn check(vars: &[(&str, &str)], expected: &Expect) {
    expected.assert_eq(&told(&env(&[], vars)));
}

#[test]
fn flags_win_over_the_environment_and_empty_is_unset() {
    let env = env(
        &[("DB_HOST", "flag"), ("DB_PORT", "")],
        &[("DB_HOST", "var"), ("DB_PORT", "1"), ("DB_USERNAME", "")],
    );
    expect![[r#"
        DB_HOST=flag (flag)
        DB_PORT=1 (environment)
    "#]]
    .assert_eq(&told(&env));
}

#[test]
fn a_secret_may_come_from_a_file_whose_last_newline_does_not_count() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        #[expect(clippy::disallowed_methods, reason = "a test's own file")]
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let read = |vars: &[(&str, &str)], flags: &[(&str, &str)]| {
        let mut env = env(flags, vars);
        let password = env.secret("DB_PASSWORD");
        let password = password.map(|it| it.reveal().to_owned());
        let told = told(&env).replace(dir.path().to_str().unwrap(), "DIR");
        format!("{password:?}\n{told}")
    };
    let good = file("good", b"pass word\r\n");
    let twin = "DB_PASSWORD_FILE";
    expect![[r#"
        Some("pass word")
        DB_PASSWORD=*** (file DIR/good)
    "#]]
    .assert_eq(&read(&[(twin, &good)], &[]));
    expect![[r#"
        None
        problem: DB_PASSWORD and DB_PASSWORD_FILE are both set; keep one
    "#]]
    .assert_eq(&read(&[(twin, &good), ("DB_PASSWORD", "x")], &[]));
    // By hand, the file named by the flag wins over whatever the environment holds.
    expect![[r#"
        Some("pass word")
        DB_PASSWORD=*** (file DIR/good)
    "#]]
    .assert_eq(&read(
        &[(twin, "/missing"), ("DB_PASSWORD", "x")],
        &[(twin, &good)],
    ));
    expect![[r#"
        None
        problem: DB_PASSWORD_FILE DIR/good/nowhere: Not a directory (os error 20)
    "#]]
    .assert_eq(&read(&[(twin, &format!("{good}/nowhere"))], &[]));
    expect![[r#"
        None
        problem: DB_PASSWORD_FILE DIR/empty: the file is empty; unset the variable if that is meant
    "#]]
    .assert_eq(&read(&[(twin, &file("empty", b"\n"))], &[]));
    expect![[r#"
        None
        problem: DB_PASSWORD_FILE DIR/binary: stream did not contain valid UTF-8
    "#]]
    .assert_eq(&read(&[(twin, &file("binary", b"\xff\xfe"))], &[]));
}

#[test]
fn near_misses_warn_and_those_of_encryption_are_problems() {
    check(
        &[
            ("STORAGE_BUKET", "b"),
            ("STORAGE_BCUKET", "b"),
            ("STORAGEBUCKET", "b"),
            ("db_host", "h"),
            ("DB_PASWORD", "p"),
            ("DB_PASS", "p"),
            ("DB_USER", "u"),
            ("DB_PASSWORD_FIL", "f"),
        ],
        &expect![[r#"
            warning: DB_PASS is not a known variable; did you mean DB_PASSWORD?
            warning: DB_PASSWORD_FIL is not a known variable; did you mean DB_PASSWORD_FILE?
            warning: DB_PASWORD is not a known variable; did you mean DB_PASSWORD?
            warning: DB_USER is not a known variable; did you mean DB_USERNAME?
            warning: STORAGEBUCKET is not a known variable; did you mean STORAGE_BUCKET?
            warning: STORAGE_BCUKET is not a known variable; did you mean STORAGE_BUCKET?
            warning: STORAGE_BUKET is not a known variable; did you mean STORAGE_BUCKET?
            warning: db_host is not a known variable; did you mean DB_HOST?
        "#]],
    );
    check(
        &[
            ("ENCRYPTION_RECIPIENT", "age1"),
            ("ENCRYPTION_KEY", "k"),
            ("ENCRYPTON_RECIPIENTS", "age1"),
        ],
        &expect![[r#"
            problem: ENCRYPTION_KEY is not a known variable
            problem: ENCRYPTION_RECIPIENT is not a known variable; did you mean ENCRYPTION_RECIPIENTS?
            problem: ENCRYPTON_RECIPIENTS is not a known variable; did you mean ENCRYPTION_RECIPIENTS?
        "#]],
    );
}

#[test]
fn variables_of_kubernetes_images_and_others_are_left_alone() {
    check(
        &[
            ("DB_PORT_5432_TCP", "tcp://10.0.0.5:5432"),
            ("DB_PORT_5432_TCP_ADDR", "10.0.0.5"),
            ("DB_SERVICE_HOST", "10.0.0.5"),
            ("DB_SERVICE_PORT", "5432"),
            ("DB_SERVICE_PORT_PG", "5432"),
            ("DB_HOSTS_PORT", "tcp://10.0.0.5:5432"),
            ("ENCRYPTION_SERVICE_HOST", "10.0.0.5"),
            ("ENCRYPTION_PORT", "tcp://10.0.0.5:1"),
            ("DB_TYPE", "postgresql"),
            ("PATH", "/bin"),
            ("JOBS", "3"),
            ("DRY_RUN_OF_ANOTHER", "3"),
        ],
        &expect![],
    );
}

#[test]
fn text_that_is_not_utf8_is_a_problem_only_in_our_variables() {
    let odd = OsStr::from_bytes(b"\xff").to_owned();
    let vars = ["DB_HOST", "OTHER"].map(|name| (OsString::from(name), odd.clone()));
    expect![[r#"
        problem: DB_HOST is not UTF-8 text
    "#]]
    .assert_eq(&told(&Env::merge(GROUPS, [], vars)));
}

#[test]
fn a_problem_quotes_the_value_but_never_a_secret() {
    let refuse = |text: &str| -> Result<(), String> { Err(format!("{text:?} is not it")) };
    let mut env = env(
        &[],
        &[
            ("DB_PASSWORD", "hunter2"),
            ("DB_HOST", "http://me:pw/d@host/x"),
        ],
    );
    env.parse("DB_PASSWORD", (), refuse);
    env.parse("DB_HOST", (), |_| Err("expected a name".to_owned()));
    env.flag("DB_PORT", false);
    let debug = format!("{env:?}");
    assert!(!debug.contains("hunter2"), "{debug}");
    expect![[r#"
        DB_HOST=http://***@host/x (environment)
        DB_PASSWORD=*** (environment)
        problem: DB_PASSWORD: "***" is not it
        problem: DB_HOST "http://***@host/x": expected a name
    "#]]
    .assert_eq(&told(&env));
}

#[test]
fn a_switch_is_a_key_whose_default_is_true_or_false() {
    let switches = keys(GROUPS).filter(|key| key.is_switch());
    let names = switches.map(|key| key.name).collect::<Vec<_>>();
    assert_eq!(names, ["DRY"]);
    assert_eq!(Origin::File(Path::new("/x").into()).to_string(), "file /x");
}

#[test]
fn durations_are_what_people_write() {
    let durations = [
        "60s",
        "5m",
        "1h30m",
        "500ms",
        "90",
        "7d",
        "1H 5MIN",
        "",
        "s",
        "5",
        "1.5h",
        "-1s",
        "5 parsecs",
        "99999999999999999999d",
        "18446744073709551615h",
    ];
    let seen = durations.map(|it| format!("{it:?} {:?}", parse::duration(it)));
    expect![[r#"
        "60s" Ok(60s)
        "5m" Ok(300s)
        "1h30m" Ok(5400s)
        "500ms" Ok(500ms)
        "90" Ok(90s)
        "7d" Ok(604800s)
        "1H 5MIN" Ok(3900s)
        "" Err("expected a duration such as 60s, 5m, 1h30m or 500ms")
        "s" Err("expected a duration such as 60s, 5m, 1h30m or 500ms")
        "5" Ok(5s)
        "1.5h" Err("expected a duration such as 60s, 5m, 1h30m or 500ms")
        "-1s" Err("expected a duration such as 60s, 5m, 1h30m or 500ms")
        "5 parsecs" Err("expected a duration such as 60s, 5m, 1h30m or 500ms")
        "99999999999999999999d" Err("expected a duration such as 60s, 5m, 1h30m or 500ms")
        "18446744073709551615h" Err("expected a duration such as 60s, 5m, 1h30m or 500ms")"#]]
    .assert_eq(&seen.join("\n"));
}

#[test]
fn sizes_are_what_people_write() {
    let sizes = [
        "8MiB",
        "8M",
        "8MB",
        "8388608",
        "1 GiB",
        "5k",
        "8 MiB 3",
        "MiB",
        "1.5MiB",
        "99999999999G",
    ];
    let seen = sizes.map(|it| format!("{it:?} {:?}", parse::bytes(it)));
    expect![[r#"
        "8MiB" Ok(8388608)
        "8M" Ok(8388608)
        "8MB" Ok(8000000)
        "8388608" Ok(8388608)
        "1 GiB" Ok(1073741824)
        "5k" Ok(5120)
        "8 MiB 3" Err("expected a size such as 8MiB, 64MB or a number of bytes")
        "MiB" Err("expected a size such as 8MiB, 64MB or a number of bytes")
        "1.5MiB" Err("expected a size such as 8MiB, 64MB or a number of bytes")
        "99999999999G" Err("expected a size such as 8MiB, 64MB or a number of bytes")"#]]
    .assert_eq(&seen.join("\n"));
}

#[test]
fn ports_and_urls_are_what_people_write() {
    let ports = [
        "5432",
        "tcp://10.0.0.5:5432",
        "tcp://[::1]:1",
        "0",
        "65536",
        "tcp://x",
        "x",
    ];
    let seen = ports.map(|it| format!("{it:?} {:?}", parse::port(it)));
    expect![[r#"
        "5432" Ok(5432)
        "tcp://10.0.0.5:5432" Ok(5432)
        "tcp://[::1]:1" Ok(1)
        "0" Err("expected a port from 1 to 65535")
        "65536" Err("expected a port from 1 to 65535")
        "tcp://x" Err("expected a port from 1 to 65535")
        "x" Err("expected a port from 1 to 65535")"#]]
    .assert_eq(&seen.join("\n"));
    let urls = ["https://a/b?c", "http://u@a/", "ftp://a", "a", "http://"];
    let seen = urls.map(|it| format!("{it:?} {:?}", parse::http_url(it)));
    expect![[r#"
        "https://a/b?c" Ok("https://a/b?c")
        "http://u@a/" Err("expected a URL without a login in it")
        "ftp://a" Err("expected a URL such as https://host/path")
        "a" Err("expected a URL such as https://host/path")
        "http://" Err("expected a URL such as https://host/path")"#]]
    .assert_eq(&seen.join("\n"));
    assert_eq!(parse::boolean("YES"), Ok(true));
    assert_eq!(parse::boolean("off"), Ok(false));
    assert!(parse::boolean("2").is_err());
}

//! A secret works, and shows nowhere.

use tests::run_runner;

use super::Case;
use super::database::tools;

const PASSWORD: &str = "p@ss 'w\"ö\\rd%$-Zx9q7";
/// What even an escaped form of it would show.
const FRAGMENT: &str = "Zx9q7";

#[test]
fn a_password_of_odd_characters_works_and_shows_nowhere() {
    let case = Case::small();
    let role = format!("{}-role", case.database);
    let quoted = PASSWORD.replace('\'', "''");
    let sql = format!("create role \"{role}\" superuser login password '{quoted}'");
    case.server.psql("postgres", &sql);
    let dir = tempfile::tempdir().unwrap();
    let seen = dir.path().join("seen");
    // What everybody on this machine could see while the tool runs.
    let spy = format!(
        "cat /proc/[0-9]*/cmdline >>'{}' 2>/dev/null; exec \"$real\" \"$@\"",
        seen.display()
    );
    let env = case
        .env()
        .with("DB_USERNAME", &role)
        .with("DB_PASSWORD", PASSWORD);
    let env = env.with("PG_BIN", tools(&case, dir.path(), &spy));
    let target = case.target();
    for level in ["debug", "trace"] {
        let env = env.clone().with("LOG_LEVEL", level);
        let env = env.with("BACKUP_PATH", level);
        for operation in ["backup", "verify", "restore"] {
            let env = env.clone().with(
                "DB_NAME",
                if operation == "restore" {
                    &target
                } else {
                    &case.database
                },
            );
            let run = run_runner(env.with("RESTORE_DROP_EXISTING", "true"), &[operation]).good();
            let hidden = [FRAGMENT, "planb-secret", "callback-token-7c1d"];
            for secret in hidden {
                let said = run.stderr.lines().find(|line| line.contains(secret));
                assert_eq!(said, None, "{operation} at {level}");
                assert!(!run.stdout.contains(secret));
            }
        }
    }
    let seen = String::from_utf8_lossy(&std::fs::read(&seen).unwrap()).into_owned();
    assert!(seen.contains("pg_dump") && seen.contains("postgresql-runner"));
    assert!(!seen.contains(FRAGMENT));
    for (_, manifest) in case.bucket.manifests() {
        assert!(!manifest.to_string().contains(FRAGMENT));
    }
    for event in case.receiver.events() {
        assert!(!event.to_string().contains(FRAGMENT));
    }
    let shown = run_runner(&env, &["config"]).good();
    assert!(!shown.stdout.contains(FRAGMENT), "{}", shown.stdout);
}

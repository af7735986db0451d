//! A bit flipped, a byte cut: `verify` and `restore` refuse before the target is touched.

use std::path::{Path, PathBuf};

use tests::{Bucket, Env, Receiver, run_runner};

use super::{Case, PATH};

/// Where damage is done, behind everybody's back.
enum Place<'a> {
    Bucket(&'a Bucket),
    Directory(PathBuf),
}

impl Place<'_> {
    fn read(&self, key: &str) -> Vec<u8> {
        match self {
            Self::Bucket(bucket) => bucket.get(key),
            Self::Directory(dir) => std::fs::read(dir.join(key)).unwrap(),
        }
    }

    fn write(&self, key: &str, bytes: &[u8]) {
        match self {
            Self::Bucket(bucket) => bucket.put(key, bytes),
            Self::Directory(dir) => std::fs::write(dir.join(key), bytes).unwrap(),
        }
    }
}

/// With a table that is just too large for a tar artifact.
fn medium() -> Case {
    let case = Case::small();
    let sql = "create table medium as select g as id, md5(g::text) || md5('a' || g) || md5('b' || g) as text from generate_series(1, 50000) g";
    case.server.psql(&case.database, sql);
    case
}

/// One key of each kind of object, by its artifact's kind.
fn kinds(place: &Place<'_>) -> Vec<(String, String)> {
    let name = format!("{PATH}/manifest.json");
    let manifest: serde_json::Value = serde_json::from_slice(&place.read(&name)).unwrap();
    let by_hand = format!("{PATH}/RESTORE.md");
    let mut kinds = vec![
        ("manifest".to_owned(), name),
        ("RESTORE.md".to_owned(), by_hand),
    ];
    for artifact in manifest["artifacts"].as_array().unwrap() {
        let text = |field: &str| artifact[field].as_str().unwrap().to_owned();
        if kinds.iter().all(|(kind, _)| *kind != text("kind")) {
            kinds.push((text("kind"), format!("{PATH}/{}", text("path"))));
        }
    }
    assert!(kinds.len() >= 5, "{kinds:?}");
    kinds
}

#[expect(
    clippy::print_stdout,
    reason = "a failure says which damage it is about"
)]
fn every_damage_is_found(case: &mut Case, env: &Env, place: &Place<'_>) {
    let target = case.target();
    for (kind, key) in kinds(place) {
        let whole = place.read(&key);
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        let cut = &whole[..whole.len() - 1];
        for (damage, bytes) in [("flipped", &flipped[..]), ("cut", cut)] {
            place.write(&key, bytes);
            for operation in ["verify", "restore"] {
                println!("{operation}: {kind} {damage}");
                case.receiver = Receiver::start();
                let env = env
                    .clone()
                    .and(case.receiver.env())
                    .with("DB_NAME", &target);
                case.failed(run_runner(env, &[operation]), 1, "integrity");
                assert!(!case.exists(&target), "the target was touched");
            }
        }
        place.write(&key, &whole);
    }
    run_runner(env.clone().with("DB_NAME", &target), &["restore"]).good();
    assert_eq!(case.sum(&target), case.sum(&case.database));
}

#[test]
fn damage_to_any_kind_of_object_in_a_bucket_is_found_before_the_target_is_touched() {
    let mut case = medium();
    let env = case.quiet().with("COMPRESSION", "zstd");
    run_runner(&env, &["backup"]).good();
    let bucket = case.bucket.clone();
    every_damage_is_found(&mut case, &env, &Place::Bucket(&bucket));
}

#[test]
fn damage_to_any_kind_of_object_in_a_directory_is_found_before_the_target_is_touched() {
    let mut case = medium();
    let dir = tempfile::tempdir().unwrap();
    let env = in_directory(&case, dir.path());
    run_runner(&env, &["backup"]).good();
    every_damage_is_found(&mut case, &env, &Place::Directory(dir.path().to_owned()));
}

fn in_directory(case: &Case, dir: &Path) -> Env {
    let s3 = [
        "TYPE",
        "BUCKET",
        "ENDPOINT",
        "ACCESS_KEY",
        "SECRET_KEY",
        "PART_BYTES",
    ];
    let env = s3.iter().fold(case.quiet(), |env, name| {
        env.without(&format!("STORAGE_{name}"))
    });
    env.with("STORAGE_PATH", dir.to_str().unwrap())
}

#[test]
fn a_wrong_passphrase_is_refused_before_the_target_is_touched() {
    let case = Case::small();
    let dir = tempfile::tempdir().unwrap();
    let env = in_directory(&case, dir.path()).with("ENCRYPTION_PASSPHRASE", "right horse");
    let target = case.target();
    run_runner(&env, &["backup"]).good();
    let env = env
        .and(case.receiver.env())
        .with("DB_NAME", &target)
        .with("ENCRYPTION_PASSPHRASE", "wrong horse");
    case.failed(run_runner(env, &["restore"]), 1, "denied");
    assert!(!case.exists(&target));
}

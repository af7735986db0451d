//! A bit flipped, a byte cut, an object gone: `verify` and `restore` refuse before the target is touched.

use tests::Receiver;

use super::{Case, MARIADB, PATH};

/// One key of each kind of object, by its artifact's kind.
fn kinds(case: &Case) -> Vec<(String, String)> {
    let (key, manifest) = case.bucket.manifests().remove(0);
    let by_hand = ("RESTORE.md".to_owned(), format!("{PATH}/RESTORE.md"));
    let mut kinds = vec![("manifest".to_owned(), key), by_hand];
    for artifact in manifest["artifacts"].as_array().unwrap() {
        let text = |field: &str| artifact[field].as_str().unwrap().to_owned();
        if kinds.iter().all(|(kind, _)| *kind != text("kind")) {
            kinds.push((text("kind"), format!("{PATH}/{}", text("path"))));
        }
    }
    kinds
}

#[test]
fn damage_to_any_kind_of_object_is_found_before_the_target_is_touched() {
    let mut case = Case::medium(MARIADB);
    let zstd = |case: &Case| case.env().with("COMPRESSION", "zstd");
    case.run("backup", case.quiet().with("COMPRESSION", "zstd"))
        .good();
    let target = case.filled_target();
    let kinds = kinds(&case);
    let names: Vec<&str> = kinds.iter().map(|(kind, _)| kind.as_str()).collect();
    for kind in ["schema", "indexes", "objects", "small", "rows"] {
        assert!(names.contains(&kind), "{names:?}");
    }
    for (kind, key) in &kinds {
        let whole = case.bucket.get(key);
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        let cut = whole[..whole.len() - 1].to_vec();
        let damages = [
            ("flipped", Some(flipped)),
            ("cut", Some(cut)),
            ("gone", None),
        ];
        for (damage, bytes) in damages {
            match bytes {
                Some(bytes) => case.bucket.put(key, bytes),
                None => case.bucket.delete(key),
            }
            let expected = match (kind.as_str(), damage) {
                // Without it there is no backup.
                ("manifest", "gone") => "not_found",
                _ => "integrity",
            };
            for operation in ["verify", "restore"] {
                println!("{operation}: {kind} {damage}");
                case.receiver = Receiver::start();
                let env = zstd(&case).with("RESTORE_DROP_EXISTING", "true");
                let run = case.run(operation, env.with("DB_NAME", &target));
                let message = case.failed(run, 1, expected);
                let name = key.rsplit('/').next().unwrap();
                assert!(
                    damage != "gone" || kind == "manifest" || message.contains(name),
                    "{message}"
                );
                case.is_as_it_was(&target);
            }
        }
        case.bucket.put(key, whole);
    }
    let env = case.quiet().with("RESTORE_DROP_EXISTING", "true");
    case.run("restore", env.with("DB_NAME", &target)).good();
    assert_eq!(case.sum(&target), case.sum(&case.database));
}

use std::collections::BTreeSet;
use std::path::Path;

use expect_test::{Expect, expect};

use super::*;
use crate::versions::Row;

const TABLE: &str = r#"# Rows.

[[image]]
engine = "postgresql"
version = "15"
upstream = "postgres:15@sha256:15ab"
port = 5432
end_of_life = "2027-11-11"
platforms = ["linux/amd64", "linux/arm64"]
facts = { PG_BIN = "/usr/lib/postgresql/15/bin" }
stand_in = { recipe = "postgres", suite = "bookworm", major = "15" }

# The newest.
[[image]]
engine = "postgresql"
version = "17"
upstream = "postgres:17"
port = 5432
end_of_life = "2029-11-08"
platforms = ["linux/amd64", "linux/arm64"]
facts = { PG_BIN = "/usr/lib/postgresql/17/bin" }
stand_in = { recipe = "postgres", suite = "trixie", major = "17" }

# Servers beside the databases.

[[service]]
name = "minio"
upstream = "minio/minio:latest"
stand_in = { recipe = "minio", suite = "trixie" }
"#;

fn options(engine: &str, version: &str) -> Options {
    Options {
        engine: engine.into(),
        version: version.into(),
        upstream: None,
        end_of_life: "unknown".into(),
    }
}

/// The lines that are new, each after the number it has; all others must be as they were.
fn added(options: &Options) -> String {
    let (changed, _) = with_row(TABLE, options).unwrap();
    let (before, after): (Vec<_>, Vec<_>) = (TABLE.lines().collect(), changed.lines().collect());
    let same = before
        .iter()
        .zip(&after)
        .take_while(|(a, b)| a == b)
        .count();
    let n_new = after.len() - before.len();
    assert_eq!([&after[..same], &after[same + n_new..]].concat(), before);
    let new = after[same..same + n_new].iter().enumerate();
    new.map(|(i, line)| format!("{}: {line}\n", same + i + 1))
        .collect()
}

fn refused(options: &Options, expected: &Expect) {
    expected.assert_eq(&with_row(TABLE, options).unwrap_err().to_string());
}

#[test]
fn a_version_between_two_is_like_the_older_one_without_its_digest() {
    expect![[r#"
        13: [[image]]
        14: engine = "postgresql"
        15: version = "16"
        16: upstream = "postgres:16"
        17: port = 5432
        18: end_of_life = "unknown"
        19: platforms = ["linux/amd64", "linux/arm64"]
        20: facts = { PG_BIN = "/usr/lib/postgresql/16/bin" }
        21: stand_in = { recipe = "postgres", suite = "bookworm", major = "16" }
        22: 
    "#]]
    .assert_eq(&added(&options("postgresql", "16")));
}

#[test]
fn a_newer_version_comes_after_the_last_of_its_engine_with_what_was_asked_for() {
    let options = Options {
        upstream: Some("registry.example/postgres:18.1".into()),
        end_of_life: "2030-11-14".into(),
        ..options("postgresql", "18")
    };
    expect![[r#"
        24: [[image]]
        25: engine = "postgresql"
        26: version = "18"
        27: upstream = "registry.example/postgres:18.1"
        28: port = 5432
        29: end_of_life = "2030-11-14"
        30: platforms = ["linux/amd64", "linux/arm64"]
        31: facts = { PG_BIN = "/usr/lib/postgresql/18/bin" }
        32: stand_in = { recipe = "postgres", suite = "trixie", major = "18" }
        33: 
    "#]]
    .assert_eq(&added(&options));
}

#[test]
fn what_is_there_or_cannot_be_is_refused_by_name() {
    refused(
        &options("postgresql", "17"),
        &expect!["postgresql:17 is in images/versions.toml already"],
    );
    refused(
        &options("postgre", "17"),
        &expect![[
            r#"engine "postgre" is none of mysql, mariadb, postgresql, mongodb, redis, valkey, mssql, oracle"#
        ]],
    );
    refused(
        &options("oracle", "23"),
        &expect!["oracle has no row yet: begin with `cargo xtask new-engine oracle`"],
    );
    refused(
        &options("postgresql", "1\"6"),
        &expect![[r#"version "1\"6" cannot be an image tag"#]],
    );
    let soon = Options {
        end_of_life: "soon".into(),
        ..options("postgresql", "16")
    };
    refused(
        &soon,
        &expect![[
            r#"images/versions.toml:13: end_of_life "soon" is neither YYYY-MM-DD nor unknown"#
        ]],
    );
}

#[test]
fn a_new_version_of_this_tree_is_rendered_and_listed_and_leaves_nothing_to_render() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    copy(root, &["README.md", FILE]);
    for row in Versions::load(root).unwrap().images {
        copy(
            root,
            &[&format!("images/{}/Dockerfile.template", row.engine)],
        );
    }
    let before = names(root);
    let said = add(root, &options("postgresql", "99")).unwrap();
    for words in [
        "postgresql:99, after",
        "docker pull postgres:99",
        "build-verify postgresql:99",
        "unknown",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let new: Vec<_> = names(root).difference(&before).cloned().collect();
    assert_eq!(new, ["postgresql:99"]);
    let dockerfile = std::fs::read_to_string(root.join("images/postgresql/99/Dockerfile")).unwrap();
    assert!(
        dockerfile.contains("ARG CLIENT=postgres:99\n"),
        "{dockerfile}"
    );
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    assert!(
        readme
            .contains("| `plan-b-backup-postgresql:99` | `postgres:99` | the server's | unknown |")
    );
    render::check(&Project::at(root.to_owned()).unwrap()).unwrap();
    let again = add(root, &options("postgresql", "99")).unwrap_err();
    assert!(again.to_string().contains("already"), "{again}");
}

fn names(root: &Path) -> BTreeSet<String> {
    let images = Versions::load(root).unwrap().images;
    images.iter().map(Row::name).collect()
}

fn copy(to: &Path, files: &[&str]) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for file in files {
        std::fs::create_dir_all(to.join(file).parent().unwrap()).unwrap();
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
}

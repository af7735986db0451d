//! Holds the project's README to the code.

use expect_test::expect_file;
use runner_core::engine::Engine;
use runner_core::error::Kind;
use runner_core::job::{EngineFacts, groups, with_env_tables};

use crate::engine::Postgres;

const README: &str = include_str!("../../../README.md");

/// The text between `<!-- name:begin -->` and `<!-- name:end -->`.
fn section(name: &str) -> &'static str {
    let (begin, end) = (
        format!("<!-- {name}:begin -->\n"),
        format!("<!-- {name}:end -->"),
    );
    let (_, rest) = README.split_once(&begin).expect("the section begins");
    let (body, _) = rest.split_once(&end).expect("the section ends");
    body
}

/// The first column of a section's table, without its backquotes and its heading.
fn first_column(name: &str) -> Vec<&'static str> {
    let rows = section(name)
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(2);
    rows.filter_map(|row| row.split('|').nth(1))
        .map(|cell| cell.trim().trim_matches('`'))
        .collect()
}

/// `UPDATE_EXPECT=1 cargo test -p postgresql-runner readme` writes the tables anew.
#[test]
fn the_readme_lists_every_setting_as_the_code_has_it() {
    let groups = groups::<<Postgres as Engine>::Options>(&EngineFacts::of::<Postgres>());
    let readme = with_env_tables(README, &groups);
    expect_file!["../../../README.md"].assert_eq(&readme.expect("a place for the tables"));
}

#[test]
fn the_readme_explains_every_kind_of_error_with_its_exit_code() {
    const KINDS: [Kind; 10] = [
        Kind::Config,
        Kind::Denied,
        Kind::Unfit,
        Kind::NotFound,
        Kind::Integrity,
        Kind::Tool,
        Kind::Unreachable,
        Kind::Store,
        Kind::Interrupted,
        Kind::Bug,
    ];
    assert_eq!(first_column("kinds"), KINDS.map(Kind::as_str));
    let body = section("kinds");
    for kind in KINDS {
        let row = format!("| `{kind}` | {}", kind.exit_code());
        assert!(body.contains(&row), "no row begins with {row}");
    }
}

#[test]
fn the_readme_lists_every_image_that_is_built() {
    let versions = include_str!("../../../images/versions.toml");
    let value = |line: &'static str, key: &str| Some(line.strip_prefix(key)?.trim_matches('"'));
    let mut engine = "";
    let mut images = Vec::new();
    for line in versions.lines() {
        engine = value(line, "engine = ").unwrap_or(engine);
        if let Some(version) = value(line, "version = ") {
            images.push(format!("plan-b-backup-{engine}:{version}"));
        }
    }
    // Behind its name an image may be called unproven.
    let listed: Vec<_> = first_column("images")
        .into_iter()
        .filter_map(|cell| cell.split('`').next())
        .collect();
    assert_eq!(listed, images);
}

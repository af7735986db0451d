//! Holds the page of Redis and Valkey to the code.

use expect_test::expect_file;
use runner_core::env::{FromEnv, Group};
use runner_core::job::with_env_tables;

use crate::options::Options;

/// `UPDATE_EXPECT=1 cargo test -p redis-runner readme` writes the table anew.
#[test]
fn the_readme_lists_every_setting_as_the_code_has_it() {
    let own = Group {
        title: "Redis and Valkey",
        keys: Options::KEYS,
    };
    let readme = with_env_tables(include_str!("../README.md"), &[own]);
    expect_file!["../README.md"].assert_eq(&readme.expect("a place for the table"));
}

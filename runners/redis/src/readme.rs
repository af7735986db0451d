//! Holds this runner's README to the code.

use expect_test::expect_file;
use runner_core::env::{FromEnv, Group};
use runner_core::job::env_table_markdown;

use crate::options::Options;

const README: &str = include_str!("../README.md");

/// `UPDATE_EXPECT=1 cargo test -p redis-runner readme` writes the table anew.
#[test]
fn the_readme_lists_every_setting_as_the_code_has_it() {
    let (begin, end) = ("<!-- env:begin -->\n", "<!-- env:end -->");
    let (head, rest) = README.split_once(begin).unwrap();
    let (_, tail) = rest.split_once(end).unwrap();
    let table = env_table_markdown(&[Group {
        title: "Redis and Valkey",
        keys: Options::KEYS,
    }]);
    expect_file!["../README.md"].assert_eq(&format!("{head}{begin}{table}\n{end}{tail}"));
}

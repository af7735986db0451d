//! Holds the engine's README to the code.

use expect_test::expect_file;
use runner_core::engine::Engine;
use runner_core::job::{EngineFacts, env_table_markdown, groups};

use crate::engine::Mongo;

const README: &str = include_str!("../README.md");
const BEGIN: &str = "<!-- env:begin -->\n";
const END: &str = "<!-- env:end -->";

/// `UPDATE_EXPECT=1 cargo test -p mongodb-runner readme` writes the table anew.
#[test]
fn the_readme_lists_every_setting_of_the_engine_as_the_code_has_it() {
    let (head, rest) = README.split_once(BEGIN).expect("the section begins");
    let (_, tail) = rest.split_once(END).expect("the section ends");
    let groups = groups::<<Mongo as Engine>::Options>(&EngineFacts::of::<Mongo>());
    let own = &groups[groups.len() - 1..];
    let table = env_table_markdown(own);
    expect_file!["../README.md"].assert_eq(&format!("{head}{BEGIN}\n{table}\n{END}{tail}"));
}

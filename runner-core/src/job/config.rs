//! What the `config` operation shows, and the README's tables.

use std::fmt::Write as _;

use serde::{Serialize, Serializer};

use crate::env::{Env, Group, Origin, keys};

/// One setting as it took effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    pub name: &'static str,
    /// `***` for a secret; for one that is unset, what that comes to.
    pub value: String,
    #[serde(serialize_with = "as_text")]
    pub origin: Origin,
    pub help: &'static str,
}

fn as_text<S: Serializer>(origin: &Origin, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(origin)
}

/// Every key of the runner, in the order of the documentation.
pub(super) fn settings(env: &Env) -> Vec<Setting> {
    keys(env.groups())
        .map(|key| {
            let (value, origin) = env.shown(key);
            Setting {
                name: key.name,
                value,
                origin,
                help: key.help,
            }
        })
        .collect()
}

/// A README with its tables of settings as the code has them, between `<!-- env:begin -->` and `<!-- env:end -->`;
/// `None` where it has no such place.
pub fn with_env_tables(readme: &str, groups: &[Group]) -> Option<String> {
    let (begin, end) = ("<!-- env:begin -->\n", "<!-- env:end -->");
    let (head, rest) = readme.split_once(begin)?;
    let (_, tail) = rest.split_once(end)?;
    let tables = env_table_markdown(groups);
    Some(format!("{head}{begin}\n{tables}\n{end}{tail}"))
}

/// The README's tables: one for each group.
pub fn env_table_markdown(groups: &[Group]) -> String {
    let mut text = String::new();
    for group in groups {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "### {}\n\n| variable | default | meaning |\n|---|---|---|\n",
            group.title
        );
        for key in group.keys {
            let default = match key.default {
                "" => String::new(),
                default if default.contains(' ') => default.to_owned(),
                default => format!("`{default}`"),
            };
            let file = key
                .file_twin()
                .map_or_else(String::new, |twin| format!(" `{twin}`"));
            let _ = writeln!(text, "| `{}`{file} | {default} | {} |", key.name, key.help);
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

//! Dockerfiles from rows: pure, committed, and checked for drift.

use std::path::PathBuf;

use crate::project::{Project, make_dir};
use crate::shell::{Context, Result};
use crate::versions::Row;

/// A file as it has to be.
pub struct Rendered {
    pub path: PathBuf,
    pub text: String,
}

/// Every Dockerfile of the table.
pub fn all(project: &Project) -> Result<Vec<Rendered>> {
    project
        .versions
        .images
        .iter()
        .map(|row| of_row(project, row))
        .collect()
}

/// Writes every Dockerfile that differs, and says which.
pub fn write(project: &Project) -> Result<()> {
    for rendered in all(project)? {
        if std::fs::read_to_string(&rendered.path).is_ok_and(|text| text == rendered.text) {
            continue;
        }
        rendered.path.parent().map_or(Ok(()), make_dir)?;
        std::fs::write(&rendered.path, &rendered.text).context(rendered.path.display())?;
        println!("  {}", rendered.path.display());
    }
    Ok(())
}

/// Fails when a committed Dockerfile is not what its row and template say.
pub fn check(project: &Project) -> Result<()> {
    let drifted: Vec<_> = all(project)?
        .into_iter()
        .filter(|rendered| {
            std::fs::read_to_string(&rendered.path).ok().as_ref() != Some(&rendered.text)
        })
        .map(|rendered| rendered.path.display().to_string())
        .collect();
    if drifted.is_empty() {
        return Ok(());
    }
    Err(format!(
        "not as rendered: {}; run `cargo xtask render`",
        drifted.join(", ")
    )
    .into())
}

fn of_row(project: &Project, row: &Row) -> Result<Rendered> {
    let dir = project.root.join("images").join(&row.engine);
    let path = dir.join("Dockerfile.template");
    let template = std::fs::read_to_string(&path).context(path.display())?;
    let text = render(&template, row).context(format!("{} for {}", path.display(), row.name()))?;
    Ok(Rendered {
        path: dir.join(&row.version).join("Dockerfile"),
        text,
    })
}

/// Fills each `{{name}}` with the row's value or fact of that name.
pub fn render(template: &str, row: &Row) -> Result<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("a {{ without its }}")?;
        let value = match name {
            "engine" => &row.engine,
            "version" => &row.version,
            "upstream" => &row.upstream,
            "source" => env!("CARGO_PKG_REPOSITORY"),
            fact => row
                .facts
                .get(fact)
                .ok_or(format!("the row has no {fact:?}"))?,
        };
        text.push_str(before);
        text.push_str(value);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::Versions;

    fn check(template: &str, expected: &str) {
        let versions = Versions::parse(include_str!("../../images/versions.toml")).unwrap();
        let rendered = render(template, versions.row("postgresql", "17").unwrap());
        assert_eq!(rendered.unwrap_or_else(|err| err.to_string()), expected);
    }

    #[test]
    fn names_and_facts_are_filled_in_and_unknown_ones_refused() {
        check("FROM {{upstream}}\n", "FROM postgres:17\n");
        check(
            "{{engine}}-{{version}} {{PG_BIN}}",
            "postgresql-17 /usr/lib/postgresql/17/bin",
        );
        check("{{nonsense}}", "the row has no \"nonsense\"");
        check("{{engine", "a {{ without its }}");
        check("${CLIENT}", "${CLIENT}");
    }
}

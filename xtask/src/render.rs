//! What follows from rows: Dockerfiles and the table in the README; pure, committed, and checked for drift.

use std::path::PathBuf;

use crate::project::{Project, make_dir};
use crate::shell::{Context, Result};
use crate::versions::{Row, suite_of};

/// A file as it has to be.
pub struct Rendered {
    pub path: PathBuf,
    pub text: String,
}

/// Every Dockerfile of the table, and the README with the table in it.
pub fn all(project: &Project) -> Result<Vec<Rendered>> {
    let rows = project.versions.images.iter();
    let mut all: Vec<_> = rows
        .map(|row| of_row(project, row))
        .collect::<Result<_>>()?;
    let path = project.root.join("README.md");
    let readme = std::fs::read_to_string(&path).context(path.display())?;
    let text = with_images(&readme, &project.versions.images)?;
    all.push(Rendered { path, text });
    Ok(all)
}

/// Writes every file that differs, and says which.
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

/// Fails when a committed file is not what the rows and templates say.
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
        let pinned_base = row.pinned_base();
        let value = match name {
            "base" => &pinned_base,
            "base.name" => row.base(),
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

const BEGIN: &str = "<!-- images:begin -->\n";
const END: &str = "<!-- images:end -->";

/// The README with a line for each image between its two marks.
fn with_images(readme: &str, rows: &[Row]) -> Result<String> {
    let marks = || format!("README.md: no {} … {END}", BEGIN.trim_end());
    let (head, rest) = readme.split_once(BEGIN).ok_or_else(marks)?;
    let (_, tail) = rest.split_once(END).ok_or_else(marks)?;
    let mut table =
        "| image | server | client programs | the server's end of life |\n|---|---|---|---|\n"
            .to_owned();
    for row in rows {
        let (image, upstream, end) = (row.image(), &row.upstream, &row.end_of_life);
        let unproven = match &row.stand_in {
            None => " (unproven)".to_owned(),
            Some(it) if it.imitator.is_empty() => String::new(),
            Some(it) => format!(" (proven on {} only)", it.imitator),
        };
        let client = match (suite_of(row.base()), row.base()) {
            (Some(_), _) => "none needed".to_owned(),
            (None, base) if base == row.upstream => "the server's".to_owned(),
            (None, base) => format!("of `{base}`"),
        };
        table.push_str(&format!(
            "| `{image}`{unproven} | `{upstream}` | {client} | {end} |\n"
        ));
    }
    Ok(format!("{head}{BEGIN}{table}{END}{tail}"))
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

    #[test]
    fn the_readme_names_each_image_and_keeps_the_rest() {
        let versions = Versions::parse(include_str!("../../images/versions.toml")).unwrap();
        let rows = &versions.images[..1];
        let readme = format!("before\n{BEGIN}| old |\n{END}\nafter\n");
        let rendered = with_images(&readme, rows).unwrap();
        let row = "| `plan-b-backup-postgresql:12` | `postgres:12` | the server's | 2024-11-21 |\n";
        assert!(rendered.starts_with("before\n"), "{rendered}");
        assert!(
            rendered.ends_with(&format!("{row}{END}\nafter\n")),
            "{rendered}"
        );
        assert!(!rendered.contains("old"), "{rendered}");
        assert_eq!(with_images(&rendered, rows).unwrap(), rendered);
        let unproven = versions.row("mysql", "8.4").unwrap().clone();
        let rendered = with_images(&readme, &[unproven]).unwrap();
        let row =
            "| `plan-b-backup-mysql:8.4` (unproven) | `mysql:8.4` | none needed | 2032-04-30 |\n";
        assert!(rendered.contains(row), "{rendered}");
        let err = with_images("no marks", rows).unwrap_err().to_string();
        assert!(err.contains("images:begin"), "{err}");
    }
}

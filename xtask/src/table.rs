//! A row more in the text of `images/versions.toml`: comments, order and what people wrote stay as they are.

use std::ops::Range;

use crate::shell::Result;
use crate::versions::{Row, Versions};

const HEADER: &str = "[[image]]";

/// The row of the same engine that a new version is most like: the next older one, else the oldest.
pub fn nearest<'a>(versions: &'a Versions, engine: &str, version: &str) -> Result<&'a Row> {
    let mut rows = versions.select(Some(engine))?;
    rows.sort_by_key(|row| order(&row.version));
    let older = |row: &&&Row| order(&row.version) < order(version);
    let nearest = rows.iter().rfind(older).or(rows.first());
    Ok(nearest.ok_or(format!("no row of {engine}"))?)
}

/// A row's own lines, without the comments on it.
pub fn text_of<'a>(text: &'a str, versions: &Versions, row: &Row) -> Result<&'a str> {
    let at = versions
        .images
        .iter()
        .position(|it| it.name() == row.name());
    let block = at.and_then(|at| blocks(text).into_iter().nth(at));
    let block = &text[block.ok_or(format!("no text of {}", row.name()))?];
    Ok(block.find(HEADER).map_or(block, |at| &block[at..]))
}

/// The text with a row more, where its engine and version have their place.
pub fn insert(text: &str, versions: &Versions, row: &str, name: (&str, &str)) -> Result<String> {
    let (engine, version) = name;
    let blocks: Vec<_> = blocks(text).into_iter().zip(&versions.images).collect();
    let newer = blocks
        .iter()
        .find(|(_, it)| it.engine == engine && order(&it.version) > order(version));
    let last_of_engine = blocks.iter().rfind(|(_, it)| it.engine == engine);
    let row = row.trim_end();
    if let Some((block, _)) = newer {
        let (before, after) = text.split_at(block.start);
        return Ok(format!("{before}{row}\n\n{after}"));
    }
    let (block, _) = last_of_engine
        .or(blocks.last())
        .ok_or("a table without rows")?;
    let (before, after) = text.split_at(block.end);
    Ok(format!("{before}\n\n{row}{after}"))
}

/// Puts `new` where `old` stands as a word of its own: in `:17"` and `/17/`, not in `17.2`.
pub fn replace_word(text: &str, old: &str, new: &str) -> String {
    let part_of_word = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(old).filter(|_| !old.is_empty()) {
        let (before, after) = (&rest[..at], &rest[at + old.len()..]);
        let is_word = !before.ends_with(part_of_word) && !after.starts_with(part_of_word);
        replaced.push_str(before);
        replaced.push_str(if is_word { new } else { old });
        rest = after;
    }
    replaced + rest
}

/// Where each image's lines are, in order: from the comment right above it to its last value.
fn blocks(text: &str) -> Vec<Range<usize>> {
    let mut blocks: Vec<Range<usize>> = Vec::new();
    let (mut at, mut comment, mut in_image) = (0, None, false);
    for line in text.split_inclusive('\n') {
        let (start, end) = (at, at + line.trim_end().len());
        at += line.len();
        match line.trim() {
            "" => comment = None,
            it if it.starts_with('#') => comment = comment.or(Some(start)),
            it => {
                if it.starts_with("[[") {
                    in_image = it == HEADER;
                    if in_image {
                        blocks.push(comment.unwrap_or(start)..end);
                    }
                }
                if let (true, Some(block)) = (in_image, blocks.last_mut()) {
                    block.end = end;
                }
                comment = None;
            }
        }
    }
    blocks
}

/// Versions by their numbers; `latest` and other words come last.
fn order(version: &str) -> Vec<u32> {
    let number = |part: &str| part.parse().unwrap_or(u32::MAX);
    version.split('.').map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_replaced_only_where_it_stands_alone() {
        let check = |from: &str, to: &str| assert_eq!(replace_word(from, "17", "16"), to);
        check("postgres:17", "postgres:16");
        check("postgres:17@sha256:a17b", "postgres:16@sha256:a17b");
        check("/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/16/bin");
        check("17.11.0 and 117, 17", "17.11.0 and 117, 16");
    }

    #[test]
    fn versions_are_ordered_by_number_and_words_come_last() {
        let mut versions = ["latest", "18", "8.4", "10.11", "9", "8.0"];
        versions.sort_by_key(|it| order(it));
        assert_eq!(versions, ["8.0", "8.4", "9", "10.11", "18", "latest"]);
    }

    #[test]
    fn comments_belong_to_the_row_that_they_stand_on() {
        let text = "# The table.\n\n# First.\n[[image]]\na = 1\nb = 2\n# stray\n\n# Second.\n[[image]]\na = 3\n\n# Rest.\n\n[[service]]\na = 4\n";
        let blocks: Vec<_> = blocks(text).into_iter().map(|it| &text[it]).collect();
        assert_eq!(
            blocks,
            [
                "# First.\n[[image]]\na = 1\nb = 2",
                "# Second.\n[[image]]\na = 3"
            ]
        );
    }
}

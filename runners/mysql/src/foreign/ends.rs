//! How a dump of stock tools begins and ends: whether the middle of it was cut off.

use runner_core::error::{Error, Kind, Result};

/// What the tools write first and last; a script with the first and without the last was cut.
const MARKS: [(&str, &str); 4] = [
    ("-- MySQL dump ", "\n-- Dump completed"),
    ("-- MariaDB dump ", "\n-- Dump completed"),
    // Without comments.
    ("@OLD_SQL_NOTES=@@SQL_NOTES", "SQL_NOTES=@OLD_SQL_NOTES"),
    (
        "@OLD_NOTE_VERBOSITY=@@NOTE_VERBOSITY",
        "NOTE_VERBOSITY=@OLD_NOTE_VERBOSITY",
    ),
];
const END_BYTES: usize = 4096;

/// The first and the last bytes of a script as it passes.
#[derive(Default)]
pub(super) struct Ends {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Ends {
    pub(super) fn see(&mut self, block: &[u8]) {
        let room = END_BYTES.saturating_sub(self.head.len()).min(block.len());
        self.head
            .extend_from_slice(block.get(..room).unwrap_or_default());
        let last = block
            .get(block.len().saturating_sub(END_BYTES)..)
            .unwrap_or_default();
        self.tail.extend_from_slice(last);
        let surplus = self.tail.len().saturating_sub(END_BYTES);
        self.tail.drain(..surplus);
    }

    /// After the last block.
    pub(super) fn check(&self) -> Result<()> {
        let (head, tail) = (
            String::from_utf8_lossy(&self.head),
            String::from_utf8_lossy(&self.tail),
        );
        // The one that decides is the first there is: comments may be left out.
        let mark = MARKS.iter().find(|(begin, _)| head.contains(begin));
        match mark {
            Some((_, end)) if !tail.contains(end) => Err(Error::new(
                Kind::Integrity,
                format!(
                    "the script lacks its last line ({:?}): it was cut",
                    end.trim()
                ),
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(script: &str, step: usize) -> Result<()> {
        let mut ends = Ends::default();
        script.as_bytes().chunks(step).for_each(|it| ends.see(it));
        ends.check()
    }

    #[test]
    fn a_cut_dump_is_told_from_a_whole_one() {
        let rows = "INSERT INTO `t` VALUES (1);\n".repeat(1000);
        let mysql = format!(
            "-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\n{rows}-- Dump completed on 2026-01-01  0:00:00\n"
        );
        let mariadb = format!(
            "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19-11.8.6-MariaDB, for debian-linux-gnu (x86_64)\n{rows}-- Dump completed\n"
        );
        let bare = format!(
            "/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;\n{rows}/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;\n"
        );
        for whole in [mysql, mariadb, bare] {
            for step in [1, 100, 1_000_000] {
                assert!(check(&whole, step).is_ok());
                for cut in [whole.len() - 60, whole.len() / 2, 150] {
                    let error = check(&whole[..cut], step).unwrap_err();
                    assert_eq!(error.kind(), Kind::Integrity);
                }
            }
        }
        assert!(
            check(&rows, 100).is_ok(),
            "somebody's own script has no marks"
        );
        // Within a value, a line's end is written as two characters.
        let quoted = "-- MySQL dump 10.13\nINSERT INTO `t` VALUES ('\\n-- Dump completed');\n";
        assert!(check(quoted, 10).is_err());
    }
}

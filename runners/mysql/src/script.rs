//! SQL scripts as the stock client reads them, cut into statements as they stream: quotes, comments, `DELIMITER`.

use bytes::BytesMut;
use runner_core::error::{Error, Kind, Result};

/// A statement longer than this is nobody's: `max_allowed_packet` ends at 1 GiB.
const MAX_STATEMENT_BYTES: usize = 1 << 30;

/// Cuts statements off the front of what it is fed.
pub(crate) struct Splitter {
    held: BytesMut,
    /// Looked at so far, from the front of `held`.
    seen: usize,
    state: State,
    delimiter: Vec<u8>,
    /// What ends the dollar quote: `$$` or `$tag$`.
    tag: Vec<u8>,
    /// Whether only blanks and comments stand before `seen`.
    is_blank: bool,
    ended: bool,
    /// Whether the last statement had no delimiter.
    is_open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Plain,
    Quoted(u8),
    /// Of MySQL 9, for routines in other languages.
    DollarQuoted,
    Line,
    Block,
}

impl Default for Splitter {
    fn default() -> Self {
        Self {
            held: BytesMut::new(),
            seen: 0,
            state: State::Plain,
            delimiter: b";".to_vec(),
            tag: Vec::new(),
            is_blank: true,
            ended: false,
            is_open: false,
        }
    }
}

impl Splitter {
    /// With another delimiter to begin with.
    pub(crate) fn until(delimiter: &[u8]) -> Self {
        Self {
            delimiter: delimiter.to_vec(),
            ..Self::default()
        }
    }

    pub(crate) fn feed(&mut self, block: &[u8]) {
        self.held.extend_from_slice(block);
    }

    /// After the last block: what is left may be a statement without a delimiter.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// The next whole statement without its delimiter; `None` when more has to be fed, or nothing is left.
    pub(crate) fn next_statement(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            match self.step() {
                Step::More if self.held.len() > MAX_STATEMENT_BYTES => {
                    return Err(Error::new(
                        Kind::Unfit,
                        "a statement longer than 1 GiB, or a quote that never ends",
                    ));
                }
                Step::More if !self.ended => return Ok(None),
                Step::More => {
                    if self.state != State::Plain && self.state != State::Line {
                        return Err(Error::new(
                            Kind::Integrity,
                            "the script ends within a quote or a comment: it was cut",
                        ));
                    }
                    let is_blank = self.is_blank;
                    let rest = self.cut(self.held.len(), 0);
                    self.is_open = !is_blank && !rest.is_empty();
                    return Ok(Some(rest).filter(|_| self.is_open));
                }
                Step::Statement(n_bytes, n_delimiter) => {
                    let is_blank = self.is_blank;
                    let statement = self.cut(n_bytes, n_delimiter);
                    if !is_blank {
                        return Ok(Some(statement));
                    }
                }
                Step::On => {}
            }
        }
    }

    /// Whether the last statement that came was what was left, without a delimiter.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    fn cut(&mut self, n_bytes: usize, n_delimiter: usize) -> Vec<u8> {
        let statement = self.held.split_to(n_bytes.min(self.held.len()));
        let _ = self.held.split_to(n_delimiter.min(self.held.len()));
        (self.seen, self.state, self.is_blank) = (0, State::Plain, true);
        statement.trim_ascii().to_vec()
    }

    /// One look further; never decides on bytes whose successors, which it needs, are not there yet.
    fn step(&mut self) -> Step {
        let rest = self.held.get(self.seen..).unwrap_or_default();
        let (Some(byte), next) = (rest.first().copied(), rest.get(1).copied()) else {
            return Step::More;
        };
        // What a quote or a line holds is passed over at once.
        let passed = match self.state {
            State::Quoted(quote) => rest.iter().position(|it| *it == quote || *it == b'\\'),
            State::DollarQuoted => rest.iter().position(|it| *it == b'$'),
            State::Line => rest.iter().position(|it| *it == b'\n'),
            State::Plain | State::Block => Some(0),
        };
        match passed {
            Some(0) => {}
            passed => {
                self.seen += passed.unwrap_or(rest.len());
                return Step::On;
            }
        }
        let needs_next = next.is_none() && !self.ended;
        let (n_bytes, state) = match self.state {
            State::Quoted(quote) => match byte {
                b'\\' if quote != b'`' && needs_next => return Step::More,
                b'\\' if quote != b'`' => (2, self.state),
                _ if byte == quote => (1, State::Plain),
                _ => (1, self.state),
            },
            State::DollarQuoted if rest.starts_with(&self.tag) => (self.tag.len(), State::Plain),
            State::DollarQuoted if rest.len() < self.tag.len() && !self.ended => {
                return Step::More;
            }
            State::DollarQuoted => (1, self.state),
            State::Line if byte == b'\n' => (1, State::Plain),
            State::Line => (1, State::Line),
            State::Block if byte == b'*' && needs_next => return Step::More,
            State::Block if byte == b'*' && next == Some(b'/') => (2, State::Plain),
            State::Block => (1, State::Block),
            State::Plain => return self.plain(byte),
        };
        self.seen = (self.seen + n_bytes).min(self.held.len());
        self.state = state;
        Step::On
    }

    fn plain(&mut self, byte: u8) -> Step {
        let rest = self.held.get(self.seen..).unwrap_or_default();
        // Long enough for the delimiter, a comment's start, and the word DELIMITER.
        let enough = self.delimiter.len().max(10);
        if rest.len() < enough && !self.ended {
            return Step::More;
        }
        if rest.starts_with(&self.delimiter) {
            return Step::Statement(self.seen, self.delimiter.len());
        }
        if self.is_blank && is_delimiter_order(rest) {
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                if !self.ended {
                    return Step::More;
                }
                return self.set_delimiter(rest.len());
            };
            return self.set_delimiter(end + 1);
        }
        if byte == b'$' && !self.is_within_a_name() {
            match dollar_tag(rest) {
                Tag::Is(n_bytes) => {
                    self.tag = rest.get(..n_bytes).unwrap_or_default().to_vec();
                    self.seen += n_bytes;
                    (self.state, self.is_blank) = (State::DollarQuoted, false);
                    return Step::On;
                }
                Tag::MayBe if !self.ended => return Step::More,
                Tag::MayBe | Tag::IsNot => {}
            }
        }
        let (n_bytes, state, is_code) = match rest {
            [b'\'' | b'"' | b'`', ..] => (1, State::Quoted(byte), true),
            [b'#', ..] => (1, State::Line, false),
            [b'-', b'-', b' ' | b'\t' | b'\n' | b'\r', ..] | [b'-', b'-'] => {
                (2, State::Line, false)
            }
            // What a version comment holds is code, with quotes and comments of its own.
            [b'/', b'*', b'!', ..] | [b'/', b'*', b'M', b'!', ..] => (3, State::Plain, true),
            [b'/', b'*', b'+', ..] => (3, State::Block, true),
            [b'/', b'*', ..] => (2, State::Block, false),
            _ => (1, State::Plain, !byte.is_ascii_whitespace()),
        };
        self.is_blank &= !is_code;
        // The line's end itself ends the comment.
        let n_bytes = if state == State::Line { 1 } else { n_bytes };
        self.seen += n_bytes;
        self.state = state;
        Step::On
    }

    /// Whether what comes next goes on with a name, which may hold dollars.
    fn is_within_a_name(&self) -> bool {
        let before = self.seen.checked_sub(1).and_then(|at| self.held.get(at));
        before.is_some_and(|byte| *byte == b'$' || is_of_a_name(*byte))
    }

    fn set_delimiter(&mut self, n_bytes: usize) -> Step {
        let order = self.held.get(self.seen..self.seen + n_bytes);
        let word = order.unwrap_or_default().trim_ascii();
        let word = word.get(9..).unwrap_or_default().trim_ascii();
        if !word.is_empty() {
            self.delimiter = word.to_vec();
        }
        let n_bytes = self.seen + n_bytes;
        self.cut(n_bytes, 0);
        Step::On
    }
}

enum Step {
    On,
    More,
    /// A statement of so many bytes, and a delimiter after it.
    Statement(usize, usize),
}

enum Tag {
    Is(usize),
    /// More bytes will tell.
    MayBe,
    IsNot,
}

/// Longer than names get.
const MAX_TAG_BYTES: usize = 256;

/// Whether a dollar begins `$$` or `$tag$`.
fn dollar_tag(rest: &[u8]) -> Tag {
    let name = rest.get(1..).unwrap_or_default();
    let name = name.get(..MAX_TAG_BYTES).unwrap_or(name);
    match name.iter().position(|byte| !is_of_a_name(*byte)) {
        Some(end) if name.get(end) == Some(&b'$') => Tag::Is(end + 2),
        Some(_) => Tag::IsNot,
        None if name.len() < MAX_TAG_BYTES => Tag::MayBe,
        None => Tag::IsNot,
    }
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

fn is_delimiter_order(rest: &[u8]) -> bool {
    let is_word = rest
        .get(..9)
        .is_some_and(|it| it.eq_ignore_ascii_case(b"delimiter"));
    is_word && rest.get(9).is_some_and(|it| *it == b' ' || *it == b'\t')
}

/// Without the comments that stand in front.
pub(crate) fn without_comments(mut statement: &[u8]) -> &[u8] {
    loop {
        statement = statement.trim_ascii_start();
        let end = match statement {
            [b'#', ..] | [b'-', b'-', ..] => statement.iter().position(|byte| *byte == b'\n'),
            [b'/', b'*', b'!' | b'+', ..] | [b'/', b'*', b'M', b'!', ..] => return statement,
            [b'/', b'*', ..] => {
                let end = statement.windows(2).position(|pair| pair == b"*/");
                end.map(|end| end + 1)
            }
            _ => return statement,
        };
        statement = end
            .and_then(|end| statement.get(end + 1..))
            .unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(script: &str, step: usize) -> Result<Vec<String>> {
        let mut splitter = Splitter::default();
        let mut statements = Vec::new();
        let mut blocks = script.as_bytes().chunks(step);
        loop {
            while let Some(statement) = splitter.next_statement()? {
                let statement = without_comments(&statement).to_vec();
                statements.push(String::from_utf8(statement).unwrap());
            }
            match blocks.next() {
                Some(block) => splitter.feed(block),
                None if splitter.ended => return Ok(statements),
                None => splitter.end(),
            }
        }
    }

    #[test]
    fn a_script_is_cut_where_the_client_would_cut_it() {
        let script = "-- it's; a comment\n# and; another\nSELECT ';', \"a\\\";b\", `c;``d`, 'it''s;' ; /* ; */ /*!50003 SET x = ';' */;\n\
            ;; \nDELIMITER ;;\nCREATE PROCEDURE p() BEGIN SELECT 1; -- don't;\n SELECT 2; END ;;\ndelimiter $$\nSELECT 3$$\nDELIMITER ;\nSELECT 5 --1;\nSELECT 4";
        let expected = [
            "SELECT ';', \"a\\\";b\", `c;``d`, 'it''s;'",
            "/*!50003 SET x = ';' */",
            "CREATE PROCEDURE p() BEGIN SELECT 1; -- don't;\n SELECT 2; END",
            "SELECT 3",
            "SELECT 5 --1",
            "SELECT 4",
        ];
        for step in [1, 2, 3, 7, 1000] {
            assert_eq!(split(script, step).unwrap(), expected, "step {step}");
        }
    }

    #[test]
    fn a_version_comment_holds_quotes_and_comments() {
        let trigger = "/*!50003 CREATE*/ /*!50003 TRIGGER t BEGIN /* don't; */ SET @a = 'it*/s; \"'; -- it's\n END */";
        let script = format!("DELIMITER ;;\n{trigger};;\nDELIMITER ;\nSELECT 1;");
        for step in [1, 3, 1000] {
            assert_eq!(split(&script, step).unwrap(), [trigger, "SELECT 1"]);
        }
        let sandbox = "/*M!999999\\- enable the sandbox mode */ \n-- it's\n/*!40101 SET x = 1 */";
        assert_eq!(split(&format!("{sandbox};"), 7).unwrap(), [sandbox]);
    }

    /// As MySQL 9 writes routines in JavaScript; a dollar within a name is none, nor is one that is the delimiter.
    #[test]
    fn what_stands_between_dollars_is_passed_over() {
        let function = "CREATE FUNCTION f() RETURNS int LANGUAGE JAVASCRIPT AS $$ // don't; stop\n return \"1; $$";
        let tagged = "CREATE LIBRARY l LANGUAGE JAVASCRIPT AS $q_1$ '; $$; $q_ $ $q_1$";
        let names = "SELECT a$b$, $1 + x$$y FROM t";
        let script = format!("{function};\n{tagged};\n{names};\nDELIMITER $$\nSELECT 'a';$$\n");
        for step in [1, 2, 3, 7, 1000] {
            let expected = [function, tagged, names, "SELECT 'a';"];
            assert_eq!(split(&script, step).unwrap(), expected, "step {step}");
        }
        let error = split("CREATE LIBRARY l AS $$ let x", 5).unwrap_err();
        assert_eq!(error.kind(), Kind::Integrity);
    }

    #[test]
    fn a_script_that_was_cut_within_a_value_is_damaged() {
        let error = split("INSERT INTO t VALUES ('a", 5).unwrap_err();
        assert_eq!(error.kind(), Kind::Integrity);
        assert!(split("SELECT 1 -- the end", 5).is_ok());
        assert!(split("", 5).unwrap().is_empty());
    }
}

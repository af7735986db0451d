//! What of a line a restore can bring back, where that is not all of it: MySQL reads fractions in JSON as doubles, and
//! long ones inexactly.

use std::sync::Arc;

use memchr::memchr2;

/// A double is exact to so many digits, whoever reads it.
const EXACT_DIGITS: usize = 15;
/// Stands for a number whose last digits are not to be had again.
const INEXACT: u8 = b'~';

/// Copies lines for their fingerprint, without what MySQL's parser of JSON does not read back as it was written:
/// `CAST('0.9079670691005579' AS JSON)` is 0.907967069100558 in 5.7 and 8.0, and a decimal 1.10 becomes the double 1.1,
/// so that no text brings them back. Whole numbers, and the value of fractions up to 15 digits, are exact.
#[derive(Clone, Default)]
pub(super) struct Provable {
    /// For each column, whether its values are JSON.
    json: Arc<[bool]>,
    column: usize,
    /// After a backslash of the line's.
    escaped: bool,
    /// Within a string of the document, and after a backslash of its own there.
    in_string: bool,
    string_escaped: bool,
    number: Vec<u8>,
}

impl Provable {
    /// `None` where all of a line can be proven.
    pub(super) fn of(json: &Arc<[bool]>) -> Option<Self> {
        json.contains(&true).then(|| Self {
            json: Arc::clone(json),
            ..Self::default()
        })
    }

    /// Copies the next part of a line, which may end anywhere, to `out`.
    pub(super) fn copy(&mut self, mut part: &[u8], out: &mut Vec<u8>) {
        while !part.is_empty() {
            let is_json = self.json.get(self.column) == Some(&true);
            // Tabs and line ends of values are escaped.
            let end = memchr2(b'\t', b'\n', part);
            let (value, rest) = part.split_at(end.unwrap_or(part.len()));
            match is_json {
                true => self.json(value, out),
                false => out.extend_from_slice(value),
            }
            if let Some(separator) = rest.first() {
                self.end_number(out);
                out.push(*separator);
                let next = match separator {
                    b'\t' => self.column + 1,
                    _ => 0,
                };
                *self = Self {
                    json: std::mem::take(&mut self.json),
                    number: std::mem::take(&mut self.number),
                    column: next,
                    ..Self::default()
                };
            }
            part = rest.get(1..).unwrap_or_default();
        }
    }

    fn json(&mut self, mut value: &[u8], out: &mut Vec<u8>) {
        while !value.is_empty() {
            // Runs in which nothing can change are most of a document.
            let n_bytes = match () {
                () if self.escaped || self.string_escaped || !self.number.is_empty() => 0,
                () if self.in_string => memchr2(b'"', b'\\', value).unwrap_or(value.len()),
                () => run(value, Class::Plain),
            };
            let (plain, rest) = value.split_at(n_bytes);
            out.extend_from_slice(plain);
            let n_bytes = match self.in_string || self.escaped || !self.number.is_empty() {
                true => 0,
                false => run(rest, Class::Number),
            };
            // One that ends with this part may go on in the next.
            if n_bytes > 0 && n_bytes < rest.len() {
                let (number, rest) = rest.split_at(n_bytes);
                put_number(number, out);
                value = rest;
                continue;
            }
            let Some((byte, rest)) = rest.split_first() else {
                return;
            };
            self.json_byte(*byte, out);
            value = rest;
        }
    }

    fn json_byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        if !self.in_string && CLASSES[usize::from(byte)] == Class::Number {
            self.number.push(byte);
            return;
        }
        self.end_number(out);
        out.push(byte);
        if byte == b'\\' && !self.escaped {
            self.escaped = true;
            return;
        }
        // Of the escapes of a line only that of the backslash means something in a document.
        self.escaped = false;
        match byte {
            _ if self.string_escaped => self.string_escaped = false,
            b'\\' => self.string_escaped = self.in_string,
            b'"' => self.in_string = !self.in_string,
            _ => {}
        }
    }

    fn end_number(&mut self, out: &mut Vec<u8>) {
        if !self.number.is_empty() {
            put_number(&self.number, out);
            self.number.clear();
        }
    }
}

/// What a byte can be outside of strings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Number,
    /// Begins or escapes something.
    Special,
    Plain,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Plain; 256];
    let mut byte = 0;
    while byte < classes.len() {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E' => Class::Number,
            b'"' | b'\\' => Class::Special,
            _ => Class::Plain,
        };
        byte += 1;
    }
    classes
};

/// How many bytes at the front are of the class.
fn run(bytes: &[u8], class: Class) -> usize {
    let end = bytes
        .iter()
        .position(|byte| CLASSES[usize::from(*byte)] != class);
    end.unwrap_or(bytes.len())
}

fn put_number(number: &[u8], out: &mut Vec<u8>) {
    let is_whole = number
        .iter()
        .all(|byte| !matches!(byte, b'.' | b'e' | b'E'));
    match () {
        () if is_whole => out.extend_from_slice(number),
        () if is_inexact(number) => out.push(INEXACT),
        () => out.extend_from_slice(without_zeros(number)),
    }
}

/// Also of what only looks like a number, such as the `e` of `true`: then it is exact.
fn is_inexact(number: &[u8]) -> bool {
    let n_digits = number.iter().filter(|byte| byte.is_ascii_digit()).count();
    let has = |letters: &[u8]| number.iter().any(|byte| letters.contains(byte));
    // A small double is written with an exponent, a decimal never.
    let is_small = number
        .strip_prefix(b"-")
        .unwrap_or(number)
        .starts_with(b"0.000");
    n_digits > 0 && (has(b"eE") || has(b".") && (n_digits > EXACT_DIGITS || is_small))
}

/// A fraction without the zeros at its end, of which one stays after the point.
fn without_zeros(number: &[u8]) -> &[u8] {
    let Some(point) = number.iter().position(|byte| *byte == b'.') else {
        return number;
    };
    let last = number.iter().rposition(|byte| *byte != b'0');
    let end = last.map_or(0, |last| last + 1).max(point + 2);
    number.get(..end).unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provable(line: &str, step: usize) -> String {
        let mut provable = Provable::of(&[false, true, false].into()).unwrap();
        let mut out = Vec::new();
        for part in line.as_bytes().chunks(step) {
            provable.copy(part, &mut out);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_what_a_double_cannot_hold_exactly_of_numbers_in_json_is_left_out() {
        let cases = [
            (
                "0.9079670691005579\t{\"a\": 0.9079670691005579, \"b\": [1.5, 18446744073709551615, -1e-30, 2.5E7]}\t1e5\n",
                "0.9079670691005579\t{\"a\": ~, \"b\": [1.5, 18446744073709551615, ~, ~]}\t1e5\n",
            ),
            // Strings, with quotes and backslashes of their own, as they stand in a line.
            (
                "1\t{\"0.9079670691005579\": \"x\\\\\"1e5\", \"b\\\\\\\\\": 1e5, \"c\": [true, false, null]}\t\\N\n",
                "1\t{\"0.9079670691005579\": \"x\\\\\"1e5\", \"b\\\\\\\\\": ~, \"c\": [true, false, null]}\t\\N\n",
            ),
            ("1\t\\N\t2\n7\t1e5\t1e5\n", "1\t\\N\t2\n7\t~\t1e5\n"),
            (
                "1.10\t[1.10, 1.00, 0, 100, 1.0, -0.00012, 20.50]\t1.0\n",
                "1.10\t[1.1, 1.0, 0, 100, 1.0, ~, 20.5]\t1.0\n",
            ),
            (
                "1\t\"a\\tb\"\t\n2\t0.12345678901234567\t\n",
                "1\t\"a\\tb\"\t\n2\t~\t\n",
            ),
        ];
        for (line, expected) in cases {
            for step in [1, 2, 3, 7, 1000] {
                assert_eq!(provable(line, step), expected, "in steps of {step}");
            }
        }
        assert!(Provable::of(&[false, false].into()).is_none());
    }
}

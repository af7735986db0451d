//! Values as `LOAD DATA` reads them.

/// Writes a value with what `LOAD DATA` takes for an end or an escape escaped.
#[inline]
pub(super) fn put(mut value: &[u8], plain: bool, out: &mut Vec<u8>) {
    if plain {
        out.extend_from_slice(value);
        return;
    }
    while let Some(at) = special(value) {
        let (before, after) = value.split_at(at);
        out.extend_from_slice(before);
        let Some((byte, after)) = after.split_first() else {
            return;
        };
        let letter = match byte {
            b'\t' => b't',
            b'\n' => b'n',
            0 => b'0',
            other => *other,
        };
        out.extend_from_slice(&[b'\\', letter]);
        value = after;
    }
    out.extend_from_slice(value);
}

/// Where the first byte stands that needs an escape: a zero, a tab, a line's end or a backslash; a word at a time.
#[inline]
fn special(value: &[u8]) -> Option<usize> {
    const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let has_zero = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    let is_special = |byte: &u8| matches!(byte, 0 | b'\t' | b'\n' | b'\\');
    let (words, _) = value.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = has_zero(word)
            | has_zero(word ^ u64::from_ne_bytes([b'\t'; 8]))
            | has_zero(word ^ u64::from_ne_bytes([b'\n'; 8]))
            | has_zero(word ^ u64::from_ne_bytes([b'\\'; 8]));
        if found != 0 {
            let chunk = value.get(n * 8..)?;
            return Some(n * 8 + chunk.iter().position(is_special)?);
        }
    }
    let tail = words.len() * 8;
    let at = value.get(tail..)?.iter().position(is_special)?;
    Some(tail + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_that_needs_an_escape_is_found_wherever_it_stands() {
        for byte in 0..=255_u8 {
            for at in 0..20 {
                let mut value = vec![b'a'; 20];
                value[at] = byte;
                let expected = [0, b'\t', b'\n', b'\\'].contains(&byte).then_some(at);
                assert_eq!(special(&value), expected, "{byte} at {at}");
            }
        }
    }
}

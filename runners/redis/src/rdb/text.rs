//! Integers as the text they stand for, and text as scores.

/// An integer's decimal text, without an allocation.
pub(super) struct Decimal {
    bytes: [u8; 20],
    from: usize,
}

impl Decimal {
    pub(super) fn new(value: i64) -> Self {
        let mut bytes = [0; 20];
        let mut from = bytes.len();
        let mut rest = value.unsigned_abs();
        loop {
            from -= 1;
            bytes[from] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            from -= 1;
            bytes[from] = b'-';
        }
        Self { bytes, from }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.from..]
    }
}

/// A score as text has it: `1.5`, `-3`, `1e+30`, `inf`.
pub(super) fn score(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A score's bits, one pattern for each score: packed encodings turn -0 into 0, so it counts as that.
pub(super) fn score_bits(score: f64) -> u64 {
    if score == 0.0 {
        0
    } else if score.is_nan() {
        f64::NAN.to_bits()
    } else {
        score.to_bits()
    }
}

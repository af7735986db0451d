//! Figures for people.

use std::time::Duration;

/// `1.5 GiB`; three significant digits at most.
pub fn bytes(n_bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if n_bytes < 1024 {
        return format!("{n_bytes} B");
    }
    let mut value = n_bytes as f64 / 1024.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        // What would be shown as 1000 or more belongs to the next unit.
        if value < 999.5 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    match value {
        value if value < 9.995 => format!("{value:.2} {unit}"),
        value if value < 99.95 => format!("{value:.1} {unit}"),
        value => format!("{value:.0} {unit}"),
    }
}

/// `1 234 567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `850ms`, `12.3s`, `4m05s`, `2h07m`, `3d04h`.
pub fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{millis}ms"),
        1..60 => format!("{}.{}s", seconds, millis % 1000 / 100),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{:02}h", seconds / 86400, seconds % 86400 / 3600),
    }
}

/// Bytes per second over a time; 0 before any time has passed.
pub fn per_second(n_bytes: u64, time: Duration) -> u64 {
    match time.as_millis() {
        0 => 0,
        millis => u64::try_from(u128::from(n_bytes) * 1000 / millis).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn figures_are_short_and_exact_enough() {
        let sizes = [
            0,
            1023,
            1024,
            1536,
            10_239,
            102_399,
            1_023_999,
            5_000_000_000,
            u64::MAX,
        ];
        expect![
            "0 B, 1023 B, 1.00 KiB, 1.50 KiB, 10.0 KiB, 100 KiB, 0.98 MiB, 4.66 GiB, 16384 PiB"
        ]
        .assert_eq(&sizes.map(bytes).join(", "));
        let times = [
            0,
            850,
            1000,
            12_345,
            59_999,
            245_000,
            7_650_000,
            273_600_000,
        ];
        let times = times.map(|millis| duration(Duration::from_millis(millis)));
        expect!["0ms, 850ms, 1.0s, 12.3s, 59.9s, 4m05s, 2h07m, 3d04h"].assert_eq(&times.join(", "));
        expect!["0, 999, 1 000, 1 234 567"]
            .assert_eq(&[0, 999, 1000, 1_234_567].map(count).join(", "));
        assert_eq!(per_second(10, Duration::ZERO), 0);
        assert_eq!(per_second(u64::MAX, Duration::from_millis(1)), u64::MAX);
        assert_eq!(per_second(3000, Duration::from_millis(1500)), 2000);
    }
}

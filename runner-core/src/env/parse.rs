//! What texts mean: durations, sizes, switches, ports, URLs. An `Err` says what is expected.

use std::time::Duration;

/// `true`, `false`, `1`, `0`, `yes`, `no`, `on`, `off`, in any case.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// `500ms`, `60s`, `5m`, `1h30m`, `7d`; a plain number counts seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a duration such as 60s, 5m, 1h30m or 500ms".to_owned();
    if let Ok(n_seconds) = text.parse() {
        return Ok(Duration::from_secs(n_seconds));
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (number, unit, next) = number_and_unit(rest).ok_or_else(expected)?;
        let millis = match unit.to_ascii_lowercase().as_str() {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(expected()),
        };
        let part = number.checked_mul(millis).ok_or_else(expected)?;
        total = total
            .checked_add(Duration::from_millis(part))
            .ok_or_else(expected)?;
        rest = next;
    }
    if text.is_empty() {
        return Err(expected());
    }
    Ok(total)
}

/// `8MiB`, `8M`, `8MB` (a million each), `8388608`.
pub fn bytes(text: &str) -> Result<u64, String> {
    let expected = || "expected a size such as 8MiB, 64MB or a number of bytes".to_owned();
    if let Ok(n_bytes) = text.parse() {
        return Ok(n_bytes);
    }
    let (number, unit, rest) = number_and_unit(text).ok_or_else(expected)?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "b" => 1,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return Err(expected()),
    };
    match (number.checked_mul(factor), rest) {
        (Some(n_bytes), "") => Ok(n_bytes),
        _ => Err(expected()),
    }
}

/// A port; `tcp://host:port`, which Kubernetes injects as `DB_PORT` for a service named `db`, stands for its port.
pub fn port(text: &str) -> Result<u16, String> {
    let number = match text.strip_prefix("tcp://") {
        Some(address) => address.rsplit_once(':').map_or("", |(_, port)| port),
        None => text,
    };
    match number.parse() {
        Ok(0) | Err(_) => Err("expected a port from 1 to 65535".to_owned()),
        Ok(port) => Ok(port),
    }
}

/// A whole number within a range.
pub fn number(text: &str, range: std::ops::RangeInclusive<usize>) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            format!(
                "expected a number from {} to {}",
                range.start(),
                range.end()
            )
        })
}

/// The value that has this name, in any case.
pub fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let wanted = text.to_ascii_lowercase();
    choices
        .iter()
        .find(|(name, _)| name.to_ascii_lowercase() == wanted)
        .map(|(_, value)| *value)
        .ok_or_else(|| {
            let names = choices.iter().map(|(name, _)| *name).collect::<Vec<_>>();
            format!("expected {}", one_of(&names))
        })
}

/// An `http` or `https` URL without a login in it.
pub fn http_url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or("expected a URL such as https://host/path")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("expected a URL without a login in it".to_owned());
    }
    Ok(text.to_owned())
}

/// The text with the login of a URL in it masked.
pub fn without_userinfo(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // A login may itself hold any of these signs unescaped: cut at the last `@` of the whole.
    match rest[..end].rfind('@').or_else(|| rest.rfind('@')) {
        Some(at) => format!("{scheme}://***{}", &rest[at..]),
        None => text.to_owned(),
    }
}

/// `a, b or c`.
pub fn one_of(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn number_and_unit(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number = text[..digits].parse().ok()?;
    let unit = text[digits..].trim_start();
    let end = unit
        .find(|c: char| c.is_ascii_digit() || c == ' ')
        .unwrap_or(unit.len());
    Some((number, &unit[..end], unit[end..].trim_start()))
}

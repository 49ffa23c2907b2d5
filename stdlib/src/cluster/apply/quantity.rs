//! Quantities of resources (`500m`, `1Gi`, `1e3`), compared by size: the server stores them in its own words.

use std::cmp::Ordering;

use serde_json::Value;

/// Whether two values are quantities of one size.
pub(super) fn same_quantity(one: &Value, other: &Value) -> bool {
    match (quantity(one), quantity(other)) {
        (Some(one), Some(other)) => one.partial_cmp(&other) == Some(Ordering::Equal),
        _ => false,
    }
}

/// A quantity in billionths, the finest that Kubernetes knows.
fn quantity(value: &Value) -> Option<i128> {
    const UNITS: [(&str, i128); 16] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("Pi", 1 << 50),
        ("Ei", 1 << 60),
        ("n", -1_000_000_000),
        ("u", -1_000_000),
        ("m", -1_000),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
        ("P", 1_000_000_000_000_000),
        ("E", 1_000_000_000_000_000_000),
        ("", 1),
    ];
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    // `1e3`; but `1E` is an exa.
    let (mantissa, unit) = match text.find(['e', 'E']).filter(|at| at + 1 < text.len()) {
        Some(at) if text[at + 1..].parse::<i32>().is_ok() => {
            let exponent: i32 = text[at + 1..].parse().ok()?;
            let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
            (&text[..at], if exponent < 0 { -power } else { power })
        }
        _ => UNITS
            .iter()
            .find_map(|(unit, size)| text.strip_suffix(unit).map(|mantissa| (mantissa, *size)))?,
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !(is_number(whole) && is_number(fraction))
        || (whole.is_empty() && fraction.is_empty())
        || fraction.len() > 9
    {
        return None;
    }
    let scaled: i128 = format!("{whole}{fraction:0<9}").parse().ok()?;
    let scaled = if unit < 0 {
        if scaled % -unit != 0 {
            return None;
        }
        scaled / -unit
    } else {
        scaled.checked_mul(unit)?
    };
    Some(if negative { -scaled } else { scaled })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_compared_by_size() {
        for (one, other) in [
            (json!("1000m"), json!("1")),
            (json!("0.5"), json!("500m")),
            (json!(1), json!("1")),
            (json!("1Gi"), json!("1024Mi")),
            (json!("1e3"), json!("1k")),
            (json!("1.5Gi"), json!("1536Mi")),
            (json!("100M"), json!("0.1G")),
        ] {
            assert!(same_quantity(&one, &other), "{one} {other}");
        }
        for (one, other) in [
            (json!("1"), json!("1k")),
            (json!("x"), json!("x")),
            (json!("1Gi"), json!("1G")),
        ] {
            assert!(!same_quantity(&one, &other), "{one} {other}");
        }
    }
}

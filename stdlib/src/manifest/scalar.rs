//! What a plain scalar of a manifest means: as kubectl has it.
//!
//! kubectl and the API server read YAML with go-yaml v2, whose scalars are neither YAML 1.1's nor 1.2's. The rules were
//! compared with kubectl 1.20.2 word by word (`tests/builtins/yaml.rs`):
//! - `yes`, `no`, `on`, `off`, `y`, `n` are booleans (in three cases each: `yes`, `Yes`, `YES`), as are `true` and `false`;
//! - `~`, `null` and nothing at all are null;
//! - `0644` and `0o644` are octal, `0x1f` hexadecimal, `0b11` binary, `1_000` a thousand; `1:30` is a string;
//! - `08` is no octal number, so it is the float 8; `1e3` is 1000; `.5` is 0.5;
//! - `2001-01-01` and other dates are strings.

use serde_json::{Number, Value};

/// What a plain scalar without a tag means.
pub(super) fn resolve(text: &str) -> Value {
    if let Some(word) = word(text) {
        return word;
    }
    match text.as_bytes().first() {
        Some(b'.') => float(text).unwrap_or_else(|| text.into()),
        Some(b'+' | b'-' | b'0'..=b'9') => number(text).unwrap_or_else(|| text.into()),
        _ => text.into(),
    }
}

/// Whether a plain scalar is a boolean for kubectl and a string for YAML 1.2.
pub(super) fn is_old_boolean(text: &str) -> bool {
    matches!(word(text), Some(Value::Bool(_)))
        && !text.eq_ignore_ascii_case("true")
        && !text.eq_ignore_ascii_case("false")
}

fn word(text: &str) -> Option<Value> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        _ => return None,
    })
}

fn number(text: &str) -> Option<Value> {
    if is_date(text) {
        return None;
    }
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    integer(negative, digits).or_else(|| float(&plain))
}

fn integer(negative: bool, digits: &str) -> Option<Value> {
    let (digits, radix) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&digits[2..], 16),
        [b'0', b'o' | b'O', ..] => (&digits[2..], 8),
        [b'0', b'b' | b'B', ..] => (&digits[2..], 2),
        [b'0', _, ..] => (&digits[1..], 8),
        _ => (digits, 10),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let size = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        let value = i64::try_from(-i128::from(size)).ok()?;
        Some(value.into())
    } else {
        Some(size.into())
    }
}

/// `[-+]? ( . digits | digits [ . digits? ] ) [ e digits ]`.
fn float(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_is_right = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    if !(digits(whole) && digits(fraction) && exponent_is_right) || (whole.is_empty() && fraction.is_empty())
    {
        return None;
    }
    from_float(text.parse().ok()?)
}

/// A float without a fraction is an integer in JSON, as Go writes it.
fn from_float(value: f64) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it has no fraction and is below 2^53"
        )]
        return Some((value as i64).into());
    }
    Number::from_f64(value).map(Value::Number)
}

/// `2001-1-2`, with or without a time: a string, though it begins like a number.
fn is_date(text: &str) -> bool {
    let year = text.bytes().take_while(u8::is_ascii_digit).count();
    year == 4 && text.as_bytes().get(4) == Some(&b'-')
}

/// What a scalar with a tag of YAML's own means; `Err` says what it is not. An unknown tag makes a string.
pub(super) fn resolve_tagged(tag: &str, text: &str) -> Result<Value, String> {
    let value = resolve(text);
    let fits = match tag {
        "null" => value.is_null(),
        "bool" => value.is_boolean(),
        "int" => value.is_i64() || value.is_u64(),
        "float" => value.is_number(),
        "binary" => return Err("`!!binary` cannot be written as JSON: write the base64 text itself".into()),
        _ => return Ok(text.into()),
    };
    if fits {
        Ok(value)
    } else {
        Err(format!("`{text}` is no {tag}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_mean_what_kubectl_makes_of_them() {
        for (text, value) in [
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("y", json!(true)),
            ("yEs", json!("yEs")),
            ("", json!(null)),
            ("~", json!(null)),
            ("0644", json!(420)),
            ("0o644", json!(420)),
            ("-0644", json!(-420)),
            ("0x1f", json!(31)),
            ("0b11", json!(3)),
            ("1_000", json!(1000)),
            ("1:30", json!("1:30")),
            ("08", json!(8)),
            ("0", json!(0)),
            ("-0", json!(0)),
            ("+5", json!(5)),
            ("1e3", json!(1000)),
            (".5", json!(0.5)),
            ("1.", json!(1)),
            ("1.10", json!(1.1)),
            ("1.2.3", json!("1.2.3")),
            (".", json!(".")),
            ("-", json!("-")),
            ("--", json!("--")),
            ("1e", json!("1e")),
            ("0x", json!("0x")),
            ("2001-01-01", json!("2001-01-01")),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("v1", json!("v1")),
            ("100m", json!("100m")),
        ] {
            assert_eq!(resolve(text), value, "{text}");
        }
    }
}

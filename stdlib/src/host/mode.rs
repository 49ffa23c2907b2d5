//! Permission bits as playbooks write them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Permission bits: `"0644"`, or `0o644` in the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mode(pub(crate) u32);

/// What people write who forget that a number without `0o` is decimal.
const MEANT_AS_OCTAL: [u64; 19] = [
    400, 440, 444, 550, 555, 600, 640, 644, 660, 664, 666, 700, 711, 744, 750, 755, 770, 775, 777,
];

fn parse(value: &Value) -> Result<Mode, String> {
    let bits = match value {
        Value::String(text) => {
            let digits = text.trim().trim_start_matches("0o");
            u32::from_str_radix(digits, 8)
                .ok()
                .filter(|_| digits.bytes().all(|digit| digit.is_ascii_digit()))
                .ok_or_else(|| format!("`{text}` is no mode: write its octal digits, \"0644\""))?
        }
        Value::Number(number) => match number.as_u64() {
            Some(decimal) if MEANT_AS_OCTAL.contains(&decimal) => {
                return Err(format!(
                    "the number {decimal} is decimal: write \"{decimal:04}\" or 0o{decimal}"
                ));
            }
            Some(bits) => u32::try_from(bits).unwrap_or(u32::MAX),
            None => return Err(format!("{number} is no mode: write \"0644\" or 0o644")),
        },
        other => return Err(format!("{other} is no mode: write \"0644\" or 0o644")),
    };
    if bits > 0o7777 {
        return Err(format!("{value} is no mode: it has more than four octal digits"));
    }
    Ok(Mode(bits))
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(&Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for Mode {
    fn schema_name() -> Cow<'static, str> {
        "Mode".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"] })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn modes_are_octal() {
        for value in [json!("0644"), json!("644"), json!("0o644"), json!(0o644)] {
            assert_eq!(parse(&value), Ok(Mode(0o644)), "{value}");
        }
        assert_eq!(
            parse(&json!(644)).unwrap_err(),
            "the number 644 is decimal: write \"0644\" or 0o644"
        );
        for value in [
            json!("0888"),
            json!("u+x"),
            json!("+644"),
            json!(-1),
            json!(1 << 20),
            json!(true),
        ] {
            assert!(parse(&value).is_err(), "{value}");
        }
    }
}

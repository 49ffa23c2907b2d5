//! Which status of an answer is a success.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The expected statuses: `200`, `"200-299"`, `"2xx"`, `"any"`, or a list of such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expect(Vec<(u16, u16)>);

impl Default for Expect {
    fn default() -> Self {
        Self(vec![(200, 399)])
    }
}

impl Expect {
    pub(super) fn allows(&self, status: u16) -> bool {
        self.0
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&status))
    }

    /// `200, 300-399`.
    pub(super) fn shown(&self) -> String {
        let ranges: Vec<String> = self
            .0
            .iter()
            .map(|(first, last)| {
                if first == last {
                    first.to_string()
                } else {
                    format!("{first}-{last}")
                }
            })
            .collect();
        ranges.join(", ")
    }
}

fn parse(value: &Value, ranges: &mut Vec<(u16, u16)>) -> Result<(), String> {
    let wrong =
        || format!("{value} is no status: write 200, \"200-299\", \"2xx\", \"any\", or a list of such");
    let range = match value {
        Value::Array(items) if !items.is_empty() => {
            return items.iter().try_for_each(|item| match item {
                Value::Array(_) => Err(wrong()),
                item => parse(item, ranges),
            });
        }
        Value::Number(number) => {
            let status = number
                .as_u64()
                .and_then(|status| u16::try_from(status).ok())
                .ok_or_else(wrong)?;
            (status, status)
        }
        Value::String(text) => parse_text(text.trim()).ok_or_else(wrong)?,
        _ => return Err(wrong()),
    };
    if range.0 < 100 || range.1 > 599 || range.0 > range.1 {
        return Err(wrong());
    }
    ranges.push(range);
    Ok(())
}

fn parse_text(text: &str) -> Option<(u16, u16)> {
    if text == "any" {
        return Some((100, 599));
    }
    if let Some(hundred) = text.to_ascii_lowercase().strip_suffix("xx") {
        let hundred: u16 = hundred.parse().ok().filter(|hundred| (1..=5).contains(hundred))?;
        return Some((hundred * 100, hundred * 100 + 99));
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
}

impl<'de> Deserialize<'de> for Expect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut ranges = Vec::new();
        parse(&Value::deserialize(deserializer)?, &mut ranges).map_err(D::Error::custom)?;
        Ok(Self(ranges))
    }
}

impl JsonSchema for Expect {
    fn schema_name() -> Cow<'static, str> {
        "Expect".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string", "array"] })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn statuses_are_numbers_ranges_and_classes() {
        let expect = |value| serde_json::from_value::<Expect>(value).unwrap();
        assert_eq!(expect(json!(404)).shown(), "404");
        assert_eq!(
            expect(json!([200, "300-302", "4xx"])).shown(),
            "200, 300-302, 400-499"
        );
        assert!(expect(json!("any")).allows(503) && Expect::default().allows(304));
        assert!(!Expect::default().allows(404));
        for wrong in [
            json!([]),
            json!(99),
            json!("600"),
            json!("9xx"),
            json!("300-200"),
            json!("ok"),
            json!(true),
            json!([[200]]),
        ] {
            assert!(
                serde_json::from_value::<Expect>(wrong.clone()).is_err(),
                "{wrong}"
            );
        }
    }
}

//! An argument that is one word or a list of words.

use std::borrow::Cow;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::Value;

/// `"a"` or `["a", "b"]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

impl Deref for Words {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let wrong =
            |value: &Value| D::Error::custom(format!("expected a string or a list of strings, not {value}"));
        let word = |value: Value| match value {
            Value::String(text) if !text.trim().is_empty() => Ok(text),
            other => Err(wrong(&other)),
        };
        match value {
            Value::Array(items) => items.into_iter().map(word).collect::<Result<_, _>>().map(Self),
            Value::Null => Ok(Self::default()),
            other => word(other).map(|text| Self(vec![text])),
        }
    }
}

impl JsonSchema for Words {
    fn schema_name() -> Cow<'static, str> {
        "Words".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" } },
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn one_or_many() {
        assert_eq!(from_value::<Words>(json!("a")).unwrap().0, ["a"]);
        assert_eq!(from_value::<Words>(json!(["a", "b"])).unwrap().0, ["a", "b"]);
        for wrong in [json!(""), json!(1), json!([["a"]]), json!({ "a": 1 })] {
            assert!(from_value::<Words>(wrong).is_err());
        }
    }
}

//! Flags for a component, as a playbook writes them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value, json};

/// Flags of a component without their dashes, in order: a map `#{ v: 4, "feature-gates": "X=true" }`, or a list
/// `[#{ name: "v", value: "4" }]`. A flag may come twice: twice in the list, or with a list of values in the map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtraArgs(Vec<(String, String)>);

impl ExtraArgs {
    /// The flags with their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first value of a flag.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// Adds a flag.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// Takes a flag out; its first value.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let mut found = None;
        self.0.retain_mut(|(known, value)| {
            let keep = known != name;
            if !keep && found.is_none() {
                found = Some(std::mem::take(value));
            }
            keep
        });
        found
    }

    /// A flag that comes more than once.
    pub fn repeated(&self) -> Option<&str> {
        self.iter()
            .enumerate()
            .find(|(i, (name, _))| self.0[..*i].iter().any(|(other, _)| other == name))
            .map(|(_, (name, _))| name)
    }

    /// The form of the API versions up to v1beta3; the last of several values of a flag wins.
    pub fn as_map(&self) -> Value {
        let map: Map<String, Value> = self
            .iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        Value::Object(map)
    }

    /// The form of v1beta4.
    pub fn as_list(&self) -> Value {
        self.iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect()
    }

    /// Reads either form.
    pub fn from_json(value: &Value) -> Result<Self, String> {
        let mut args = Self::default();
        match value {
            Value::Null => {}
            Value::Object(map) => {
                for (name, value) in map {
                    match value {
                        Value::Array(values) => {
                            for value in values {
                                args.push(flag(name)?, scalar(name, value)?);
                            }
                        }
                        value => args.push(flag(name)?, scalar(name, value)?),
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    let name = item.get("name").and_then(Value::as_str);
                    let (Some(name), Some(value)) = (name, item.get("value")) else {
                        return Err(format!("{item} is not of the form #{{ name: …, value: … }}"));
                    };
                    args.push(flag(name)?, scalar(name, value)?);
                }
            }
            other => return Err(format!("{other} is neither a map of flags nor a list of them")),
        }
        Ok(args)
    }
}

fn flag(name: &str) -> Result<&str, String> {
    if name.is_empty() || name.contains(['=', ' ']) {
        return Err(format!(
            "{name:?} is no flag: write its name without dashes, and its value apart"
        ));
    }
    // Dashes are what people copy along; kubeadm would write `----v`.
    Ok(name.trim_start_matches('-'))
}

fn scalar(name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        other => Err(format!(
            "the value of the flag {name} is {other}: a text, a number or a truth value is needed"
        )),
    }
}

impl<'de> Deserialize<'de> for ExtraArgs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(&Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for ExtraArgs {
    fn schema_name() -> Cow<'static, str> {
        "ExtraArgs".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "array"]}},
                {"type": "array", "items": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "value": {"type": ["string", "number", "boolean"]}},
                    "required": ["name", "value"],
                }},
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn maps_and_lists_are_the_same() {
        let map = ExtraArgs::from_json(&json!({"v": 4, "--audit": true, "x": ["1", "2"]})).unwrap();
        let list = json!([
            {"name": "v", "value": "4"}, {"name": "audit", "value": "true"},
            {"name": "x", "value": 1}, {"name": "x", "value": "2"},
        ]);
        assert_eq!(map, ExtraArgs::from_json(&list).unwrap());
        assert_eq!(map.repeated(), Some("x"));
        assert_eq!(map.as_map(), json!({"v": "4", "audit": "true", "x": "2"}));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            json!("v=4"),
            json!({"v=4": 1}),
            json!([{"name": "v"}]),
            json!({"v": {}}),
            json!({"": 1}),
        ] {
            assert!(ExtraArgs::from_json(&bad).is_err(), "{bad}");
        }
    }
}

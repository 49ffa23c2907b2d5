//! Label selectors: as users write them, as the API takes them, and matched here.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Map, Value};

/// `app=web,tier in (a,b),!old`, or a map of labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    Absent,
}

impl Selector {
    /// Reads kubectl's notation.
    ///
    /// # Errors
    /// Says what is not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let requirements = split_at_commas(text)
            .into_iter()
            .map(|piece| {
                Requirement::parse(piece).ok_or_else(|| {
                    format!(
                        "`{}` is no label selector; write `app=web`, `app!=web`, `app in (a,b)`, `app` or `!app`, joined by commas",
                        piece.trim()
                    )
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        if requirements.is_empty() {
            return Err("an empty label selector selects everything: leave it out".to_owned());
        }
        Ok(Self { requirements })
    }

    /// Selects everything.
    pub(crate) fn anything() -> Self {
        Self {
            requirements: Vec::new(),
        }
    }

    /// The selector of a workload's `spec.selector` (`matchLabels` and `matchExpressions`), or of a Service's or
    /// ReplicationController's (a plain map); `None` when there is none.
    pub fn of_spec(selector: &Value) -> Option<Self> {
        let map = selector.as_object()?;
        let labels = match (map.get("matchLabels"), map.get("matchExpressions")) {
            (None, None) => Some(map),
            (labels, _) => labels.and_then(Value::as_object),
        };
        let mut requirements: Vec<Requirement> =
            labels.into_iter().flatten().map(Requirement::equal).collect();
        for expression in map
            .get("matchExpressions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            requirements.push(Requirement::of_expression(expression)?);
        }
        (!requirements.is_empty()).then_some(Self { requirements })
    }

    /// Whether an object's labels satisfy it.
    pub fn matches(&self, labels: &Value) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = labels.get(&requirement.key).and_then(Value::as_str);
            let listed = value.is_some_and(|value| requirement.values.iter().any(|known| known == value));
            match requirement.operator {
                Operator::In => listed,
                Operator::NotIn => !listed,
                Operator::Exists => value.is_some(),
                Operator::Absent => value.is_none(),
            }
        })
    }
}

impl Requirement {
    fn parse(piece: &str) -> Option<Self> {
        let piece = piece.trim();
        let make = |key: &str, operator, values: Vec<String>| {
            let key = key.trim();
            is_word(key).then(|| Self {
                key: key.to_owned(),
                operator,
                values,
            })
        };
        if let Some(key) = piece.strip_prefix('!') {
            return make(key, Operator::Absent, Vec::new());
        }
        if let Some((head, list)) = piece.split_once('(') {
            let values: Vec<String> = list
                .strip_suffix(')')?
                .split(',')
                .map(|value| value.trim().to_owned())
                .collect();
            let (key, operator) = head.trim().rsplit_once(char::is_whitespace)?;
            let operator = match operator {
                "in" => Operator::In,
                "notin" => Operator::NotIn,
                _ => return None,
            };
            return values
                .iter()
                .all(|value| is_value(value))
                .then(|| make(key, operator, values))?;
        }
        let (key, operator, value) = if let Some((key, value)) = piece.split_once("!=") {
            (key, Operator::NotIn, value)
        } else if let Some((key, value)) = piece.split_once("==").or_else(|| piece.split_once('=')) {
            (key, Operator::In, value)
        } else {
            return make(piece, Operator::Exists, Vec::new());
        };
        let value = value.trim();
        is_value(value).then(|| make(key, operator, vec![value.to_owned()]))?
    }

    fn equal((key, value): (&String, &Value)) -> Self {
        Self {
            key: key.clone(),
            operator: Operator::In,
            values: vec![plain(value)],
        }
    }

    fn of_expression(expression: &Value) -> Option<Self> {
        let operator = match expression["operator"].as_str()? {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::Absent,
            _ => return None,
        };
        let values = expression["values"].as_array().into_iter().flatten();
        Some(Self {
            key: expression["key"].as_str()?.to_owned(),
            operator,
            values: values.filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }
}

/// Strings as they are, other scalars as JSON writes them.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A label's key, perhaps with a prefix.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'))
}

/// A label's value: may be empty.
fn is_value(text: &str) -> bool {
    text.is_empty() || (is_word(text) && !text.contains('/'))
}

/// At commas that are in no brackets.
fn split_at_commas(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut depth, mut start) = (0i32, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                pieces.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !text.trim().is_empty() {
        pieces.push(&text[start..]);
    }
    pieces
}

/// As the API takes it.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (
            index,
            Requirement {
                key,
                operator,
                values,
            },
        ) in self.requirements.iter().enumerate()
        {
            if index > 0 {
                f.write_str(",")?;
            }
            match (operator, values.as_slice()) {
                (Operator::In, [value]) => write!(f, "{key}={value}")?,
                (Operator::NotIn, [value]) => write!(f, "{key}!={value}")?,
                (Operator::In, values) => write!(f, "{key} in ({})", values.join(","))?,
                (Operator::NotIn, values) => write!(f, "{key} notin ({})", values.join(","))?,
                (Operator::Exists, _) => f.write_str(key)?,
                (Operator::Absent, _) => write!(f, "!{key}")?,
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Self::parse(&text).map_err(D::Error::custom),
            Value::Object(map) => of_map(&map).map_err(D::Error::custom),
            other => Err(D::Error::custom(format!(
                "a label selector is a string or a map of labels, not {other}"
            ))),
        }
    }
}

fn of_map(map: &Map<String, Value>) -> Result<Selector, String> {
    for (key, value) in map {
        if !is_word(key) || !matches!(value, Value::String(_) | Value::Bool(_) | Value::Number(_)) {
            return Err(format!(
                "`{key}: {value}` is no label; a selector's map is of names to words"
            ));
        }
    }
    Selector::of_spec(&Value::Object(map.clone()))
        .ok_or_else(|| "an empty label selector selects everything: leave it out".to_owned())
}

impl JsonSchema for Selector {
    fn schema_name() -> Cow<'static, str> {
        "Selector".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string" },
                { "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } },
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_are_read_shown_and_matched() {
        let labels = json!({ "app": "web", "tier": "front", "app.kubernetes.io/name": "x" });
        for (text, shown, matches) in [
            ("app=web", "app=web", true),
            ("app == web , tier!=back", "app=web,tier!=back", true),
            ("app in (web, api),!old", "app in (web,api),!old", true),
            ("app notin (web,api)", "app notin (web,api)", false),
            (
                "app.kubernetes.io/name=x,tier",
                "app.kubernetes.io/name=x,tier",
                true,
            ),
            ("missing", "missing", false),
            ("missing!=x", "missing!=x", true),
            (
                "node-role.kubernetes.io/master=",
                "node-role.kubernetes.io/master=",
                false,
            ),
        ] {
            let selector = Selector::parse(text).unwrap();
            assert_eq!(selector.to_string(), shown);
            assert_eq!(selector.matches(&labels), matches, "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in ["", "=x", "a b", "a in x", "a in (x", "a=b=c", "a,,b", "a=x/y"] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
        assert!(serde_json::from_value::<Selector>(json!(["a"])).is_err());
        assert!(serde_json::from_value::<Selector>(json!({ "a": ["b"] })).is_err());
    }

    #[test]
    fn maps_and_specs_are_selectors() {
        let map: Selector = serde_json::from_value(json!({ "app": "web", "n": 1 })).unwrap();
        assert_eq!(map.to_string(), "app=web,n=1");
        let spec = json!({ "matchLabels": { "a": "b" }, "matchExpressions": [{ "key": "c", "operator": "Exists" }] });
        assert_eq!(Selector::of_spec(&spec).unwrap().to_string(), "a=b,c");
        assert_eq!(Selector::of_spec(&json!({})), None);
        assert_eq!(Selector::of_spec(&Value::Null), None);
    }
}

//! Labels and annotations: what `label`, `annotate` and `namespace` share.

use futures::FutureExt;
use psprun_engine::StepError;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::object;
use super::requests::{Patch, Requests, each, never};
use super::scope::Scope;

/// How many objects are patched at once.
const AT_ONCE: usize = 16;

/// The objects, and which of them were changed.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Changed {
    /// The objects as they are now, those that were so already included.
    pub(crate) items: Vec<Value>,
    /// Those that this step changed: `node master`.
    pub(crate) changed: Vec<String>,
}

impl Changed {
    /// `2 of 3 nodes changed`.
    pub(crate) fn summary(&self, scope: &Scope) -> String {
        let (changed, all) = (self.changed.len(), self.items.len());
        match (changed, all) {
            (_, 0) => format!("no {}", scope.show()),
            (0, _) => "all as asked for".to_owned(),
            (1, 1) => format!("{} changed", self.changed[0]),
            _ => format!("{changed} of {all} {} changed", scope.kind.resource.plural),
        }
    }
}

/// Labels or annotations as the API takes them: words; `()` removes one.
///
/// # Errors
/// A value is a list or a map.
pub(crate) fn words(field: &str, values: &Map<String, Value>) -> Result<Map<String, Value>, StepError> {
    if values.is_empty() {
        return Err(StepError::new(
            "psprun::cluster::arguments",
            format!("`{field}` is empty: nothing to set or to remove"),
        ));
    }
    values
        .iter()
        .map(|(key, value)| {
            let word = match value {
                Value::String(_) | Value::Null => value.clone(),
                Value::Bool(_) | Value::Number(_) => Value::from(value.to_string()),
                Value::Array(_) | Value::Object(_) => {
                    return Err(StepError::new(
                        "psprun::cluster::arguments",
                        format!("the value of {key:?} in `{field}` is no string: {value}"),
                    )
                    .help("values are words; write a list or a map as text, with `.to_json()`"));
                }
            };
            Ok((key.clone(), word))
        })
        .collect()
}

/// What of these words an object does not have yet.
pub(crate) fn missing(object: &Value, field: &str, words: &Map<String, Value>) -> Map<String, Value> {
    words
        .iter()
        .filter(|(key, wanted)| {
            object["metadata"][field]
                .get(key.as_str())
                .unwrap_or(&Value::Null)
                != *wanted
        })
        .map(|(key, wanted)| (key.clone(), wanted.clone()))
        .collect()
}

/// Sets and removes labels or annotations of all objects of a scope.
pub(crate) async fn set(
    requests: &Requests,
    scope: &Scope,
    field: &str,
    words: &Map<String, Value>,
) -> Result<Changed, StepError> {
    let objects = requests.find(scope).await?;
    let results = each(objects, AT_ONCE, |object| {
        async move {
            let missing = missing(&object, field, words);
            if missing.is_empty() {
                return Ok((object, false));
            }
            let patch = Patch::Merge(json!({ "metadata": { field: missing } }));
            let after = requests.patch(&scope.kind, &object, &patch, None, never).await?;
            Ok((after.unwrap_or(object), true))
        }
        .boxed()
    })
    .await?;
    let changed = results
        .iter()
        .filter(|(_, changed)| *changed)
        .map(|(object, _)| object::show(object))
        .collect();
    let items = results.into_iter().map(|(object, _)| object).collect();
    Ok(Changed { items, changed })
}

/// `a=b c=d, without e` for the graph.
pub(crate) fn show_words(args: &Value, field: &str) -> String {
    use psprun_engine::builtin::show_short;
    let Some(values) = args.get(field) else {
        return String::new();
    };
    let Some(map) = values.as_object() else {
        return show_short(values);
    };
    let (removed, set): (Vec<_>, Vec<_>) = map.iter().partition(|(_, value)| value.is_null());
    let set: Vec<String> = set
        .into_iter()
        .map(|(key, value)| format!("{key}={}", show_short(value)))
        .collect();
    let mut text = set.join(" ");
    if !removed.is_empty() {
        let keys: Vec<&str> = removed.into_iter().map(|(key, _)| key.as_str()).collect();
        let comma = if text.is_empty() { "" } else { ", " };
        text.push_str(&format!("{comma}without {}", keys.join(", ")));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn only_what_differs_is_patched() {
        let node = json!({ "metadata": { "labels": { "a": "1", "b": "2" } } });
        let words = words("labels", &map(json!({ "a": 1, "b": "3", "c": null, "d": "" }))).unwrap();
        assert_eq!(
            missing(&node, "labels", &words),
            map(json!({ "b": "3", "d": "" }))
        );
        assert_eq!(
            missing(&json!({}), "labels", &map(json!({ "x": null }))),
            Map::new()
        );
    }

    #[test]
    fn values_are_words() {
        assert!(words("labels", &map(json!({ "a": [1] }))).is_err());
        assert!(words("labels", &Map::new()).is_err());
        assert_eq!(
            words("labels", &map(json!({ "a": true }))).unwrap(),
            map(json!({ "a": "true" }))
        );
    }

    #[test]
    fn the_graph_shows_what_is_set_and_removed() {
        assert_eq!(
            show_words(&json!({ "labels": { "a": "b", "c": null } }), "labels"),
            "a=b, without c"
        );
        assert_eq!(
            show_words(&json!({ "labels": "${x.labels}" }), "labels"),
            "${x.labels}"
        );
    }
}

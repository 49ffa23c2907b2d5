//! YAML documents as JSON values: reading, writing, merging.

use psprun_engine::StepError;
use serde_json::{Map, Value};

use crate::manifest::{Manifest, to_yaml_documents};

/// Reads the documents of a YAML text; empty ones are left out. Of a key that comes twice the last wins, as for
/// kubeadm.
///
/// # Errors
/// The text is no YAML.
pub fn parse(what: &str, text: &str) -> Result<Vec<Value>, StepError> {
    let manifest = Manifest::read(what, text)?;
    Ok(manifest
        .documents
        .into_iter()
        .map(|document| document.value)
        .collect())
}

/// The documents as one YAML text.
///
/// # Errors
/// A value that YAML cannot hold (there is none in JSON).
pub fn write(documents: &[Value]) -> Result<String, StepError> {
    to_yaml_documents(documents).map_err(|error| {
        StepError::new(
            "psprun::kubeadm::yaml",
            format!("the configuration is no YAML: {error}"),
        )
    })
}

/// Puts a value at a path of object keys; the objects on the way are made.
pub fn put(object: &mut Map<String, Value>, path: &[&str], value: Value) {
    match path {
        [] => {}
        [last] => {
            object.insert((*last).to_owned(), value);
        }
        [first, rest @ ..] => {
            let inner = object.entry(*first).or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// Merges objects: a key of `from` that `into` has too must be an object in both, or equal.
///
/// # Errors
/// The path of a key that they have with different values.
pub fn merge(into: &mut Map<String, Value>, from: &Map<String, Value>) -> Result<(), String> {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (None, value) => {
                into.insert(key.clone(), value.clone());
            }
            (Some(Value::Object(into)), Value::Object(from)) => {
                merge(into, from).map_err(|path| format!("{key}.{path}"))?;
            }
            (Some(into), value) if into == value => {}
            (Some(_), _) => return Err(key.clone()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_go_both_ways() {
        let documents = vec![
            json!({"a": {"b": ["0.0.0.0", true, 1, "1.20", "yes", "24h0m0s"]}}),
            json!({"c": null}),
        ];
        let text = write(&documents).unwrap();
        assert_eq!(parse("x", &text).unwrap(), documents);
        assert_eq!(
            parse("x", "a: 1\na: 2\n---\n# nothing\n---\nb: 1\n").unwrap(),
            [json!({"a": 2}), json!({"b": 1})]
        );
        assert!(
            parse("the text", "a: [")
                .unwrap_err()
                .at
                .unwrap_or_default()
                .starts_with("the text:")
        );
    }

    #[test]
    fn merging_names_the_conflict() {
        let mut into = json!({"a": {"b": 1, "c": 2}}).as_object().unwrap().clone();
        merge(
            &mut into,
            json!({"a": {"b": 1, "d": 3}, "e": []}).as_object().unwrap(),
        )
        .unwrap();
        assert_eq!(
            Value::Object(into.clone()),
            json!({"a": {"b": 1, "c": 2, "d": 3}, "e": []})
        );
        assert_eq!(
            merge(&mut into, json!({"a": {"c": 3}}).as_object().unwrap()),
            Err("a.c".to_owned())
        );
    }
}

//! Keeps secrets out of everything that leaves a run.

use std::sync::RwLock;

use serde_json::Value;

/// What a secret is shown as.
pub const MASK: &str = "***";

/// Shorter values are not masked: the mask would tear up unrelated text and tell more than it hides.
const SHORTEST: usize = 4;

/// The values that must not be shown.
#[derive(Debug, Default)]
pub struct Secrets {
    // Longest first, so that a secret inside another does not leave the other's rest in clear.
    values: RwLock<Vec<String>>,
}

impl Secrets {
    /// From now on this value is masked, and each of its lines: a command's output is masked line by line.
    pub fn add(&self, value: &str) {
        let Ok(mut values) = self.values.write() else {
            return;
        };
        for part in std::iter::once(value).chain(value.lines()) {
            let part = part.trim();
            if part.len() < SHORTEST {
                continue;
            }
            // What the value becomes inside a JSON string, too.
            let quoted = Value::from(part).to_string();
            for form in [part, &quoted[1..quoted.len() - 1]] {
                if !values.iter().any(|known| known == form) {
                    values.push(form.to_owned());
                }
            }
        }
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    }

    /// Whether there is nothing to mask.
    pub fn is_empty(&self) -> bool {
        self.values.read().map_or(true, |values| values.is_empty())
    }

    /// Whether a text holds a secret.
    pub fn found_in(&self, text: &str) -> bool {
        self.values
            .read()
            .is_ok_and(|values| values.iter().any(|value| text.contains(value.as_str())))
    }

    /// The text with every secret replaced by [`MASK`].
    pub fn mask(&self, text: &mut String) {
        let Ok(values) = self.values.read() else { return };
        for value in values.iter() {
            if text.contains(value.as_str()) {
                *text = text.replace(value.as_str(), MASK);
            }
        }
    }

    /// Masks every string of a value, keys included.
    pub fn mask_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.mask(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_value(item)),
            Value::Object(map) => {
                if map.keys().any(|key| self.found_in(key)) {
                    *map = std::mem::take(map)
                        .into_iter()
                        .map(|(mut key, value)| {
                            self.mask(&mut key);
                            (key, value)
                        })
                        .collect();
                }
                map.values_mut().for_each(|item| self.mask_value(item));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_values_lines_and_json_forms() {
        let secrets = Secrets::default();
        secrets.add("first\"line\nsecond line");
        let mut value = serde_json::json!({"a": ["x second line y"], "first\"line": 1});
        secrets.mask_value(&mut value);
        assert_eq!(value, serde_json::json!({"a": ["x *** y"], "***": 1}));
        let mut json = serde_json::json!({"key": "first\"line"}).to_string();
        secrets.mask(&mut json);
        assert_eq!(json, r#"{"key":"***"}"#);
    }

    #[test]
    fn leaves_short_values_alone() {
        let secrets = Secrets::default();
        secrets.add("abc");
        assert!(secrets.is_empty());
    }
}

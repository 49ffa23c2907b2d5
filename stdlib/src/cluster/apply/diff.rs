//! What a change did to an object, as people read it.

use serde_json::{Map, Value};

use crate::manifest::to_yaml;

/// What the server keeps for itself, and changes with every write.
const NOISE: [&str; 7] = [
    "managedFields",
    "resourceVersion",
    "generation",
    "uid",
    "selfLink",
    "creationTimestamp",
    "deletionTimestamp",
];

/// Lines that differ between two states of an object, with three lines around them; the values of secrets are masked.
pub(super) fn diff(title: &str, before: &Value, after: &Value) -> String {
    let (mut before, mut after) = (clean(before), clean(after));
    mask(&mut before, &mut after);
    let (before, after) = (sorted(before), sorted(after));
    let yaml = |value: &Value| to_yaml(value).unwrap_or_default();
    let (before, after) = (yaml(&before), yaml(&after));
    let diff = similar::TextDiff::from_lines(&before, &after);
    let mut text = format!("~ {title}\n");
    let lines = diff.unified_diff().context_radius(3).to_string();
    if lines.is_empty() {
        text.push_str("  (only to whom its fields belong)\n");
    }
    for line in lines
        .lines()
        .filter(|line| *line != "\\ No newline at end of file")
    {
        text.push_str("  ");
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn clean(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            for name in NOISE {
                metadata.remove(name);
            }
            let annotations = metadata.get_mut("annotations").and_then(Value::as_object_mut);
            if let Some(annotations) = annotations {
                annotations.remove(super::three_way::LAST_APPLIED);
            }
        }
    }
    object
}

/// The values of a Secret tell only whether they changed.
fn mask(before: &mut Value, after: &mut Value) {
    if after["kind"] != "Secret" && before["kind"] != "Secret" {
        return;
    }
    for field in ["data", "stringData"] {
        let old = before[field].clone();
        for (name, value) in after
            .get_mut(field)
            .and_then(Value::as_object_mut)
            .into_iter()
            .flatten()
        {
            let same = old.get(name.as_str()) == Some(value);
            *value = if same { "***" } else { "*** (changed)" }.into();
        }
        for value in before
            .get_mut(field)
            .and_then(Value::as_object_mut)
            .into_iter()
            .flat_map(Map::values_mut)
        {
            *value = "***".into();
        }
    }
}

/// The server's order of keys is not the same in lists and single objects.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> =
                map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_diff_shows_what_changed_and_no_more() {
        let before = json!({"kind": "X", "metadata": {"name": "a", "resourceVersion": "1"}, "spec": {"b": 1, "a": [1]}, "status": {"x": 1}});
        let after = json!({"metadata": {"resourceVersion": "2", "name": "a"}, "kind": "X", "spec": {"a": [1], "b": 2}});
        assert_eq!(
            diff("X a", &before, &after),
            "~ X a\n  @@ -4,4 +4,4 @@\n   spec:\n     a:\n     - 1\n  -  b: 1\n  +  b: 2\n"
        );
    }

    #[test]
    fn secrets_are_masked() {
        let secret = |a: &str, b: &str| json!({"kind": "Secret", "data": {"a": a, "b": b}});
        let text = diff(
            "Secret s",
            &secret("b2xk", "c2FtZQ=="),
            &secret("bmV3", "c2FtZQ=="),
        );
        assert!(
            text.contains("-  a: '***'\n") || text.contains("-  a: ***\n"),
            "{text}"
        );
        assert!(text.contains("(changed)"), "{text}");
        for value in ["b2xk", "bmV3", "c2FtZQ"] {
            assert!(!text.contains(value), "{text}");
        }
    }
}

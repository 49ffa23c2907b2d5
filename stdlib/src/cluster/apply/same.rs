//! Whether an object on the server is already as a manifest wants it, so that nothing need be written.
//!
//! With server-side apply that means two things: the fields that the server remembers as ours (`metadata.managedFields`
//! of manager `psprun`) are exactly those of the manifest, and each of them has the manifest's value. The server stores
//! values in its own words, and these are the same:
//! - what is false, empty, zero or null may be absent (Go's `omitempty`), and the other way round;
//! - quantities: `1000m` and `1`, `0.5` and `500m`;
//! - numbers: `1` and `1.0`;
//! - what the server adds (defaults) does not matter.
//!
//! An empty map leaves no trace in the managed fields (seen on 1.20), an empty list does.

use serde_json::{Map, Value};

use super::quantity::same_quantity;
use crate::cluster::requests::FIELD_MANAGER;

/// Whether server-side apply of `wanted` would change nothing.
pub(super) fn is_applied(live: &Value, wanted: &Value) -> bool {
    let entry = live["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|entry| {
            entry["manager"] == FIELD_MANAGER
                && entry["operation"] == "Apply"
                && entry["apiVersion"] == wanted["apiVersion"]
                && entry
                    .get("subresource")
                    .is_none_or(|subresource| subresource == "")
        });
    // The server forgets a manager without fields: of a namespace that says no more than its name.
    let nothing = Map::new();
    let owned = entry
        .and_then(|entry| entry["fieldsV1"].as_object())
        .unwrap_or(&nothing);
    let Some(wanted) = wanted.as_object() else {
        return false;
    };
    let mut seen = 0;
    for (name, value) in wanted {
        if name == "apiVersion" || name == "kind" {
            continue;
        }
        let field = owned.get(&format!("f:{name}"));
        seen += usize::from(field.is_some());
        let agrees = if name == "metadata" {
            let mut metadata = value.clone();
            if let Some(metadata) = metadata.as_object_mut() {
                metadata.remove("name");
                metadata.remove("namespace");
            }
            agrees(&metadata, live.get(name), field, &Place::default().inside(name))
        } else {
            agrees(value, live.get(name), field, &Place::default().inside(name))
        };
        if !agrees {
            return false;
        }
    }
    seen == owned.len()
}

/// Where in an object: whether a string there may be a quantity.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    depth: u32,
    free_text: bool,
    quantity: bool,
}

impl Place {
    /// One level further down.
    pub(super) fn inside(self, name: &str) -> Self {
        const QUANTITIES: [&str; 14] = [
            "resources",
            "limits",
            "requests",
            "hard",
            "capacity",
            "overhead",
            "sizeLimit",
            "divisor",
            "default",
            "defaultRequest",
            "maxLimitRequestRatio",
            "averageValue",
            "targetAverageValue",
            "storage",
        ];
        Self {
            depth: self.depth + 1,
            // What is in there is never rewritten by the server.
            free_text: self.free_text
                || (self.depth == 0 && ["metadata", "data", "stringData"].contains(&name)),
            quantity: self.quantity || QUANTITIES.contains(&name) || name == "min" || name == "max",
        }
    }
}

fn agrees(ours: &Value, live: Option<&Value>, owned: Option<&Value>, place: &Place) -> bool {
    let owned_fields = owned.and_then(Value::as_object);
    match (ours, owned_fields) {
        // Nothing of it is ours: only what leaves no trace may be.
        (_, None) => is_nothing(ours) && live.is_none_or(|live| is_nothing(live) || live.is_object()),
        // The whole value is ours.
        (_, Some(owned)) if owned.is_empty() => holds(live, ours, place),
        (Value::Object(ours), Some(owned)) => {
            let mut seen = usize::from(owned.contains_key("."));
            for (name, value) in ours {
                let field = owned.get(&format!("f:{name}"));
                seen += usize::from(field.is_some());
                if !agrees(
                    value,
                    live.and_then(|live| live.get(name)),
                    field,
                    &place.inside(name),
                ) {
                    return false;
                }
            }
            seen == owned.len()
        }
        (Value::Array(ours), Some(owned)) => items_agree(ours, live, owned, place),
        _ => false,
    }
}

/// The items of a list that the server merges: `k:{"name":"x"}` by their keys, `v:"x"` by their value.
fn items_agree(ours: &[Value], live: Option<&Value>, owned: &Map<String, Value>, place: &Place) -> bool {
    let live = live.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut left: Vec<&Value> = ours.iter().collect();
    let mut entries: Vec<(&String, &Value)> = owned.iter().filter(|(name, _)| *name != ".").collect();
    // An item that says all keys is found before one that leaves some to their defaults takes its place.
    entries.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    for exact in [true, false] {
        entries.retain(|(name, fields)| {
            let found = if let Some(value) = name
                .strip_prefix("v:")
                .and_then(|text| serde_json::from_str(text).ok())
            {
                let value: Value = value;
                left.iter()
                    .position(|item| **item == value)
                    .filter(|_| live.contains(&value))
            } else if let Some(keys) = name
                .strip_prefix("k:")
                .and_then(|text| serde_json::from_str(text).ok())
            {
                let keys: Map<String, Value> = keys;
                let found = left.iter().position(|item| {
                    keys.iter()
                        .all(|(key, value)| item.get(key).map_or(!exact, |own| own == value))
                });
                let there = live
                    .iter()
                    .find(|item| keys.iter().all(|(key, value)| item.get(key) == Some(value)));
                found.filter(|index| there.is_some() && agrees(left[*index], there, Some(fields), place))
            } else {
                None
            };
            match found {
                Some(index) => {
                    left.remove(index);
                    false
                }
                None => true,
            }
        });
    }
    entries.is_empty() && left.is_empty()
}

/// Whether the live value, which is in this place, says all that ours says.
pub(super) fn holds(live: Option<&Value>, ours: &Value, place: &Place) -> bool {
    let Some(live) = live.filter(|live| !live.is_null()) else {
        return is_nothing(ours);
    };
    match (ours, live) {
        (Value::Object(ours), Value::Object(live)) => ours
            .iter()
            .all(|(name, value)| holds(live.get(name), value, &place.inside(name))),
        (Value::Array(ours), Value::Array(live)) => {
            ours.len() == live.len()
                && ours
                    .iter()
                    .zip(live)
                    .all(|(ours, live)| holds(Some(live), ours, place))
        }
        (Value::Null, live) => is_nothing(live),
        (ours, live) => {
            ours == live
                || same_number(ours, live)
                || (place.quantity && !place.free_text && same_quantity(ours, live))
        }
    }
}

/// What Go leaves out when it writes an object.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_nothing),
    }
}

fn same_number(one: &Value, other: &Value) -> bool {
    matches!((one.as_f64(), other.as_f64()), (Some(one), Some(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "a", "labels": {"x": "y", "other": "z"}, "managedFields": [{
                "manager": "psprun", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:x": {}}},
                    "f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {"f:spec": {
                        "f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:args": {}, "f:name": {}, "f:image": {},
                            "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}},
                            "f:resources": {"f:limits": {"f:cpu": {}}}}},
                        "f:volumes": {"k:{\"name\":\"v\"}": {".": {}, "f:name": {}}}}}}}}]},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {
                "volumes": [{"name": "v", "emptyDir": {}}],
                "containers": [{"name": "side", "image": "y"}, {"name": "c", "image": "x", "resources": {"limits": {"cpu": "1"}},
                    "ports": [{"containerPort": 80, "protocol": "TCP"}], "imagePullPolicy": "Always"}]}}},
        })
    }

    fn wanted() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "n", "labels": {"x": "y"}},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {
                "volumes": [{"name": "v", "emptyDir": {}}],
                "containers": [{"name": "c", "image": "x", "args": [], "ports": [{"containerPort": 80}],
                    "resources": {"limits": {"cpu": "1000m"}}}]}}},
        })
    }

    #[test]
    fn an_applied_object_is_known_as_such() {
        assert!(is_applied(&live(), &wanted()));
    }

    #[test]
    fn every_change_of_the_manifest_shows() {
        let changes: [(&str, Value); 8] = [
            ("/spec/replicas", json!(1)),
            ("/spec/selector/matchLabels", json!({"a": "c"})),
            ("/metadata/labels", json!({"x": "z"})),
            ("/metadata/labels", json!({})),
            ("/spec/template/spec/containers/0/image", json!("z")),
            (
                "/spec/template/spec/containers/0/resources/limits/cpu",
                json!("2"),
            ),
            ("/spec/template/spec/containers/0/args", json!(["a"])),
            (
                "/spec/template/spec/containers/0/ports",
                json!([{"containerPort": 81}]),
            ),
        ];
        for (pointer, value) in changes {
            let mut wanted = wanted();
            if let Some(place) = wanted.pointer_mut(pointer) {
                *place = value;
            }
            assert!(!is_applied(&live(), &wanted), "{pointer}");
        }
        let mut more = wanted();
        more["spec"]["paused"] = true.into();
        assert!(!is_applied(&live(), &more));
        let mut fewer = wanted();
        fewer["spec"].as_object_mut().map(|spec| spec.remove("replicas"));
        assert!(!is_applied(&live(), &fewer));
        let mut items = wanted();
        items["spec"]["template"]["spec"]["containers"] =
            json!([wanted()["spec"]["template"]["spec"]["containers"][0], {"name": "d"}]);
        assert!(!is_applied(&live(), &items));
    }

    #[test]
    fn every_change_on_the_server_shows() {
        for (pointer, value) in [
            ("/spec/template/spec/containers/1/image", json!("z")),
            ("/spec/replicas", json!(3)),
            ("/metadata/managedFields/0/manager", json!("other")),
            (
                "/metadata/managedFields/0/fieldsV1/f:spec/f:replicas",
                json!({"f:x": {}}),
            ),
        ] {
            let mut live = live();
            live["spec"]["replicas"] = json!(0);
            assert!(is_applied(&live, &wanted()));
            if let Some(place) = live.pointer_mut(pointer) {
                *place = value;
            }
            assert!(!is_applied(&live, &wanted()), "{pointer}");
        }
    }

    fn says(live: Option<&Value>, ours: &Value) -> bool {
        holds(live, ours, &Place::default())
    }

    #[test]
    fn annotations_are_no_quantities() {
        assert!(!says(
            Some(&json!({"metadata": {"annotations": {"limits": "1"}}})),
            &json!({"metadata": {"annotations": {"limits": "1000m"}}})
        ));
        assert!(says(
            Some(&json!({"spec": {"limits": "1"}})),
            &json!({"spec": {"limits": "1000m", "x": false}})
        ));
    }
}

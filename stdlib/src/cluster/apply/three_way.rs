//! Apply without the server's help, for servers before 1.16: what the last apply wrote is kept in an annotation
//! (kubectl's own), and the change is computed from three states: that, the manifest, and the object as it is.
//!
//! The result is sent as a JSON merge patch, which every kind takes, bound to the object's `resourceVersion`. Lists whose
//! items have names (containers, volumes, ports, …) are merged item by item, others are replaced.

use serde_json::{Map, Value};

use super::same::{Place, holds};

/// kubectl's annotation: what was applied last.
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The object with the annotation that remembers it.
pub(super) fn with_last_applied(object: &Value) -> Value {
    let mut plain = object.clone();
    remove_annotation(&mut plain);
    let mut annotated = plain.clone();
    if let Some(metadata) = annotated.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = metadata
            .entry("annotations")
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(LAST_APPLIED.into(), format!("{plain}\n").into());
        }
    }
    annotated
}

/// The patch that makes the object what the manifest wants; `None` when it is so already.
pub(super) fn patch(live: &Value, object: &Value) -> Option<Value> {
    let last = last_applied(live);
    let mut wanted = with_last_applied(object);
    let mut plain = object.clone();
    remove_annotation(&mut plain);
    if last.as_ref() == Some(&plain) {
        // The same in other words, e.g. as kubectl wrote it.
        wanted["metadata"]["annotations"][LAST_APPLIED] =
            live["metadata"]["annotations"][LAST_APPLIED].clone();
    }
    let merged = merge(
        live,
        last.as_ref().unwrap_or(&Value::Null),
        &wanted,
        "",
        Place::default(),
        true,
    );
    let mut patch = difference(live, &merged)?;
    patch["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
    Some(patch)
}

fn last_applied(live: &Value) -> Option<Value> {
    let text = live["metadata"]["annotations"][LAST_APPLIED].as_str()?;
    let mut last = serde_json::from_str(text).ok()?;
    remove_annotation(&mut last);
    Some(last)
}

fn remove_annotation(object: &mut Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove(LAST_APPLIED);
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
}

fn merge(live: &Value, last: &Value, ours: &Value, field: &str, place: Place, is_root: bool) -> Value {
    match (live, ours) {
        (Value::Object(live), Value::Object(ours)) => {
            let mut merged = live.clone();
            for name in last.as_object().into_iter().flat_map(Map::keys) {
                if !ours.contains_key(name) {
                    merged.shift_remove(name);
                }
            }
            for (name, value) in ours {
                if is_root && name == "status" {
                    continue;
                }
                if value.is_null() {
                    merged.shift_remove(name);
                    continue;
                }
                let value = match live.get(name) {
                    Some(here) => merge(
                        here,
                        last.get(name).unwrap_or(&Value::Null),
                        value,
                        name,
                        place.inside(name),
                        false,
                    ),
                    None if holds(None, value, &place) && !value.is_object() => continue,
                    None => value.clone(),
                };
                merged.insert(name.clone(), value);
            }
            Value::Object(merged)
        }
        (Value::Array(live), Value::Array(ours)) => match merge_list(live, last, ours, field, place) {
            Some(merged) => merged,
            None if is_same_list(live, ours, &place) => Value::Array(live.clone()),
            None => Value::Array(ours.clone()),
        },
        (live, ours) if holds(Some(live), ours, &place) => live.clone(),
        (_, ours) => ours.clone(),
    }
}

fn is_same_list(live: &[Value], ours: &[Value], place: &Place) -> bool {
    live.len() == ours.len()
        && ours
            .iter()
            .zip(live)
            .all(|(ours, live)| holds(Some(live), ours, place))
}

/// The field by which the items of a list are told apart (Kubernetes' `patchMergeKey`).
fn identity(field: &str, item: &Value) -> Option<String> {
    let text = |name: &str| item.get(name).map(Value::to_string);
    match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "secrets"
        | "webhooks" => text("name"),
        "volumeMounts" => text("mountPath"),
        "volumeDevices" => text("devicePath"),
        "hostAliases" => text("ip"),
        "ownerReferences" => text("uid"),
        "ports" => {
            let port = text("containerPort").or_else(|| text("port"))?;
            Some(format!("{port}/{}", item["protocol"].as_str().unwrap_or("TCP")))
        }
        "finalizers" => item.as_str().map(str::to_owned),
        _ => None,
    }
}

/// `None` for a list that is replaced as a whole.
fn merge_list(live: &[Value], last: &Value, ours: &[Value], field: &str, place: Place) -> Option<Value> {
    let name = |item: &Value| identity(field, item);
    if ours.iter().chain(live).any(|item| name(item).is_none()) || (ours.is_empty() && live.is_empty()) {
        return None;
    }
    let last = last.as_array().map_or(&[][..], Vec::as_slice);
    let find =
        |items: &[Value], wanted: &Option<String>| items.iter().find(|item| name(item) == *wanted).cloned();
    let mut merged = Vec::new();
    for item in live {
        let id = name(item);
        match find(ours, &id) {
            Some(wanted) => merged.push(merge(
                item,
                &find(last, &id).unwrap_or(Value::Null),
                &wanted,
                "",
                place,
                false,
            )),
            // It was ours and is no longer wanted.
            None if find(last, &id).is_some() => {}
            None => merged.push(item.clone()),
        }
    }
    merged.extend(
        ours.iter()
            .filter(|item| find(live, &name(item)).is_none())
            .cloned(),
    );
    Some(Value::Array(merged))
}

/// The JSON merge patch (RFC 7396) from one value to the other; `None` when they are equal.
fn difference(from: &Value, to: &Value) -> Option<Value> {
    let (Value::Object(from_map), Value::Object(to_map)) = (from, to) else {
        return (from != to).then(|| to.clone());
    };
    let mut patch = Map::new();
    for name in from_map.keys().filter(|name| !to_map.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    for (name, value) in to_map {
        match from_map.get(name) {
            Some(old) => {
                if let Some(change) = difference(old, value) {
                    patch.insert(name.clone(), change);
                }
            }
            None => {
                patch.insert(name.clone(), value.clone());
            }
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn manifest() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "labels": {"x": "y"}}, "spec": {
            "paused": false, "template": {"spec": {"containers": [
                {"name": "c", "image": "i", "ports": [{"containerPort": 80}], "resources": {"limits": {"cpu": "1000m"}}}]}}}})
    }

    /// As a server stores it: defaults added, falsy values dropped, quantities in its own words.
    fn live() -> Value {
        let mut live = with_last_applied(&manifest());
        live["metadata"]["resourceVersion"] = "7".into();
        if let Some(spec) = live["spec"].as_object_mut() {
            spec.remove("paused");
        }
        live["spec"]["replicas"] = 1.into();
        let container = &mut live["spec"]["template"]["spec"]["containers"][0];
        container["imagePullPolicy"] = "Always".into();
        container["ports"][0]["protocol"] = "TCP".into();
        container["resources"]["limits"]["cpu"] = "1".into();
        live
    }

    #[test]
    fn an_applied_object_needs_no_patch() {
        assert_eq!(patch(&live(), &manifest()), None);
    }

    #[test]
    fn changes_and_removals_are_patched_and_others_fields_stay() {
        let mut live = live();
        live["metadata"]["labels"]["other"] = "kept".into();
        if let Some(items) = live["spec"]["template"]["spec"]["containers"].as_array_mut() {
            items.push(json!({"name": "injected"}));
        }
        let mut wanted = manifest();
        wanted["metadata"]["labels"] = json!({});
        wanted["spec"]["template"]["spec"]["containers"][0]["image"] = "j".into();
        let patch = patch(&live, &wanted).unwrap_or_default();
        assert_eq!(patch["metadata"]["labels"], json!({"x": null}));
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
        let containers = &patch["spec"]["template"]["spec"]["containers"];
        assert_eq!(containers[0]["image"], "j");
        assert_eq!(containers[0]["imagePullPolicy"], "Always");
        assert_eq!(containers[1]["name"], "injected");
        assert_eq!(patch["spec"].as_object().map(Map::len), Some(1));
    }

    #[test]
    fn an_item_that_is_no_longer_wanted_goes() {
        let mut both = manifest();
        if let Some(items) = both["spec"]["template"]["spec"]["containers"].as_array_mut() {
            items.push(json!({"name": "d"}));
        }
        let mut live = with_last_applied(&both);
        live["metadata"]["resourceVersion"] = "1".into();
        let patch = patch(&live, &manifest()).unwrap_or_default();
        assert_eq!(
            patch["spec"]["template"]["spec"]["containers"]
                .as_array()
                .map(Vec::len),
            Some(1)
        );
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (0..3).prop_map(Value::from),
            "[ab]".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[abc]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_merge_patch_leads_to_the_goal(from in value(), to in value()) {
            let mut result = from.clone();
            if let Some(patch) = difference(&from, &to) {
                json_patch::merge(&mut result, &patch);
            }
            // A merge patch cannot say an empty map in place of a filled one other than by nulls.
            prop_assert_eq!(result, to);
        }

        #[test]
        fn once_applied_nothing_is_left_to_do(spec in value(), old in value()) {
            let object = |spec: &Value| json!({"kind": "X", "metadata": {"name": "a"}, "spec": {"v": spec}});
            let mut live = with_last_applied(&object(&old));
            live["metadata"]["resourceVersion"] = "1".into();
            if let Some(patch) = patch(&live, &object(&spec)) {
                json_patch::merge(&mut live, &patch);
            }
            prop_assert_eq!(patch(&live, &object(&spec)), None);
        }
    }
}

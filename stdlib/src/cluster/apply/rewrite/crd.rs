//! CustomResourceDefinitions between apiextensions.k8s.io/v1beta1 and v1.
//!
//! v1 wants a schema for each version. One that was never written becomes "anything goes"; one that v1beta1 did not
//! enforce by dropping unknown fields keeps them.

use serde_json::{Map, Value, json};

use super::Move;

const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";

/// What v1beta1 says once for all versions and v1 says in each.
const PER_VERSION: [&str; 2] = ["subresources", "additionalPrinterColumns"];

pub(super) fn convert(object: &mut Value, way: &Move) -> Result<(), String> {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
        return Ok(());
    };
    if way.to == "apiextensions.k8s.io/v1" {
        to_v1(spec)
    } else {
        to_v1beta1(spec)
    }
}

fn to_v1(spec: &mut Map<String, Value>) -> Result<(), String> {
    if let Some(conversion) = spec.get("conversion")
        && conversion["strategy"]
            .as_str()
            .is_some_and(|strategy| strategy != "None")
    {
        return Err("it converts versions by a webhook, whose configuration has another shape in v1".into());
    }
    spec.remove("conversion");
    let keeps_unknown = spec.remove("preserveUnknownFields") != Some(json!(false));
    let validation = spec.remove("validation");
    let common: Vec<(&str, Value)> = PER_VERSION
        .iter()
        .filter_map(|field| Some((*field, spec.remove(*field)?)))
        .collect();
    let single = spec.remove("version");
    let versions = spec.entry("versions").or_insert_with(|| json!([]));
    if versions.as_array().is_none_or(Vec::is_empty)
        && let Some(name) = single
    {
        *versions = json!([{ "name": name, "served": true, "storage": true }]);
    }
    spec.entry("scope").or_insert_with(|| "Namespaced".into());
    for version in spec["versions"]
        .as_array_mut()
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        for (field, value) in &common {
            version.entry(*field).or_insert_with(|| value.clone());
        }
        let schema = version.entry("schema").or_insert_with(|| {
            validation
                .clone()
                .unwrap_or_else(|| json!({ "openAPIV3Schema": {} }))
        });
        let Some(root) = schema["openAPIV3Schema"].as_object_mut() else {
            return Err("a version's schema is no `openAPIV3Schema`".into());
        };
        if root.get("type").is_some_and(|kind| kind != "object") {
            return Err("its schema is of another type than object".into());
        }
        root.insert("type".into(), "object".into());
        if keeps_unknown {
            root.insert(PRESERVE.into(), true.into());
        }
        columns(
            version.get_mut("additionalPrinterColumns"),
            "JSONPath",
            "jsonPath",
        );
    }
    Ok(())
}

fn to_v1beta1(spec: &mut Map<String, Value>) -> Result<(), String> {
    if spec
        .get("conversion")
        .is_some_and(|conversion| conversion["strategy"] == "Webhook")
    {
        return Err(
            "it converts versions by a webhook, whose configuration has another shape in v1beta1".into(),
        );
    }
    let Some(versions) = spec.get_mut("versions").and_then(Value::as_array_mut) else {
        return Err("it has no versions".into());
    };
    let mut common: Option<Map<String, Value>> = None;
    for version in versions.iter_mut().filter_map(Value::as_object_mut) {
        let mut own = Map::new();
        if let Some(mut schema) = version.remove("schema") {
            without_extensions(&mut schema);
            own.insert("validation".into(), schema);
        }
        for field in PER_VERSION {
            if let Some(value) = version.remove(field) {
                own.insert(field.into(), value);
            }
        }
        columns(own.get_mut("additionalPrinterColumns"), "jsonPath", "JSONPath");
        match &common {
            None => common = Some(own),
            Some(first) if *first == own => {}
            Some(_) => return Err("its versions differ in schema, columns or subresources, which v1beta1 of an old server cannot say".into()),
        }
    }
    if let [version] = versions.as_slice() {
        let name = version["name"].clone();
        spec.insert("version".into(), name);
    }
    spec.extend(common.unwrap_or_default());
    Ok(())
}

fn columns(columns: Option<&mut Value>, from: &str, to: &str) {
    for column in columns
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        if let Some(path) = column.remove(from) {
            column.insert(to.into(), path);
        }
    }
}

/// Old servers know no `x-kubernetes-…`, `nullable` and `default` in a schema, and refuse them.
fn without_extensions(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let is_schema = fields.contains_key("type")
                || fields.contains_key("properties")
                || fields.keys().any(|k| k.starts_with("x-kubernetes-"));
            if is_schema {
                fields.retain(|name, _| !name.starts_with("x-kubernetes-"));
                for name in ["nullable", "default"] {
                    if fields
                        .get(name)
                        .is_some_and(|value| name == "default" || value.is_boolean())
                    {
                        fields.remove(name);
                    }
                }
            }
            for (name, value) in fields.iter_mut() {
                // The names below `properties` are the resource's own.
                if name == "properties" {
                    value
                        .as_object_mut()
                        .into_iter()
                        .flat_map(Map::values_mut)
                        .for_each(without_extensions);
                } else {
                    without_extensions(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_extensions),
        _ => {}
    }
}

//! What fields a kind has, as the server's OpenAPI document (`/openapi/v2`, on every server since 1.10) says.
//!
//! The document has megabytes: its definitions are kept as text, and read one by one when they are needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use psprun_engine::StepError;
use psprun_engine::diagnostic::did_you_mean;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// The definitions of a server.
pub(super) struct Schemas {
    definitions: HashMap<String, Box<RawValue>>,
    /// `apps/v1 Deployment` to the name of its definition.
    kinds: HashMap<String, String>,
    read: Mutex<HashMap<String, Option<Arc<Schema>>>>,
}

/// A part of a definition.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Schema {
    #[serde(rename = "$ref", default)]
    reference: Option<String>,
    #[serde(default)]
    properties: HashMap<String, Arc<Schema>>,
    #[serde(default)]
    items: Option<Arc<Schema>>,
    #[serde(rename = "additionalProperties", default)]
    additional: Option<Additional>,
    #[serde(rename = "x-kubernetes-preserve-unknown-fields", default)]
    preserves_unknown: bool,
    /// A whole object inside another: it has `apiVersion`, `kind` and `metadata` besides.
    #[serde(rename = "x-kubernetes-embedded-resource", default)]
    embedded: bool,
}

#[derive(Debug)]
enum Additional {
    Any,
    None,
    Of(Arc<Schema>),
}

impl<'de> Deserialize<'de> for Additional {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(match value {
            Value::Bool(false) => Self::None,
            Value::Object(_) => match serde_json::from_value::<Schema>(value) {
                Ok(schema) => Self::Of(Arc::new(schema)),
                Err(_) => Self::Any,
            },
            _ => Self::Any,
        })
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    definitions: HashMap<String, Box<RawValue>>,
}

#[derive(Deserialize)]
struct KindOfDefinition {
    #[serde(default)]
    group: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    kind: String,
}

/// A field that the kind does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unknown {
    /// `spec.template.spec.containers[0].imagePullPolcy`.
    pub(super) path: String,
    /// The name of a field that may have been meant.
    pub(super) guess: Option<String>,
}

impl Schemas {
    /// Reads the OpenAPI document.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn parse(text: &str) -> Result<Self, StepError> {
        let document: Document = serde_json::from_str(text).map_err(|error| {
            StepError::new(
                "psprun::cluster::bad_answer",
                format!("the API server's OpenAPI document is none: {error}"),
            )
        })?;
        let mut kinds = HashMap::new();
        for (name, definition) in &document.definitions {
            const MARK: &str = "\"x-kubernetes-group-version-kind\":";
            let text = definition.get();
            // Only kinds have it, at the end of their definition.
            let Some(at) = text.rfind(MARK) else { continue };
            let list = serde_json::Deserializer::from_str(&text[at + MARK.len()..]);
            let Some(Ok(list)) = list.into_iter::<Vec<KindOfDefinition>>().next() else {
                continue;
            };
            for KindOfDefinition { group, version, kind } in list {
                let version = if group.is_empty() {
                    version
                } else {
                    format!("{group}/{version}")
                };
                kinds.insert(format!("{version} {kind}"), name.clone());
            }
        }
        Ok(Self {
            definitions: document.definitions,
            kinds,
            read: Mutex::default(),
        })
    }

    /// The fields of an object that its kind does not have; none when the kind is not described.
    pub(super) fn unknown_fields(&self, object: &Value) -> Vec<Unknown> {
        let key = format!(
            "{} {}",
            object["apiVersion"].as_str().unwrap_or_default(),
            object["kind"].as_str().unwrap_or_default()
        );
        let mut found = Vec::new();
        if let Some(schema) = self.kinds.get(&key).and_then(|name| self.definition(name)) {
            let look = Look {
                schemas: Some(self),
                exact: false,
            };
            look.at(object, &schema, String::new(), &mut found);
        }
        found
    }

    fn definition(&self, name: &str) -> Option<Arc<Schema>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = read.get(name) {
            return schema.clone();
        }
        let schema = self
            .definitions
            .get(name)
            .and_then(|text| serde_json::from_str::<Schema>(text.get()).ok())
            .map(Arc::new);
        read.insert(name.to_owned(), schema.clone());
        schema
    }
}

/// The fields of an object that the schema of its CustomResourceDefinition does not have: the server drops them. `None`
/// when the definition keeps unknown fields, or says nothing of this version.
pub(super) fn unknown_to_definition(definition: &Value, object: &Value) -> Option<Vec<Unknown>> {
    let spec = &definition["spec"];
    let version = object["apiVersion"].as_str()?.rsplit('/').next()?;
    if spec["preserveUnknownFields"] == true {
        return None;
    }
    let version = spec["versions"]
        .as_array()?
        .iter()
        .find(|known| known["name"] == version)?;
    let mut schema: Schema = serde_json::from_value(version["schema"]["openAPIV3Schema"].clone()).ok()?;
    schema.embedded = true;
    let mut found = Vec::new();
    let look = Look {
        schemas: None,
        exact: true,
    };
    look.at(object, &Arc::new(schema), String::new(), &mut found);
    Some(found)
}

/// A walk through an object along its schema.
struct Look<'s> {
    schemas: Option<&'s Schemas>,
    /// Whether an object without properties has none. OpenAPI 2 leaves out the properties of what keeps unknown fields.
    exact: bool,
}

impl Look<'_> {
    fn at(&self, value: &Value, schema: &Arc<Schema>, path: String, found: &mut Vec<Unknown>) {
        if let Some(reference) = &schema.reference {
            let name = reference.rsplit('/').next().unwrap_or_default();
            if let Some(schema) = self.schemas.and_then(|schemas| schemas.definition(name)) {
                self.at(value, &schema, path, found);
            }
            return;
        }
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    if schema.embedded && ["apiVersion", "kind", "metadata"].contains(&name.as_str()) {
                        continue;
                    }
                    let inside = if path.is_empty() {
                        name.clone()
                    } else if name.contains(['.', '[', '/']) {
                        format!("{path}[{name}]")
                    } else {
                        format!("{path}.{name}")
                    };
                    let known = schema.properties.get(name);
                    match (known, &schema.additional) {
                        (Some(schema), _) | (None, Some(Additional::Of(schema))) => {
                            self.at(value, schema, inside, found);
                        }
                        (None, Some(Additional::Any)) => {}
                        (None, None)
                            if schema.preserves_unknown || (schema.properties.is_empty() && !self.exact) => {}
                        (None, _) => {
                            let guess = did_you_mean(name, schema.properties.keys().map(String::as_str));
                            found.push(Unknown {
                                path: inside,
                                guess: guess.map(str::to_owned),
                            });
                        }
                    }
                }
            }
            Value::Array(items) => {
                if let Some(schema) = &schema.items {
                    for (index, item) in items.iter().enumerate() {
                        self.at(item, schema, format!("{path}[{index}]"), found);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Kinds whose fields fit a line and are the same on every server: a bundle of only these needs no OpenAPI document.
pub(super) fn flat(object: &Value) -> Option<Vec<Unknown>> {
    const METADATA: [&str; 15] = [
        "name",
        "generateName",
        "namespace",
        "labels",
        "annotations",
        "finalizers",
        "ownerReferences",
        "clusterName",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
    ];
    let fields: &[&str] = match (object["apiVersion"].as_str()?, object["kind"].as_str()?) {
        ("v1", "ConfigMap") => &[
            "apiVersion",
            "kind",
            "metadata",
            "data",
            "binaryData",
            "immutable",
        ],
        ("v1", "Secret") => &[
            "apiVersion",
            "kind",
            "metadata",
            "data",
            "stringData",
            "type",
            "immutable",
        ],
        ("v1", "Namespace") => &["apiVersion", "kind", "metadata", "spec", "status"],
        _ => return None,
    };
    let mut found = Vec::new();
    let mut check = |map: &Value, known: &[&str], before: &str| {
        for name in map.as_object().into_iter().flat_map(|map| map.keys()) {
            if !known.contains(&name.as_str()) {
                let guess = did_you_mean(name, known.iter().copied()).map(str::to_owned);
                found.push(Unknown {
                    path: format!("{before}{name}"),
                    guess,
                });
            }
        }
    };
    check(object, fields, "");
    check(&object["metadata"], &METADATA, "metadata.");
    check(&object["spec"], &["finalizers"], "spec.");
    Some(found)
}

/// Takes a field out of an object; `path` as in [`Unknown`].
pub(super) fn remove(object: &mut Value, path: &str) {
    let mut parts = split(path);
    let Some(last) = parts.pop() else { return };
    let mut here = object;
    for part in parts {
        let next = match here {
            Value::Object(map) => map.get_mut(&part),
            Value::Array(items) => part.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
            _ => None,
        };
        let Some(next) = next else { return };
        here = next;
    }
    if let Some(map) = here.as_object_mut() {
        map.remove(&last);
    }
}

fn split(path: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']').unwrap_or(inner.len());
            parts.push(inner[..end].to_owned());
            rest = inner.get(end + 1..).unwrap_or_default();
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            parts.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use serde_json::json;

    const DOCUMENT: &str = r##"{"paths": {}, "definitions": {
        "D": {"type": "object", "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"},
            "spec": {"$ref": "#/definitions/S"}},
            "x-kubernetes-group-version-kind": [{"group": "apps", "kind": "Deployment", "version": "v1"}]},
        "S": {"type": "object", "properties": {
            "replicas": {"type": "integer"}, "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "containers": {"type": "array", "items": {"$ref": "#/definitions/C"}}, "free": {"type": "object"}}},
        "C": {"properties": {"name": {"type": "string"}, "image": {"type": "string"}}}}}"##;

    #[test]
    fn unknown_fields_are_found_with_a_guess() {
        let schemas = Schemas::parse(DOCUMENT).unwrap();
        let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {
            "replikas": 1, "labels": {"any.thing/x": "y"}, "free": {"as": "you like"},
            "containers": [{"name": "a"}, {"imge": "b"}]}});
        let unknown = schemas.unknown_fields(&object);
        assert_eq!(
            unknown,
            [
                Unknown {
                    path: "spec.replikas".into(),
                    guess: Some("replicas".into())
                },
                Unknown {
                    path: "spec.containers[1].imge".into(),
                    guess: Some("image".into())
                },
            ]
        );
        for field in &unknown {
            remove(&mut object, &field.path);
        }
        assert_eq!(schemas.unknown_fields(&object), []);
        assert_eq!(
            schemas.unknown_fields(&json!({"apiVersion": "x/v1", "kind": "Y", "z": 1})),
            []
        );
    }

    #[test]
    fn a_definition_knows_its_fields_exactly() {
        let mut crd = json!({"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"type": "object", "properties": {
            "spec": {"type": "object", "properties": {"size": {"type": "integer"}, "closed": {"type": "object"},
                "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}}}]}});
        let object = json!({"apiVersion": "x.y/v1", "kind": "T", "metadata": {"name": "a"},
            "spec": {"sice": 3, "open": {"a": 1}, "closed": {"a": 1}}});
        let paths = |crd: &Value| -> Option<Vec<String>> {
            unknown_to_definition(crd, &object)
                .map(|found| found.into_iter().map(|unknown| unknown.path).collect())
        };
        assert_eq!(paths(&crd).unwrap(), ["spec.sice", "spec.closed.a"]);
        crd["spec"]["preserveUnknownFields"] = true.into();
        assert_eq!(paths(&crd), None);
    }

    #[test]
    fn flat_kinds_need_no_document() {
        let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"nme": "x"}, "dta": {}});
        let paths: Vec<String> = flat(&config)
            .unwrap()
            .into_iter()
            .map(|unknown| unknown.path)
            .collect();
        assert_eq!(paths, ["dta", "metadata.nme"]);
        assert!(flat(&json!({"apiVersion": "v1", "kind": "Pod"})).is_none());
    }
}

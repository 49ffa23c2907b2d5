//! An object on its way to the server.

use kube::core::params::{GetParams, Patch, PatchParams};
use kube::core::request::Request;
use psprun_engine::StepError;
use serde_json::{Map, Value};

use super::order::Rank;
use super::request::Built;
use crate::cluster::discovery::Kind;
use crate::manifest::{Document, Origin};

/// An object of the bundle.
pub(super) struct Item {
    /// As it is sent: cleaned, rewritten, with its namespace.
    pub(super) object: Value,
    /// Where it is from.
    pub(super) origin: Origin,
    /// The version in which it was written, when it was rewritten.
    pub(super) written_as: Option<String>,
    pub(super) rank: Rank,
    /// What the server calls it; not known before the bundle's CRDs are established.
    pub(super) kind: Option<Kind>,
    /// The object on the server, as far as it was asked for.
    pub(super) live: Live,
}

/// What is known of the object on the server.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Live {
    NotAsked,
    Absent,
    There(Value),
}

impl Live {
    pub(super) fn object(&self) -> Option<&Value> {
        match self {
            Self::There(object) => Some(object),
            Self::Absent | Self::NotAsked => None,
        }
    }
}

impl Item {
    /// Checks that a document is an object with a name.
    ///
    /// # Errors
    /// What is missing, and where.
    pub(super) fn new(document: Document) -> Result<Self, StepError> {
        let Document { value, origin } = document;
        let wrong = |field: &str, message: String| {
            StepError::new("psprun::apply::no_object", message).at(origin.place_of(field))
        };
        if !value.is_object() {
            let what = match &value {
                Value::Array(_) => "a list",
                Value::String(_) => "a text",
                _ => "a value",
            };
            let here = origin.show();
            return Err(wrong("", format!("{here} is {what}, not an object"))
                .help("an object has `apiVersion`, `kind` and `metadata`"));
        }
        for field in ["apiVersion", "kind"] {
            if value[field].as_str().is_none_or(str::is_empty) {
                return Err(
                    wrong(field, format!("the object at {} has no `{field}`", origin.show()))
                        .help("is it a manifest of Kubernetes?"),
                );
            }
        }
        let kind = value["kind"].as_str().unwrap_or_default();
        let metadata = &value["metadata"];
        if metadata["name"].as_str().is_none_or(str::is_empty) {
            if metadata["generateName"].is_string() {
                return Err(wrong(
                    "metadata.generateName",
                    format!("the {kind} at {} has a generateName", origin.show()),
                )
                .help(
                    "what is applied needs a `name`: a generated one would make another object each time",
                ));
            }
            let found = if metadata["name"].is_null() {
                "no name"
            } else {
                "a name that is no text"
            };
            return Err(wrong(
                "metadata.name",
                format!("the {kind} at {} has {found}", origin.show()),
            )
            .help("write `metadata: {name: …}`, a number in quotes"));
        }
        let rank = Rank::of(&value);
        Ok(Self {
            object: value,
            origin,
            written_as: None,
            rank,
            kind: None,
            live: Live::NotAsked,
        })
    }

    pub(super) fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        self.object["metadata"]["namespace"].as_str()
    }

    pub(super) fn api_version(&self) -> &str {
        self.object["apiVersion"].as_str().unwrap_or_default()
    }

    pub(super) fn kind_name(&self) -> &str {
        self.object["kind"].as_str().unwrap_or_default()
    }

    pub(super) fn group(&self) -> &str {
        self.api_version().split_once('/').map_or("", |(group, _)| group)
    }

    /// `Deployment demo/web`.
    pub(super) fn show(&self) -> String {
        match self.namespace() {
            Some(namespace) => format!("{} {namespace}/{}", self.kind_name(), self.name()),
            None => format!("{} {}", self.kind_name(), self.name()),
        }
    }

    /// The path of the collection that it belongs to.
    pub(super) fn path(&self) -> String {
        self.kind
            .as_ref()
            .map(|kind| kind.path(self.namespace()))
            .unwrap_or_default()
    }

    pub(super) fn get(&self) -> Built {
        Request::new(self.path()).get(self.name(), &GetParams::default())
    }

    pub(super) fn patch(&self, params: &PatchParams, patch: &Patch<&Value>) -> Built {
        Request::new(self.path()).patch(self.name(), params, patch)
    }

    /// Takes out what is the server's to write, and what it would put elsewhere. Gives what a reader should know.
    pub(super) fn clean(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        let has_status = self
            .kind
            .as_ref()
            .is_some_and(|kind| kind.subresources.iter().any(|sub| sub == "status"));
        let is_built_in = is_built_in(self.group());
        let show = self.show();
        let Some(object) = self.object.as_object_mut() else {
            return told;
        };
        if has_status {
            object.remove("status");
        }
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            for field in [
                "managedFields",
                "creationTimestamp",
                "selfLink",
                "generation",
                "deletionTimestamp",
            ] {
                metadata.remove(field);
            }
            let exported = [metadata.remove("uid"), metadata.remove("resourceVersion")];
            if exported.iter().any(Option::is_some) {
                told.push(format!(
                    "{show} was exported from a cluster: its uid and resourceVersion are left out"
                ));
            }
        }
        if is_built_in {
            object.values_mut().for_each(without_nulls);
        }
        match (
            object.get("apiVersion").and_then(Value::as_str),
            object.get("kind").and_then(Value::as_str),
        ) {
            (Some("v1"), Some("Secret")) => encode_string_data(object),
            // The key of the list of ports has a default, which server-side apply does not know (1.20: of Services).
            (Some("v1"), Some("Service")) => default_protocol(object.get_mut("spec")),
            _ if is_built_in => {
                for pointer in [
                    "/spec",
                    "/spec/template/spec",
                    "/spec/jobTemplate/spec/template/spec",
                ] {
                    for list in ["containers", "initContainers"] {
                        let containers = self
                            .object
                            .pointer_mut(pointer)
                            .and_then(|spec| spec.get_mut(list));
                        for container in containers.and_then(Value::as_array_mut).into_iter().flatten() {
                            default_protocol(Some(container));
                        }
                    }
                }
            }
            _ => {}
        }
        told
    }
}

/// Whether a group is one of Kubernetes' own.
pub(super) fn is_built_in(group: &str) -> bool {
    !group.contains('.') || group.ends_with(".k8s.io")
}

/// A null means for Kubernetes' own kinds what a missing field means.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// The server moves `stringData` into `data`, and would remember the wrong field as ours.
fn encode_string_data(secret: &mut Map<String, Value>) {
    use base64::Engine as _;
    let Some(Value::Object(plain)) = secret.remove("stringData") else {
        return;
    };
    let data = secret.entry("data").or_insert_with(|| Value::Object(Map::new()));
    let Some(data) = data.as_object_mut() else { return };
    for (key, value) in plain {
        let encoded = match &value {
            Value::String(text) => base64::engine::general_purpose::STANDARD.encode(text).into(),
            // No text: the server says what it thinks of it.
            other => other.clone(),
        };
        data.insert(key, encoded);
    }
}

fn default_protocol(owner: Option<&mut Value>) {
    let ports = owner
        .and_then(|owner| owner.get_mut("ports"))
        .and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        port.entry("protocol").or_insert_with(|| "TCP".into());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::manifest::Manifest;
    use serde_json::json;

    fn item(text: &str) -> Result<Item, StepError> {
        Item::new(Manifest::read("x.yaml", text).unwrap().documents.remove(0))
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_place() {
        let error = |text: &str| {
            let error = item(text).err().unwrap();
            (error.message, error.at.unwrap())
        };
        assert_eq!(
            error("- a\n"),
            ("x.yaml:1 is a list, not an object".into(), "x.yaml:1:1".into())
        );
        assert_eq!(
            error("a: b\n"),
            (
                "the object at x.yaml:1 has no `apiVersion`".into(),
                "x.yaml:1:1".into()
            )
        );
        assert_eq!(
            error("apiVersion: v1\nkind: Pod\nmetadata:\n  name: 3\n"),
            (
                "the Pod at x.yaml:1 has a name that is no text".into(),
                "x.yaml:4:3".into()
            )
        );
        assert!(
            error("apiVersion: v1\nkind: Pod\nmetadata: {generateName: x-}\n")
                .0
                .contains("generateName")
        );
    }

    #[test]
    fn what_is_the_servers_is_left_out() {
        let mut secret = item(
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s, uid: u, creationTimestamp: null, labels: {a: null}}\nstringData: {a: b}\ndata: {c: ZA==}",
        )
        .unwrap();
        let told = secret.clean();
        assert_eq!(
            told,
            ["Secret s was exported from a cluster: its uid and resourceVersion are left out"]
        );
        assert_eq!(
            secret.object,
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "labels": {}}, "data": {"c": "ZA==", "a": "Yg=="}})
        );
        let mut service =
            item("apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}").unwrap();
        service.clean();
        assert_eq!(service.object["spec"]["ports"][0]["protocol"], "TCP");
    }
}

//! Which objects a step is about: a kind, and a place, names or selectors.

use std::time::Duration;

use kube::core::params::{ListParams, WatchParams};
use psprun_engine::StepError;
use serde_json::Value;

use super::discovery::Kind;
use super::object;
use super::selector::Selector;

/// Objects of one kind.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// Their kind.
    pub(crate) kind: Kind,
    /// Their namespace; `None` for all namespaces, and for kinds that have none.
    pub(crate) namespace: Option<String>,
    /// Their names; all when empty.
    pub(crate) names: Vec<String>,
    /// What their labels must be.
    pub(crate) labels: Option<Selector>,
    /// A field selector, passed on to the server.
    pub(crate) fields: Option<String>,
}

impl Scope {
    /// All objects of a kind, in a namespace if it has namespaces.
    pub(crate) fn all(kind: Kind, namespace: Option<String>) -> Self {
        Self {
            namespace: namespace.filter(|_| kind.namespaced),
            kind,
            names: Vec::new(),
            labels: None,
            fields: None,
        }
    }

    /// As a builtin's arguments say: without a namespace the client's own, `default` mostly.
    ///
    /// # Errors
    /// Both a namespace and all namespaces are asked for.
    pub(crate) fn of(
        client: &kube::Client,
        kind: Kind,
        namespace: Option<&str>,
        all_namespaces: bool,
    ) -> Result<Self, StepError> {
        let namespace = match (namespace, all_namespaces) {
            (Some(namespace), true) => {
                return Err(StepError::new(
                    "psprun::cluster::arguments",
                    format!("both `namespace: {namespace:?}` and `all_namespaces: true` are given"),
                )
                .help("leave one out"));
            }
            (_, true) => None,
            (Some(namespace), false) => Some(namespace.to_owned()),
            (None, false) => Some(client.default_namespace().to_owned()),
        };
        Ok(Self::all(kind, namespace))
    }

    /// Only these names; all when empty.
    pub(crate) fn named(mut self, names: &[String]) -> Self {
        self.names = names.to_vec();
        self
    }

    /// Only what this selects.
    pub(crate) fn selected(mut self, labels: Option<&Selector>) -> Self {
        self.labels = labels.cloned();
        self
    }

    /// Only what this field selector selects.
    pub(crate) fn fields(mut self, fields: Option<&str>) -> Self {
        self.fields = fields.map(str::to_owned);
        self
    }

    /// The path of the collection.
    pub(crate) fn path(&self) -> String {
        self.kind.path(self.namespace.as_deref())
    }

    /// Whether an object that the server sent is one of them: it does not look at several names.
    pub(crate) fn holds(&self, object: &Value) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| name == object::name(object))
    }

    pub(crate) fn list_params(&self) -> ListParams {
        ListParams {
            label_selector: self.labels.as_ref().map(ToString::to_string),
            field_selector: self.field_selector(),
            ..ListParams::default()
        }
    }

    pub(crate) fn watch_params(&self, seconds: u32) -> WatchParams {
        WatchParams {
            label_selector: self.labels.as_ref().map(ToString::to_string),
            field_selector: self.field_selector(),
            timeout: Some(seconds),
            bookmarks: true,
            ..WatchParams::default()
        }
    }

    fn field_selector(&self) -> Option<String> {
        let name = match self.names.as_slice() {
            [name] => Some(format!("metadata.name={name}")),
            _ => None,
        };
        match (name, &self.fields) {
            (Some(name), Some(fields)) => Some(format!("{name},{fields}")),
            (name, fields) => name.or_else(|| fields.clone()),
        }
    }

    /// `pods with app=web in demo`, `deployment demo/web`, `all nodes`.
    pub(crate) fn show(&self) -> String {
        let mut text = match self.names.as_slice() {
            [name] => {
                let name = match &self.namespace {
                    Some(namespace) => format!("{namespace}/{name}"),
                    None => name.clone(),
                };
                return format!("{} {name}", self.kind.singular);
            }
            [] => self.kind.resource.plural.clone(),
            names => format!("{} {}", self.kind.resource.plural, names.join(", ")),
        };
        if let Some(labels) = &self.labels {
            text.push_str(&format!(" with {labels}"));
        }
        if let Some(fields) = &self.fields {
            text.push_str(&format!(" with {fields}"));
        }
        match &self.namespace {
            Some(namespace) => text.push_str(&format!(" in {namespace}")),
            None if self.kind.namespaced => text.push_str(" in all namespaces"),
            None => {}
        }
        text
    }
}

/// What a graph says of a step's objects: the kind with its options, from the arguments that are known.
pub(crate) fn describe(args: &Value, kind: &str) -> String {
    use psprun_engine::builtin::show_short;
    let set = |name: &str| {
        args.get(name)
            .filter(|value| !value.is_null() && **value != false)
    };
    let mut text = kind.to_owned();
    if let Some(name) = set("name") {
        text.push_str(&format!(" {}", show_short(name)));
    }
    match set("selector") {
        Some(Value::Object(labels)) => {
            let labels: Vec<String> = labels
                .iter()
                .map(|(k, v)| format!("{k}={}", show_short(v)))
                .collect();
            text.push_str(&format!(" with {}", labels.join(",")));
        }
        Some(selector) => text.push_str(&format!(" with {}", show_short(selector))),
        None => {}
    }
    if let Some(fields) = set("field_selector") {
        text.push_str(&format!(" with {}", show_short(fields)));
    }
    if let Some(namespace) = set("namespace") {
        text.push_str(&format!(" in {}", show_short(namespace)));
    }
    if set("all_namespaces").is_some() {
        text.push_str(" in all namespaces");
    }
    text
}

/// The subject of a step as the graph shows it.
pub(crate) fn subject<'a>(args: &'a Value, name: &str) -> &'a str {
    args.get(name).and_then(Value::as_str).unwrap_or("?")
}

/// A step that changes objects says which: by name, by labels, or all of them.
///
/// # Errors
/// It does not.
pub(crate) fn chosen(names: &[String], selector: Option<&Selector>, all: bool) -> Result<(), StepError> {
    let error = |text: &str| {
        StepError::new("psprun::cluster::arguments", text).help(
            "give one of `name: \"web\"`, `name: [\"a\", \"b\"]`, `selector: \"app=web\"` and `all: true`",
        )
    };
    match (!names.is_empty(), selector.is_some(), all) {
        (false, false, false) => Err(error("which objects is not said")),
        (true, _, true) => Err(error("both `name` and `all` are given")),
        (true, true, _) => Err(error("both `name` and `selector` are given")),
        _ => Ok(()),
    }
}

/// As [`chosen`], while the plan is made: from the arguments that are known.
pub(crate) fn check_chosen(args: &Value) -> Result<(), StepError> {
    let given = |name: &str| {
        args.get(name)
            .is_some_and(|value| !value.is_null() && *value != false)
    };
    let known = |name: &str| {
        args.get(name)
            .and_then(Value::as_str)
            .is_none_or(|text| !text.contains("${"))
    };
    if !["name", "selector", "all"].into_iter().all(known) {
        return Ok(());
    }
    let names = if given("name") {
        vec![String::new()]
    } else {
        Vec::new()
    };
    let selector = given("selector").then(Selector::anything);
    chosen(&names, selector.as_ref(), given("all"))
}

/// A duration that an argument gives, or the default.
///
/// # Errors
/// It is no duration.
pub(crate) fn duration(argument: Option<&str>, default: Duration) -> Result<Duration, StepError> {
    argument.map_or(Ok(default), |text| {
        psprun_engine::plan::parse_duration(text)
            .map_err(|error| StepError::new("psprun::cluster::arguments", error))
    })
}

/// While the plan is made: whether an argument, if it is known, is a duration.
pub(crate) fn check_duration(args: &Value, name: &str) -> Result<(), StepError> {
    match args.get(name) {
        Some(Value::String(text)) if !text.contains("${") => psprun_engine::plan::parse_duration(text)
            .map(drop)
            .map_err(|error| StepError::new("psprun::cluster::arguments", format!("{name}: {error}"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::super::testing::kind;
    use super::*;

    #[test]
    fn a_scope_becomes_a_query() {
        let pods = Scope::all(kind("", "v1", "Pod", true), Some("demo".to_owned()));
        assert_eq!(pods.path(), "/api/v1/namespaces/demo/pods");
        assert_eq!(pods.show(), "pods in demo");
        let one = pods
            .clone()
            .named(&["web".to_owned()])
            .fields(Some("status.phase=Running"));
        assert_eq!(
            one.list_params().field_selector.unwrap(),
            "metadata.name=web,status.phase=Running"
        );
        assert_eq!(one.show(), "pod demo/web");
        let selector = Selector::parse("app=web").unwrap();
        assert_eq!(pods.selected(Some(&selector)).show(), "pods with app=web in demo");
        let nodes = Scope::all(kind("", "v1", "Node", false), Some("demo".to_owned()));
        assert_eq!(nodes.path(), "/api/v1/nodes");
        assert_eq!(nodes.show(), "nodes");
    }

    #[test]
    fn which_objects_must_be_said() {
        for good in [
            json!({ "name": "a" }),
            json!({ "selector": "a=b" }),
            json!({ "all": true }),
            json!({ "name": "${x.y}" }),
        ] {
            assert!(check_chosen(&good).is_ok(), "{good}");
        }
        for bad in [
            json!({}),
            json!({ "all": false }),
            json!({ "name": "a", "all": true }),
            json!({ "name": null }),
        ] {
            assert!(check_chosen(&bad).is_err(), "{bad}");
        }
        assert!(check_duration(&json!({ "timeout": "5 apples" }), "timeout").is_err());
        assert!(check_duration(&json!({ "timeout": "${p.t}" }), "timeout").is_ok());
    }

    #[test]
    fn the_graph_shows_what_is_known() {
        let args = json!({ "kind": "pods", "namespace": "demo", "selector": { "app": "web" }, "all_namespaces": false });
        assert_eq!(
            describe(&args, subject(&args, "kind")),
            "pods with app=web in demo"
        );
    }
}

//! `wait_event`: waits until something happens that the cluster makes an event of.

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use psprun_engine::builtin::show_short;
use psprun_engine::diagnostic::did_you_mean;
use psprun_engine::plan::show_duration;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::connection::Clusters;
use super::discovery::Kind;
use super::events;
use super::object::{self, text};
use super::requests::Requests;
use super::scope::{self, Scope};
use super::watch::{Change, watch};
use crate::target::ClusterRef;

const TIMEOUT: Duration = Duration::from_secs(300);

/// How many of the other events an error names.
const SHOWN: usize = 5;

/// Waits for an event.
pub(crate) struct WaitEvent {
    pub(crate) clusters: Clusters,
}

/// Which event.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Args {
    /// The cluster.
    cluster: Option<ClusterRef>,
    /// A part of its message; or a map of all these options.
    message: Value,
    /// The namespace; that of the kubeconfig's context when absent, mostly `default`. Events about nodes are in `default`.
    namespace: Option<String>,
    /// Events of all namespaces.
    all_namespaces: bool,
    /// Its reason: `FailedCreate`, `Pulled`, `NodeReady`.
    reason: Option<String>,
    /// The kind of the object that it is about: `Pod`, `DaemonSet`.
    kind: Option<String>,
    /// The name of that object, or its beginning and a `*`.
    name: Option<String>,
    /// `Warning` or `Normal`.
    #[serde(rename = "type")]
    level: Option<String>,
    /// How long to wait: `5m` when absent.
    timeout: Option<String>,
}

/// The options that the map may have.
const OPTIONS: [&str; 8] = [
    "message",
    "namespace",
    "all_namespaces",
    "reason",
    "kind",
    "name",
    "type",
    "timeout",
];

/// The event.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Found {
    /// Its reason, one word.
    reason: String,
    /// Its message.
    message: String,
    /// `Warning` or `Normal`.
    #[serde(rename = "type")]
    level: String,
    /// How often it happened so far.
    count: i64,
    /// The object that it is about.
    object: About,
    /// When it happened last, RFC 3339.
    last_time: String,
}

/// What an event is about.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct About {
    /// The object's kind.
    kind: String,
    /// Its namespace; empty for one without.
    namespace: String,
    /// Its name.
    name: String,
}

#[async_trait]
impl Builtin for WaitEvent {
    type Args = Args;
    type Output = Found;

    fn spec(&self) -> Spec {
        Spec::new(
            "wait_event",
            "Waits for an event; one that happened already counts",
        )
        .on("cluster")
        .subject("message")
        .reads_only()
        .examples(&[
            Example {
                title: "Admission refuses the pods of kube-system",
                script: r#"
let refused = cluster.wait_event(#{
    namespace: "kube-system",
    reason: "FailedCreate",
    message: "no providers available to validate pod request",
});
check("it is kube-proxy or CoreDNS", || refused.object.kind in ["DaemonSet", "ReplicaSet"]);
"#,
                runs: Runs::OnNode,
            },
            Example {
                title: "A part of the message is enough",
                script: r#"
cluster.wait_event("Started container", #{ namespace: "demo", kind: "Pod", name: "web-*", timeout: "2m" });
"#,
                runs: Runs::OnNode,
            },
        ])
    }

    fn describe(&self, args: &Value) -> String {
        let args = &merged_value(args);
        let set = |name: &str| args.get(name).filter(|value| !value.is_null());
        let mut line = "wait for the event".to_owned();
        if let Some(reason) = set("reason") {
            line.push_str(&format!(" {}", show_short(reason)));
        }
        if let Some(message) = set("message") {
            line.push_str(&format!(" “{}”", show_short(message)));
        }
        if let Some(about) = set("kind")
            .into_iter()
            .chain(set("name"))
            .map(show_short)
            .reduce(|a, b| format!("{a} {b}"))
        {
            line.push_str(&format!(" of {about}"));
        }
        if let Some(namespace) = set("namespace") {
            line.push_str(&format!(" in {}", show_short(namespace)));
        }
        line
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        if let Some(Value::Object(map)) = args.get("message") {
            check_options(map)?;
        }
        let args = merged_value(args);
        if args.to_string().contains("${") {
            return Ok(());
        }
        scope::check_duration(&args, "timeout")?;
        let args: Args = parse(args)?;
        args.criteria().map(drop)
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Found>, StepError> {
        let args = args.merged()?;
        let criteria = args.criteria()?;
        let timeout = scope::duration(args.timeout.as_deref(), TIMEOUT)?;
        let Some(cluster) = &args.cluster else {
            return Err(StepError::new(
                "psprun::cluster::arguments",
                "no cluster is given",
            ));
        };
        let requests = Requests::open(&self.clusters, cluster, &context).await?;
        let target = self.clusters.target();
        let kind = Kind::served("v1", "Event", "events");
        let scope = Scope::of(
            requests.client(),
            kind,
            args.namespace.as_deref(),
            args.all_namespaces,
        )?;
        let mut changes = watch(requests.client(), target, scope.clone());
        let mut end = target.sleep(timeout);
        // The latest others, for the error.
        let mut others: Vec<Value> = Vec::new();
        context.progress(format!("no such event in {} yet", place(&scope)));
        loop {
            let change = tokio::select! {
                change = changes.next() => change,
                () = &mut end => return Err(missing(&criteria, &scope, others, timeout)),
            };
            let events = match change {
                Some(Ok(Change::Listed(events))) => events,
                Some(Ok(Change::Applied(event))) => vec![event],
                Some(Ok(Change::Deleted(_))) => continue,
                Some(Ok(Change::Away(why))) => {
                    context.progress(why);
                    continue;
                }
                Some(Err(error)) => return Err(error),
                None => return Err(missing(&criteria, &scope, others, timeout)),
            };
            let fitting = events.iter().filter(|event| criteria.fits(event));
            if let Some(event) = fitting.max_by_key(|event| events::last_time(event)) {
                return Ok(Outcome::unchanged(found(event)).summary(format!(
                    "{}: {}",
                    about(event),
                    events::show(event)
                )));
            }
            for event in events {
                others.retain(|other| object::uid(other) != object::uid(&event));
                others.push(event);
            }
            others.sort_by(|a, b| events::last_time(b).cmp(events::last_time(a)));
            others.truncate(10 * SHOWN);
        }
    }
}

impl Args {
    /// With the options that came in the map of the subject.
    fn merged(self) -> Result<Self, StepError> {
        let Value::Object(map) = &self.message else {
            return Ok(self);
        };
        check_options(map)?;
        let mut whole = map.clone();
        for (name, value) in [
            ("namespace", self.namespace.map(Value::from)),
            ("reason", self.reason.map(Value::from)),
            ("kind", self.kind.map(Value::from)),
            ("name", self.name.map(Value::from)),
            ("type", self.level.map(Value::from)),
            ("timeout", self.timeout.map(Value::from)),
            ("all_namespaces", self.all_namespaces.then_some(Value::Bool(true))),
        ] {
            if let Some(value) = value {
                whole.insert(name.to_owned(), value);
            }
        }
        let cluster = self.cluster;
        Ok(Self {
            cluster,
            ..parse(Value::Object(whole))?
        })
    }

    fn criteria(&self) -> Result<Criteria, StepError> {
        let message = match &self.message {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => {
                return Err(StepError::new(
                    "psprun::cluster::arguments",
                    format!("the message is a part of a text, not {other}"),
                ));
            }
        };
        let criteria = Criteria {
            message,
            reason: self.reason.clone(),
            kind: self.kind.clone(),
            name: self.name.clone(),
            level: self.level.clone(),
        };
        if criteria == Criteria::default() {
            return Err(StepError::new("psprun::cluster::arguments", "which event is not said")
                .help("give a part of its message, its reason, or the kind and name of the object that it is about"));
        }
        Ok(criteria)
    }
}

fn parse(args: Value) -> Result<Args, StepError> {
    serde_json::from_value(args)
        .map_err(|error| StepError::new("psprun::cluster::arguments", error.to_string()))
}

fn check_options(map: &Map<String, Value>) -> Result<(), StepError> {
    match map.keys().find(|key| !OPTIONS.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(StepError::new(
            "psprun::cluster::arguments",
            format!("wait_event has no option {key:?}"),
        )
        .help(match did_you_mean(key, OPTIONS) {
            Some(close) => format!("did you mean {close:?}?"),
            None => format!("it has {}", OPTIONS.join(", ")),
        })),
    }
}

/// The arguments with those of the subject's map among them.
fn merged_value(args: &Value) -> Value {
    let Value::Object(all) = args else {
        return args.clone();
    };
    let Some(Value::Object(map)) = args.get("message") else {
        return args.clone();
    };
    let mut whole = map.clone();
    whole.extend(
        all.iter()
            .filter(|(name, _)| *name != "message")
            .map(|(k, v)| (k.clone(), v.clone())),
    );
    Value::Object(whole)
}

/// What an event must be.
#[derive(Debug, Default, PartialEq, Eq)]
struct Criteria {
    message: Option<String>,
    reason: Option<String>,
    kind: Option<String>,
    name: Option<String>,
    level: Option<String>,
}

impl Criteria {
    fn fits(&self, event: &Value) -> bool {
        let is = |wanted: &Option<String>, place: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(text(event, place)))
        };
        let contains = |part: &String| text(event, "/message").contains(part.as_str());
        let named = |name: &String| match name.strip_suffix('*') {
            Some(beginning) => text(event, "/involvedObject/name").starts_with(beginning),
            None => text(event, "/involvedObject/name") == name,
        };
        self.message.as_ref().is_none_or(contains)
            && self.name.as_ref().is_none_or(named)
            && is(&self.reason, "/reason")
            && is(&self.kind, "/involvedObject/kind")
            && is(&self.level, "/type")
    }

    fn show(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.reason.clone());
        words.extend(self.message.as_ref().map(|message| format!("{message:?}")));
        let about: Vec<&str> = [&self.kind, &self.name]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        if !about.is_empty() {
            words.push(format!("of {}", about.join(" ")));
        }
        words.join(" ")
    }
}

fn found(event: &Value) -> Found {
    let take = |place: &str| text(event, place).to_owned();
    Found {
        reason: take("/reason"),
        message: take("/message"),
        level: take("/type"),
        count: events::count(event),
        object: About {
            kind: take("/involvedObject/kind"),
            namespace: take("/involvedObject/namespace"),
            name: take("/involvedObject/name"),
        },
        last_time: events::last_time(event).to_owned(),
    }
}

/// `daemonset kube-proxy`.
fn about(event: &Value) -> String {
    format!(
        "{} {}",
        text(event, "/involvedObject/kind").to_lowercase(),
        text(event, "/involvedObject/name")
    )
}

fn place(scope: &Scope) -> String {
    match &scope.namespace {
        Some(namespace) => format!("namespace {namespace}"),
        None => "any namespace".to_owned(),
    }
}

fn missing(criteria: &Criteria, scope: &Scope, mut others: Vec<Value>, timeout: Duration) -> StepError {
    let mut message = format!(
        "no event {} in {} after {}",
        criteria.show(),
        place(scope),
        show_duration(timeout)
    );
    // Warnings say more than what went well.
    others.sort_by_key(|event| event["type"] != "Warning");
    match others.len() {
        0 => message.push_str("; there are no events at all"),
        _ => message.push_str("; there are others:"),
    }
    for event in others.iter().take(SHOWN) {
        message.push_str(&format!("\n  {}: {}", about(event), events::show(event)));
    }
    StepError::new("psprun::wait_event::timeout", message).heals()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn event() -> Value {
        json!({ "reason": "FailedCreate", "type": "Warning", "count": 13,
            "involvedObject": { "kind": "DaemonSet", "namespace": "kube-system", "name": "kube-proxy" },
            "message": "Error creating: pods \"kube-proxy-\" is forbidden: PodSecurityPolicy: no providers available to validate pod request" })
    }

    fn criteria(args: Value) -> Criteria {
        parse(args).unwrap().merged().unwrap().criteria().unwrap()
    }

    #[test]
    fn all_that_is_given_must_fit() {
        for (args, fits) in [
            (json!({ "message": "no providers available" }), true),
            (
                json!({ "message": { "message": "no providers", "reason": "FailedCreate" } }),
                true,
            ),
            (
                json!({ "message": { "kind": "daemonset", "name": "kube-*" } }),
                true,
            ),
            (json!({ "message": "no providers", "name": "kube" }), false),
            (json!({ "reason": "FailedMount" }), false),
            (json!({ "message": "No providers" }), false),
            (json!({ "type": "Normal" }), false),
        ] {
            assert_eq!(criteria(args.clone()).fits(&event()), fits, "{args}");
        }
    }

    #[test]
    fn what_is_no_option_is_refused() {
        let error = parse(json!({ "message": { "messag": "x" } }))
            .unwrap()
            .merged()
            .unwrap_err();
        assert_eq!(error.message, "wait_event has no option \"messag\"");
        assert_eq!(error.help.as_deref(), Some("did you mean \"message\"?"));
        assert!(parse(json!({})).unwrap().criteria().is_err());
        assert!(parse(json!({ "message": 1 })).unwrap().criteria().is_err());
    }

    #[test]
    fn the_map_counts_as_options() {
        let args =
            parse(json!({ "message": { "message": "x", "namespace": "a", "timeout": "3m" } })).unwrap();
        let args = args.merged().unwrap();
        assert_eq!(
            (args.namespace.as_deref(), args.timeout.as_deref()),
            (Some("a"), Some("3m"))
        );
    }
}

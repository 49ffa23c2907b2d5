//! `wait_for`: waits until objects are as a condition says.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use psprun_engine::plan::show_duration;
use psprun_engine::script::Closure;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::connection::Clusters;
use super::field_path::FieldPath;
use super::object;
use super::requests::Requests;
use super::scope::{self, Scope};
use super::selector::Selector;
use super::watch::{Change, watch};
use super::words::Words;
use crate::target::ClusterRef;

const TIMEOUT: Duration = Duration::from_secs(300);

/// Changes that are there already are taken together.
const TOGETHER: usize = 256;

/// How many objects an error names.
const SHOWN: usize = 5;

/// Waits until objects are as a condition says.
pub(crate) struct WaitFor {
    pub(crate) clusters: Clusters,
}

/// Which objects, and how they have to be. One of `condition`, `jsonpath` and `gone` is needed.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The cluster.
    cluster: ClusterRef,
    /// The objects' kind: `pods`, `deploy`, `ippools.crd.projectcalico.org`.
    kind: String,
    /// A closure that gets an object and says whether it is as it should be, `|pod| pod.status.podIP != ""` (fields that
    /// are not there yet count as not yet so); or the name of a condition of its status, `"Ready"`, `"Ready=False"`.
    #[serde(default)]
    condition: Option<Condition>,
    /// The path of a field, `.status.phase`, which has to be `equals`.
    #[serde(default)]
    jsonpath: Option<String>,
    /// What the field at `jsonpath` has to be; when absent, anything.
    #[serde(default)]
    equals: Option<Value>,
    /// Wait until none of the objects is there.
    #[serde(default)]
    gone: bool,
    /// The name of an object, or a list of names: each of them has to be there.
    #[serde(default)]
    name: Words,
    /// Their namespace; that of the kubeconfig's context when absent, mostly `default`.
    #[serde(default)]
    namespace: Option<String>,
    /// Objects in all namespaces.
    #[serde(default)]
    all_namespaces: bool,
    /// Objects with these labels: `app=web,tier!=front`, or a map of labels.
    #[serde(default)]
    selector: Option<Selector>,
    /// How many objects have to be there at least: 1 when absent. All that are there have to be as the condition says.
    #[serde(default)]
    min: Option<usize>,
    /// How long to wait: `5m` when absent.
    #[serde(default)]
    timeout: Option<String>,
}

/// A closure, or a condition's name.
#[derive(Debug)]
enum Condition {
    Closure(Closure),
    Named(String),
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match Value::deserialize(deserializer)? {
            Value::String(name) if !name.is_empty() => Ok(Self::Named(name)),
            other => serde_json::from_value(other).map(Self::Closure).map_err(|_| {
                D::Error::custom(
                    "a condition is a closure, `|pod| …`, or the name of a condition, `\"Ready\"`",
                )
            }),
        }
    }
}

impl JsonSchema for Condition {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Condition".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [Closure::json_schema(generator), { "type": "string" }] })
    }
}

/// The objects.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Found {
    /// The objects as they were when all were so, sorted by namespace and name; none when they are gone.
    items: Vec<Value>,
}

#[async_trait]
impl Builtin for WaitFor {
    type Args = Args;
    type Output = Found;

    fn spec(&self) -> Spec {
        Spec::new("wait_for", "Waits until objects are as a condition says")
            .on("cluster")
            .subject("kind")
            .reads_only()
            .examples(&[
                Example {
                    title: "A closure on the object",
                    script: r#"
let service = cluster.wait_for("service", #{ name: "kubernetes", condition: |it| it.spec.clusterIP != "None" });
"#,
                    runs: Runs::OnCluster,
                },
                Example {
                    title: "A field, and a condition of the status",
                    script: r#"
let active = cluster.wait_for("namespace", #{ name: "default", jsonpath: ".status.phase", equals: "Active" });
cluster.wait_for("deployment", #{ name: "web", namespace: "demo", condition: "Available" }).after(active);
"#,
                    runs: Runs::OnNode,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        let objects = scope::describe(args, scope::subject(args, "kind"));
        let set = |name: &str| args.get(name).filter(|value| !value.is_null());
        let how = match (set("condition"), set("jsonpath"), set("equals")) {
            (Some(condition), ..) => format!("until {}", psprun_engine::builtin::show_short(condition)),
            (_, Some(path), Some(value)) => format!(
                "until {} is {}",
                psprun_engine::builtin::show_short(path),
                psprun_engine::builtin::show_short(value)
            ),
            (_, Some(path), None) => format!("until {} is set", psprun_engine::builtin::show_short(path)),
            _ => "to be gone".to_owned(),
        };
        format!("wait for {objects} {how}")
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        scope::check_duration(args, "timeout")?;
        let set = |name: &str| {
            args.get(name)
                .is_some_and(|value| !value.is_null() && *value != false)
        };
        one_test(set("condition"), set("jsonpath"), set("gone"))?;
        match args.get("jsonpath") {
            Some(Value::String(path)) if !path.contains("${") => field(path).map(drop),
            _ => Ok(()),
        }
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Found>, StepError> {
        one_test(args.condition.is_some(), args.jsonpath.is_some(), args.gone)?;
        let timeout = scope::duration(args.timeout.as_deref(), TIMEOUT)?;
        let test = match (args.condition, &args.jsonpath) {
            (Some(Condition::Closure(closure)), _) => Test::Closure(closure),
            (Some(Condition::Named(name)), _) => Test::condition(&name),
            (None, Some(path)) => Test::Field(field(path)?, args.equals),
            (None, None) => Test::Gone,
        };
        let requests = Requests::open(&self.clusters, &args.cluster, &context).await?;
        let kind = requests.resolve(&args.kind).await?;
        let scope = Scope::of(
            requests.client(),
            kind,
            args.namespace.as_deref(),
            args.all_namespaces,
        )?
        .named(&args.name)
        .selected(args.selector.as_ref());
        let min = args.min.unwrap_or(1).max(scope.names.len());

        let target = self.clusters.target();
        let mut changes = watch(requests.client(), target, scope.clone()).ready_chunks(TOGETHER);
        let mut end = target.sleep(timeout);
        let mut objects: Option<BTreeMap<String, Value>> = None;
        let mut told = String::new();
        let mut away = None;
        loop {
            let batch = tokio::select! {
                batch = changes.next() => batch.unwrap_or_default(),
                () = &mut end => {
                    let objects = objects.unwrap_or_default();
                    return Err(time_is_up(&test, &scope, &objects, &context, away, timeout));
                }
            };
            for change in batch {
                away = None;
                match change? {
                    Change::Listed(all) => {
                        objects = Some(
                            all.into_iter()
                                .map(|object| (object::full_name(&object), object))
                                .collect(),
                        );
                    }
                    Change::Applied(object) => {
                        objects
                            .get_or_insert_default()
                            .insert(object::full_name(&object), object);
                    }
                    Change::Deleted(object) => {
                        objects
                            .get_or_insert_default()
                            .remove(&object::full_name(&object));
                    }
                    Change::Away(why) => away = Some(why),
                }
            }
            let text = match (&away, &objects) {
                (Some(away), _) => away.clone(),
                (None, None) => continue,
                (None, Some(known)) => match look(&test, known, min, &context)? {
                    None => {
                        let items: Vec<Value> = objects.unwrap_or_default().into_values().collect();
                        items.iter().for_each(|item| object::keep_secret(&context, item));
                        return Ok(Outcome::unchanged(Found { items }));
                    }
                    Some(missing) => format!("{}: {missing}", scope.show()),
                },
            };
            if text != told {
                context.progress(text.clone());
                told = text;
            }
        }
    }
}

fn one_test(condition: bool, jsonpath: bool, gone: bool) -> Result<(), StepError> {
    let help = "give one of `condition: |object| …`, `condition: \"Ready\"`, `jsonpath: \".status.phase\", equals: …` and `gone: true`";
    let error = |text: &str| Err(StepError::new("psprun::cluster::arguments", text).help(help));
    match [condition, jsonpath, gone]
        .into_iter()
        .filter(|given| *given)
        .count()
    {
        0 => error("what to wait for is not said"),
        1 => Ok(()),
        _ => error("more than one thing to wait for is given"),
    }
}

fn field(path: &str) -> Result<FieldPath, StepError> {
    FieldPath::parse(path).map_err(|error| StepError::new("psprun::cluster::arguments", error))
}

/// How an object has to be.
enum Test {
    Closure(Closure),
    /// A condition of the status, and its status.
    Condition(String, String),
    Field(FieldPath, Option<Value>),
    Gone,
}

impl Test {
    /// `Ready`, `Ready=False`.
    fn condition(text: &str) -> Self {
        let (name, status) = text.split_once('=').unwrap_or((text, "True"));
        Self::Condition(name.trim().to_owned(), status.trim().to_owned())
    }

    /// What an object lacks; `None` when it is as it should be.
    fn lacks(&self, object: &Value, context: &Context) -> Result<Option<String>, StepError> {
        Ok(match self {
            // A field may not be there yet: the closure stumbles over it.
            Self::Closure(closure) => match context.call(closure, vec![object.clone()]) {
                Ok(Value::Bool(true)) => None,
                Ok(Value::Bool(false)) => Some("the condition is not met".to_owned()),
                Ok(other) => {
                    return Err(StepError::new(
                        "psprun::wait_for::no_bool",
                        format!("the condition gives {other}, not true or false"),
                    )
                    .help("compare: |pod| pod.status.phase == \"Running\""));
                }
                Err(error) => Some(format!("the condition cannot tell: {}", error.message)),
            },
            Self::Condition(name, status) => match object::condition(object, name) {
                Some(found) if object::text(found, "/status").eq_ignore_ascii_case(status) => None,
                Some(found) => Some(format!(
                    "{name} is {}: {}",
                    object::text(found, "/status"),
                    object::why(found)
                )),
                None => Some(format!("it has no condition {name} yet")),
            },
            Self::Field(path, wanted) => match (path.of(object), wanted) {
                (None | Some(Value::Null), _) => Some(format!("{} is not there yet", path.as_str())),
                (Some(_), None) => None,
                (Some(found), Some(wanted)) if same(found, wanted) => None,
                (Some(found), Some(_)) => Some(format!("{} is {found}", path.as_str())),
            },
            Self::Gone => Some("it is still there".to_owned()),
        })
    }
}

/// Numbers are equal by value: a script's 1 and 1.0.
fn same(found: &Value, wanted: &Value) -> bool {
    found == wanted || (found.is_number() && found.as_f64() == wanted.as_f64())
}

/// What is missing; `None` when all is as it should be.
fn look(
    test: &Test,
    objects: &BTreeMap<String, Value>,
    min: usize,
    context: &Context,
) -> Result<Option<String>, StepError> {
    if matches!(test, Test::Gone) {
        return Ok((!objects.is_empty()).then(|| format!("{} still there", objects.len())));
    }
    let mut first = None;
    let mut good = 0;
    for (name, object) in objects {
        match test.lacks(object, context)? {
            None => good += 1,
            Some(missing) => {
                first.get_or_insert_with(|| format!("{name}: {missing}"));
            }
        }
    }
    Ok(match first {
        Some(first) => Some(format!("{good} of {}; {first}", objects.len().max(min))),
        None if objects.len() < min => Some(format!("{} of at least {min} are there", objects.len())),
        None => None,
    })
}

fn time_is_up(
    test: &Test,
    scope: &Scope,
    objects: &BTreeMap<String, Value>,
    context: &Context,
    away: Option<String>,
    timeout: Duration,
) -> StepError {
    let after = show_duration(timeout);
    let objects_word = scope.show();
    let mut message = match (&away, objects.is_empty()) {
        (Some(away), _) => format!("{objects_word} are not known to be as they should after {after}: {away}"),
        (None, true) => format!("there are no {objects_word} after {after}"),
        (None, false) if matches!(test, Test::Gone) => format!("{objects_word} are not gone after {after}"),
        (None, false) => format!("{objects_word} are not as they should be after {after}"),
    };
    if away.is_none() {
        let lacking = objects
            .values()
            .filter_map(|object| Some((object, test.lacks(object, context).ok()??)));
        for (object, missing) in lacking.take(SHOWN) {
            message.push_str(&format!("\n  {}: {missing}", object::show(object)));
        }
    }
    StepError::new("psprun::wait_for::timeout", message).heals()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    async fn lacks(test: Test, object: Value) -> Option<String> {
        let (context, _told) = Context::detached(Default::default());
        test.lacks(&object, &context).unwrap()
    }

    #[tokio::test]
    async fn conditions_and_fields_are_looked_at() {
        let pod = json!({ "status": { "phase": "Pending", "n": 1, "conditions": [
            { "type": "Ready", "status": "False", "reason": "ContainersNotReady" }] } });
        let condition = |text: &str| Test::condition(text);
        assert_eq!(
            lacks(condition("Ready"), pod.clone()).await.as_deref(),
            Some("Ready is False: ContainersNotReady")
        );
        assert_eq!(lacks(condition("Ready=false"), pod.clone()).await, None);
        assert_eq!(
            lacks(condition("Synced"), pod.clone()).await.as_deref(),
            Some("it has no condition Synced yet")
        );
        let at = |path: &str, wanted| Test::Field(FieldPath::parse(path).unwrap(), wanted);
        assert_eq!(lacks(at(".status.phase", None), pod.clone()).await, None);
        assert_eq!(lacks(at(".status.n", Some(json!(1.0))), pod.clone()).await, None);
        assert_eq!(
            lacks(at(".status.phase", Some(json!("Running"))), pod.clone())
                .await
                .as_deref(),
            Some(".status.phase is \"Pending\"")
        );
        assert_eq!(
            lacks(at(".status.podIP", None), pod).await.as_deref(),
            Some(".status.podIP is not there yet")
        );
    }

    #[test]
    fn one_thing_is_waited_for() {
        assert!(one_test(true, false, false).is_ok());
        assert!(one_test(false, false, false).is_err() && one_test(true, false, true).is_err());
    }
}

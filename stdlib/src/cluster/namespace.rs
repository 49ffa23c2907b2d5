//! `namespace`: makes sure that a namespace is there.

use std::time::Duration;

use async_trait::async_trait;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::connection::Clusters;
use super::gone::wait_until_gone;
use super::metadata;
use super::object;
use super::requests::{Patch, Requests, never};
use super::scope::{self, Scope};
use crate::target::ClusterRef;

/// How long a namespace of the same name that is being deleted may take.
const GONE_TIMEOUT: Duration = Duration::from_secs(300);

/// Creates a namespace if it is not there.
pub(crate) struct Namespace {
    pub(crate) clusters: Clusters,
}

/// The namespace.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The cluster.
    cluster: ClusterRef,
    /// Its name.
    name: String,
    /// Labels that it has to have; one whose value is `()` is removed.
    #[serde(default)]
    labels: Map<String, Value>,
    /// Annotations that it has to have; one whose value is `()` is removed.
    #[serde(default)]
    annotations: Map<String, Value>,
}

#[async_trait]
impl Builtin for Namespace {
    type Args = Args;
    /// The Namespace object.
    type Output = Value;

    fn spec(&self) -> Spec {
        Spec::new("namespace", "Creates a namespace if it is not there")
            .on("cluster")
            .subject("name")
            .examples(&[
                Example {
                    title: "A namespace, and something in it",
                    script: r#"
let demo = cluster.namespace("demo");
let settings = cluster.get("configmaps", #{ namespace: demo.metadata.name });
"#,
                    runs: Runs::OnCluster,
                },
                Example {
                    title: "A namespace that enforces a level of Pod Security",
                    script: r#"
cluster.namespace("demo", #{ labels: #{ "pod-security.kubernetes.io/enforce": "restricted" } });
"#,
                    runs: Runs::OnCluster,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        let mut text = format!("make namespace {}", scope::subject(args, "name"));
        for field in ["labels", "annotations"] {
            let words = metadata::show_words(args, field);
            if !words.is_empty() {
                text.push_str(&format!(", {field} {words}"));
            }
        }
        text
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        match args.get("name").and_then(Value::as_str) {
            Some(name) if !name.contains("${") => check_name(name),
            _ => Ok(()),
        }
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Value>, StepError> {
        check_name(&args.name)?;
        let fields = [("labels", &args.labels), ("annotations", &args.annotations)];
        let mut wanted = Map::new();
        for (field, values) in fields.into_iter().filter(|(_, values)| !values.is_empty()) {
            wanted.insert(field.to_owned(), metadata::words(field, values)?.into());
        }
        let requests = Requests::open(&self.clusters, &args.cluster, &context).await?;
        let kind = requests.resolve("v1/Namespace").await?;
        let scope = Scope::all(kind, None).named(std::slice::from_ref(&args.name));
        let kind = &scope.kind;

        // Two rounds: another may create or delete it between the question and the act.
        for _ in 0..2 {
            match requests.get(kind, None, &args.name).await? {
                Some(object) if object::is_terminating(&object) => {
                    let left = std::slice::from_ref(&object);
                    wait_until_gone(
                        &requests,
                        self.clusters.target(),
                        &context,
                        &scope,
                        left,
                        GONE_TIMEOUT,
                    )
                    .await?;
                }
                Some(object) => return update(&requests, &scope, object, &wanted).await,
                None => {}
            }
            let mut metadata = wanted.clone();
            for values in metadata.values_mut().filter_map(Value::as_object_mut) {
                values.retain(|_, value| !value.is_null());
            }
            metadata.insert("name".to_owned(), args.name.clone().into());
            let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata });
            let created = requests.create(kind, None, &object).await?;
            if let Some(created) = created {
                return Ok(Outcome::changed(created).summary("created"));
            }
        }
        Err(StepError::new(
            "psprun::namespace::contended",
            format!(
                "namespace {:?} is created and deleted by another at the same time",
                args.name
            ),
        )
        .heals())
    }
}

async fn update(
    requests: &Requests,
    scope: &Scope,
    object: Value,
    wanted: &Map<String, Value>,
) -> Result<Outcome<Value>, StepError> {
    let mut patch = Map::new();
    for (field, words) in wanted {
        let missing = words
            .as_object()
            .map(|words| metadata::missing(&object, field, words));
        if let Some(missing) = missing.filter(|missing| !missing.is_empty()) {
            patch.insert(field.clone(), missing.into());
        }
    }
    if patch.is_empty() {
        return Ok(Outcome::unchanged(object).summary("there already"));
    }
    let patch = Patch::Merge(json!({ "metadata": patch }));
    let after = requests.patch(&scope.kind, &object, &patch, None, never).await?;
    Ok(Outcome::changed(after.unwrap_or(object)).summary("labels or annotations changed"))
}

/// RFC 1123 label: what the API server asks of a namespace's name.
fn check_name(name: &str) -> Result<(), StepError> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fine = (1..=63).contains(&name.len())
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if fine {
        Ok(())
    } else {
        Err(StepError::new(
            "psprun::namespace::name",
            format!("{name:?} is no name for a namespace"),
        )
        .help("at most 63 lower-case letters, digits and `-`, the first and the last no `-`"))
    }
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_are_checked() {
        assert!(check_name("ingress-nginx").is_ok() && check_name("1a").is_ok());
        for bad in ["", "Demo", "-a", "a-", "a.b", "a_b", &"a".repeat(64)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}

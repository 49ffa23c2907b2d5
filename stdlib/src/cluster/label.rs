//! `label`: sets and removes labels of objects.

use async_trait::async_trait;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::connection::Clusters;
use super::metadata::{self, Changed};
use super::requests::Requests;
use super::scope::{self, Scope};
use super::selector::Selector;
use super::words::Words;
use crate::target::ClusterRef;

/// Sets and removes labels.
pub(crate) struct Label {
    pub(crate) clusters: Clusters,
}

/// Which objects, and which labels.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The cluster.
    cluster: ClusterRef,
    /// The objects' kind: `nodes`, `ns`, `apps/v1/Deployment`.
    kind: String,
    /// The labels to set; one whose value is `()` is removed.
    labels: Map<String, Value>,
    /// The name of an object, or a list of names.
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
    /// All objects of the kind. One of `name`, `selector` and `all` is needed.
    #[serde(default)]
    all: bool,
}

#[async_trait]
impl Builtin for Label {
    type Args = Args;
    type Output = Changed;

    fn spec(&self) -> Spec {
        Spec::new("label", "Sets and removes labels of objects")
            .on("cluster")
            .subject("kind")
            .examples(&[
                Example {
                    title: "Tell a namespace which level of Pod Security it enforces",
                    script: r#"
cluster.label("namespace", #{ name: "default", labels: #{ "pod-security.kubernetes.io/enforce": "baseline" } });
"#,
                    runs: Runs::OnCluster,
                },
                Example {
                    title: "Take a label from all nodes",
                    script: r#"
cluster.label("nodes", #{ all: true, labels: #{ "disk": () } });
"#,
                    runs: Runs::OnCluster,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        let all = if args.get("all") == Some(&Value::Bool(true)) {
            "all "
        } else {
            ""
        };
        let objects = scope::describe(args, scope::subject(args, "kind"));
        format!("label {all}{objects}: {}", metadata::show_words(args, "labels"))
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        if let Some(Value::Object(values)) = args.get("labels") {
            metadata::words("labels", values)?;
        }
        scope::check_chosen(args)
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Changed>, StepError> {
        scope::chosen(&args.name, args.selector.as_ref(), args.all)?;
        let words = metadata::words("labels", &args.labels)?;
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
        let done = metadata::set(&requests, &scope, "labels", &words).await?;
        let (changed, summary) = (!done.changed.is_empty(), done.summary(&scope));
        Ok(Outcome::new(done, changed).summary(summary))
    }
}

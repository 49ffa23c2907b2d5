//! `annotate`: sets and removes annotations of objects.

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

/// Sets and removes annotations.
pub(crate) struct Annotate {
    pub(crate) clusters: Clusters,
}

/// Which objects, and which annotations.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The cluster.
    cluster: ClusterRef,
    /// The objects' kind: `nodes`, `ns`, `apps/v1/Deployment`.
    kind: String,
    /// The annotations to set; one whose value is `()` is removed.
    annotations: Map<String, Value>,
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
impl Builtin for Annotate {
    type Args = Args;
    type Output = Changed;

    fn spec(&self) -> Spec {
        Spec::new("annotate", "Sets and removes annotations of objects")
            .on("cluster")
            .subject("kind")
            .examples(&[
                Example {
                    title: "Make an ingress class the default one",
                    script: r#"
cluster.annotate("ingressclasses", #{
    selector: "app.kubernetes.io/name=ingress-nginx",
    annotations: #{ "ingressclass.kubernetes.io/is-default-class": "true" },
});
"#,
                    runs: Runs::OnCluster,
                },
                Example {
                    title: "Remove an annotation",
                    script: r#"
cluster.annotate("namespace", #{ name: "default", annotations: #{ "example.com/owner": () } });
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
        format!(
            "annotate {all}{objects}: {}",
            metadata::show_words(args, "annotations")
        )
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        if let Some(Value::Object(values)) = args.get("annotations") {
            metadata::words("annotations", values)?;
        }
        scope::check_chosen(args)
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Changed>, StepError> {
        scope::chosen(&args.name, args.selector.as_ref(), args.all)?;
        let words = metadata::words("annotations", &args.annotations)?;
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
        let done = metadata::set(&requests, &scope, "annotations", &words).await?;
        let (changed, summary) = (!done.changed.is_empty(), done.summary(&scope));
        Ok(Outcome::new(done, changed).summary(summary))
    }
}

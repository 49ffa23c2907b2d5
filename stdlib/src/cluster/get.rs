//! `get`: reads objects.

use async_trait::async_trait;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::connection::Clusters;
use super::object::keep_secret;
use super::requests::{Requests, not_found};
use super::scope::{self, Scope};
use super::selector::Selector;
use crate::target::ClusterRef;

/// Reads objects of a kind.
pub(crate) struct Get {
    pub(crate) clusters: Clusters,
}

/// Which objects are read.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The cluster.
    cluster: ClusterRef,
    /// Their kind: `pods`, `deploy`, `ingresses.networking.k8s.io`, `apps/v1/Deployment`.
    kind: String,
    /// The name of one object. The output is that object then, and it is an error when it is not there.
    #[serde(default)]
    name: Option<String>,
    /// Their namespace; that of the kubeconfig's context when absent, mostly `default`.
    #[serde(default)]
    namespace: Option<String>,
    /// Read from all namespaces.
    #[serde(default)]
    all_namespaces: bool,
    /// Only objects with these labels: `app=web,tier!=front`, or a map of labels.
    #[serde(default)]
    selector: Option<Selector>,
    /// Only objects with these fields: `spec.nodeName=master,status.phase=Running`.
    #[serde(default)]
    field_selector: Option<String>,
    /// Give `()` for an object that is not there, instead of an error.
    #[serde(default)]
    optional: bool,
}

#[async_trait]
impl Builtin for Get {
    type Args = Args;
    /// The object of this name; without a name a list: `items`, sorted by namespace and name.
    type Output = Value;

    fn spec(&self) -> Spec {
        Spec::new("get", "Reads objects from the cluster")
            .on("cluster")
            .subject("kind")
            .reads_only()
            .examples(&[
                Example {
                    title: "The pods of a namespace by label",
                    script: r#"
let pods = cluster.get("pods", #{ namespace: "kube-system", selector: "k8s-app=kube-dns" });
"#,
                    runs: Runs::OnCluster,
                },
                Example {
                    title: "One object, if it is there",
                    script: r#"
let settings = cluster.get("configmap", #{ name: "settings", namespace: "default", optional: true });
check("there are no settings yet", || settings == ());
"#,
                    runs: Runs::OnCluster,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        format!("read {}", scope::describe(args, scope::subject(args, "kind")))
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Value>, StepError> {
        let requests = Requests::open(&self.clusters, &args.cluster, &context).await?;
        let kind = requests.resolve(&args.kind).await?;
        let scope = Scope::of(
            requests.client(),
            kind,
            args.namespace.as_deref(),
            args.all_namespaces,
        )?
        .selected(args.selector.as_ref())
        .fields(args.field_selector.as_deref());
        let Some(name) = args.name else {
            let (items, _) = requests.list(&scope).await?;
            items.iter().for_each(|item| keep_secret(&context, item));
            let summary = match items.len() {
                1 => format!("1 {}", scope.kind.singular),
                count => format!("{count} {}", scope.kind.resource.plural),
            };
            return Ok(Outcome::unchanged(json!({ "items": items })).summary(summary));
        };
        let object = if scope.namespace.is_none() && scope.kind.namespaced {
            return Err(StepError::new(
                "psprun::cluster::arguments",
                "one object has one namespace: `name` and `all_namespaces` do not go together",
            )
            .help(format!(
                "use `field_selector: \"metadata.name={name}\"` to look everywhere"
            )));
        } else {
            requests
                .get(&scope.kind, scope.namespace.as_deref(), &name)
                .await?
        };
        match object {
            Some(object) => {
                keep_secret(&context, &object);
                Ok(Outcome::unchanged(object))
            }
            None if args.optional => Ok(Outcome::unchanged(Value::Null).summary("not there")),
            None => Err(not_found(&scope, &name).help("give `optional: true` to go on without it")),
        }
    }
}

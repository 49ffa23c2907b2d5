//! `wait_ready`: waits until objects are there and ready, and says why when they do not become so.
//!
//! - [`rules`]: when an object of each kind is ready, one file a kind.
//! - [`causes`]: what keeps it from becoming so, read off the objects around it and their events.
//! - [`scene`]: the objects that are looked at, kept up to date by watches.
//! - [`waiting`]: the loop: a change, a look, the end or the next change.

mod causes;
mod report;
mod rules;
mod scene;
mod waiting;

use std::time::Duration;

use async_trait::async_trait;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::connection::Clusters;
use super::requests::Requests;
use super::scope::{self, Scope};
use super::selector::Selector;
use super::words::Words;
use crate::target::ClusterRef;

/// Controllers back off for minutes after a refusal, and images are pulled over slow lines.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Waits until objects are there and ready.
pub(crate) struct WaitReady {
    pub(crate) clusters: Clusters,
}

/// What is waited for.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The cluster.
    cluster: ClusterRef,
    /// The objects' kind: `nodes`, `pods`, `deploy`, `crd`, `ippools.crd.projectcalico.org`.
    kind: String,
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
    /// How many objects have to be there at least: 1 when absent.
    #[serde(default)]
    min: Option<usize>,
    /// For pods: look only at those that exist, and do not wait for those that the Deployments, DaemonSets and
    /// StatefulSets of the namespace have still to make.
    #[serde(default)]
    created_only: bool,
    /// How long to wait at most: `5m` when absent. It ends sooner when a cause is found that does not heal.
    #[serde(default)]
    timeout: Option<String>,
}

/// The objects that were waited for.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Ready {
    /// The objects as they were when all were ready, sorted by namespace and name.
    pub(crate) items: Vec<Value>,
}

#[async_trait]
impl Builtin for WaitReady {
    type Args = Args;
    type Output = Ready;

    fn spec(&self) -> Spec {
        Spec::new("wait_ready", "Waits until objects are there and ready")
            .on("cluster")
            .subject("kind")
            .reads_only()
            .examples(&[
                Example {
                    title: "All nodes, then all pods of a namespace",
                    script: r#"
let nodes = cluster.wait_ready("nodes", #{ timeout: "5m" });
let pods = cluster.wait_ready("pods", #{ namespace: "kube-system" }).after(nodes);
check("the first pod has an address", || pods.items[0].status.podIP != "");
"#,
                    runs: Runs::OnNode,
                },
                Example {
                    title: "A Deployment by its name",
                    script: r#"
cluster.wait_ready("deployment", #{ name: "web", namespace: "demo" });
"#,
                    runs: Runs::OnNode,
                },
                Example {
                    title: "A namespace",
                    script: r#"
cluster.wait_ready("namespace", #{ name: "default" });
"#,
                    runs: Runs::OnCluster,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        let mut text = format!(
            "wait until {} are ready",
            scope::describe(args, scope::subject(args, "kind"))
        );
        if let Some(timeout) = args.get("timeout").and_then(Value::as_str) {
            text.push_str(&format!(", for {timeout} at most"));
        }
        text
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        scope::check_duration(args, "timeout")
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Ready>, StepError> {
        let timeout = scope::duration(args.timeout.as_deref(), TIMEOUT)?;
        let requests = Requests::open(&self.clusters, &args.cluster, &context).await?;
        let kind = requests.resolve(&args.kind).await?;
        let scope = Scope::of(
            requests.client(),
            kind.clone(),
            args.namespace.as_deref(),
            args.all_namespaces,
        )?
        .named(&args.name)
        .selected(args.selector.as_ref());
        let wanted = scene::Wanted {
            min: args.min.unwrap_or(1).max(scope.names.len()),
            owed: !args.created_only,
            scope,
        };
        let target = self.clusters.target();
        let items = waiting::wait(&requests, target, &context, wanted, timeout).await?;
        let summary = report::count(items.len(), &kind);
        Ok(Outcome::unchanged(Ready { items }).summary(summary))
    }
}

//! `delete`: deletes objects, and waits until they are gone.

use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use kube::core::params::{DeleteParams, PropagationPolicy};
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::connection::Clusters;
use super::gone::wait_until_gone;
use super::object;
use super::requests::{Requests, each};
use super::scope::{self, Scope};
use super::selector::Selector;
use super::words::Words;
use crate::target::ClusterRef;

/// How many deletions are under way at once.
const AT_ONCE: usize = 16;

const TIMEOUT: Duration = Duration::from_secs(300);

/// Deletes objects of a kind.
pub(crate) struct Delete {
    pub(crate) clusters: Clusters,
}

/// Which objects are deleted, and how.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The cluster.
    cluster: ClusterRef,
    /// Their kind: `pods`, `deploy`, `apps/v1/Deployment`.
    kind: String,
    /// The name of an object, or a list of names. One that is not there is no error.
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
    /// Wait until the objects are gone (the default).
    #[serde(default = "yes")]
    wait: bool,
    /// How long to wait for that: `5m` when absent.
    #[serde(default)]
    timeout: Option<String>,
    /// Seconds that pods have to end; the pod's own number when absent, 0 ends them at once.
    #[serde(default)]
    grace_period: Option<u32>,
    /// What becomes of what the objects own: `background` (deleted later, the default), `foreground` (deleted before)
    /// or `orphan` (kept).
    #[serde(default)]
    cascade: Cascade,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Cascade {
    #[default]
    Background,
    Foreground,
    Orphan,
}

fn yes() -> bool {
    true
}

/// What was deleted.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Deleted {
    /// The objects whose deletion this step began: `pod demo/web`.
    deleted: Vec<String>,
    /// The names that were not there.
    absent: Vec<String>,
}

#[async_trait]
impl Builtin for Delete {
    type Args = Args;
    type Output = Deleted;

    fn spec(&self) -> Spec {
        Spec::new("delete", "Deletes objects and waits until they are gone")
            .on("cluster")
            .subject("kind")
            .examples(&[
                Example {
                    title: "One object; nothing happens when it is not there",
                    script: r#"
let gone = cluster.delete("configmap", #{ name: "old-settings", namespace: "default" });
"#,
                    runs: Runs::OnCluster,
                },
                Example {
                    title: "Pods by label, without waiting",
                    script: r#"
cluster.delete("pods", #{ namespace: "default", selector: "app=web", wait: false });
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
        format!(
            "delete {all}{}",
            scope::describe(args, scope::subject(args, "kind"))
        )
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        scope::check_chosen(args)?;
        scope::check_duration(args, "timeout")
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Deleted>, StepError> {
        scope::chosen(&args.name, args.selector.as_ref(), args.all)?;
        let timeout = scope::duration(args.timeout.as_deref(), TIMEOUT)?;
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
        let (mut objects, _) = requests.list(&scope).await?;
        objects.retain(|object| scope.holds(object));
        let absent: Vec<String> = scope
            .names
            .iter()
            .filter(|name| !objects.iter().any(|object| object::name(object) == *name))
            .cloned()
            .collect();

        let params = DeleteParams {
            grace_period_seconds: args.grace_period,
            propagation_policy: Some(match args.cascade {
                Cascade::Background => PropagationPolicy::Background,
                Cascade::Foreground => PropagationPolicy::Foreground,
                Cascade::Orphan => PropagationPolicy::Orphan,
            }),
            ..DeleteParams::default()
        };
        // One that is on its way out needs no second push, unless it is to go at once.
        let pushes = objects
            .iter()
            .filter(|object| !object::is_terminating(object) || args.grace_period == Some(0));
        let deleted = each(pushes, AT_ONCE, |object| {
            let (requests, kind, params) = (&requests, &scope.kind, &params);
            async move {
                let begun = requests.delete(kind, object, params).await?;
                Ok(begun.then(|| object::show(object)))
            }
            .boxed()
        })
        .await?;
        let deleted: Vec<String> = deleted.into_iter().flatten().collect();
        if args.wait && !objects.is_empty() {
            wait_until_gone(
                &requests,
                self.clusters.target(),
                &context,
                &scope,
                &objects,
                timeout,
            )
            .await?;
        }
        let summary = match (deleted.as_slice(), objects.is_empty()) {
            ([], true) => "not there".to_owned(),
            ([], false) => "gone".to_owned(),
            ([one], _) => format!("{one} deleted"),
            (many, _) => format!("{} deleted", many.len()),
        };
        let changed = !deleted.is_empty();
        Ok(Outcome::new(Deleted { deleted, absent }, changed).summary(summary))
    }
}

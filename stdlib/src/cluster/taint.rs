//! `taint`: puts taints on nodes.

use async_trait::async_trait;
use psprun_engine::builtin::show_short;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::connection::Clusters;
use super::object;
use super::requests::Requests;
use super::scope::Scope;
use super::taints::{self, Taint};
use super::words::Words;
use crate::target::ClusterRef;

/// Puts taints on nodes.
pub(crate) struct TaintNodes {
    pub(crate) clusters: Clusters,
}

/// Which nodes, and which taints.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The cluster.
    cluster: ClusterRef,
    /// `"all"`, a node's name, a list of names, or a label selector.
    nodes: Words,
    /// A taint or a list of taints: `key=value:NoSchedule`, or a map with `key`, `value` and `effect`. One with the
    /// same key and effect is replaced.
    taints: Value,
}

/// What was added.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The taints that were added or given another value.
    added: Vec<OnNode>,
    /// The names of all nodes that have the taints now.
    nodes: Vec<String>,
}

/// A taint on a node.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OnNode {
    /// The node's name.
    pub(crate) node: String,
    /// `key=value:effect`.
    pub(crate) taint: String,
}

#[async_trait]
impl Builtin for TaintNodes {
    type Args = Args;
    type Output = Output;

    fn spec(&self) -> Spec {
        Spec::new("taint", "Puts taints on nodes")
            .on("cluster")
            .subject("nodes")
            .examples(&[
                Example {
                    title: "Keep a node for the databases",
                    script: r#"
cluster.taint("disk=fast", #{ taints: "dedicated=database:NoSchedule" });
"#,
                    runs: Runs::OnCluster,
                },
                Example {
                    title: "Several taints, on all nodes",
                    script: r#"
cluster.taint("all", #{ taints: ["maintenance:PreferNoSchedule", #{ key: "zone", value: "a", effect: "NoSchedule" }] });
"#,
                    runs: Runs::OnCluster,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        let taints = args.get("taints").map(show_short).unwrap_or_default();
        format!("taint {} with {taints}", taints::show_nodes(args))
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        match args.get("taints") {
            Some(taints) if !taints.to_string().contains("${") => Taint::parse_all(taints).map(drop),
            _ => Ok(()),
        }
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Output>, StepError> {
        let wanted = Taint::parse_all(&args.taints)?;
        let requests = Requests::open(&self.clusters, &args.cluster, &context).await?;
        let scope = taints::nodes(Scope::all(requests.resolve("v1/Node").await?, None), &args.nodes)?;
        let nodes = taints::edit(&requests, &scope, |old| {
            let mut all = old.to_vec();
            let mut added = Vec::new();
            for taint in &wanted {
                if let Some(more) = taints::with(&all, taint) {
                    all = more;
                    added.push(taint.clone());
                }
            }
            (!added.is_empty()).then_some((all, added))
        })
        .await?;
        let mut output = Output {
            added: Vec::new(),
            nodes: Vec::new(),
        };
        for tainted in &nodes {
            let name = object::name(&tainted.node);
            output.nodes.push(name.to_owned());
            output.added.extend(tainted.changed.iter().map(|taint| OnNode {
                node: name.to_owned(),
                taint: taint.to_string(),
            }));
        }
        let summary = match (output.added.len(), nodes.len()) {
            (_, 0) => "no such node".to_owned(),
            (0, _) => "there already".to_owned(),
            (added, nodes) => format!(
                "{added} added on {nodes} {}",
                if nodes == 1 { "node" } else { "nodes" }
            ),
        };
        let changed = !output.added.is_empty();
        Ok(Outcome::new(output, changed).summary(summary))
    }
}

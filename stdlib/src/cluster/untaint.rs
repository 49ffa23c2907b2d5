//! `untaint`: takes taints from nodes.

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
use super::taint::OnNode;
use super::taints::{self, Taint};
use super::words::Words;
use crate::target::ClusterRef;

/// The taints that kubeadm puts on control planes: the first up to 1.24, the second from 1.24 on (1.24 both).
const CONTROL_PLANE: [&str; 2] = [
    "node-role.kubernetes.io/master",
    "node-role.kubernetes.io/control-plane",
];

/// Takes taints from nodes.
pub(crate) struct UntaintNodes {
    pub(crate) clusters: Clusters,
}

/// Which nodes, and which taints.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The cluster.
    cluster: ClusterRef,
    /// `"all"`, a node's name, a list of names, or a label selector.
    nodes: Words,
    /// The taint or taints to remove: `key`, `key:effect` or `key=value:effect`. `control-plane`, the default, stands
    /// for whatever control-plane taint this version of kubeadm sets. One that is not there is no error.
    #[serde(default)]
    keys: Option<Words>,
}

/// What was removed.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The taints that were there.
    removed: Vec<OnNode>,
    /// The names of all nodes that were looked at.
    nodes: Vec<String>,
}

#[async_trait]
impl Builtin for UntaintNodes {
    type Args = Args;
    type Output = Output;

    fn spec(&self) -> Spec {
        Spec::new(
            "untaint",
            "Takes taints from nodes; one that is not there is no error",
        )
        .on("cluster")
        .subject("nodes")
        .examples(&[
            Example {
                title: "Let pods run on the control plane",
                script: r#"
let schedulable = cluster.untaint("all");
"#,
                runs: Runs::OnCluster,
            },
            Example {
                title: "Other taints, by key and effect",
                script: r#"
cluster.untaint("disk=fast", #{ keys: ["dedicated", "maintenance:NoExecute"] });
"#,
                runs: Runs::OnCluster,
            },
        ])
    }

    fn describe(&self, args: &Value) -> String {
        let keys = match args.get("keys") {
            None | Some(Value::Null) => "control-plane".to_owned(),
            Some(keys) => show_short(keys),
        };
        let plural = if keys.contains(' ') { "taints" } else { "taint" };
        format!("take the {plural} {keys} from {}", taints::show_nodes(args))
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Output>, StepError> {
        let patterns: Vec<Pattern> = match &args.keys {
            Some(keys) if !keys.is_empty() => keys.iter().flat_map(|key| Pattern::parse(key)).collect(),
            _ => Pattern::parse("control-plane"),
        };
        let requests = Requests::open(&self.clusters, &args.cluster, &context).await?;
        let scope = taints::nodes(Scope::all(requests.resolve("v1/Node").await?, None), &args.nodes)?;
        let nodes = taints::edit(&requests, &scope, |old| without(old, &patterns)).await?;
        let mut output = Output {
            removed: Vec::new(),
            nodes: Vec::new(),
        };
        for tainted in &nodes {
            let name = object::name(&tainted.node);
            output.nodes.push(name.to_owned());
            output.removed.extend(tainted.changed.iter().map(|taint| OnNode {
                node: name.to_owned(),
                taint: taint.to_string(),
            }));
        }
        let summary = match (output.removed.as_slice(), nodes.len()) {
            (_, 0) => "no such node".to_owned(),
            ([], _) => "no such taint".to_owned(),
            ([one], _) => format!("{} from {}", one.taint, one.node),
            (many, _) => format!("{} removed", many.len()),
        };
        let changed = !output.removed.is_empty();
        Ok(Outcome::new(output, changed).summary(summary))
    }
}

/// Which taints go.
#[derive(Debug, PartialEq, Eq)]
struct Pattern {
    key: String,
    value: Option<String>,
    effect: Option<String>,
}

impl Pattern {
    /// Reads `control-plane`, `key`, `key:effect`, `key=value:effect`; kubectl's minus at the end is taken, too.
    fn parse(text: &str) -> Vec<Self> {
        let text = text.strip_suffix('-').unwrap_or(text);
        let (word, effect) = match text.rsplit_once(':') {
            Some((word, effect)) => (word, Some(effect.to_owned())),
            None => (text, None),
        };
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (word, None),
        };
        let keys: &[&str] = if key == "control-plane" {
            &CONTROL_PLANE
        } else {
            &[key]
        };
        keys.iter()
            .map(|key| Self {
                key: (*key).to_owned(),
                value: value.clone(),
                effect: effect.clone(),
            })
            .collect()
    }

    fn fits(&self, taint: &Taint) -> bool {
        self.key == taint.key
            && self.value.as_ref().is_none_or(|value| *value == taint.value)
            && self.effect.as_ref().is_none_or(|effect| *effect == taint.effect)
    }
}

/// The list without the taints that fit, and those; `None` when none does.
fn without(old: &[Value], patterns: &[Pattern]) -> Option<(Vec<Value>, Vec<Taint>)> {
    let node = serde_json::json!({ "spec": { "taints": old } });
    let fits = |taint: &Taint| patterns.iter().any(|pattern| pattern.fits(taint));
    let (gone, kept): (Vec<_>, Vec<_>) = taints::of_node(&node)
        .into_iter()
        .zip(old)
        .partition(|(taint, _)| fits(taint));
    (!gone.is_empty()).then(|| {
        (
            kept.into_iter().map(|(_, value)| value.clone()).collect(),
            gone.into_iter().map(|(taint, _)| taint).collect(),
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn the_control_plane_taint_goes_whatever_its_name() {
        for key in CONTROL_PLANE {
            let old = [
                json!({ "key": key, "effect": "NoSchedule" }),
                json!({ "key": "node.kubernetes.io/not-ready", "effect": "NoExecute", "timeAdded": "t" }),
            ];
            let (kept, gone) = without(&old, &Pattern::parse("control-plane")).unwrap();
            assert_eq!(kept, [old[1].clone()]);
            assert_eq!(gone[0].to_string(), format!("{key}:NoSchedule"));
        }
    }

    #[test]
    fn keys_values_and_effects_are_told_apart() {
        let old = [
            json!({ "key": "a", "value": "1", "effect": "NoSchedule" }),
            json!({ "key": "a", "value": "1", "effect": "NoExecute" }),
        ];
        let count = |pattern: &str| without(&old, &Pattern::parse(pattern)).map_or(0, |(_, gone)| gone.len());
        assert_eq!(count("a"), 2);
        assert_eq!(count("a-"), 2);
        assert_eq!(count("a:NoExecute"), 1);
        assert_eq!(count("a=1:NoSchedule-"), 1);
        assert_eq!(count("a=2"), 0);
        assert_eq!(count("b"), 0);
    }
}

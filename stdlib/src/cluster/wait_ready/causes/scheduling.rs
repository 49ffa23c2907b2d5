//! Pods that no node takes.
//!
//! Missing resources heal (other pods end, nodes join), and so do most taints: those of the node's life cycle
//! (`node.kubernetes.io/not-ready` goes when the network comes), those of the control plane (a later or parallel step
//! takes them away, or a worker joins). They are named when the time is up. Only when *each* node is kept by a taint that
//! somebody put there on purpose, and this lasts, nothing in sight can heal it.

use std::time::Duration;

use serde_json::Value;

use super::super::rules::{Certain, Stuck, Verdict};
use crate::cluster::object::text;

/// Long enough for a node that is about to join.
const LASTING: Duration = Duration::from_secs(60);

/// Judges a `PodScheduled` condition that is false.
pub(in super::super) fn judge(scheduled: &Value) -> Verdict {
    let message = text(scheduled, "/message").trim();
    if message.is_empty() {
        return Verdict::Waiting("not scheduled to a node yet".to_owned());
    }
    let why = format!("no node takes it: {message}");
    let taints = taints(message);
    let Some(first) = taints.first() else {
        return Verdict::Waiting(why);
    };
    let is_lasting = taints.iter().all(|(key, _)| !heals(key))
        && all_nodes(message)
            .is_some_and(|all| all > 0 && taints.iter().map(|(_, nodes)| nodes).sum::<u64>() >= all);
    if !is_lasting {
        return Verdict::Waiting(why);
    }
    Verdict::Stuck(Stuck {
        why,
        help: Some(format!(
            "give the pod a toleration for {0}, or take the taint away: cluster.untaint(\"all\", #{{ keys: \"{0}\" }})",
            first.0
        )),
        certain: Certain::After(LASTING),
    })
}

/// What to do about a pod that no node takes, if the message tells.
pub(in super::super) fn help(message: &str) -> Option<String> {
    let taints = taints(message);
    if taints
        .iter()
        .any(|(key, _)| key.starts_with("node-role.kubernetes.io/"))
    {
        return Some(
            "only the control plane is there, and it takes no such pods: cluster.untaint(\"all\") before this step, or join a worker"
                .to_owned(),
        );
    }
    if taints
        .iter()
        .any(|(key, _)| key.starts_with("node.kubernetes.io/not-ready"))
    {
        return Some("the node is not ready: is the pod network installed and running?".to_owned());
    }
    message
        .contains("Insufficient ")
        .then(|| "lower the pod's requests, or give the cluster more".to_owned())
}

fn heals(taint: &str) -> bool {
    [
        "node.kubernetes.io/",
        "node.cloudprovider.kubernetes.io/",
        "node-role.kubernetes.io/",
    ]
    .iter()
    .any(|prefix| taint.starts_with(prefix))
}

/// `0/3 nodes are available: …`: 3.
fn all_nodes(message: &str) -> Option<u64> {
    let (_, rest) = message.split_once('/')?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The taints that a scheduler's message names, each with the number of nodes that have it: `1 node(s) had taint {key:
/// value}, that the pod didn't tolerate`, since 1.24 `1 node(s) had untolerated taint {key: value}`.
fn taints(message: &str) -> Vec<(&str, u64)> {
    let mut found = Vec::new();
    let mut rest = message;
    while let Some(at) = rest.find("taint {") {
        let (before, after) = rest.split_at(at);
        let after = &after["taint {".len()..];
        let Some(end) = after.find('}') else { break };
        let key = after[..end].split(':').next().unwrap_or_default().trim();
        let count = before
            .rfind(" node(s) had ")
            .and_then(|at| before[..at].rsplit([' ', ',']).next())
            .and_then(|number| number.parse().ok())
            .unwrap_or(0);
        found.push((key, count));
        rest = &after[end..];
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOT_READY: &str = "0/1 nodes are available: 1 node(s) had taint {node.kubernetes.io/not-ready: }, that the pod didn't tolerate.";

    fn certain(message: &str) -> Option<Certain> {
        match judge(&json!({ "type": "PodScheduled", "status": "False", "message": message })) {
            Verdict::Stuck(stuck) => Some(stuck.certain),
            _ => None,
        }
    }

    #[test]
    fn only_taints_of_a_purpose_on_all_nodes_last() {
        for message in [
            NOT_READY,
            "0/1 nodes are available: 1 node(s) had taint {node-role.kubernetes.io/master: }, that the pod didn't tolerate.",
            "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had taint {dedicated: db}, that the pod didn't tolerate.",
            "0/2 nodes are available: 1 node(s) had taint {dedicated: db}, that the pod didn't tolerate, 1 node(s) had taint \
             {node.kubernetes.io/not-ready: }, that the pod didn't tolerate.",
            "0/1 nodes are available: 1 Insufficient memory.",
            "",
        ] {
            assert_eq!(certain(message), None, "{message}");
        }
        for message in [
            "0/2 nodes are available: 2 node(s) had taint {dedicated: db}, that the pod didn't tolerate.",
            "0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: db}. preemption: 0/1 nodes are available",
        ] {
            assert_eq!(certain(message), Some(Certain::After(LASTING)), "{message}");
        }
    }

    #[test]
    fn the_remedy_follows_the_message() {
        assert!(help(NOT_READY).is_some_and(|help| help.contains("pod network")));
        let control_plane = "1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }";
        assert!(help(control_plane).is_some_and(|help| help.contains("untaint")));
        assert!(help("1 Insufficient cpu").is_some_and(|help| help.contains("requests")));
        assert_eq!(help("whatever"), None);
    }
}

//! Pods that are still to be made: those that exist may all be ready while a DaemonSet or a Deployment of the namespace
//! has not got its own yet (its controller backs off, admission refuses them, or it has just been applied).

use serde_json::Value;

use super::super::rules::replicas;
use super::super::scene::{Role, Scene};
use super::denial::makes_wanted_pods;
use crate::cluster::object::{self, number};

/// The workloads that have still to make pods which are waited for, each with how it stands.
pub(in super::super) fn owed(scene: &Scene) -> Vec<(&Value, String)> {
    [
        Role::Deployments,
        Role::ReplicaSets,
        Role::DaemonSets,
        Role::StatefulSets,
    ]
    .into_iter()
    .flat_map(|role| scene.all(role).map(move |workload| (role, workload)))
    .filter(|(_, workload)| !object::is_terminating(workload) && makes_wanted_pods(workload, scene))
    .filter_map(|(role, workload)| Some((workload, debt(role, workload, scene)?)))
    .collect()
}

/// What a workload owes; `None` when all its pods are made.
fn debt(role: Role, workload: &Value, scene: &Scene) -> Option<String> {
    let observed = number(workload, "/status/observedGeneration") >= number(workload, "/metadata/generation");
    if !observed {
        return Some("its controller has not made its pods yet".to_owned());
    }
    let wanted = match role {
        Role::DaemonSets => number(workload, "/status/desiredNumberScheduled"),
        _ => replicas(workload),
    };
    if role == Role::Deployments {
        // Its ReplicaSet owes the pods, once it is there.
        let has_set = wanted == 0 || scene.all(Role::ReplicaSets).any(|set| owns(workload, set));
        return (!has_set).then(|| "its ReplicaSet is not there yet".to_owned());
    }
    let made = scene
        .pods()
        .filter(|pod| counts(pod) && owns(workload, pod))
        .count();
    let made = i64::try_from(made).unwrap_or(i64::MAX);
    (made < wanted).then(|| format!("{made} of its {wanted} pods are made"))
}

/// A pod that failed or is on its way out is made anew.
fn counts(pod: &Value) -> bool {
    !object::is_terminating(pod) && object::text(pod, "/status/phase") != "Failed"
}

fn owns(owner: &Value, object: &Value) -> bool {
    object::namespace(owner) == object::namespace(object)
        && object::controller(object) == Some((object::kind(owner), object::name(owner)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, kind: &str, owner: &str) -> Value {
        json!({ "kind": "Pod", "metadata": { "name": name, "namespace": "kube-system",
            "ownerReferences": [{ "kind": kind, "name": owner, "controller": true }] } })
    }

    fn set(kind: &str, name: &str, spec: Value, status: Value) -> Value {
        json!({ "kind": kind, "metadata": { "name": name, "namespace": "kube-system", "generation": 1 }, "spec": spec, "status": status })
    }

    fn debts(scene: &Scene) -> Vec<String> {
        owed(scene)
            .into_iter()
            .map(|(workload, debt)| format!("{}: {debt}", object::name(workload)))
            .collect()
    }

    #[test]
    fn a_refused_daemon_set_owes_its_pods_though_it_wants_none() {
        // Kubernetes 1.20.2: while admission refuses its pods the status is not written.
        let refused = set(
            "DaemonSet",
            "kube-proxy",
            json!({}),
            json!({ "desiredNumberScheduled": 0 }),
        );
        let scene = Scene::waiting_for_pods("kube-system").with(Role::DaemonSets, [refused]);
        assert_eq!(
            debts(&scene),
            ["kube-proxy: its controller has not made its pods yet"]
        );
    }

    #[test]
    fn pods_are_counted_by_their_owner() {
        let daemons = set(
            "DaemonSet",
            "d",
            json!({}),
            json!({ "observedGeneration": 1, "desiredNumberScheduled": 2 }),
        );
        let replicas = set(
            "ReplicaSet",
            "r",
            json!({ "replicas": 1 }),
            json!({ "observedGeneration": 1 }),
        );
        let old = set(
            "ReplicaSet",
            "old",
            json!({ "replicas": 0 }),
            json!({ "observedGeneration": 1 }),
        );
        let mut scene = Scene::waiting_for_pods("kube-system")
            .with(Role::DaemonSets, [daemons])
            .with(Role::ReplicaSets, [replicas, old])
            .with(Role::Main, [pod("d-1", "DaemonSet", "d")]);
        assert_eq!(
            debts(&scene),
            ["r: 0 of its 1 pods are made", "d: 1 of its 2 pods are made"]
        );
        scene.apply(Role::Main, pod("d-2", "DaemonSet", "d"));
        scene.apply(Role::Main, pod("r-1", "ReplicaSet", "r"));
        assert!(debts(&scene).is_empty());
    }

    #[test]
    fn a_deployment_owes_its_replica_set() {
        let deployment = set("Deployment", "web", json!({}), json!({ "observedGeneration": 1 }));
        let scene = Scene::waiting_for_pods("kube-system").with(Role::Deployments, [deployment]);
        assert_eq!(debts(&scene), ["web: its ReplicaSet is not there yet"]);
    }
}

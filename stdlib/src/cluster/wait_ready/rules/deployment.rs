//! A Deployment is ready when its last change is rolled out (as `kubectl rollout status` sees it).

use serde_json::Value;

use super::{Certain, Verdict, replicas, unobserved};
use crate::cluster::object::{self, number};

pub(super) fn judge(deployment: &Value) -> Verdict {
    if let Some(verdict) = unobserved(deployment) {
        return verdict;
    }
    let wanted = replicas(deployment);
    let updated = number(deployment, "/status/updatedReplicas");
    let all = number(deployment, "/status/replicas");
    let available = number(deployment, "/status/availableReplicas");
    if let Some(progress) = object::condition(deployment, "Progressing")
        && progress["reason"] == "ProgressDeadlineExceeded"
    {
        return Verdict::stuck(object::why(progress), Certain::WhenFresh, None);
    }
    if let Some(failure) = object::condition(deployment, "ReplicaFailure")
        && failure["status"] == "True"
    {
        return Verdict::Waiting(object::why(failure));
    }
    if updated < wanted {
        Verdict::Waiting(format!("{updated} of {wanted} replicas are of its last change"))
    } else if all > updated {
        Verdict::Waiting(format!("{} old replicas are to go", all - updated))
    } else if available < updated {
        Verdict::Waiting(format!("{available} of {updated} replicas are available"))
    } else {
        Verdict::Ready
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{verdict, words};
    use super::*;

    fn deployment(status: Value) -> Value {
        json!({ "kind": "Deployment", "metadata": { "name": "d", "generation": 2 }, "spec": { "replicas": 2 }, "status": status })
    }

    #[test]
    fn a_deployment_is_ready_when_it_is_rolled_out() {
        for (status, expected) in [
            (
                json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2 }),
                "ready",
            ),
            (
                json!({ "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2 }),
                "its controller has not looked at it yet",
            ),
            (
                json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 1 }),
                "1 of 2 replicas are of its last change",
            ),
            (
                json!({ "observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3 }),
                "1 old replicas are to go",
            ),
            (
                json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1 }),
                "1 of 2 replicas are available",
            ),
            (json!({}), "its controller has not looked at it yet"),
        ] {
            assert_eq!(words(&verdict("apps", &deployment(status))), expected);
        }
    }

    #[test]
    fn none_wanted_is_ready() {
        let none = json!({ "kind": "Deployment", "metadata": { "generation": 1 }, "spec": { "replicas": 0 },
            "status": { "observedGeneration": 1 } });
        assert_eq!(verdict("apps", &none), Verdict::Ready);
    }

    #[test]
    fn a_refusal_of_its_pods_is_told() {
        // coredns of Kubernetes 1.20.2 before the policies.
        let refused = json!({ "kind": "Deployment", "metadata": { "generation": 1 }, "spec": { "replicas": 2 },
            "status": { "observedGeneration": 1, "unavailableReplicas": 2, "conditions": [
                { "type": "Progressing", "status": "True", "reason": "NewReplicaSetCreated" },
                { "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message":
                  "pods \"coredns-74ff55c5b-\" is forbidden: PodSecurityPolicy: no providers available to validate pod request" },
            ] } });
        assert!(words(&verdict("apps", &refused)).contains("no providers available"));
    }

    #[test]
    fn a_deadline_that_passed_while_we_waited_is_an_end() {
        let late = deployment(json!({ "observedGeneration": 2, "conditions": [
            { "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too late" } ] }));
        assert_eq!(
            verdict("apps", &late),
            Verdict::stuck("ProgressDeadlineExceeded: too late", Certain::WhenFresh, None)
        );
    }
}

//! A ReplicaSet or ReplicationController is ready when all its replicas are available.

use serde_json::Value;

use super::{Verdict, replicas, unobserved};
use crate::cluster::object::{self, number};

pub(super) fn judge(set: &Value) -> Verdict {
    if let Some(verdict) = unobserved(set) {
        return verdict;
    }
    if let Some(failure) = object::condition(set, "ReplicaFailure")
        && failure["status"] == "True"
    {
        return Verdict::Waiting(object::why(failure));
    }
    let wanted = replicas(set);
    let available = number(set, "/status/availableReplicas");
    let all = number(set, "/status/replicas");
    if available < wanted {
        Verdict::Waiting(format!("{available} of {wanted} replicas are available"))
    } else if all > wanted {
        Verdict::Waiting(format!("{} replicas are to go", all - wanted))
    } else {
        Verdict::Ready
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{verdict, words};

    #[test]
    fn a_replica_set_is_ready_when_its_replicas_are_available() {
        for (status, expected) in [
            (
                json!({ "observedGeneration": 1, "replicas": 1, "availableReplicas": 1 }),
                "ready",
            ),
            (
                json!({ "observedGeneration": 1, "replicas": 1 }),
                "0 of 1 replicas are available",
            ),
            (
                json!({ "observedGeneration": 1, "replicas": 2, "availableReplicas": 2 }),
                "1 replicas are to go",
            ),
            (
                json!({ "observedGeneration": 1, "replicas": 0, "conditions": [
                    { "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "no" } ] }),
                "FailedCreate: no",
            ),
        ] {
            let set = json!({ "kind": "ReplicaSet", "metadata": { "generation": 1 }, "status": status });
            assert_eq!(words(&verdict("apps", &set)), expected);
        }
    }
}

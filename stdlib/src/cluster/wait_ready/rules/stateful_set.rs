//! A StatefulSet is ready when all its replicas are, and those that its update strategy changes are of its last change.

use serde_json::Value;

use super::{Verdict, replicas, unobserved};
use crate::cluster::object::{number, text};

pub(super) fn judge(set: &Value) -> Verdict {
    if let Some(verdict) = unobserved(set) {
        return verdict;
    }
    let wanted = replicas(set);
    let ready = number(set, "/status/readyReplicas");
    let all = number(set, "/status/replicas");
    if ready < wanted {
        return Verdict::Waiting(format!("{ready} of {wanted} replicas are ready"));
    }
    if all > wanted {
        return Verdict::Waiting(format!("{} replicas are to go", all - wanted));
    }
    let current = text(set, "/status/currentRevision");
    let update = text(set, "/status/updateRevision");
    if text(set, "/spec/updateStrategy/type") == "OnDelete" || current == update {
        return Verdict::Ready;
    }
    let updated = number(set, "/status/updatedReplicas");
    let changing = (wanted - number(set, "/spec/updateStrategy/rollingUpdate/partition")).max(0);
    if updated < changing {
        Verdict::Waiting(format!("{updated} of {changing} replicas are of its last change"))
    } else {
        Verdict::Ready
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{verdict, words};

    #[test]
    fn a_stateful_set_is_ready_when_its_replicas_are() {
        let revisions = |status: serde_json::Value| {
            let mut status = status;
            status["observedGeneration"] = 1.into();
            status["currentRevision"] = "a".into();
            status["updateRevision"] = "b".into();
            status
        };
        for (status, expected) in [
            (json!({}), "its controller has not looked at it yet"),
            (
                revisions(json!({ "replicas": 1, "readyReplicas": 1 })),
                "1 of 2 replicas are ready",
            ),
            (
                revisions(json!({ "replicas": 3, "readyReplicas": 3 })),
                "1 replicas are to go",
            ),
            (
                revisions(json!({ "replicas": 2, "readyReplicas": 2, "updatedReplicas": 1 })),
                "1 of 2 replicas are of its last change",
            ),
            (
                revisions(json!({ "replicas": 2, "readyReplicas": 2, "updatedReplicas": 2 })),
                "ready",
            ),
        ] {
            let set = json!({ "kind": "StatefulSet", "metadata": { "generation": 1 }, "spec": { "replicas": 2,
                "updateStrategy": { "type": "RollingUpdate" } }, "status": status });
            assert_eq!(words(&verdict("apps", &set)), expected);
        }
    }

    #[test]
    fn a_partition_holds_replicas_back() {
        let set = json!({ "kind": "StatefulSet", "metadata": { "generation": 1 }, "spec": { "replicas": 2,
            "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "partition": 1 } } }, "status": {
            "observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 1, "currentRevision": "a",
            "updateRevision": "b" } });
        assert_eq!(words(&verdict("apps", &set)), "ready");
    }
}

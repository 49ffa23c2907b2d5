//! A DaemonSet is ready when at least one node wants its pod, and all of these pods are of its last change and ready.

use serde_json::Value;

use super::{Verdict, unobserved};
use crate::cluster::object::{number, text};

pub(super) fn judge(set: &Value) -> Verdict {
    if let Some(verdict) = unobserved(set) {
        return verdict;
    }
    let desired = number(set, "/status/desiredNumberScheduled");
    let updated = number(set, "/status/updatedNumberScheduled");
    let ready = number(set, "/status/numberReady");
    if desired == 0 {
        return Verdict::waiting("no node wants its pod yet");
    }
    if text(set, "/spec/updateStrategy/type") != "OnDelete" && updated < desired {
        Verdict::Waiting(format!("{updated} of {desired} pods are of its last change"))
    } else if ready < desired {
        Verdict::Waiting(format!("{ready} of {desired} pods are ready"))
    } else {
        Verdict::Ready
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{verdict, words};

    #[test]
    fn a_daemon_set_is_ready_when_its_pods_are() {
        for (status, expected) in [
            // kube-proxy of Kubernetes 1.20.2 while admission refuses its pods: as if nothing was wanted.
            (
                json!({ "currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0 }),
                "its controller has not looked at it yet",
            ),
            (
                json!({ "observedGeneration": 1, "desiredNumberScheduled": 0 }),
                "no node wants its pod yet",
            ),
            (
                json!({ "observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 1, "numberReady": 2 }),
                "1 of 2 pods are of its last change",
            ),
            (
                json!({ "observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberReady": 1 }),
                "1 of 2 pods are ready",
            ),
            (
                json!({ "observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberReady": 2 }),
                "ready",
            ),
        ] {
            let set = json!({ "kind": "DaemonSet", "metadata": { "generation": 1 }, "status": status });
            assert_eq!(words(&verdict("apps", &set)), expected);
        }
    }
}

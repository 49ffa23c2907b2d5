//! All other kinds, as kstatus sees them: the controller has seen the last change, and none of the conditions that kinds
//! agree on says no. A kind that says nothing of its state (a ConfigMap, an Ingress) is ready when it is there.
//!
//! Source: sigs.k8s.io/cli-utils, pkg/kstatus.

use serde_json::Value;

use super::{Certain, Verdict};
use crate::cluster::object::{self, number, text};

pub(super) fn judge(object: &Value) -> Verdict {
    let observed = object
        .pointer("/status/observedGeneration")
        .and_then(Value::as_i64);
    if observed.is_some_and(|observed| observed < number(object, "/metadata/generation")) {
        return Verdict::waiting("its controller has not looked at its last change yet");
    }
    if object::kind(object) == "Namespace" && text(object, "/status/phase") == "Terminating" {
        return Verdict::waiting("is being deleted");
    }
    let condition = |kind| object::condition(object, kind);
    if let Some(stalled) = condition("Stalled")
        && stalled["status"] == "True"
    {
        return Verdict::stuck(object::why(stalled), Certain::WhenFresh, None);
    }
    if let Some(reconciling) = condition("Reconciling")
        && reconciling["status"] == "True"
    {
        return Verdict::Waiting(object::why(reconciling));
    }
    for kind in ["Ready", "Available", "Established"] {
        if let Some(found) = condition(kind) {
            return if found["status"] == "True" {
                Verdict::Ready
            } else {
                Verdict::Waiting(object::why(found))
            };
        }
    }
    Verdict::Ready
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{verdict, words};

    #[test]
    fn conditions_that_kinds_agree_on() {
        let condition =
            |kind: &str, status: &str| json!([{ "type": kind, "status": status, "message": "m" }]);
        for (generation, status, expected) in [
            (1, json!({}), "ready"),
            (
                2,
                json!({ "observedGeneration": 1 }),
                "its controller has not looked at its last change yet",
            ),
            (1, json!({ "conditions": condition("Ready", "True") }), "ready"),
            (1, json!({ "conditions": condition("Ready", "False") }), "m"),
            (1, json!({ "conditions": condition("Available", "Unknown") }), "m"),
            (1, json!({ "conditions": condition("Reconciling", "True") }), "m"),
            (1, json!({ "conditions": condition("Stalled", "True") }), "m"),
            (
                1,
                json!({ "conditions": condition("Whatever", "False") }),
                "ready",
            ),
        ] {
            let object =
                json!({ "kind": "Thing", "metadata": { "generation": generation }, "status": status });
            assert_eq!(words(&verdict("example.com", &object)), expected);
        }
        let going = json!({ "kind": "Thing", "metadata": { "deletionTimestamp": "t" } });
        assert_eq!(words(&verdict("example.com", &going)), "is being deleted");
    }
}

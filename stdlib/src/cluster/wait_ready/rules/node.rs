//! A node is ready when its kubelet says so.

use serde_json::Value;

use super::Verdict;
use crate::cluster::object;

pub(super) fn judge(node: &Value) -> Verdict {
    match object::condition(node, "Ready") {
        Some(ready) if ready["status"] == "True" => Verdict::Ready,
        // The kubelet ceased to report.
        Some(ready) if ready["status"] == "Unknown" => {
            Verdict::Waiting(format!("its kubelet does not report: {}", object::why(ready)))
        }
        Some(ready) => Verdict::Waiting(object::why(ready)),
        None => Verdict::waiting("its kubelet has not reported yet"),
    }
}

/// Whether a node waits for its pod network.
pub(in super::super) fn lacks_network(node: &Value) -> bool {
    object::condition(node, "Ready").is_some_and(|ready| {
        let message = object::text(ready, "/message").to_lowercase();
        ready["status"] == "False"
            && (message.contains("network plugin") || message.contains("networkpluginnotready"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{verdict, words};
    use super::*;

    fn node(status: &str, message: &str) -> Value {
        json!({ "kind": "Node", "metadata": { "name": "n" }, "status": { "conditions": [
            { "type": "MemoryPressure", "status": "False" },
            { "type": "Ready", "status": status, "reason": "KubeletNotReady", "message": message },
        ] } })
    }

    #[test]
    fn a_node_is_ready_when_its_kubelet_says_so() {
        assert_eq!(verdict("", &node("True", "")), Verdict::Ready);
        // Kubernetes 1.20.2 before its CNI.
        let message = "runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin \
                       returns error: cni plugin not initialized";
        let before = node("False", message);
        assert_eq!(
            words(&verdict("", &before)),
            format!("KubeletNotReady: {message}")
        );
        assert!(lacks_network(&before));
        assert!(words(&verdict("", &node("Unknown", "x"))).starts_with("its kubelet does not report"));
        assert!(!lacks_network(&node("Unknown", message)));
        assert_eq!(
            words(&verdict("", &json!({ "kind": "Node" }))),
            "its kubelet has not reported yet"
        );
    }
}

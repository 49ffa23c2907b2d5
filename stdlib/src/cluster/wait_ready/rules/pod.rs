//! A pod is ready when its Ready condition says so, or when it has done its work.

use std::time::Duration;

use serde_json::Value;

use super::super::causes::scheduling;
use super::{Certain, Verdict};
use crate::cluster::object::{self, list, number, text};

/// The kubelet looks at a container that it could not make every 10 to 15 s. What a container refers to (a ConfigMap, a
/// Secret) may come a moment after it.
const LOOKED_AT_AGAIN: Duration = Duration::from_secs(20);

pub(in super::super) fn judge(pod: &Value) -> Verdict {
    // It is replaced, or goes for good: neither makes it ready.
    if object::is_terminating(pod) {
        return Verdict::Ignored;
    }
    if let Some(blocked) = app_armor(pod) {
        return blocked;
    }
    match text(pod, "/status/phase") {
        "Succeeded" => return Verdict::Ready,
        // Its controller makes another.
        "Failed" if object::controller(pod).is_some() => return Verdict::Ignored,
        "Failed" => return Verdict::stuck(format!("it failed{}", failure(pod)), Certain::AtOnce, None),
        _ => {}
    }
    let ready = object::condition(pod, "Ready");
    if ready.is_some_and(|ready| ready["status"] == "True") {
        return Verdict::Ready;
    }
    if let Some(scheduled) = object::condition(pod, "PodScheduled")
        && scheduled["status"] == "False"
    {
        return scheduling::judge(scheduled);
    }
    for container in containers(pod) {
        if let Some(verdict) = container_trouble(container) {
            return verdict;
        }
    }
    Verdict::Waiting(match (text(pod, "/spec/nodeName"), ready) {
        ("", _) => "not scheduled to a node yet".to_owned(),
        (node, None) => format!("not started by the kubelet of {node} yet"),
        (_, Some(ready)) => format!("{}{}", not_ready(pod, ready), restarts(pod)),
    })
}

/// A pod that the kubelet does not start because of AppArmor. There is no event: the status alone tells.
fn app_armor(pod: &Value) -> Option<Verdict> {
    let message = text(pod, "/status/message");
    let is_blocked = text(pod, "/status/reason") == "AppArmor"
        || containers(pod)
            .any(|c| text(c, "/state/waiting/reason") == "Blocked" && message.contains("AppArmor"));
    is_blocked.then(|| {
        Verdict::stuck(
            if message.is_empty() { "AppArmor" } else { message },
            Certain::WhenFresh,
            Some(
                "the node has no AppArmor, or not this profile: drop the annotations `container.apparmor.security.beta.\
                 kubernetes.io/*` from the pod's template and `apparmor.security.beta.kubernetes.io/*` from the policy \
                 that adds them, then delete the pods that were made before",
            ),
        )
    })
}

/// A container that waits, and why; `None` for one that runs, ended well or waits for others.
fn container_trouble(container: &Value) -> Option<Verdict> {
    let waiting = container.pointer("/state/waiting")?;
    let name = text(container, "/name");
    let reason = text(waiting, "/reason");
    let image = text(container, "/image");
    let mut why = format!("container {name}: {}", object::why(waiting));
    Some(match reason {
        // They wait for what comes before them.
        "" | "PodInitializing" | "ContainerCreating" => return None,
        "ErrImageNeverPull" => Verdict::stuck(
            why,
            Certain::WhenFresh,
            Some(&format!(
                "the image {image} is not on the node and its `imagePullPolicy` is Never: load it there \
                 (`ctr -n k8s.io images import`), or change the policy"
            )),
        ),
        "InvalidImageName" => Verdict::stuck(
            why,
            Certain::WhenFresh,
            Some(&format!(
                "{image:?} is no name of an image: correct it in the manifest"
            )),
        ),
        "CreateContainerConfigError" => Verdict::stuck(
            why,
            Certain::After(LOOKED_AT_AGAIN),
            Some(
                "the container refers to a ConfigMap, Secret or key that is not there: make it before the pod",
            ),
        ),
        _ => {
            if let Some(last) = container.pointer("/lastState/terminated") {
                why.push_str(&format!(" (its last run ended with {})", exit(last)));
            }
            Verdict::Waiting(why)
        }
    })
}

/// The containers' states, those of init containers first.
fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(pod, "/status/initContainerStatuses")
        .iter()
        .chain(list(pod, "/status/containerStatuses"))
}

/// Why a pod whose containers are all made is not ready.
fn not_ready(pod: &Value, ready: &Value) -> String {
    let starting = containers(pod).any(|c| c.pointer("/state/waiting").is_some());
    if starting {
        let init = list(pod, "/status/initContainerStatuses")
            .iter()
            .find(|container| text(container, "/state/terminated/reason") != "Completed");
        return match init {
            Some(init) => format!("init container {} is not done", text(init, "/name")),
            None => "ContainerCreating".to_owned(),
        };
    }
    let unready: Vec<&str> = list(pod, "/status/containerStatuses")
        .iter()
        .filter(|container| container["ready"] != true)
        .map(|container| text(container, "/name"))
        .collect();
    match unready.as_slice() {
        [] => object::why(ready),
        names => format!("not ready yet: container {}", names.join(", ")),
    }
}

fn restarts(pod: &Value) -> String {
    match containers(pod)
        .map(|container| number(container, "/restartCount"))
        .sum()
    {
        0i64 => String::new(),
        1 => ", restarted once".to_owned(),
        count => format!(", restarted {count} times"),
    }
}

/// Why a pod failed: its own words, or its first container that ended badly.
fn failure(pod: &Value) -> String {
    let own = object::why(&pod["status"]);
    if own != "no reason given" {
        return format!(": {own}");
    }
    containers(pod)
        .filter_map(|container| Some((container, container.pointer("/state/terminated")?)))
        .find(|(_, end)| number(end, "/exitCode") != 0)
        .map_or_else(String::new, |(container, end)| {
            format!(
                ": container {} ended with {}",
                text(container, "/name"),
                exit(end)
            )
        })
}

/// `exit status 1, OOMKilled: message`.
fn exit(terminated: &Value) -> String {
    let code = format!("exit status {}", number(terminated, "/exitCode"));
    match object::why(terminated).as_str() {
        "no reason given" | "Error" => code,
        why => format!("{code}, {why}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "tests")]

    use serde_json::json;

    use super::super::testing::words;
    use super::*;

    fn pod(status: Value) -> Value {
        json!({ "kind": "Pod", "metadata": { "name": "p", "namespace": "n" }, "spec": { "nodeName": "w" }, "status": status })
    }

    fn waits(reason: &str, message: &str) -> Value {
        pod(
            json!({ "phase": "Pending", "conditions": [{ "type": "Ready", "status": "False", "reason": "ContainersNotReady" }],
            "containerStatuses": [{ "name": "c", "image": "img", "ready": false,
                "state": { "waiting": { "reason": reason, "message": message } } }] }),
        )
    }

    fn certain(verdict: Verdict) -> Certain {
        match verdict {
            Verdict::Stuck(stuck) => stuck.certain,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ready_done_and_going() {
        let ready = pod(json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] }));
        assert_eq!(judge(&ready), Verdict::Ready);
        assert_eq!(judge(&pod(json!({ "phase": "Succeeded" }))), Verdict::Ready);
        let mut going = ready;
        going["metadata"]["deletionTimestamp"] = "t".into();
        assert_eq!(judge(&going), Verdict::Ignored);
    }

    #[test]
    fn a_pod_that_failed_counts_only_if_nothing_replaces_it() {
        let mut failed = pod(json!({ "phase": "Failed", "containerStatuses": [
            { "name": "c", "state": { "terminated": { "exitCode": 137, "reason": "OOMKilled" } } }] }));
        let verdict = judge(&failed);
        assert_eq!(
            words(&verdict),
            "it failed: container c ended with exit status 137, OOMKilled"
        );
        assert_eq!(certain(verdict), Certain::AtOnce);
        failed["metadata"]["ownerReferences"] =
            json!([{ "kind": "ReplicaSet", "name": "r", "controller": true }]);
        assert_eq!(judge(&failed), Verdict::Ignored);
    }

    #[test]
    fn what_does_not_heal_is_told_from_what_may() {
        assert_eq!(
            certain(judge(&waits(
                "ErrImageNeverPull",
                "Container image \"img\" is not present"
            ))),
            Certain::WhenFresh
        );
        assert_eq!(
            certain(judge(&waits("InvalidImageName", "x"))),
            Certain::WhenFresh
        );
        let config = judge(&waits("CreateContainerConfigError", "configmap \"x\" not found"));
        assert_eq!(
            words(&config),
            "container c: CreateContainerConfigError: configmap \"x\" not found"
        );
        assert_eq!(certain(config), Certain::After(LOOKED_AT_AGAIN));
        for reason in [
            "ImagePullBackOff",
            "ErrImagePull",
            "RunContainerError",
            "CreateContainerError",
        ] {
            assert!(
                matches!(judge(&waits(reason, "m")), Verdict::Waiting(_)),
                "{reason}"
            );
        }
        assert_eq!(
            words(&judge(&waits("ContainerCreating", ""))),
            "ContainerCreating"
        );
    }

    #[test]
    fn app_armor_is_read_off_the_status() {
        // httpbin under a policy with AppArmor annotations, Kubernetes 1.20.2 on a host without AppArmor.
        let blocked = pod(json!({ "phase": "Pending", "reason": "AppArmor",
            "message": "Cannot enforce AppArmor: AppArmor is not enabled on the host",
            "conditions": [{ "type": "Ready", "status": "False" }, { "type": "PodScheduled", "status": "True" }],
            "containerStatuses": [{ "name": "httpbin", "state": { "waiting": { "reason": "Blocked" } } }] }));
        let verdict = judge(&blocked);
        assert_eq!(
            words(&verdict),
            "Cannot enforce AppArmor: AppArmor is not enabled on the host"
        );
        assert_eq!(certain(verdict), Certain::WhenFresh);
    }

    #[test]
    fn a_crash_loop_tells_how_it_ended() {
        let mut looping = waits("CrashLoopBackOff", "back-off 10s");
        looping["status"]["containerStatuses"][0]["lastState"] =
            json!({ "terminated": { "exitCode": 1, "reason": "Error" } });
        assert_eq!(
            words(&judge(&looping)),
            "container c: CrashLoopBackOff: back-off 10s (its last run ended with exit status 1)"
        );
    }

    #[test]
    fn what_is_under_way_is_told() {
        assert_eq!(
            words(&judge(&pod(json!({})))),
            "not started by the kubelet of w yet"
        );
        assert_eq!(
            words(&judge(&json!({ "kind": "Pod" }))),
            "not scheduled to a node yet"
        );
        let running = pod(
            json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "False" }],
            "containerStatuses": [{ "name": "c", "ready": false, "restartCount": 2, "state": { "running": {} } }] }),
        );
        assert_eq!(
            words(&judge(&running)),
            "not ready yet: container c, restarted 2 times"
        );
        let init = pod(
            json!({ "phase": "Pending", "conditions": [{ "type": "Ready", "status": "False" }],
            "initContainerStatuses": [{ "name": "i", "state": { "running": {} } }],
            "containerStatuses": [{ "name": "c", "ready": false, "state": { "waiting": { "reason": "PodInitializing" } } }] }),
        );
        assert_eq!(words(&judge(&init)), "init container i is not done");
    }
}

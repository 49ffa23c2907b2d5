//! A Service is ready when it has its address and, if it selects pods, when one of them stands behind it.

use serde_json::Value;

use super::super::scene::{Role, Scene, key};
use super::Verdict;
use crate::cluster::object::{list, text};

pub(super) fn judge(service: &Value, scene: &Scene) -> Verdict {
    if text(service, "/spec/type") == "ExternalName" {
        return Verdict::Ready;
    }
    if text(service, "/spec/clusterIP").is_empty() {
        return Verdict::waiting("it has no cluster IP yet");
    }
    let selects = service
        .pointer("/spec/selector")
        .and_then(Value::as_object)
        .is_some_and(|labels| !labels.is_empty());
    if !selects {
        return Verdict::Ready;
    }
    let endpoints = scene.find(Role::Endpoints, &key(service));
    let is_served = endpoints.is_some_and(|endpoints| {
        list(endpoints, "/subsets")
            .iter()
            .any(|subset| !list(subset, "/addresses").is_empty())
    });
    if is_served {
        return Verdict::Ready;
    }
    let starting: usize = endpoints
        .map(|endpoints| list(endpoints, "/subsets"))
        .into_iter()
        .flatten()
        .map(|subset| list(subset, "/notReadyAddresses").len())
        .sum();
    if starting == 0 {
        Verdict::waiting("no pod stands behind it")
    } else {
        Verdict::waiting("no pod behind it is ready")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::words;
    use super::*;

    #[test]
    fn a_service_is_ready_when_something_stands_behind_it() {
        let service = |spec: Value| json!({ "kind": "Service", "metadata": { "name": "s", "namespace": "n" }, "spec": spec });
        let alone = Scene::default();
        assert_eq!(
            judge(&service(json!({ "type": "ExternalName" })), &alone),
            Verdict::Ready
        );
        assert_eq!(
            judge(&service(json!({ "clusterIP": "10.96.0.1" })), &alone),
            Verdict::Ready
        );
        assert_eq!(
            words(&judge(&service(json!({})), &alone)),
            "it has no cluster IP yet"
        );
        let selecting = service(json!({ "clusterIP": "None", "selector": { "a": "b" } }));
        assert_eq!(words(&judge(&selecting, &alone)), "no pod stands behind it");

        let with = |subsets: Value| {
            let endpoints = json!({ "kind": "Endpoints", "metadata": { "name": "s", "namespace": "n" }, "subsets": subsets });
            Scene::default().with(Role::Endpoints, [endpoints])
        };
        let waiting = with(json!([{ "notReadyAddresses": [{ "ip": "1.2.3.4" }] }]));
        assert_eq!(words(&judge(&selecting, &waiting)), "no pod behind it is ready");
        let served = with(json!([{ "addresses": [{ "ip": "1.2.3.4" }] }]));
        assert_eq!(judge(&selecting, &served), Verdict::Ready);
    }
}

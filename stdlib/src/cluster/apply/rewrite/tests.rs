//! Each move of the table, and what is refused.

#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::{alternatives, gone, rewrite};
use crate::cluster::discovery::ServerVersion;

fn server(minor: u32) -> ServerVersion {
    ServerVersion {
        major: 1,
        minor,
        git_version: format!("v1.{minor}.0"),
    }
}

fn moved(mut object: Value, to: &str, minor: u32) -> Result<Value, String> {
    rewrite(&mut object, to, &server(minor)).map(|()| object)
}

#[test]
fn the_best_version_comes_first() {
    assert_eq!(
        alternatives("extensions/v1beta1", "Ingress"),
        ["networking.k8s.io/v1", "networking.k8s.io/v1beta1"]
    );
    assert_eq!(
        alternatives("networking.k8s.io/v1", "Ingress"),
        ["networking.k8s.io/v1beta1", "extensions/v1beta1"]
    );
    assert!(alternatives("example.org/v1", "Ingress").is_empty());
}

#[test]
fn an_old_deployment_keeps_its_meaning() {
    let old = json!({"apiVersion": "extensions/v1beta1", "kind": "Deployment", "metadata": {"name": "a"},
        "spec": {"rollbackTo": {}, "template": {"metadata": {"labels": {"app": "a"}}}}});
    assert_eq!(
        moved(old, "apps/v1", 20).unwrap(),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {
            "template": {"metadata": {"labels": {"app": "a"}}}, "selector": {"matchLabels": {"app": "a"}},
            "revisionHistoryLimit": i32::MAX, "progressDeadlineSeconds": i32::MAX,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}}})
    );
    let bare = json!({"apiVersion": "extensions/v1beta1", "kind": "Deployment", "spec": {"template": {}}});
    assert_eq!(
        moved(bare, "apps/v1", 20).unwrap_err(),
        "it has neither a selector nor labels in its template"
    );
}

fn old_ingress() -> Value {
    json!({"apiVersion": "extensions/v1beta1", "kind": "Ingress", "metadata": {"name": "a"}, "spec": {
        "backend": {"serviceName": "d", "servicePort": "web"},
        "rules": [{"host": "h", "http": {"paths": [{"path": "/", "backend": {"serviceName": "s", "servicePort": 80}}]}}]}})
}

fn new_ingress() -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "a"}, "spec": {
        "rules": [{"host": "h", "http": {"paths": [{"path": "/", "pathType": "ImplementationSpecific",
            "backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}],
        "defaultBackend": {"service": {"name": "d", "port": {"name": "web"}}}}})
}

#[test]
fn an_ingress_goes_forth_and_back() {
    assert_eq!(
        moved(old_ingress(), "networking.k8s.io/v1", 20).unwrap(),
        new_ingress()
    );
    let back = moved(new_ingress(), "extensions/v1beta1", 11).unwrap();
    assert_eq!(back, old_ingress());
    let kept = moved(new_ingress(), "networking.k8s.io/v1beta1", 18).unwrap();
    assert_eq!(
        kept["spec"]["rules"][0]["http"]["paths"][0]["pathType"],
        "ImplementationSpecific"
    );
}

#[test]
fn an_old_server_gets_the_class_as_an_annotation() {
    let mut ingress = new_ingress();
    ingress["spec"]["ingressClassName"] = "nginx".into();
    let back = moved(ingress.clone(), "extensions/v1beta1", 13).unwrap();
    assert_eq!(
        back["metadata"]["annotations"]["kubernetes.io/ingress.class"],
        "nginx"
    );
    ingress["spec"]["rules"][0]["http"]["paths"][0]["pathType"] = "Exact".into();
    assert!(
        moved(ingress, "extensions/v1beta1", 13)
            .unwrap_err()
            .contains("Exact")
    );
}

#[test]
fn alpha_subjects_get_their_group() {
    let old = json!({"apiVersion": "rbac.authorization.k8s.io/v1alpha1", "kind": "RoleBinding",
        "subjects": [{"kind": "Group", "name": "g", "apiVersion": "rbac.authorization.k8s.io/v1alpha1"},
            {"kind": "ServiceAccount", "name": "s", "namespace": "n", "apiVersion": "v1"}]});
    let new = moved(old, "rbac.authorization.k8s.io/v1", 20).unwrap();
    assert_eq!(
        new["subjects"],
        json!([{"kind": "Group", "name": "g", "apiGroup": "rbac.authorization.k8s.io"},
            {"kind": "ServiceAccount", "name": "s", "namespace": "n"}])
    );
}

#[test]
fn a_crd_goes_forth_and_back() {
    let old = json!({"apiVersion": "apiextensions.k8s.io/v1beta1", "kind": "CustomResourceDefinition", "spec": {
        "group": "g", "scope": "Namespaced", "names": {"plural": "as", "kind": "A"}, "version": "v1",
        "additionalPrinterColumns": [{"name": "X", "type": "string", "JSONPath": ".x"}],
        "validation": {"openAPIV3Schema": {"properties": {"spec": {"type": "object"}}}}}});
    let new = moved(old, "apiextensions.k8s.io/v1", 22).unwrap();
    assert_eq!(
        new["spec"]["versions"],
        json!([{"name": "v1", "served": true, "storage": true,
            "additionalPrinterColumns": [{"name": "X", "type": "string", "jsonPath": ".x"}],
            "schema": {"openAPIV3Schema": {"properties": {"spec": {"type": "object"}}, "type": "object",
                "x-kubernetes-preserve-unknown-fields": true}}}])
    );
    let back = moved(new, "apiextensions.k8s.io/v1beta1", 14).unwrap();
    assert_eq!(back["spec"]["version"], "v1");
    assert_eq!(
        back["spec"]["validation"],
        json!({"openAPIV3Schema": {"properties": {"spec": {"type": "object"}}, "type": "object"}})
    );
    let hook = json!({"apiVersion": "apiextensions.k8s.io/v1beta1", "kind": "CustomResourceDefinition",
        "spec": {"conversion": {"strategy": "Webhook"}}});
    assert!(
        moved(hook, "apiextensions.k8s.io/v1", 22)
            .unwrap_err()
            .contains("webhook")
    );
}

#[test]
fn a_webhook_keeps_its_defaults_or_is_refused() {
    let hook = |effects: &str| {
        json!({"apiVersion": "admissionregistration.k8s.io/v1beta1", "kind": "ValidatingWebhookConfiguration",
            "webhooks": [{"name": "x", "sideEffects": effects}]})
    };
    let new = moved(hook("None"), "admissionregistration.k8s.io/v1", 22).unwrap();
    assert_eq!(
        new["webhooks"][0],
        json!({"name": "x", "sideEffects": "None", "admissionReviewVersions": ["v1beta1"], "failurePolicy": "Ignore",
            "matchPolicy": "Exact", "timeoutSeconds": 30})
    );
    assert!(
        moved(hook("Unknown"), "admissionregistration.k8s.io/v1", 22)
            .unwrap_err()
            .contains("side effects")
    );
}

#[test]
fn an_empty_selector_of_a_budget_is_refused() {
    let budget =
        json!({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "spec": {"selector": {}}});
    assert!(moved(budget, "policy/v1", 25).unwrap_err().contains("every pod"));
}

#[test]
fn what_is_gone_says_since_when_and_what_to_use() {
    let (why, instead) = gone("policy/v1beta1", "PodSecurityPolicy", &server(25)).unwrap();
    assert_eq!(
        why,
        "PodSecurityPolicy was removed in Kubernetes 1.25, the server is v1.25.0"
    );
    assert!(instead.contains("Pod Security admission"));
    assert!(gone("policy/v1beta1", "PodSecurityPolicy", &server(24)).is_none());
    assert!(gone("autoscaling/v2", "HorizontalPodAutoscaler", &server(30)).is_none());
}

//! API versions that come and go; kinds that a bundle brings itself.

use serde_json::json;

use super::{Cluster, NOTHING};

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn old_and_new_versions_are_rewritten() {
    let cluster = Cluster::up();
    let pods =
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let any = json!({"rule": "RunAsAny"});
    let old = [
        json!({"apiVersion": "apps/v1beta1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": pods}}),
        json!({"apiVersion": "extensions/v1beta1", "kind": "DaemonSet", "metadata": {"name": "d"}, "spec": {"template": pods}}),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "j"}, "spec": {"schedule": "@daily", "jobTemplate": {
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}}}}),
        json!({"apiVersion": "extensions/v1beta1", "kind": "PodSecurityPolicy", "metadata": {"name": "p"}, "spec": {
            "seLinux": any, "runAsUser": any, "fsGroup": any, "supplementalGroups": any}}),
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "p"}, "spec": {"selector": {"matchLabels": {"a": "b"}}}}),
    ];
    let text: String = old.iter().map(|object| format!("---\n{object}\n")).collect();
    let done = cluster.good(&text, "#{}");
    assert_eq!(done.summary, "5 created");
    let objects = done.output["objects"].as_array().expect("a list");
    let versions: Vec<&str> = objects
        .iter()
        .filter_map(|object| object["apiVersion"].as_str())
        .collect();
    assert_eq!(
        versions,
        [
            "apps/v1",
            "apps/v1",
            "batch/v1beta1",
            "policy/v1beta1",
            "policy/v1beta1"
        ]
    );
    assert_eq!(objects[0]["written_as"], "apps/v1beta1");
    let told = "Deployment d is written for apps/v1beta1; applied as apps/v1";
    assert!(
        done.0.told.iter().any(|line| line.contains(told)),
        "{:?}",
        done.0.told
    );
    let again = cluster.good(&text, "#{}");
    assert_eq!(again.summary, "5 unchanged", "{}", again.details);
    let error = cluster.bad(
        "apiVersion: settings.k8s.io/v1alpha1\nkind: PodPreset\nmetadata: {name: d}\n",
        "#{}",
    );
    assert_eq!(error.code, "psprun::apply::version");
    assert!(
        error.message.contains("was removed in Kubernetes 1.20"),
        "{}",
        error.message
    );
}

/// The object first, its CRD and namespace after it.
const BUNDLE: &str = "apiVersion: example.org/v1
kind: Thing
metadata: {name: t, namespace: things}
spec: {size: 3, note: null}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: things.example.org
  creationTimestamp: null
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Thing, plural: things}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties: {size: {type: integer, default: 1}, note: {type: string, nullable: true}}
status:
  acceptedNames: {kind: '', plural: ''}
  conditions: []
  storedVersions: []
---
apiVersion: v1
kind: Namespace
metadata: {name: things}
";

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn a_crd_and_its_objects_go_in_one_bundle() {
    let cluster = Cluster::up();
    assert_eq!(cluster.good(BUNDLE, "#{}").summary, "3 created");
    let writes = cluster.server.writes().len();
    let again = cluster.good(BUNDLE, "#{}");
    assert_eq!(again.summary, "3 unchanged", "{}", again.details);
    assert_eq!(cluster.server.writes()[writes..], NOTHING);
    let error = cluster.bad(&BUNDLE.replace("size: 3", "sice: 3"), "#{}");
    assert_eq!(
        (error.code.as_str(), error.file.as_deref()),
        ("psprun::apply::unknown_field", Some("inline:4:8"))
    );
}

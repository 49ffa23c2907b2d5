//! `apply` on a real kube-apiserver 1.20.2.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use psprun_engine::plan::Files;
use psprun_engine::{Outcome, StepError};
use serde_json::{Value, json};

use super::Apply;
use crate::cluster::Clusters;
use crate::testing::api_server::ApiServer;

struct Bench {
    server: Arc<ApiServer>,
    apply: Apply,
    files: Files,
}

impl Bench {
    fn up() -> Self {
        let server = Arc::new(ApiServer::up(&[]));
        let apply = Apply::new(&Clusters::new(&server.target));
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Files::default();
        for folder in ["playbooks/manifests", "plugins/cni", "tests/playbooks/cni"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|ending| ending == "yaml") {
                    let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
                    files.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
        Self { server, apply, files }
    }

    async fn run(&self, what: impl Into<Value>, options: Value) -> Result<Outcome<Value>, StepError> {
        self.told(what, options).await.0
    }

    async fn told(
        &self,
        what: impl Into<Value>,
        mut options: Value,
    ) -> (Result<Outcome<Value>, StepError>, Vec<String>) {
        options["what"] = what.into();
        self.server.run(&self.apply, options, self.files.clone()).await
    }

    async fn good(&self, what: impl Into<Value>, options: Value) -> Outcome<Value> {
        match self.told(what, options).await {
            (Ok(outcome), _) => outcome,
            (Err(error), told) => panic!("{error}\n{:?} {:?}\n{told:?}", error.at, error.help),
        }
    }

    async fn bad(&self, what: impl Into<Value>, options: Value) -> StepError {
        match self.run(what, options).await {
            Ok(outcome) => panic!("it went well: {:?}", outcome.output),
            Err(error) => error,
        }
    }
}

fn config_maps(count: usize, value: &str) -> Value {
    (0..count)
        .map(|number| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c-{number}"), "labels": {"app": "many"}},
                "data": {"key": value, "number": number.to_string()}})
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the real cluster: tests/run"]
async fn the_projects_own_manifests_are_applied_once_and_then_left_alone() {
    let bench = Bench::up();
    let mut names: Vec<String> = bench.files.names().map(|name| name.to_string()).collect();
    // Namespaces that the playbook makes in steps of their own.
    let namespaces = "kind: Namespace\napiVersion: v1\nmetadata: {name: ingress-nginx}\n---\nkind: Namespace\napiVersion: v1\nmetadata: {name: demo}\n";
    names.insert(0, namespaces.into());
    for mode in [json!(null), json!(false)] {
        let options = json!({"namespace": "demo", "server_side": mode, "force": true});
        let first = bench.good(names.clone(), options.clone()).await;
        assert!(first.changed);
        eprintln!("first: {}", first.summary.unwrap());
        let writes = bench.server.writes().len();
        let again = bench.good(names.clone(), options.clone()).await;
        let done: Vec<&Value> = again.output["objects"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|object| object["action"] != "unchanged")
            .collect();
        assert!(
            done.is_empty(),
            "{done:#?}\n{}",
            again.details.unwrap_or_default()
        );
        assert!(!again.changed);
        assert_eq!(bench.server.writes()[writes..], [] as [String; 0]);
        eprintln!("again: {}", again.summary.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the real cluster: tests/run"]
async fn a_change_is_shown_and_told_truly() {
    let bench = Bench::up();
    let text = |image: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  selector: {{matchLabels: {{a: b}}}}\n  template:\n    \
             metadata: {{labels: {{a: b}}}}\n    spec:\n      containers:\n      - name: web\n        image: {image}\n"
        )
    };
    let first = bench.good(text("one"), json!({})).await;
    assert_eq!(first.summary.as_deref(), Some("1 created"));
    assert_eq!(first.details.as_deref(), Some("+ Deployment default/web\n"));
    let second = bench.good(text("two"), json!({})).await;
    assert_eq!(second.summary.as_deref(), Some("1 changed"));
    let details = second.details.unwrap();
    assert!(
        details.contains("-      - image: one") && details.contains("+      - image: two"),
        "{details}"
    );
    let object = &second.output["objects"][0];
    assert_eq!(object["action"], "changed");
    assert_ne!(
        object["resource_version"],
        first.output["objects"][0]["resource_version"]
    );
    let third = bench.good(text("two"), json!({})).await;
    assert_eq!(
        third.output["objects"][0]["resource_version"],
        object["resource_version"]
    );
    assert_eq!(third.summary.as_deref(), Some("1 unchanged"));
    // Somebody else's change of our field is undone only by force.
    bench
        .server
        .kubectl(&["set", "image", "deployment/web", "web=three"]);
    let error = bench.bad(text("two"), json!({})).await;
    assert_eq!(error.code, "psprun::apply::conflict");
    assert!(
        error.message.contains("image belongs to kubectl"),
        "{}",
        error.message
    );
    assert_eq!(error.at.as_deref(), Some("inline:11:9"));
    let forced = bench.good(text("two"), json!({"force": true})).await;
    assert_eq!(forced.summary.as_deref(), Some("1 changed"));
    // A field that is no longer in the manifest goes.
    let with_replicas = text("two").replace("spec:\n  selector", "spec:\n  minReadySeconds: 5\n  selector");
    bench.good(with_replicas, json!({})).await;
    let without = bench.good(text("two"), json!({})).await;
    assert!(without.details.unwrap().contains("-  minReadySeconds: 5"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the real cluster: tests/run"]
async fn secrets_show_no_values() {
    let bench = Bench::up();
    let secret = |value: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{a: {value}}}\ntype: Opaque\n"
        )
    };
    bench.good(secret("first-value"), json!({})).await;
    let (changed, told) = bench.told(secret("second-value"), json!({})).await;
    let changed = changed.unwrap();
    let shown = format!("{:?} {:?} {told:?}", changed.details, changed.output);
    assert_eq!(changed.summary.as_deref(), Some("1 changed"));
    for value in [
        "first-value",
        "second-value",
        "Zmlyc3QtdmFsdWU=",
        "c2Vjb25kLXZhbHVl",
    ] {
        assert!(!shown.contains(value), "{shown}");
    }
    assert_eq!(
        bench
            .good(secret("second-value"), json!({}))
            .await
            .summary
            .as_deref(),
        Some("1 unchanged")
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the real cluster: tests/run"]
async fn what_is_wrong_is_said_before_anything_is_written() {
    let bench = Bench::up();
    let writes = bench.server.writes().len();
    let good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n---\n";

    let error = bench
        .bad(
            format!("{good}apiVersion: apps/v1\nkind: Deploymnt\nmetadata: {{name: a}}\n"),
            json!({}),
        )
        .await;
    assert_eq!(error.code, "psprun::apply::unknown_kind");
    assert_eq!(
        error.message,
        "cannot apply Deploymnt a: the API server (v1.20.2) has no kind `Deploymnt` in `apps/v1`"
    );
    assert_eq!(error.help.as_deref(), Some("did you mean `Deployment`?"));
    assert_eq!(error.at.as_deref(), Some("inline:6:1"));

    let error = bench
        .bad(
            "apiVersion: v1\nkind: Deployment\nmetadata: {name: a}\n",
            json!({}),
        )
        .await;
    assert!(
        error
            .help
            .as_deref()
            .unwrap()
            .starts_with("it has Deployment in apps/v1"),
        "{error:?}"
    );

    let error = bench
        .bad(
            "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: a}\n",
            json!({}),
        )
        .await;
    assert!(
        error
            .help
            .as_deref()
            .unwrap()
            .contains("CustomResourceDefinition"),
        "{error:?}"
    );

    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  replikas: 1\n  selector: {matchLabels: {a: b}}\n  \
                      template:\n    metadata: {labels: {a: b}}\n    spec:\n      containers:\n      - name: a\n        imagePullPolcy: Never\n        image: x\n";
    let error = bench.bad(format!("{good}{deployment}"), json!({})).await;
    assert_eq!(error.code, "psprun::apply::unknown_field");
    assert_eq!(error.at.as_deref(), Some("inline:9:3"));
    assert_eq!(error.help.as_deref(), Some("did you mean `replicas`?"));
    assert_eq!(
        error.message,
        "Deployment default/a has no field `spec.replikas`\nand inline:16:9: Deployment default/a has no field \
         `spec.template.spec.containers[0].imagePullPolcy` (did you mean `imagePullPolicy`?)"
    );

    let error = bench
        .bad(
            format!("{good}apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: b, namespace: nope}}\n"),
            json!({}),
        )
        .await;
    assert_eq!(error.code, "psprun::cluster::no_namespace");
    assert_eq!(
        error.message,
        "cannot apply ConfigMap nope/b: there is no namespace `nope`"
    );
    assert_eq!(error.at.as_deref(), Some("inline:7:21"));

    assert_eq!(
        bench.bad("# nothing\n---\n", json!({})).await.code,
        "psprun::apply::empty"
    );
    let error = bench.bad("a: 1\n\tb: 2\n", json!({})).await;
    assert_eq!(
        (error.code, error.at.as_deref()),
        ("psprun::manifest::unreadable", Some("inline:2:1"))
    );
    assert_eq!(bench.server.writes()[writes..], [] as [String; 0]);

    // With `warn` it is applied without these fields.
    let (outcome, told) = bench.told(deployment, json!({"validate": "warn"})).await;
    assert_eq!(outcome.unwrap().summary.as_deref(), Some("1 created"));
    assert!(
        told.iter()
            .any(|line| line.contains("inline:5:3: Deployment has no field `spec.replikas`: it is left out")),
        "{told:?}"
    );
    // What only the server can find wrong has its place, too.
    let error = bench
        .bad(
            deployment
                .replace("replikas: 1", "replicas: many")
                .replace("imagePullPolcy: Never", "env: []"),
            json!({}),
        )
        .await;
    assert_eq!(
        (error.code, error.at.as_deref()),
        ("psprun::cluster::invalid", Some("inline:5:3")),
        "{}",
        error.message
    );
    let error = bench
        .bad(
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports:\n  - port: 99999\n",
            json!({}),
        )
        .await;
    assert_eq!(
        (error.code, error.at.as_deref()),
        ("psprun::cluster::invalid", Some("inline:6:5")),
        "{}",
        error.message
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the real cluster: tests/run"]
async fn oddities_are_told() {
    let bench = Bench::up();
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, uid: x}\ndata: {k: one}\ndata: {k: two}\n---\n# nothing\n---\n\
                apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n";
    let (outcome, told) = bench.told(text, json!({})).await;
    assert_eq!(outcome.unwrap().summary.as_deref(), Some("2 created"));
    for wanted in [
        "warning: inline:5:1: `data` is written twice",
        "warning: inline:6:1: this document is empty",
        "was exported from a cluster",
        "ConfigMap default/b is in the bundle twice, at inline:9 and inline:13: the last one counts",
    ] {
        assert!(
            told.iter().any(|line| line.contains(wanted)),
            "{wanted}: {told:#?}"
        );
    }
    assert_eq!(
        bench
            .server
            .kubectl(&["get", "configmap", "a", "-o", "jsonpath={.data.k}"]),
        "two"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the real cluster: tests/run"]
async fn old_and_new_versions_are_rewritten() {
    let bench = Bench::up();
    let old = json!([
        {"apiVersion": "apps/v1beta1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}},
        {"apiVersion": "extensions/v1beta1", "kind": "DaemonSet", "metadata": {"name": "d"}, "spec": {"template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}},
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "j"}, "spec": {"schedule": "@daily", "jobTemplate": {
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}}}},
        {"apiVersion": "extensions/v1beta1", "kind": "PodSecurityPolicy", "metadata": {"name": "p"}, "spec": {
            "seLinux": {"rule": "RunAsAny"}, "runAsUser": {"rule": "RunAsAny"}, "fsGroup": {"rule": "RunAsAny"},
            "supplementalGroups": {"rule": "RunAsAny"}}},
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "p"}, "spec": {"selector": {"matchLabels": {"a": "b"}}}},
    ]);
    let (outcome, told) = bench.told(old.clone(), json!({})).await;
    let outcome = outcome.unwrap();
    assert_eq!(outcome.summary.as_deref(), Some("5 created"));
    let versions: Vec<&str> = outcome.output["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["apiVersion"].as_str().unwrap())
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
    assert_eq!(outcome.output["objects"][0]["written_as"], "apps/v1beta1");
    assert!(
        told.iter()
            .any(|line| line.contains("Deployment d is written for apps/v1beta1; applied as apps/v1")),
        "{told:?}"
    );
    let again = bench.good(old, json!({})).await;
    assert_eq!(
        again.summary.as_deref(),
        Some("5 unchanged"),
        "{}",
        again.details.unwrap_or_default()
    );
    let refused =
        json!({"apiVersion": "settings.k8s.io/v1alpha1", "kind": "PodPreset", "metadata": {"name": "d"}});
    let error = bench.bad(refused, json!({})).await;
    assert_eq!(error.code, "psprun::apply::version");
    assert!(
        error.message.contains("was removed in Kubernetes 1.20"),
        "{}",
        error.message
    );
}

fn bundle_with_crd() -> &'static str {
    "apiVersion: example.org/v1
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
"
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the real cluster: tests/run"]
async fn a_crd_and_its_objects_go_in_one_bundle() {
    let bench = Bench::up();
    let first = bench.good(bundle_with_crd(), json!({})).await;
    assert_eq!(first.summary.as_deref(), Some("3 created"));
    let writes = bench.server.writes().len();
    let again = bench.good(bundle_with_crd(), json!({})).await;
    assert_eq!(
        again.summary.as_deref(),
        Some("3 unchanged"),
        "{}",
        again.details.unwrap_or_default()
    );
    assert_eq!(bench.server.writes().len(), writes);
    let error = bench
        .bad(bundle_with_crd().replace("size: 3", "sice: 3"), json!({}))
        .await;
    assert_eq!(
        (error.code, error.at.as_deref()),
        ("psprun::apply::unknown_field", Some("inline:4:8"))
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the real cluster: tests/run"]
async fn what_a_bundle_no_longer_has_is_pruned() {
    let bench = Bench::up();
    for mode in [json!(null), json!(false)] {
        let options = json!({"prune": "some", "server_side": mode});
        let map = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}});
        let first = bench
            .good(json!([map("a"), map("b"), map("c")]), options.clone())
            .await;
        assert_eq!(first.summary.as_deref(), Some("3 created"));
        let second = bench.good(json!([map("a"), map("d")]), options.clone()).await;
        assert_eq!(
            second.summary.as_deref(),
            Some("1 created, 1 unchanged, 2 pruned")
        );
        assert!(second.details.unwrap().contains("- ConfigMap default/b\n"));
        let left = bench.server.kubectl(&["get", "configmaps", "-o", "name"]);
        assert_eq!(left, "configmap/a\nconfigmap/d\nconfigmap/psprun-some\n");
        let writes = bench.server.writes().len();
        let third = bench.good(json!([map("a"), map("d")]), options.clone()).await;
        assert!(!third.changed);
        assert_eq!(bench.server.writes().len(), writes);
        bench
            .server
            .kubectl(&["delete", "configmap", "a", "d", "psprun-some"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the real cluster: tests/run"]
async fn a_server_that_is_killed_midway_is_waited_for() {
    let bench = Bench::up();
    let what = config_maps(1000, "x");
    let server = bench.server.clone();
    // Some are written by then, some under way.
    let kill = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_millis(700));
        server.stop();
        std::thread::sleep(Duration::from_secs(8));
        server.start();
    });
    let begin = Instant::now();
    let (result, told) = bench.told(what.clone(), json!({})).await;
    kill.await.unwrap();
    let outcome = result.unwrap();
    eprintln!(
        "{} in {:?}, told {:?}",
        outcome.summary.clone().unwrap(),
        begin.elapsed(),
        told
    );
    assert_eq!(outcome.summary.as_deref(), Some("1000 created"));
    assert!(told.iter().any(|line| line.contains("trying again")), "{told:?}");
    let count = bench
        .server
        .kubectl(&["get", "configmaps", "-o", "name"])
        .lines()
        .count();
    assert_eq!(count, 1000);
    assert_eq!(
        bench.good(what, json!({})).await.summary.as_deref(),
        Some("1000 unchanged")
    );
}

/// What a bare client needs for the same objects, each a server-side apply, as many at once.
async fn bare(client: &kube::Client, objects: &[Value]) -> Duration {
    use futures::StreamExt as _;
    use kube::core::params::{Patch, PatchParams};
    let begin = Instant::now();
    let params = PatchParams::apply("bare");
    let mut answers = futures::stream::iter(objects)
        .map(|object| {
            let name = object["metadata"]["name"].as_str().unwrap();
            let request = kube::core::Request::new("/api/v1/namespaces/bare/configmaps").patch(
                name,
                &params,
                &Patch::Apply(object),
            );
            client.request::<Value>(request.unwrap())
        })
        .buffer_unordered(super::IN_FLIGHT);
    while let Some(answer) = answers.next().await {
        answer.unwrap();
    }
    begin.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the real cluster: tests/run"]
async fn a_thousand_objects_are_as_fast_as_a_bare_client() {
    let bench = Bench::up();
    let objects = config_maps(1000, "x");
    let list = objects.as_array().unwrap();
    bench.server.kubectl(&["create", "namespace", "bare"]);
    // Both ways once more than needed: the first pays for the server's start.
    bench.good(json!([list[0]]), json!({})).await;
    let client = bench.server.client().await;
    let mut lines = Vec::new();
    for round in 0..3 {
        let bare = bare(&client, list).await;
        let begin = Instant::now();
        let outcome = bench.good(objects.clone(), json!({})).await;
        let ours = begin.elapsed();
        let begin = Instant::now();
        let again = bench.good(objects.clone(), json!({})).await;
        assert_eq!(again.summary.as_deref(), Some("1000 unchanged"));
        lines.push(format!(
            "bare {bare:?}, apply {ours:?} ({}), ratio {:.2}, again {:?}",
            outcome.summary.unwrap(),
            ours.as_secs_f64() / bare.as_secs_f64(),
            begin.elapsed()
        ));
        if round < 2 {
            bench
                .server
                .kubectl(&["delete", "configmaps", "--all", "--wait=false"]);
            bench
                .server
                .kubectl(&["delete", "configmaps", "--all", "--wait=false", "-n", "bare"]);
        }
    }
    eprintln!("{}", lines.join("\n"));
}

//! `apply`: order, rewriting, checks, conflicts, pruning, patience, speed.

use std::path::Path;
use std::time::{Duration, Instant};

use psprun_engine::event::Failure;
use serde_json::{Value, json};

use super::bench::{Bench, Run, Step};
use crate::support::apiserver::ApiServer;

/// A server and a bench on it.
struct Cluster {
    server: ApiServer,
    bench: Bench,
}

impl Cluster {
    fn up() -> Self {
        let server = ApiServer::start(&[]);
        let bench = Bench::new(server.kubeconfig());
        Self { server, bench }
    }

    /// Applies a manifest's text; `options` is a map of the script.
    fn apply(&self, text: &str, options: &str) -> Run {
        self.bench
            .run(&format!("let done = cluster.apply({}, {options});", quoted(text)))
    }

    fn good(&self, text: &str, options: &str) -> Applied {
        Applied(self.apply(text, options))
    }

    fn bad(&self, text: &str, options: &str) -> Failure {
        self.apply(text, options).failure("done").clone()
    }

    fn kubectl(&self, words: &[&str]) -> String {
        let mut command = std::process::Command::new(self.server.binary("kubectl"));
        let output = command
            .arg("--kubeconfig")
            .arg(self.server.kubeconfig())
            .args(words)
            .output()
            .expect("kubectl starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "kubectl {words:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }
}

/// A run whose step `done` ended well.
struct Applied(Run);

impl std::ops::Deref for Applied {
    type Target = Step;

    fn deref(&self) -> &Step {
        self.0.good("done")
    }
}

/// A string of the script.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

const NOTHING: [String; 0] = [];

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn the_projects_own_manifests_are_applied_once_and_then_left_alone() {
    let cluster = Cluster::up();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = |mode: &str| {
        format!(
            "let demo = cluster.namespace(\"demo\");
            let done = cluster.apply([\"manifests\", {}, {}], #{{ namespace: \"demo\", force: true{mode} }}).after(demo);",
            quoted(&root.join("plugins/cni/flannel.yaml").display().to_string()),
            quoted(&root.join("tests/playbooks/cni").display().to_string()),
        )
    };
    for mode in ["", ", server_side: false"] {
        let run = |script: &str| Applied(cluster.bench.run_in(&root.join("playbooks"), script));
        let first = run(&script(mode));
        assert!(
            !first.summary.contains("unchanged") || !mode.is_empty(),
            "{}",
            first.summary
        );
        let writes = cluster.server.writes().len();
        let again = run(&script(mode));
        assert!(
            again.summary.ends_with(" unchanged") && !again.summary.contains(','),
            "{}\n{}",
            again.summary,
            again.details
        );
        assert_eq!(cluster.server.writes()[writes..], NOTHING);
    }
}

fn deployment(image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  selector: {{matchLabels: {{a: b}}}}\n  template:\n    \
         metadata: {{labels: {{a: b}}}}\n    spec:\n      containers:\n      - name: web\n        image: {image}\n"
    )
}

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn a_change_is_shown_and_told_truly() {
    let cluster = Cluster::up();
    let first = cluster.good(&deployment("one"), "#{}");
    assert_eq!(
        (first.summary.as_str(), first.details.as_str()),
        ("1 created", "+ Deployment default/web\n")
    );
    let second = cluster.good(&deployment("two"), "#{}");
    assert_eq!(second.summary, "1 changed");
    assert!(
        second.details.contains("-      - image: one") && second.details.contains("+      - image: two"),
        "{}",
        second.details
    );
    let object = &second.output["objects"][0];
    assert_eq!(object["action"], "changed");
    assert_ne!(
        object["resource_version"],
        first.output["objects"][0]["resource_version"]
    );
    let third = cluster.good(&deployment("two"), "#{}");
    assert_eq!(third.summary, "1 unchanged");
    assert_eq!(
        third.output["objects"][0]["resource_version"],
        object["resource_version"]
    );

    // Somebody else's change of our field is undone only by force.
    cluster.kubectl(&["set", "image", "deployment/web", "web=three"]);
    let error = cluster.bad(&deployment("two"), "#{}");
    assert_eq!(error.code, "psprun::apply::conflict");
    assert!(
        error.message.contains("image belongs to kubectl"),
        "{}",
        error.message
    );
    assert_eq!(error.file.as_deref(), Some("inline:11:9"));
    assert_eq!(
        cluster.good(&deployment("two"), "#{ force: true }").summary,
        "1 changed"
    );

    // A field that is no longer in the manifest goes.
    cluster.good(
        &deployment("two").replace("spec:\n  selector", "spec:\n  minReadySeconds: 5\n  selector"),
        "#{}",
    );
    let without = cluster.good(&deployment("two"), "#{}");
    assert!(
        without.details.contains("-  minReadySeconds: 5"),
        "{}",
        without.details
    );
}

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn secrets_show_no_values() {
    let cluster = Cluster::up();
    let secret = |value: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{a: {value}}}\ntype: Opaque\n"
        )
    };
    cluster.good(&secret("first-value"), "#{}");
    let changed = cluster.good(&secret("second-value"), "#{}");
    assert_eq!(changed.summary, "1 changed");
    let shown = format!("{} {} {:?}", changed.details, changed.output, changed.0.told);
    for value in [
        "first-value",
        "second-value",
        "Zmlyc3QtdmFsdWU=",
        "c2Vjb25kLXZhbHVl",
    ] {
        assert!(!shown.contains(value), "{shown}");
    }
    assert_eq!(
        cluster.good(&secret("second-value"), "#{}").summary,
        "1 unchanged"
    );
}

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn what_is_wrong_is_said_before_anything_is_written() {
    let cluster = Cluster::up();
    let writes = cluster.server.writes().len();
    let good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n---\n";
    let place = |error: &Failure| error.file.clone().unwrap_or_default();
    let help = |error: &Failure| error.help.clone().unwrap_or_default();

    let error = cluster.bad(
        &format!("{good}apiVersion: apps/v1\nkind: Deploymnt\nmetadata: {{name: a}}\n"),
        "#{}",
    );
    assert_eq!(error.code, "psprun::apply::unknown_kind");
    assert_eq!(
        error.message,
        "cannot apply Deploymnt a: the API server (v1.20.2) has no kind `Deploymnt` in `apps/v1`"
    );
    assert_eq!(
        (help(&error).as_str(), place(&error).as_str()),
        ("did you mean `Deployment`?", "inline:6:1")
    );
    let error = cluster.bad("apiVersion: v1\nkind: Deployment\nmetadata: {name: a}\n", "#{}");
    assert!(
        help(&error).starts_with("it has Deployment in apps/v1"),
        "{error:?}"
    );
    let error = cluster.bad(
        "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: a}\n",
        "#{}",
    );
    assert!(help(&error).contains("CustomResourceDefinition"), "{error:?}");

    let typos = deployment("x")
        .replace("spec:\n  selector", "spec:\n  replikas: 1\n  selector")
        .replace("        image", "        imagePullPolcy: Never\n        image");
    let error = cluster.bad(&format!("{good}{typos}"), "#{}");
    assert_eq!(
        (error.code.as_str(), place(&error).as_str()),
        ("psprun::apply::unknown_field", "inline:9:3")
    );
    assert_eq!(help(&error), "did you mean `replicas`?");
    assert_eq!(
        error.message,
        "Deployment default/web has no field `spec.replikas`\nand inline:16:9: Deployment default/web has no field \
         `spec.template.spec.containers[0].imagePullPolcy` (did you mean `imagePullPolicy`?)"
    );

    let error = cluster.bad(
        &format!("{good}apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: b, namespace: nope}}\n"),
        "#{}",
    );
    assert_eq!(error.code, "psprun::cluster::no_namespace");
    assert_eq!(
        error.message,
        "cannot apply ConfigMap nope/b: there is no namespace `nope`"
    );
    assert_eq!(place(&error), "inline:7:21");
    assert_eq!(
        cluster.bad("# nothing\n---\n", "#{}").code,
        "psprun::apply::empty"
    );
    assert_eq!(cluster.server.writes()[writes..], NOTHING);

    // With `warn` it is applied without these fields.
    let warned = cluster.good(&typos, "#{ validate: \"warn\" }");
    assert_eq!(warned.summary, "1 created");
    let told = "inline:5:3: Deployment has no field `spec.replikas`: it is left out";
    assert!(
        warned.0.told.iter().any(|line| line.contains(told)),
        "{:?}",
        warned.0.told
    );
    // What only the server can find wrong has its place, too.
    let error = cluster.bad(
        &typos
            .replace("replikas: 1", "replicas: many")
            .replace("imagePullPolcy: Never", "env: []"),
        "#{}",
    );
    assert_eq!(
        (error.code.as_str(), place(&error).as_str()),
        ("psprun::cluster::invalid", "inline:5:3"),
        "{}",
        error.message
    );
    let error = cluster.bad(
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports:\n  - port: 99999\n",
        "#{}",
    );
    assert_eq!(
        (error.code.as_str(), place(&error).as_str()),
        ("psprun::cluster::invalid", "inline:6:5"),
        "{}",
        error.message
    );
}

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn oddities_are_told() {
    let cluster = Cluster::up();
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, uid: x}\ndata: {k: one}\ndata: {k: two}\n---\n# nothing\n---\n\
                apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n";
    let done = cluster.good(text, "#{}");
    assert_eq!(done.summary, "2 created");
    for wanted in [
        "warning: inline:5:1: `data` is written twice",
        "warning: inline:6:1: this document is empty",
        "was exported from a cluster",
        "ConfigMap default/b is in the bundle twice, at inline:9 and inline:13: the last one counts",
    ] {
        assert!(
            done.0.told.iter().any(|line| line.contains(wanted)),
            "{wanted}: {:#?}",
            done.0.told
        );
    }
    assert_eq!(
        cluster.kubectl(&["get", "configmap", "a", "-o", "jsonpath={.data.k}"]),
        "two"
    );
}

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

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn what_a_bundle_no_longer_has_is_pruned() {
    let cluster = Cluster::up();
    let maps = |names: &[&str], mode: &str| {
        let objects: Vec<String> = names
            .iter()
            .map(|name| {
                format!("#{{ apiVersion: \"v1\", kind: \"ConfigMap\", metadata: #{{ name: \"{name}\" }} }}")
            })
            .collect();
        Applied(cluster.bench.run(&format!(
            "let done = cluster.apply([{}], #{{ prune: \"some\"{mode} }});",
            objects.join(", ")
        )))
    };
    for mode in ["", ", server_side: false"] {
        assert_eq!(maps(&["a", "b", "c"], mode).summary, "3 created");
        let second = maps(&["a", "d"], mode);
        assert_eq!(second.summary, "1 created, 1 unchanged, 2 pruned");
        assert!(
            second.details.contains("- ConfigMap default/b\n"),
            "{}",
            second.details
        );
        assert_eq!(
            cluster.kubectl(&["get", "configmaps", "-o", "name"]),
            "configmap/a\nconfigmap/d\nconfigmap/psprun-some\n"
        );
        let writes = cluster.server.writes().len();
        assert_eq!(maps(&["a", "d"], mode).summary, "2 unchanged");
        assert_eq!(cluster.server.writes()[writes..], NOTHING);
        cluster.kubectl(&["delete", "configmap", "a", "d", "psprun-some"]);
    }
}

/// So many ConfigMaps: in a folder with the file `many.yaml`, and as values.
fn config_maps(count: usize) -> (tempfile::TempDir, Vec<Value>) {
    let object = |i: usize| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c-{i}")}, "data": {"key": format!("value {i}")}});
    let objects: Vec<Value> = (0..count).map(object).collect();
    let text: String = objects.iter().map(|object| format!("---\n{object}\n")).collect();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("many.yaml"), text).expect("it can be written");
    (folder, objects)
}

const MANY: &str = "let done = cluster.apply(\"many.yaml\");";

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn a_server_that_is_killed_midway_is_waited_for() {
    let cluster = Cluster::up();
    let (folder, _) = config_maps(1000);
    let run = cluster.bench.start_in(Some(folder.path()), MANY);
    // Some are written by then, some under way.
    while cluster.server.writes().len() < 100 {
        std::thread::sleep(Duration::from_millis(5));
    }
    cluster.server.kill();
    std::thread::sleep(Duration::from_secs(8));
    cluster.server.revive();
    let run = Applied(cluster.bench.runtime.block_on(run).expect("no panic"));
    assert_eq!(run.summary, "1000 created");
    assert!(
        run.0.told.iter().any(|line| line.contains("trying again")),
        "{:?}",
        run.0.told
    );
    assert_eq!(
        cluster
            .kubectl(&["get", "configmaps", "-o", "name"])
            .lines()
            .count(),
        1000
    );
    assert_eq!(
        Applied(cluster.bench.run_in(folder.path(), MANY)).summary,
        "1000 unchanged"
    );
}

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn a_thousand_objects_are_as_fast_as_a_bare_client() {
    let cluster = Cluster::up();
    let (folder, objects) = config_maps(1000);
    cluster.kubectl(&["create", "namespace", "bare"]);
    // The first requests pay for the server's start.
    cluster.good(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: first}\n",
        "#{}",
    );
    let mut lines = Vec::new();
    for _ in 0..3 {
        for namespace in ["default", "bare"] {
            cluster.kubectl(&[
                "delete",
                "configmaps",
                "--all",
                "--wait=false",
                "--namespace",
                namespace,
            ]);
        }
        let posts = cluster
            .bench
            .runtime
            .block_on(bare(&cluster.bench.client, &objects, true));
        cluster.kubectl(&[
            "delete",
            "configmaps",
            "--all",
            "--wait=false",
            "--namespace",
            "bare",
        ]);
        let patches = cluster
            .bench
            .runtime
            .block_on(bare(&cluster.bench.client, &objects, false));
        let run = Applied(cluster.bench.run_in(folder.path(), MANY));
        assert_eq!(run.summary, "1000 created");
        let again = Applied(cluster.bench.run_in(folder.path(), MANY));
        assert_eq!(again.summary, "1000 unchanged");
        lines.push(format!(
            "bare create {posts:?}, bare apply {patches:?}, apply {:?}, ratio {:.2}, again {:?}",
            run.took,
            run.took.as_secs_f64() / patches.as_secs_f64(),
            again.took
        ));
    }
    // Seen with --nocapture; `benches/` has the figures that count.
    println!("{}", lines.join("\n"));
}

/// What a bare client needs for the objects: 32 at once, each created or applied by the server.
async fn bare(client: &kube::Client, objects: &[Value], create: bool) -> Duration {
    use kube::core::params::{Patch, PatchParams, PostParams};
    let begin = Instant::now();
    let collection = kube::core::Request::new("/api/v1/namespaces/bare/configmaps");
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..32 {
        let (client, collection) = (client.clone(), collection.clone());
        let share: Vec<Value> = objects.iter().skip(worker).step_by(32).cloned().collect();
        workers.spawn(async move {
            for object in share {
                let name = object["metadata"]["name"].as_str().expect("a name");
                let request = if create {
                    collection.create(&PostParams::default(), object.to_string().into_bytes())
                } else {
                    collection.patch(name, &PatchParams::apply("bare"), &Patch::Apply(&object))
                };
                let answer = client.request::<Value>(request.expect("a request")).await;
                answer.expect("it goes well");
            }
        });
    }
    workers.join_all().await;
    begin.elapsed()
}

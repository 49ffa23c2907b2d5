//! get, delete, namespace, label, annotate, taint, untaint, patch.

use psprun_engine::State;
use serde_json::json;

use super::bench::{Bench, NO_ACCOUNTS, node, pod, ready};
use crate::support::apiserver::ApiServer;

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn objects_are_read_made_changed_and_deleted() {
    let server = ApiServer::start(NO_ACCOUNTS);
    let bench = Bench::new(server.kubeconfig());
    bench.let_pods_in();
    names_of_kinds(&bench);
    namespaces(&bench, &server);
    labels(&bench);
    taints(&bench);
    patches(&bench);
    deletions(&bench);
    secrets(&bench);
}

fn names_of_kinds(bench: &Bench) {
    let run = bench.run(
        r#"
let a = cluster.get("ns", #{ name: "default" });
let b = cluster.get("Namespace", #{ name: "default" });
let c = cluster.get("v1/Namespace", #{ name: "default" });
let d = cluster.get("deployments.apps");
let e = cluster.get("networking.k8s.io/v1/Ingress", #{ all_namespaces: true });
let f = cluster.get("ing");
let g = cluster.get("svc", #{ selector: #{ component: "apiserver" } });
let h = cluster.get("pods", #{ name: "nobody", optional: true });
let i = cluster.get("poods");
let j = cluster.get("pods", #{ name: "nobody" });
let k = cluster.get("pod/web");
let l = cluster.get("apps/v1beta1/Deployment");
"#,
    );
    for name in ["a", "b", "c"] {
        assert_eq!(run.good(name).output["kind"], "Namespace");
        assert_eq!(run.good(name).state, State::Unchanged);
    }
    for name in ["d", "e", "f"] {
        assert_eq!(run.good(name).output, json!({ "items": [] }));
    }
    assert_eq!(run.good("g").output["items"][0]["metadata"]["name"], "kubernetes");
    assert_eq!(
        run.good("g").output["items"][0]["kind"],
        "Service",
        "lists leave it out"
    );
    assert!(run.good("h").output.is_null());
    assert_eq!(run.failure("i").message, "the server knows no kind \"poods\"");
    assert_eq!(run.failure("i").help.as_deref(), Some("did you mean \"pods\"?"));
    assert_eq!(
        run.failure("j").message,
        "there is no pod \"nobody\" in namespace default"
    );
    assert!(
        run.failure("k")
            .help
            .as_ref()
            .is_some_and(|help| help.contains("name: \"web\""))
    );
    assert_eq!(
        run.failure("l").help.as_deref(),
        Some("it has apps/v1/Deployment")
    );
}

fn namespaces(bench: &Bench, server: &ApiServer) {
    let script =
        r#"cluster.namespace("demo", #{ labels: #{ a: "b" }, annotations: #{ note: "n" } }).named("demo");"#;
    let run = bench.run(script);
    assert_eq!(run.good("demo").state, State::Done);
    assert_eq!(run.good("demo").output["metadata"]["labels"]["a"], "b");
    let before = server.writes().len();
    assert_eq!(bench.run(script).good("demo").state, State::Unchanged);
    assert_eq!(
        bench
            .run(r#"cluster.namespace("demo").named("demo");"#)
            .good("demo")
            .state,
        State::Unchanged
    );
    assert_eq!(
        server.writes().len(),
        before,
        "unchanged means that nothing is written"
    );
    let run = bench.run(r#"cluster.namespace("demo", #{ labels: #{ a: (), c: 1 } }).named("demo");"#);
    assert_eq!(run.good("demo").state, State::Done);
    let labels = &run.good("demo").output["metadata"]["labels"];
    assert_eq!((&labels["a"], &labels["c"]), (&json!(null), &json!("1")));
}

fn labels(bench: &Bench) {
    for name in ["one", "two"] {
        bench.create(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "namespace": "demo" } }));
    }
    let set = r#"
let labelled = cluster.label("cm", #{ namespace: "demo", all: true, labels: #{ app: "web" } });
let noted = cluster.annotate("cm", #{ namespace: "demo", name: ["one"], annotations: #{ "a.b/c": "x y" } }).after(labelled);
"#;
    let run = bench.run(set);
    assert_eq!(
        run.good("labelled").output["changed"],
        json!(["configmap demo/one", "configmap demo/two"])
    );
    assert_eq!(run.good("labelled").summary, "2 of 2 configmaps changed");
    assert_eq!(
        run.good("noted").output["items"][0]["metadata"]["annotations"]["a.b/c"],
        "x y"
    );
    let again = bench.run(set);
    assert_eq!(again.good("labelled").state, State::Unchanged);
    assert_eq!(again.good("noted").state, State::Unchanged);
    let run = bench.run(
        r#"
let a = cluster.label("cm", #{ namespace: "demo", selector: "app=web", labels: #{ app: () } });
let b = cluster.label("cm", #{ namespace: "demo", name: "three", labels: #{ app: "x" } });
let c = cluster.label("cm", #{ namespace: "demo", selector: "no=such", labels: #{ app: "x" } });
let d = cluster.label("cm", #{ namespace: "demo", name: "one", labels: #{ "not a key": "x" } });
"#,
    );
    assert_eq!(
        run.good("a").output["items"][0]["metadata"]["labels"],
        json!(null)
    );
    assert_eq!(
        run.failure("b").message,
        "there is no configmap \"three\" in namespace demo"
    );
    assert_eq!(run.good("c").summary, "no configmaps with no=such in demo");
    assert_eq!(run.good("c").state, State::Unchanged);
    assert_eq!(run.failure("d").code, "psprun::cluster::invalid");
}

fn taints(bench: &Bench) {
    let mut master = node("master", "True");
    master["spec"] =
        json!({ "taints": [{ "key": "node-role.kubernetes.io/master", "effect": "NoSchedule" }] });
    bench.create(master.clone());
    bench.create(node("worker", "True"));
    let run = bench.run(
        r#"
let a = cluster.untaint("all");
let b = cluster.untaint("all").after(a);
let c = cluster.taint("worker", #{ taints: ["x=y:NoSchedule", #{ key: "z", effect: "PreferNoSchedule" }] }).after(b);
let d = cluster.taint("worker", #{ taints: "x=y:NoSchedule" }).after(c);
let e = cluster.taint("worker", #{ taints: "x=other:NoSchedule" }).after(d);
let f = cluster.untaint(["worker", "master"], #{ keys: ["x", "z:NoExecute"] }).after(e);
let g = cluster.get("nodes").after(f);
let h = cluster.untaint("nobody").after(f);
"#,
    );
    assert_eq!(
        run.good("a").output["removed"],
        json!([{ "node": "master", "taint": "node-role.kubernetes.io/master:NoSchedule" }])
    );
    assert_eq!(run.good("a").state, State::Done);
    assert_eq!(
        run.good("b").state,
        State::Unchanged,
        "an absent taint is no error"
    );
    assert_eq!(run.good("b").summary, "no such taint");
    assert_eq!(run.good("c").output["added"].as_array().map(Vec::len), Some(2));
    assert_eq!(run.good("d").state, State::Unchanged);
    assert_eq!(
        run.good("e").output["added"],
        json!([{ "node": "worker", "taint": "x=other:NoSchedule" }])
    );
    assert_eq!(
        run.good("f").output["removed"],
        json!([{ "node": "worker", "taint": "x=other:NoSchedule" }])
    );
    // The server itself taints new nodes until they are ready; that one stays.
    let worker = &run.good("g").output["items"][1]["spec"]["taints"];
    let not_ready = json!({ "key": "node.kubernetes.io/not-ready", "effect": "NoSchedule" });
    assert_eq!(
        *worker,
        json!([not_ready, { "key": "z", "effect": "PreferNoSchedule" }])
    );
    assert_eq!(run.failure("h").message, "there is no node \"nobody\"");

    // Many steps on one node at once: each finds out that the node was changed meanwhile, and none loses a taint.
    let steps: String = (0..8)
        .map(|i| format!("cluster.taint(\"master\", #{{ taints: \"k{i}:NoSchedule\" }});\n"))
        .collect();
    let run = bench.run(&steps);
    assert!(
        run.steps
            .values()
            .filter(|step| step.state == State::Done)
            .count()
            == 8,
        "{run:#?}"
    );
    let taints = bench.run(r#"let n = cluster.get("node", #{ name: "master" });"#);
    let taints = taints.good("n").output["spec"]["taints"].as_array().map(Vec::len);
    assert_eq!(taints, Some(9), "and the server's own");
}

fn patches(bench: &Bench) {
    let run = bench.run(
        r#"
let a = cluster.patch("cm", #{ namespace: "demo", name: "one", patch: #{ data: #{ x: "1" } } });
let b = cluster.patch("cm", #{ namespace: "demo", name: "one", patch: #{ data: #{ x: "1" } } }).after(a);
let c = cluster.patch("cm", #{ namespace: "demo", name: "one", patch: [#{ op: "replace", path: "/data/x", value: "2" }] }).after(b);
let d = cluster.patch("cm", #{ namespace: "demo", name: "one", type: "merge", patch: #{ data: () } }).after(c);
let e = cluster.patch("node", #{ name: "worker", subresource: "status", patch: #{ status: #{ phase: "Running" } } });
let f = cluster.patch("cm", #{ namespace: "demo", name: "nobody", patch: #{ data: #{} } });
let g = cluster.patch("cm", #{ namespace: "demo", name: "one", patch: [#{ op: "test", path: "/data", value: "no" }] }).after(d);
"#,
    );
    for (step, state) in [
        ("a", State::Done),
        ("b", State::Unchanged),
        ("c", State::Done),
        ("d", State::Done),
        ("e", State::Done),
    ] {
        assert_eq!(run.good(step).state, state, "{step}");
    }
    assert_eq!(run.good("c").output["data"]["x"], "2");
    assert!(run.good("d").output.get("data").is_none());
    assert_eq!(run.failure("f").code, "psprun::cluster::not_found");
    assert!(
        run.failure("g").message.contains("patch configmap demo/one"),
        "{run:#?}"
    );

    // A kind that a CRD defines knows no strategic merge.
    bench.create(
        json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "things.example.com" },
        "spec": { "group": "example.com", "scope": "Namespaced",
            "names": { "plural": "things", "singular": "thing", "kind": "Thing", "shortNames": ["th"] },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true } } }] } }),
    );
    let run = bench
        .run(r#"cluster.wait_ready("crd", #{ name: "things.example.com", timeout: "10s" }).named("crd");"#);
    assert_eq!(
        run.good("crd").output["items"][0]["metadata"]["name"],
        "things.example.com"
    );
    bench.create(json!({ "apiVersion": "example.com/v1", "kind": "Thing", "metadata": { "name": "t", "namespace": "demo" } }));
    let run = bench.run(
        r#"
let a = cluster.patch("thing", #{ namespace: "demo", name: "t", patch: #{ spec: #{ x: 1 } } });
let b = cluster.get("th", #{ namespace: "demo" }).after(a);
let c = cluster.patch("thing", #{ namespace: "demo", name: "t", type: "strategic", patch: #{ spec: #{ x: 1 } } });
"#,
    );
    assert_eq!(run.good("a").state, State::Done);
    assert_eq!(run.good("b").output["items"][0]["spec"]["x"], 1);
    assert_eq!(run.failure("c").code, "psprun::cluster::unsupported");
}

fn deletions(bench: &Bench) {
    let run = bench.run(
        r#"
let a = cluster.delete("cm", #{ namespace: "demo", name: ["one", "nobody"] });
let b = cluster.delete("cm", #{ namespace: "demo", name: "one" }).after(a);
"#,
    );
    assert_eq!(
        run.good("a").output,
        json!({ "deleted": ["configmap demo/one"], "absent": ["nobody"] })
    );
    assert_eq!(
        run.good("b").state,
        State::Unchanged,
        "an absent object is no error"
    );

    // A finalizer keeps it until somebody takes it away; a step that begins meanwhile only waits.
    let held = json!({ "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "held", "namespace": "demo", "finalizers": ["example.com/hold"] } });
    bench.create(held.clone());
    let run = bench
        .run(r#"cluster.delete("cm", #{ namespace: "demo", name: "held", timeout: "500ms" }).named("d");"#);
    let failure = run.failure("d");
    assert_eq!(failure.code, "psprun::delete::timeout");
    assert!(
        failure
            .message
            .contains("configmap demo/held: finalizers example.com/hold"),
        "{failure:?}"
    );
    let waiting = bench.start(r#"cluster.delete("cm", #{ namespace: "demo", name: "held" }).named("d");"#);
    std::thread::sleep(std::time::Duration::from_millis(300));
    bench.patch(&held, json!({ "metadata": { "finalizers": null } }));
    let run = bench.runtime.block_on(waiting).expect("no panic");
    assert_eq!(
        run.good("d").state,
        State::Unchanged,
        "its deletion had begun before"
    );

    // A pod on a node goes when its kubelet has ended it; nobody does here.
    bench.create(pod("demo", "web", ready()));
    let run = bench.run(
        r#"
let a = cluster.delete("pods", #{ namespace: "demo", selector: "app=web", wait: false });
let b = cluster.delete("pods", #{ namespace: "demo", all: true, timeout: "500ms" }).after(a).allow_failure();
let c = cluster.delete("pods", #{ namespace: "demo", all: true, grace_period: 0 }).after(b);
let d = cluster.get("pods", #{ namespace: "demo" }).after(c);
"#,
    );
    assert_eq!(run.good("a").output["deleted"], json!(["pod demo/web"]));
    assert!(
        run.failure("b")
            .message
            .contains("the kubelet of worker has not ended it")
    );
    assert_eq!(run.good("c").state, State::Done);
    assert_eq!(run.good("d").output["items"], json!([]));
}

fn secrets(bench: &Bench) {
    bench.create(
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s", "namespace": "demo" },
        "data": { "password": "aHVudGVyMg==" } }),
    );
    let run = bench.run(
        r#"
let secret = cluster.get("secret", #{ namespace: "demo", name: "s" });
let same = check("it is the real one", || secret.data.password == "aHVudGVyMg==");
"#,
    );
    assert_eq!(
        run.good("secret").output["data"]["password"],
        "***",
        "no event shows it"
    );
    run.good("same");
}

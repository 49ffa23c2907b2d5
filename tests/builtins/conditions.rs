//! wait_event, wait_for; and what logs and exec say where there is no kubelet.

use std::time::Duration;

use psprun_engine::State;
use serde_json::{Value, json};

use super::bench::{Bench, NO_ACCOUNTS, pod, ready};
use crate::support::apiserver::ApiServer;

const SETTLE: Duration = Duration::from_millis(300);

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn events_and_conditions_are_waited_for() {
    let server = ApiServer::start(NO_ACCOUNTS);
    let bench = Bench::new(server.kubeconfig());
    bench.let_pods_in();
    events(&bench);
    conditions(&bench);
    without_a_kubelet(&bench);
}

fn event(name: &str, message: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Event", "metadata": { "name": name, "namespace": "kube-system" },
        "involvedObject": { "kind": "DaemonSet", "namespace": "kube-system", "name": "kube-proxy" }, "type": "Warning",
        "reason": "FailedCreate", "message": message, "count": 2, "lastTimestamp": "2026-11-24T06:12:48Z" })
}

fn events(bench: &Bench) {
    let script = r#"
let e = cluster.wait_event(#{ namespace: "kube-system", reason: "FailedCreate", message: "no providers available" });
check("it is kube-proxy's", || e.object.kind == "DaemonSet" && e.object.name == "kube-proxy" && e.count == 2).named("right");
"#;
    let waiting = bench.start(script);
    std::thread::sleep(SETTLE);
    bench.create(event("a", "something else"));
    std::thread::sleep(SETTLE);
    assert!(!waiting.is_finished());
    bench.create(event(
        "b",
        "Error creating: pods \"kube-proxy-\" is forbidden: PodSecurityPolicy: no providers available",
    ));
    let run = bench.runtime.block_on(waiting).expect("no panic");
    assert_eq!(run.good("e").state, State::Unchanged);
    run.good("right");
    // One that happened already counts; the subject may be a text.
    let run = bench.run(
        r#"
let e = cluster.wait_event("no providers", #{ all_namespaces: true, kind: "daemonset", name: "kube-*" });
let none = cluster.wait_event(#{ namespace: "kube-system", reason: "FailedMount", timeout: "200ms" });
"#,
    );
    assert!(
        run.good("e")
            .summary
            .starts_with("daemonset kube-proxy: FailedCreate (2 times): Error creating")
    );
    let failure = run.failure("none");
    assert!(
        failure
            .message
            .starts_with("no event FailedMount in namespace kube-system after 200ms; there are others:"),
        "{failure:?}"
    );
    assert!(
        failure
            .message
            .contains("daemonset kube-proxy: FailedCreate (2 times): something else")
    );
}

fn conditions(bench: &Bench) {
    let pending = |name: &str| pod("default", name, json!({ "phase": "Pending" }));
    bench.create(pending("p"));
    // The closure stumbles over fields that are not there yet: that is no failure.
    let script = r#"
let a = cluster.wait_for("pods", #{ selector: "app=web", condition: |pod| pod.status.podIP.starts_with("10.") });
let b = cluster.wait_for("pod", #{ name: "p", condition: "Ready" });
let c = cluster.wait_for("pod", #{ name: "p", jsonpath: "{.status.phase}", equals: "Running" });
let d = cluster.wait_for("pod", #{ name: ["p", "q"], jsonpath: ".status.podIP" });
"#;
    let waiting = bench.start(script);
    std::thread::sleep(SETTLE);
    let mut status = ready();
    status["podIP"] = "10.1.2.3".into();
    status["podIPs"] = json!([{ "ip": "10.1.2.3" }]);
    bench.write_status(&pod("default", "p", status.clone()));
    std::thread::sleep(SETTLE);
    assert!(!waiting.is_finished(), "q is not there");
    bench.create(pod("default", "q", status));
    let run = bench.runtime.block_on(waiting).expect("no panic");
    for (step, items) in [("a", 1), ("b", 1), ("c", 1), ("d", 2)] {
        assert_eq!(
            run.good(step).output["items"].as_array().map(Vec::len),
            Some(items),
            "{step}"
        );
    }
    assert!(
        run.told
            .iter()
            .any(|text| text.contains("p: the condition cannot tell")),
        "{:?}",
        run.told
    );

    let gone = r#"let g = cluster.wait_for("pods", #{ selector: "app=web", gone: true });"#;
    let waiting = bench.start(gone);
    std::thread::sleep(SETTLE);
    bench.delete(&pending("p"));
    bench.delete(&pending("q"));
    let run = bench.runtime.block_on(waiting).expect("no panic");
    assert_eq!(run.good("g").output["items"], json!([]));

    bench.create(pending("p"));
    let run = bench.run(
        r#"
let a = cluster.wait_for("pod", #{ name: "p", jsonpath: ".status.phase", equals: "Running", timeout: "200ms" });
let b = cluster.wait_for("pod", #{ name: "p", condition: |pod| 7, timeout: "200ms" });
let c = cluster.wait_for("pods", #{ selector: "no=such", condition: "Ready", timeout: "200ms" });
let d = cluster.wait_for("pods", #{ gone: true, timeout: "200ms" });
"#,
    );
    assert_eq!(
        run.failure("a").message,
        "pod default/p are not as they should be after 200ms\n  pod default/p: .status.phase is \"Pending\""
    );
    assert_eq!(
        run.failure("b").message,
        "the condition gives 7, not true or false"
    );
    assert_eq!(
        run.failure("c").message,
        "there are no pods with no=such in default after 200ms"
    );
    assert!(
        run.failure("d")
            .message
            .starts_with("pods in default are not gone")
    );
    bench.delete(&pending("p"));
}

fn without_a_kubelet(bench: &Bench) {
    bench.create(pod("default", "p", ready()));
    let run = bench.run(
        r#"
let a = cluster.logs("nobody");
let b = cluster.logs("p", #{ container: "x" });
let c = cluster.logs("p");
let d = cluster.exec("nobody", #{ command: ["true"] });
let e = cluster.exec("p", #{ command: ["true"] });
"#,
    );
    assert_eq!(
        run.failure("a").message,
        "there is no pod \"nobody\" in namespace default"
    );
    assert_eq!(run.failure("b").help.as_deref(), Some("it has c"));
    assert!(
        run.failure("c").message.contains("read the log of p/c"),
        "{run:#?}"
    );
    assert_eq!(
        run.failure("d").message,
        "there is no pod \"nobody\" in namespace default"
    );
    assert!(
        run.failure("e").message.contains("run `true` in pod default/p"),
        "{run:#?}"
    );
    println!("{}\n{}", run.failure("c").message, run.failure("e").message);
}

//! wait_ready, against statuses and events as kubelets and controllers write them.

use std::time::{Duration, Instant};

use psprun_engine::State;
use serde_json::{Value, json};

use super::bench::{Bench, NO_ACCOUNTS, Run, node, pod, ready};
use crate::support::apiserver::ApiServer;

/// Time for a step to begin its watches.
const SETTLE: Duration = Duration::from_millis(300);

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn objects_are_waited_for() {
    let server = ApiServer::start(NO_ACCOUNTS);
    let bench = Bench::new(server.kubeconfig());
    bench.let_pods_in();
    nodes(&bench);
    pods(&bench);
    owed_pods(&bench);
    workloads(&bench);
    services(&bench);
    latency(&bench);
    causes(&bench);
    time_is_up(&bench);
    restart(&bench, &server);
}

/// Starts a wait, writes when it waits, and gives how it went.
fn wait_while(bench: &Bench, script: &str, write: impl FnOnce()) -> Run {
    let waiting = bench.start(script);
    std::thread::sleep(SETTLE);
    assert!(!waiting.is_finished(), "{script} does not wait");
    write();
    bench.runtime.block_on(waiting).expect("no panic")
}

fn object(api_version: &str, kind: &str, name: &str, spec: Value, status: Value) -> Value {
    json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": name, "namespace": "default" },
        "spec": spec, "status": status })
}

fn nodes(bench: &Bench) {
    let run = wait_while(bench, r#"cluster.wait_ready("nodes").named("w");"#, || {
        bench.create(node("master", "False"));
        bench.create(node("worker", "True"));
        std::thread::sleep(SETTLE);
        bench.write_status(&node("master", "True"));
    });
    assert_eq!(run.good("w").state, State::Unchanged, "it only reads");
    assert_eq!(run.good("w").output["items"].as_array().map(Vec::len), Some(2));
    assert!(run.told.contains(&"no nodes yet".to_owned()), "{:?}", run.told);
    let told = "1 of 2 nodes ready; waiting for master: KubeletNotReady: runtime network not ready: \
                NetworkReady=false reason:NetworkPluginNotReady message:cni plugin not initialized";
    assert!(run.told.contains(&told.to_owned()), "{:?}", run.told);
}

fn pods(bench: &Bench) {
    let script = r#"cluster.wait_ready("pods", #{ selector: "app=web", min: 2 }).named("w");"#;
    let run = wait_while(bench, script, || {
        bench.create(pod("default", "a", ready()));
        bench.create(pod("default", "b", json!({ "phase": "Succeeded" })));
    });
    let names: Vec<&Value> = run.good("w").output["items"]
        .as_array()
        .map(|items| items.iter().map(|item| &item["metadata"]["name"]).collect())
        .unwrap_or_default();
    assert_eq!(names, ["a", "b"]);
    // What is there already takes no waiting.
    let run = bench.run(r#"cluster.wait_ready("po", #{ name: ["a", "b"] }).named("w");"#);
    assert_eq!(run.good("w").summary, "2 pods ready");
    // Each name has to be there.
    let script = r#"cluster.wait_ready("pods", #{ name: ["a", "c"] }).named("w");"#;
    wait_while(bench, script, || bench.create(pod("default", "c", ready()))).good("w");
    for name in ["a", "b", "c"] {
        bench.delete(&pod("default", name, json!({})));
    }
}

/// Pods that a DaemonSet has still to make are waited for, though those that are there are ready.
fn owed_pods(bench: &Bench) {
    bench.create(pod("default", "other", ready()));
    let template = json!({ "metadata": { "labels": { "app": "proxy" } },
        "spec": { "containers": [{ "name": "c", "image": "image:1" }] } });
    let spec = json!({ "selector": { "matchLabels": { "app": "proxy" } }, "template": template });
    let set = object("apps/v1", "DaemonSet", "proxy", spec, json!({}));
    bench.create(set.clone());
    bench
        .run(r#"cluster.wait_ready("pods", #{ created_only: true }).named("w");"#)
        .good("w");
    bench
        .run(r#"cluster.wait_ready("pods", #{ selector: "app=web" }).named("w");"#)
        .good("w");
    let run = wait_while(bench, r#"cluster.wait_ready("pods").named("w");"#, || {
        let mut made = pod("default", "proxy-1", ready());
        made["metadata"]["ownerReferences"] = json!([{ "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "proxy",
            "uid": "1", "controller": true }]);
        bench.create(made);
        let mut set = set.clone();
        set["status"] = json!({ "observedGeneration": 1, "currentNumberScheduled": 1, "numberMisscheduled": 0,
            "desiredNumberScheduled": 1, "numberReady": 1, "updatedNumberScheduled": 1 });
        bench.write_status(&set);
    });
    assert_eq!(run.good("w").output["items"].as_array().map(Vec::len), Some(2));
    let told = "1 of 1 pods ready; daemonset default/proxy: its controller has not made its pods yet";
    assert!(run.told.contains(&told.to_owned()), "{:?}", run.told);
    bench
        .run(r#"cluster.wait_ready("ds", #{ name: "proxy" }).named("w");"#)
        .good("w");
    bench.delete(&set);
    bench.delete(&pod("default", "proxy-1", json!({})));
    bench.delete(&pod("default", "other", json!({})));
}

fn workloads(bench: &Bench) {
    let labels = json!({ "app": "web" });
    let spec = json!({ "replicas": 1, "selector": { "matchLabels": labels }, "template": { "metadata": { "labels": labels },
        "spec": { "containers": [{ "name": "c", "image": "image:1" }] } } });
    let status = json!({ "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1 });
    let deployment = object(
        "apps/v1",
        "Deployment",
        "web",
        spec,
        json!({ "observedGeneration": 1 }),
    );
    let run = wait_while(
        bench,
        r#"cluster.wait_ready("deploy", #{ name: "web" }).named("w");"#,
        || {
            bench.create(deployment.clone());
            let mut done = deployment.clone();
            done["status"] = status;
            bench.write_status(&done);
        },
    );
    assert_eq!(run.good("w").summary, "1 deployment ready");

    // A pod of it that can never start ends the wait for it.
    let mut changed = deployment.clone();
    changed["status"] =
        json!({ "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 0 });
    bench.write_status(&changed);
    let start = Instant::now();
    let run = wait_while(
        bench,
        r#"cluster.wait_ready("deploy", #{ name: "web" }).named("w");"#,
        || {
            let waits = json!({ "reason": "ErrImageNeverPull", "message": "Container image \"image:1\" is not present with pull policy of Never" });
            let status = json!({ "phase": "Pending", "conditions": [{ "type": "Ready", "status": "False" }],
            "containerStatuses": [{ "name": "c", "image": "image:1", "imageID": "", "ready": false, "restartCount": 0,
                "state": { "waiting": waits } }] });
            bench.create(pod("default", "web-1", status));
        },
    );
    assert!(start.elapsed() < Duration::from_secs(60));
    let failure = run.failure("w");
    assert_eq!(failure.code, "psprun::wait_ready::stuck");
    assert!(
        failure
            .message
            .contains("pod default/web-1 will not become ready: container c: ErrImageNeverPull"),
        "{failure:?}"
    );
    assert!(
        failure
            .help
            .as_ref()
            .is_some_and(|help| help.contains("image:1 is not on the node"))
    );
    bench.delete(&deployment);
    bench.delete(&pod("default", "web-1", json!({})));

    let template =
        json!({ "spec": { "restartPolicy": "Never", "containers": [{ "name": "c", "image": "image:1" }] } });
    let job = object(
        "batch/v1",
        "Job",
        "once",
        json!({ "template": template }),
        json!({}),
    );
    bench.create(job.clone());
    let run = wait_while(
        bench,
        r#"cluster.wait_ready("job", #{ name: "once" }).named("w");"#,
        || {
            let mut failed = job.clone();
            failed["status"] = json!({ "conditions": [{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
            "message": "Job has reached the specified backoff limit" }] });
            bench.write_status(&failed);
        },
    );
    assert!(
        run.failure("w")
            .message
            .contains("it failed: BackoffLimitExceeded"),
        "{run:#?}"
    );
    bench.delete(&job);
}

fn services(bench: &Bench) {
    let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web", "namespace": "default" },
        "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80 }] } });
    bench.create(service.clone());
    let endpoints = json!({ "apiVersion": "v1", "kind": "Endpoints", "metadata": { "name": "web", "namespace": "default" },
        "subsets": [{ "notReadyAddresses": [{ "ip": "10.0.0.1" }], "ports": [{ "port": 80 }] }] });
    bench.create(endpoints.clone());
    let run = wait_while(
        bench,
        r#"cluster.wait_ready("svc", #{ name: "web" }).named("w");"#,
        || {
            bench.patch(
                &endpoints,
                json!({ "subsets": [{ "addresses": [{ "ip": "10.0.0.1" }], "ports": [{ "port": 80 }] }] }),
            );
        },
    );
    run.good("w");
    let told = "0 of 1 services ready; waiting for web: no pod behind it is ready";
    assert!(run.told.contains(&told.to_owned()), "{:?}", run.told);
    bench
        .run(r#"cluster.wait_ready("svc", #{ name: "kubernetes" }).named("w");"#)
        .good("w");
    bench.run(r#"cluster.wait_ready("configmaps", #{ namespace: "kube-system", min: 1, timeout: "200ms" }).named("w").allow_failure();"#);
}

/// From the moment the write is sent to the step's end, with the answer's way and the reporter's included.
fn latency(bench: &Bench) {
    bench.create(pod("default", "p", json!({ "phase": "Pending" })));
    let mut took: Vec<Duration> = (0..31)
        .map(|_| {
            let waiting = bench.start(r#"cluster.wait_ready("pods").named("w");"#);
            std::thread::sleep(Duration::from_millis(120));
            let before = Instant::now();
            bench.write_status(&pod("default", "p", ready()));
            let run = bench.runtime.block_on(waiting).expect("no panic");
            let took = run.good("w").ended - before;
            let not_ready =
                json!({ "phase": "Pending", "conditions": [{ "type": "Ready", "status": "False" }] });
            bench.write_status(&pod("default", "p", not_ready));
            took
        })
        .collect();
    took.sort();
    let median = took[took.len() / 2];
    println!(
        "from the write's start to the step's end: median {median:?}, least {:?}, most {:?}",
        took[0], took[30]
    );
    // The goal is 10 ms on a quiet machine; this only catches a wait that polls.
    assert!(median <= Duration::from_millis(500), "{took:?}");
    bench.delete(&pod("default", "p", json!({})));
}

/// Causes that do not heal end the wait at once.
fn causes(bench: &Bench) {
    let waiting = |reason: &str, message: &str| {
        json!({ "phase": "Pending", "conditions": [{ "type": "Ready", "status": "False" }],
            "containerStatuses": [{ "name": "c", "image": "image:1", "imageID": "", "ready": false, "restartCount": 0,
                "state": { "waiting": { "reason": reason, "message": message } } }] })
    };
    let mut blocked = waiting("Blocked", "");
    blocked["reason"] = "AppArmor".into();
    blocked["message"] = "Cannot enforce AppArmor: AppArmor is not enabled on the host".into();
    for (status, expected) in [
        (
            waiting(
                "InvalidImageName",
                "Failed to apply default image tag \"IMAGE\": couldn't parse image reference",
            ),
            "container c: InvalidImageName: Failed to apply default image tag",
        ),
        (
            blocked,
            "Cannot enforce AppArmor: AppArmor is not enabled on the host",
        ),
        (
            json!({ "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory." }),
            "it failed: Evicted: The node was low on resource: memory.",
        ),
    ] {
        bench.create(pod("default", "p", json!({})));
        let start = Instant::now();
        let run = wait_while(bench, r#"cluster.wait_ready("pods").named("w");"#, || {
            bench.write_status(&pod("default", "p", status.clone()));
        });
        assert!(start.elapsed() < Duration::from_secs(60), "{expected}");
        let failure = run.failure("w");
        assert!(
            failure
                .message
                .starts_with(&format!("pod default/p will not become ready: {expected}")),
            "{failure:?}"
        );
        bench.delete(&pod("default", "p", json!({})));
    }
}

/// What may heal is told when the time is up, with the events.
fn time_is_up(bench: &Bench) {
    let run = bench.run(
        r#"
let none = cluster.wait_ready("pods", #{ selector: "app=nobody", timeout: "300ms" });
let nowhere = cluster.wait_ready("pods", #{ namespace: "nowhere", timeout: "300ms" });
"#,
    );
    assert_eq!(
        run.failure("none").message,
        "there are no pods with app=nobody in default after 300ms"
    );
    assert_eq!(
        run.failure("nowhere").message,
        "there are no pods in nowhere after 300ms\n  there is no namespace \"nowhere\""
    );

    let message = "0/1 nodes are available: 1 node(s) had taint {node-role.kubernetes.io/master: }, that the pod didn't tolerate.";
    let mut unscheduled = pod(
        "default",
        "p",
        json!({ "phase": "Pending", "conditions": [
        { "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message }] }),
    );
    if let Some(spec) = unscheduled["spec"].as_object_mut() {
        spec.remove("nodeName");
    }
    bench.create(unscheduled.clone());
    bench.create(json!({ "apiVersion": "v1", "kind": "Event", "metadata": { "name": "p.1", "namespace": "default" },
        "involvedObject": { "kind": "Pod", "namespace": "default", "name": "p" }, "type": "Warning", "reason": "FailedMount",
        "message": "MountVolume.SetUp failed for volume \"x\"", "count": 3, "lastTimestamp": "2026-11-24T06:12:48Z" }));
    let run = bench.run(r#"cluster.wait_ready("pods", #{ timeout: "500ms" }).named("w");"#);
    let failure = run.failure("w");
    assert_eq!(
        failure.message,
        format!(
            "pods in default are not ready after 500ms: 0 of 1\n  pod default/p: no node takes it: {message}\n    event \
             FailedMount (3 times): MountVolume.SetUp failed for volume \"x\""
        )
    );
    assert!(
        failure
            .help
            .as_ref()
            .is_some_and(|help| help.contains("cluster.untaint(\"all\")")),
        "{failure:?}"
    );
    bench.delete(&unscheduled);
}

/// The server dies in the middle of a wait, and comes back.
fn restart(bench: &Bench, server: &ApiServer) {
    bench.create(pod("default", "p", json!({ "phase": "Pending" })));
    let waiting = bench.start(r#"cluster.wait_ready("pods").named("w");"#);
    std::thread::sleep(SETTLE);
    server.kill();
    std::thread::sleep(Duration::from_secs(2));
    server.revive();
    bench.write_status(&pod("default", "p", ready()));
    let run = bench.runtime.block_on(waiting).expect("no panic");
    run.good("w");
    assert!(
        run.told.iter().any(|text| text.contains("refuses connections")),
        "{:?}",
        run.told
    );
    bench.delete(&pod("default", "p", json!({})));
}

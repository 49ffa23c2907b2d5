//! wait_ready and pods that admission refuses: with the real controllers, their events and their patience.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::bench::{Bench, NO_ACCOUNTS, node, ready};
use crate::support::apiserver::ApiServer;

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn a_refusal_that_goes_on_ends_the_wait_and_an_old_one_does_not() {
    let server = ApiServer::start(NO_ACCOUNTS);
    let bench = Bench::new(server.kubeconfig());
    let _controllers = Controllers::start(&server);
    bench.create(node("master", "False"));
    bench.create(workload("DaemonSet", "kube-proxy", &json!([])));
    bench.create(workload("Deployment", "coredns", &json!([])));
    let cni = json!([{ "name": "cni", "hostPath": { "path": "/etc/cni/net.d" } }]);
    bench.create(workload("DaemonSet", "flannel", &cni));

    let start = Instant::now();
    let run = bench.run(
        r#"
let pods = cluster.wait_ready("pods", #{ namespace: "kube-system" });
let dns = cluster.wait_ready("deployment", #{ namespace: "kube-system", name: "coredns" });
let nodes = cluster.wait_ready("nodes");
let others = cluster.wait_ready("pods", #{ namespace: "kube-system", selector: "app=other", timeout: "20s" });
"#,
    );
    let took = start.elapsed();
    println!("the refusal was found after {took:?}");
    assert!(
        took < Duration::from_secs(120),
        "long before the time was up: {took:?}"
    );
    let denial = "is forbidden: PodSecurityPolicy: no providers available to validate pod request";
    for step in ["pods", "dns", "nodes"] {
        let failure = run.failure(step);
        assert_eq!(failure.code, "psprun::wait_ready::denied", "{failure:?}");
        assert!(failure.message.contains(denial), "{failure:?}");
        assert!(
            failure
                .help
                .as_ref()
                .is_some_and(|help| help.contains("bind its `use`"))
        );
    }
    println!("{}", run.failure("pods").message);
    // Both are refused; which of them is seen first is the controllers' affair.
    let message = &run.failure("pods").message;
    assert!(
        [
            "daemonset kube-system/kube-proxy",
            "replicaset kube-system/coredns-"
        ]
        .iter()
        .any(|w| message.contains(w)),
        "{message}"
    );
    assert!(
        run.failure("dns")
            .message
            .starts_with("replicaset kube-system/coredns-")
    );
    assert!(
        run.failure("nodes")
            .message
            .starts_with("daemonset kube-system/flannel gets no pods")
    );
    assert_eq!(
        run.failure("others").code,
        "psprun::wait_ready::timeout",
        "their refusal is not its matter"
    );

    // The policies come; the events stay, and the controllers try again when they like.
    bench.let_pods_in();
    let waiting = bench.start(r#"cluster.wait_ready("pods", #{ namespace: "kube-system" }).named("w");"#);
    let until = Instant::now() + Duration::from_secs(280);
    while !waiting.is_finished() && Instant::now() < until {
        for pod in bench.list("v1", "Pod", "kube-system") {
            if pod["status"]["phase"] != "Running" {
                let mut pod = pod;
                pod["status"] = ready();
                bench.write_status(&pod);
            }
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let run = bench.runtime.block_on(waiting).expect("no panic");
    println!("ready {:?} after the policies", run.good("w").took);
    assert_eq!(
        run.good("w").output["items"].as_array().map(Vec::len),
        Some(3),
        "none is forgotten"
    );
}

fn workload(kind: &str, name: &str, volumes: &Value) -> Value {
    let labels = json!({ "app": name });
    json!({ "apiVersion": "apps/v1", "kind": kind, "metadata": { "name": name, "namespace": "kube-system" },
        "spec": { "selector": { "matchLabels": labels }, "template": { "metadata": { "labels": labels },
            "spec": { "tolerations": [{ "operator": "Exists" }], "volumes": volumes, "containers": [{ "name": "c", "image": "image:1" }] } } } })
}

/// The real kube-controller-manager; it ends with this.
struct Controllers(Child);

impl Controllers {
    fn start(server: &ApiServer) -> Self {
        let log = std::fs::File::create(server.folder().join("controllers.log")).expect("a log");
        let child = Command::new(server.binary("kube-controller-manager"))
            .arg(format!("--kubeconfig={}", server.kubeconfig().display()))
            .args(["--leader-elect=false", "--port=0", "--secure-port=0"])
            .arg("--controllers=daemonset,deployment,replicaset")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        Self(child.expect("it starts"))
    }
}

impl Drop for Controllers {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use base64::Engine as _;
use psprun_engine::plan::Files;
use psprun_engine::{Builtin, Context, Outcome, StepError};
use serde_json::{Value, json};

use super::{Join, Output};
use crate::kubeadm::node::fake::{FakeHost, FakeTarget, fails, says};
use crate::kubeadm::node::{paths, record};
use crate::target::Target;

const HASH: &str = include_str!("../node/testdata/ca.hash");
const TOKEN: &str = "abcdef.0123456789abcdef";

/// As the kubelet writes it.
fn kubelet_conf(server: &str) -> String {
    let ca = base64::engine::general_purpose::STANDARD.encode(include_bytes!("../node/testdata/ca.crt"));
    format!(
        "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {ca}\n    server: {server}\n  name: default-cluster\n\
         contexts:\n- context:\n    cluster: default-cluster\n    namespace: default\n    user: default-auth\n  name: default-context\n\
         current-context: default-context\nkind: Config\nusers:\n- name: default-auth\n  user:\n    client-certificate: /x.pem\n"
    )
}

fn machine() -> Arc<FakeHost> {
    let host = FakeHost::default();
    host.put("/proc/sys/kernel/hostname", "worker\n");
    host.answer("kubeadm version -o short", |_, _| says("v1.20.2\n"));
    host.answer("kubeadm config migrate", |_, _| says(""));
    host.answer("kubeadm join", |host, _| {
        assert!(host.text(paths::CONFIG).unwrap().contains(TOKEN));
        host.put(paths::KUBELET_CONF, kubelet_conf("https://10.89.0.11:6443"));
        says("[kubelet-start] Starting the kubelet\nThis node has joined the cluster:\n")
    });
    Arc::new(host)
}

fn join_data() -> Value {
    json!({"endpoint": "10.89.0.11:6443", "token": TOKEN, "ca_hash": HASH.trim()})
}

async fn run(host: &Arc<FakeHost>, args: Value) -> Result<Outcome<Output>, StepError> {
    let target: Arc<dyn Target> = FakeTarget::new(host);
    let (context, _told) = Context::detached(Files::default());
    Join::new(&target)
        .run(serde_json::from_value(args).unwrap(), context)
        .await
}

#[tokio::test]
async fn a_machine_joins_once() {
    let host = machine();
    let outcome = run(&host, json!({"join": join_data()})).await.unwrap();
    assert!(outcome.changed);
    assert_eq!(
        (&*outcome.output.node_name, &*outcome.output.endpoint),
        ("worker", "10.89.0.11:6443")
    );
    assert!(!outcome.output.config.contains(TOKEN));
    assert!(host.commands().iter().all(|command| !command.contains(TOKEN)));
    assert_eq!(host.text(paths::CONFIG), None);

    let joins = |host: &FakeHost| {
        host.commands()
            .iter()
            .filter(|command| command.starts_with("kubeadm join"))
            .count()
    };
    // Again, through another address and with a token that is gone: the authority is the same.
    let mut data = join_data();
    data["endpoint"] = "lb.example:6443".into();
    data["token"] = Value::Null;
    let outcome = run(&host, json!({"join": data})).await.unwrap();
    assert!(!outcome.changed);
    assert_eq!(joins(&host), 1);

    let error = run(&host, json!({"join": join_data(), "node_name": "other"}))
        .await
        .unwrap_err();
    insta::assert_snapshot!(error, @"this machine has joined as worker, not as other");
}

#[tokio::test]
async fn a_node_of_another_cluster_is_left_alone() {
    let host = machine();
    host.put(paths::KUBELET_CONF, kubelet_conf("https://10.0.0.1:6443"));
    let mut data = join_data();
    data["ca_hash"] = "sha256:00".into();
    let error = run(&host, json!({"join": data})).await.unwrap_err();
    insta::assert_snapshot!(error, @"this machine is a node of another cluster, at https://10.0.0.1:6443");
}

#[tokio::test]
async fn a_join_that_breaks_off_is_known_as_such() {
    let host = machine();
    host.answer("kubeadm join", |host, _| {
        host.put(paths::BOOTSTRAP_CONF, "x");
        fails("error execution phase kubelet-start: timed out waiting for the condition\n")
    });
    let error = run(&host, json!({"join": join_data()})).await.unwrap_err();
    insta::assert_snapshot!(error, @"kubeadm join failed in its phase kubelet-start: timed out waiting for the condition");
    let error = run(&host, json!({"join": join_data()})).await.unwrap_err();
    insta::assert_snapshot!(error, @"a join broke off on this machine: there is /etc/kubernetes/bootstrap-kubelet.conf");
    assert!(host.text(record::PATH).is_some());
}

#[test]
fn the_examples_plan() {
    crate::testing::plan_examples("kubeadm::join");
}

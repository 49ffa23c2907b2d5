#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use base64::Engine as _;
use psprun_engine::plan::Files;
use psprun_engine::{Builtin, Context, Outcome, StepError};
use serde_json::{Value, json};

use super::{Init, Output};
use crate::kubeadm::node::fake::{FakeHost, FakeTarget, fails, says};
use crate::kubeadm::node::{paths, record};
use crate::target::{Target, User};

const CA: &[u8] = include_bytes!("../node/testdata/ca.crt");

fn kubeconfig(user: &str, server: &str) -> String {
    let ca = base64::engine::general_purpose::STANDARD.encode(CA);
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "kubernetes", "user": user}}],
        "clusters": [{"name": "kubernetes", "cluster": {"server": server, "certificate-authority-data": ca}}],
        "users": [{"name": user, "user": {"client-certificate": "/var/lib/kubelet/pki/kubelet-client-current.pem"}}],
    })
    .to_string()
}

/// A machine with kubeadm 1.20.2, whose init writes what kubeadm's does and prints the token.
fn machine() -> Arc<FakeHost> {
    let host = FakeHost::default();
    host.put("/proc/sys/kernel/hostname", "Master\n");
    host.put("/sys/class/net/lo", "");
    host.put("/sys/class/net/eth0", "");
    host.answer("kubeadm version -o short", |_, _| says("v1.20.2\n"));
    host.answer("kubeadm config images list", |_, _| {
        says("k8s.gcr.io/pause:3.2\n")
    });
    host.answer("kubeadm init", |host, command| {
        assert!(command.argv.contains(&paths::CONFIG.to_owned()));
        let config = host.text(paths::CONFIG).unwrap();
        let token = config
            .lines()
            .find_map(|line| line.split_once("token: "))
            .unwrap()
            .1
            .to_owned();
        host.put(
            paths::ADMIN_CONF,
            kubeconfig("kubernetes-admin", "https://10.89.0.11:6443"),
        );
        host.put(
            paths::KUBELET_CONF,
            kubeconfig("system:node:master", "https://10.89.0.11:6443"),
        );
        host.put(paths::CA_CRT, CA);
        says(&format!(
            "[init] Using Kubernetes version: v1.20.2\n[certs] Generating \"ca\" certificate and key\n\
             [bootstrap-token] Using token: {token}\n\nkubeadm join 10.89.0.11:6443 --token {token} \\\n    \
             --discovery-token-ca-cert-hash sha256:00 \n"
        ))
    });
    Arc::new(host)
}

async fn run(host: &Arc<FakeHost>, args: Value) -> (Result<Outcome<Output>, StepError>, Vec<String>) {
    let target: Arc<dyn Target> = FakeTarget::new(host);
    let (context, mut told) = Context::detached(Files::default());
    let args = serde_json::from_value(args).unwrap();
    let result = Init::new(&target).run(args, context).await;
    let mut lines = Vec::new();
    // The context is gone: the channel ends.
    while let Some(line) = told.recv().await {
        lines.push(line);
    }
    (result, lines)
}

fn post() -> Value {
    json!({
        "kubernetes_version": "v1.20.2",
        "pod_subnet": "10.244.0.0/16",
        "admission_plugins": ["PodSecurityPolicy"],
    })
}

#[tokio::test]
async fn a_control_plane_is_made() {
    let host = machine();
    let (result, told) = run(&host, post()).await;
    let outcome = result.unwrap();
    assert!(outcome.changed);
    let output = outcome.output;
    assert_eq!(output.endpoint, "10.89.0.11:6443");
    assert_eq!((&*output.version, &*output.node_name), ("v1.20.2", "master"));
    assert_eq!(output.copied_to.as_deref(), Some("/root/.kube/config"));
    let join = output.join;
    let hash = include_str!("../node/testdata/ca.hash").trim();
    assert_eq!(join.ca_hash.as_deref(), Some(hash));
    let token = join.token.unwrap();
    assert_eq!(
        join.command.unwrap(),
        format!("kubeadm join 10.89.0.11:6443 --token {token} --discovery-token-ca-cert-hash {hash}")
    );
    // The token is in no command, not in the shown configuration, and the file is gone.
    assert!(!output.config.contains(&token));
    assert!(output.config.contains("token: '***'"), "{}", output.config);
    assert!(
        output
            .config
            .contains("enable-admission-plugins: NodeRestriction,PodSecurityPolicy")
    );
    assert!(
        host.commands().iter().all(|command| !command.contains(&token)),
        "{:?}",
        host.commands()
    );
    assert_eq!(host.text(paths::CONFIG), None);
    assert!(
        told.contains(&"progress: certs: Generating \"ca\" certificate and key".to_owned()),
        "{told:?}"
    );

    let record: record::Record = serde_json::from_str(&host.text(record::PATH).unwrap()).unwrap();
    assert!(record.finished);
    assert_eq!(record.networks, ["10.244.0.0/16"]);
    assert_eq!(record.copies[0].path, "/root/.kube/config");
    let (_, mode, owner) = host.files.lock().unwrap()[std::path::Path::new("/root/.kube/config")].clone();
    assert_eq!((mode, &*owner), (0o600, "0:0"));
}

#[tokio::test]
async fn the_copy_is_the_callers_and_overwrites_no_other() {
    let mut host = machine();
    Arc::get_mut(&mut host).unwrap().caller = Some(User {
        name: "ann".to_owned(),
        uid: 1000,
        gid: 1001,
        home: "/home/ann".to_owned(),
        sudo_caller: None,
    });
    host.put("/home/ann/.kube/config", "another: cluster\n");
    let (result, told) = run(&host, post()).await;
    assert_eq!(result.unwrap().output.copied_to, None);
    assert_eq!(host.text("/home/ann/.kube/config").unwrap(), "another: cluster\n");
    assert!(
        told.iter()
            .any(|line| line.starts_with("warning: /home/ann/.kube/config is left alone")),
        "{told:?}"
    );
}

#[tokio::test]
async fn what_cannot_work_touches_nothing() {
    for (args, code) in [
        (
            json!({"kubernetes_version": "v1.25.0"}),
            "psprun::kubeadm::version_skew",
        ),
        (
            json!({"kubernetes_version": "v1.18.0"}),
            "psprun::kubeadm::version_skew",
        ),
        (
            json!({"config": {"apiServerExtraArgs": {}}}),
            "psprun::kubeadm::unknown_field",
        ),
        (
            json!({"admission_plugins": ["PodSecurity"]}),
            "psprun::kubeadm::admission_plugin",
        ),
        (
            json!({"extra_documents": ["missing.yaml"]}),
            "psprun::kubeadm::config",
        ),
    ] {
        let host = machine();
        let before = host.paths();
        let (result, _) = run(&host, args).await;
        assert_eq!(result.unwrap_err().code, code);
        assert_eq!(host.paths(), before);
        assert!(
            !host
                .commands()
                .iter()
                .any(|command| command.starts_with("kubeadm init"))
        );
    }
}

#[tokio::test]
async fn a_field_that_only_kubeadm_knows_to_be_wrong_is_an_error_before_init() {
    let host = machine();
    host.answer("kubeadm config images list", |_, _| crate::target::Finished {
        code: 0,
        stdout: String::new(),
        stderr: "W1 strict.go:54] error unmarshaling configuration schema.GroupVersionKind{Kind:\"KubeletConfiguration\"}: json: unknown field \"syncFreq\"\n".to_owned(),
    });
    let (result, _) = run(
        &host,
        json!({"extra_documents": [{"kind": "KubeletConfiguration", "syncFreq": "5s"}]}),
    )
    .await;
    insta::assert_snapshot!(result.unwrap_err(), @"kubeadm would go on without a part of its configuration: KubeletConfiguration has no field syncFreq");
    assert_eq!(host.text(paths::CONFIG), None);
    assert_eq!(host.text(record::PATH), None);
}

#[tokio::test]
async fn a_machine_that_kubeadm_refuses_is_as_before() {
    let host = machine();
    host.answer("kubeadm init", |_, _| {
        fails("error execution phase preflight: [preflight] Some fatal errors occurred:\n\t[ERROR Port-6443]: Port 6443 is in use\n")
    });
    let (result, _) = run(&host, post()).await;
    assert_eq!(result.unwrap_err().code, "psprun::kubeadm::preflight");
    assert_eq!(host.text(record::PATH), None);
    assert_eq!(host.text(paths::CONFIG), None);
}

#[tokio::test]
async fn an_init_that_broke_off_is_told_and_can_be_reset() {
    let host = machine();
    host.answer("kubeadm init", |host, _| {
        host.put("/etc/kubernetes/manifests/etcd.yaml", "");
        host.put(
            paths::ADMIN_CONF,
            kubeconfig("kubernetes-admin", "https://10.89.0.11:6443"),
        );
        fails("error execution phase wait-control-plane: couldn't initialize a Kubernetes cluster\n")
    });
    let (result, _) = run(&host, post()).await;
    let error = result.unwrap_err();
    insta::assert_snapshot!(error, @"kubeadm init failed in its phase wait-control-plane: couldn't initialize a Kubernetes cluster");

    let (result, _) = run(&host, post()).await;
    let error = result.unwrap_err();
    assert_eq!(error.code, "psprun::kubeadm::partial");
    insta::assert_snapshot!(error, @"an init broke off on this machine: a control plane at https://10.89.0.11:6443 that does not answer: nobody listens");

    host.answer("kubeadm reset --force", |host, _| {
        host.files
            .lock()
            .unwrap()
            .retain(|path, _| !path.starts_with("/etc/kubernetes"));
        says("[reset] Stopping the kubelet service\n")
    });
    let mut args = post();
    args["on_partial"] = json!("reset");
    // The next init works.
    host.answer("kubeadm init", |host, command| {
        assert!(
            host.text("/etc/kubernetes/manifests/etcd.yaml").is_none(),
            "{command:?}"
        );
        host.put(
            paths::ADMIN_CONF,
            kubeconfig("kubernetes-admin", "https://10.89.0.11:6443"),
        );
        host.put(paths::CA_CRT, CA);
        says("kubeadm join 10.89.0.11:6443 --token x --discovery-token-ca-cert-hash sha256:00\n")
    });
    let (result, told) = run(&host, args).await;
    let outcome = result.unwrap();
    assert!(outcome.summary.unwrap().contains("after a reset"), "{told:?}");
}

#[tokio::test]
async fn a_cluster_that_is_down_is_never_reset_by_itself() {
    let host = machine();
    run(&host, post()).await.0.unwrap();
    let mut args = post();
    args["on_partial"] = json!("reset");
    let (result, _) = run(&host, args).await;
    let error = result.unwrap_err();
    assert_eq!(error.code, "psprun::kubeadm::down");
    assert!(host.text(paths::ADMIN_CONF).is_some());
    assert!(
        !host
            .commands()
            .iter()
            .any(|command| command.starts_with("kubeadm reset"))
    );
}

#[tokio::test]
async fn a_worker_is_no_place_for_a_control_plane() {
    let host = machine();
    host.put(
        paths::KUBELET_CONF,
        kubeconfig("default-auth", "https://10.89.0.99:6443"),
    );
    let (result, _) = run(&host, post()).await;
    insta::assert_snapshot!(result.unwrap_err(), @"this machine is a node of the cluster at https://10.89.0.99:6443, without a control plane");
}

#[tokio::test]
async fn without_kubeadm_nothing_goes() {
    let host = Arc::new(FakeHost::default());
    let (result, _) = run(&host, post()).await;
    let error = result.unwrap_err();
    assert_eq!(error.code, "psprun::kubeadm::missing");
}

#[test]
fn the_plan_shows_the_configuration() {
    let plan = crate::testing::plan(
        r#"
let cluster = kubeadm::init(#{
    kubernetes_version: "v1.11.3",
    pod_subnet: "10.244.0.0/16",
    admission_plugins: ["PodSecurityPolicy"],
    scheduler_extra_args: #{ address: "0.0.0.0" },
});
let join = cluster.kubeadm_token();
"#,
    );
    let id = plan.find("cluster").unwrap();
    insta::assert_snapshot!(plan.describe(id), @"make a control plane of Kubernetes v1.11.3, pods in 10.244.0.0/16, admission by PodSecurityPolicy");
    insta::assert_snapshot!(plan.details(id).unwrap());
    insta::assert_snapshot!(plan.describe(plan.find("join").unwrap()), @"make a join token for 24h");
}

#[test]
fn what_cannot_work_does_not_plan() {
    use psprun_engine::script::{Planner, Playbook, Values};
    let mut registry = psprun_engine::Registry::new();
    crate::register(&mut registry, &crate::target::live::LiveTarget::new());
    let playbook = Playbook {
        name: "test.rhai".into(),
        script: r#"
let version = "v1.25.3";
kubeadm::init(#{ kubernetes_version: version, admission_plugins: ["PodSecurityPolicy"] });
"#
        .to_owned(),
        folder: None,
    };
    let problems = Planner::new(Arc::new(registry))
        .plan(&playbook, &Values::new())
        .unwrap_err();
    insta::assert_snapshot!(problems[0].to_string());
}

#[test]
fn the_examples_plan() {
    crate::testing::plan_examples("kubeadm::init");
}

#[tokio::test]
async fn a_run_that_is_stopped_resets_nothing() {
    let host = machine();
    host.put("/etc/kubernetes/manifests/etcd.yaml", "");
    host.put(
        paths::ADMIN_CONF,
        kubeconfig("kubernetes-admin", "https://10.89.0.11:6443"),
    );
    let target: Arc<dyn Target> = FakeTarget::new(&host);
    let (context, _told) = Context::detached(Files::default());
    context.cancellation().cancel();
    let mut args = post();
    args["on_partial"] = json!("reset");
    let args = serde_json::from_value(args).unwrap();
    let error = Init::new(&target).run(args, context).await.unwrap_err();
    assert_eq!(error.code, "psprun::kubeadm::stopped");
    assert!(
        !host
            .commands()
            .iter()
            .any(|command| command.starts_with("kubeadm reset"))
    );
}

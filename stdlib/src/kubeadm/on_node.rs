//! The builtins with the real kubeadm, on a node of the bed in `tests/cluster`. Each test is one stage, to be run inside a
//! node by a test binary that was copied there; see `tests/cluster/README.md`:
//!
//!     node exec master TESTS --ignored --exact kubeadm::on_node::control_plane
//!
//! In this order: `an_init_that_breaks_off`, `reset`, `control_plane`, on another node `worker`, `reset` on both.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

use std::sync::Arc;

use psprun_engine::plan::Files;
use psprun_engine::{Builtin, Context, Outcome, StepError};
use serde::Serialize;
use serde_json::{Value, json};

use super::init::Init;
use super::join::Join;
use super::reset::Reset;
use super::token::Token;
use crate::target::Target;
use crate::target::live::LiveTarget;

/// Where a stage leaves the join data for the next.
const JOIN: &str = "/root/join.json";

/// These tests change the machine: anywhere but in a node of the bed they do nothing.
fn in_a_node() -> bool {
    let there = std::path::Path::new("/opt/bed/init.py").exists();
    if !there {
        eprintln!("not in a node of tests/cluster: nothing is tried");
    }
    there
}

async fn run<B: Builtin>(
    builtin: impl Fn(&Arc<dyn Target>) -> B,
    args: Value,
) -> (Result<Outcome<B::Output>, StepError>, String)
where
    B::Output: Serialize,
{
    let target = LiveTarget::new();
    let (context, mut told) = Context::detached(Files::default());
    let start = std::time::Instant::now();
    let result = builtin(&target)
        .run(serde_json::from_value(args).unwrap(), context)
        .await;
    let mut lines = String::new();
    while let Some(line) = told.recv().await {
        lines.push_str(&line);
        lines.push('\n');
    }
    match &result {
        Ok(outcome) => eprintln!(
            "{:.1} s, changed: {}, {:?}\n{}\n{}",
            start.elapsed().as_secs_f64(),
            outcome.changed,
            outcome.summary,
            outcome.details.as_deref().unwrap_or_default(),
            serde_json::to_string_pretty(&outcome.output).unwrap()
        ),
        Err(error) => eprintln!("[{}] {error}\n{:?}\n{lines}", error.code, error.help),
    }
    (result, lines)
}

/// The post's settings, and what the bed needs.
fn post() -> Value {
    json!({
        "kubernetes_version": "v1.20.2",
        "pod_subnet": "10.244.0.0/16",
        "admission_plugins": ["PodSecurityPolicy"],
        "controller_manager_extra_args": {"address": "0.0.0.0"},
        "scheduler_extra_args": {"address": "0.0.0.0"},
        "cri_socket": "/run/containerd/containerd.sock",
        "extra_documents": [
            {"kind": "KubeProxyConfiguration", "conntrack": {"maxPerCore": 0}},
            "kind: KubeletConfiguration\nsyncFrequency: 5s\n",
        ],
    })
}

#[tokio::test]
#[ignore = "runs inside a node of the bed, see above"]
async fn control_plane() {
    if !in_a_node() {
        return;
    }
    let wrong = json!({"extra_documents": [{"kind": "KubeletConfiguration", "syncFreq": "5s"}], "cri_socket": "/run/containerd/containerd.sock"});
    let (result, _) = run(Init::new, wrong).await;
    assert_eq!(result.unwrap_err().code, "psprun::kubeadm::unknown_field");
    assert!(!std::path::Path::new("/etc/kubernetes/pki").exists());

    let (result, told) = run(Init::new, post()).await;
    let outcome = result.unwrap();
    assert!(outcome.changed);
    let token = outcome.output.join.token.clone().unwrap();
    assert!(told.contains("progress: certs: "), "{told}");
    // The engine masks it in what was told; nothing else may show it.
    assert!(!outcome.output.config.contains(&token));
    assert!(!std::path::Path::new("/run/psprun-kubeadm.yaml").exists());
    assert!(!told.contains("unknown field"), "{told}");

    let (result, _) = run(Init::new, post()).await;
    let again = result.unwrap();
    assert!(!again.changed);
    assert_eq!(again.output.join, outcome.output.join);
    assert_eq!(again.output.config, outcome.output.config);

    let mut other = post();
    other["pod_subnet"] = "192.168.0.0/16".into();
    other["admission_plugins"] = json!([]);
    let (result, _) = run(Init::new, other).await;
    let error = result.unwrap_err();
    assert_eq!(error.code, "psprun::kubeadm::other_cluster");

    let (result, _) = run(Token::new, json!({"ttl": "1h", "description": "a test's"})).await;
    let made = result.unwrap();
    assert!(made.changed);
    assert_eq!(made.output.endpoint, outcome.output.endpoint);
    assert_eq!(made.output.ca_hash, outcome.output.join.ca_hash);
    let (result, _) = run(Token::new, json!({"reuse": true})).await;
    let found = result.unwrap();
    assert!(!found.changed);
    // The one that lives longest.
    assert_eq!(found.output.token, outcome.output.join.token);
    std::fs::write(JOIN, serde_json::to_vec(&made.output).unwrap()).unwrap();
}

#[tokio::test]
#[ignore = "runs inside a node of the bed, see above"]
async fn worker() {
    if !in_a_node() {
        return;
    }
    let join: Value = serde_json::from_slice(&std::fs::read(JOIN).unwrap()).unwrap();
    let args = json!({"join": join, "cri_socket": "/run/containerd/containerd.sock"});
    let (result, told) = run(Join::new, args.clone()).await;
    assert!(result.unwrap().changed);
    assert!(!told.contains("unknown field"), "{told}");
    let (result, _) = run(Join::new, args).await;
    assert!(!result.unwrap().changed);
    let mut other = join;
    other["ca_hash"] = "sha256:00".into();
    let (result, _) = run(Join::new, json!({"join": other})).await;
    assert_eq!(result.unwrap_err().code, "psprun::kubeadm::other_cluster");
    let (result, _) = run(Init::new, post()).await;
    assert_eq!(result.unwrap_err().code, "psprun::kubeadm::other_cluster");
}

#[tokio::test]
#[ignore = "runs inside a node of the bed, see above"]
async fn reset() {
    if !in_a_node() {
        return;
    }
    let (result, _) = run(Reset::new, json!({})).await;
    assert!(result.unwrap().changed);
    let (result, _) = run(Reset::new, json!({})).await;
    assert!(!result.unwrap().changed);
}

/// Whether a process runs whose command line begins so.
fn runs(start: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let commands =
        processes.filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok());
    commands
        .map(|command| command.replace('\0', " "))
        .any(|command| command.starts_with(start))
}

#[tokio::test]
#[ignore = "runs inside a node of the bed, see above"]
async fn an_init_that_breaks_off() {
    if !in_a_node() {
        return;
    }
    // An API server that does not start.
    let mut bad = post();
    bad["api_server_extra_args"] = json!({"no-such-flag": "1"});
    bad["config"] = json!({"apiServer": {"timeoutForControlPlane": "20s"}});
    let (result, _) = run(Init::new, bad).await;
    let error = result.unwrap_err();
    assert_eq!(error.code, "psprun::kubeadm::failed");
    assert!(error.message.contains("wait-control-plane"), "{error}");
    assert!(error.message.contains("unknown flag"), "{error}");
    let (result, _) = run(Init::new, post()).await;
    assert_eq!(result.unwrap_err().code, "psprun::kubeadm::partial");

    // Stopped in the middle.
    let mut args = post();
    args["on_partial"] = "reset".into();
    let target = LiveTarget::new();
    let (context, _told) = Context::detached(Files::default());
    let cancel = context.cancellation();
    tokio::spawn(async move {
        while !(runs("kubeadm init") && std::path::Path::new("/etc/kubernetes/manifests/etcd.yaml").exists())
        {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        cancel.cancel();
    });
    // The remains of the first attempt are reset before.
    let error = Init::new(&target)
        .run(serde_json::from_value(args.clone()).unwrap(), context)
        .await
        .unwrap_err();
    eprintln!("[{}] {error}", error.code);
    assert_eq!(error.code, "psprun::kubeadm::stopped");
    assert!(!runs("kubeadm"));
    assert!(!std::path::Path::new("/run/psprun-kubeadm.yaml").exists());

    let (result, told) = run(Init::new, args).await;
    assert!(result.unwrap().changed, "{told}");
    assert!(told.contains("an init broke off here"), "{told}");
}

/// Runs what `/root/step.json` says, `{"init": {…}}`, `{"join": {…}}`, `{"token": {…}}` or `{"reset": {…}}`, and leaves
/// join data for another node; for trying things by hand.
#[tokio::test]
#[ignore = "runs inside a node of the bed, see above"]
async fn by_hand() {
    if !in_a_node() {
        return;
    }
    let step: Value = serde_json::from_slice(&std::fs::read("/root/step.json").unwrap()).unwrap();
    let (name, args) = step.as_object().unwrap().iter().next().unwrap();
    let args = args.clone();
    let join = match name.as_str() {
        "init" => run(Init::new, args).await.0.unwrap().output.join,
        "token" => run(Token::new, args).await.0.unwrap().output,
        "join" => return drop(run(Join::new, args).await.0.unwrap()),
        "reset" => return drop(run(Reset::new, args).await.0.unwrap()),
        other => panic!("{other}"),
    };
    std::fs::write(JOIN, serde_json::to_vec(&join).unwrap()).unwrap();
}

//! Ctrl-C in the middle of kubeadm init.

use std::time::Duration;

use super::node::Node;

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn no_process_is_left() {
    let node = Node::up("ctrlc");
    let before = node.processes();
    let mut run =
        node.start("cd /root/work && exec psprun kubeadm-psp.rhai --values bed.yaml --events events.jsonl");
    node.wait_for(
        "grep -q 'wait-control-plane' /root/work/events.jsonl",
        Duration::from_secs(60),
    );
    node.signal("INT", "psprun kubeadm-psp.rhai");
    let status = run.wait().expect("it ends");
    assert_eq!(status.code(), Some(130));
    let left: Vec<String> = node
        .processes()
        .into_iter()
        .filter(|line| ["psprun", "kubeadm"].iter().any(|word| line.contains(word)) && !before.contains(line))
        // The control plane's own containers name kubeadm's files in their arguments.
        .filter(|line| {
            !line.contains("/etc/kubernetes/")
                && !line.starts_with("ps ")
                && !line.contains("/var/lib/kubelet")
        })
        .collect();
    assert!(left.is_empty(), "{left:#?}");
    // What it had begun is told as such, and reset takes it away.
    let again =
        node.try_run("cd /root/work && psprun kubeadm-psp.rhai --values bed.yaml --target cluster 2>&1");
    let text = String::from_utf8_lossy(&again.stdout);
    assert!(text.contains("reset"), "{text}");
    node.run("psprun reset");
    node.run("cd /root/work && psprun kubeadm-psp.rhai --values bed.yaml --target cluster");
}

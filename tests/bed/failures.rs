//! What goes wrong on a real cluster is named.

use std::time::Instant;

use super::node::Node;

/// Without the policies no pod of kube-system starts: the wait for them ends with the denial as the cause, long before its
/// time is up. (With flannel's manifest there would be a policy: its own.)
#[test]
#[ignore = "needs the real cluster: tests/run"]
fn without_the_policies() {
    let node = Node::up("nopolicy");
    let start = Instant::now();
    let output = node.try_run(
        "cd /root/work && psprun kubeadm-psp.rhai --values bed.yaml --target system_pods --skip policies \
             --skip control_plane --skip pod_network.apply --skip pod_network.wait_ready 2>&1",
    );
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("PodSecurityPolicy: no providers available to validate pod request"),
        "{text}"
    );
    assert!(
        !text.contains("not ready after"),
        "a wait timed out instead of naming the cause:\n{text}"
    );
    eprintln!("denied after {:?}", start.elapsed());
}

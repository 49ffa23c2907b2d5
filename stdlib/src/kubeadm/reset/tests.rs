#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use psprun_engine::plan::Files;
use psprun_engine::{Builtin, Context, Outcome, StepError};
use serde_json::{Value, json};

use super::{Done, Reset};
use crate::kubeadm::node::copy::sha256;
use crate::kubeadm::node::fake::{FakeHost, FakeTarget, fails, says};
use crate::kubeadm::node::record::{self, Before, KubeconfigCopy, Record};
use crate::kubeadm::node::{paths, record::FOLDERS};
use crate::target::Target;

const KUBECONFIG: &str = "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: 'https://10.89.0.11:6443'}}]\n";

/// A machine with a cluster that psprun made, and with things of others.
fn machine() -> Arc<FakeHost> {
    let host = FakeHost::default();
    for (path, content) in [
        (paths::ADMIN_CONF, KUBECONFIG),
        ("/etc/kubernetes/pki/ca.crt", "ca"),
        (
            "/etc/kubernetes/manifests/kube-controller-manager.yaml",
            "    - --cluster-cidr=10.244.0.0/16\n",
        ),
        (
            paths::KUBELET_FLAGS,
            "KUBELET_KUBEADM_ARGS=\"--container-runtime-endpoint=/run/x.sock\"\n",
        ),
        ("/var/lib/etcd/member/snap", ""),
        (
            "/etc/cni/net.d/10-bridge.conflist",
            r#"{"plugins": [{"type": "bridge", "bridge": "br-pods"}]}"#,
        ),
        ("/etc/cni/net.d/87-podman.conflist", "{}"),
        ("/run/flannel/subnet.env", "FLANNEL_NETWORK=10.244.0.0/16\n"),
        ("/var/log/pods/kube-system_x/0.log", ""),
        ("/root/.kube/config", KUBECONFIG),
        ("/root/.kube/cache/x", ""),
        ("/sys/class/net/eth0", ""),
        ("/sys/class/net/docker0", ""),
        ("/sys/class/net/br-pods/brif/veth1", ""),
        ("/sys/class/net/veth1", ""),
    ] {
        host.put(path, content);
    }
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let record = Record {
        by: "init".to_owned(),
        finished: true,
        before: Before {
            folders: set(&[
                "/etc/kubernetes",
                "/etc/cni",
                "/etc/cni/net.d",
                "/var/lib/kubelet",
            ]),
            cni_files: set(&["87-podman.conflist"]),
            links: set(&["eth0", "docker0"]),
        },
        networks: vec!["10.244.0.0/16".to_owned()],
        copies: vec![KubeconfigCopy {
            path: "/root/.kube/config".to_owned(),
            sha256: sha256(KUBECONFIG.as_bytes()),
            folder_made: true,
        }],
    };
    host.put(record::PATH, serde_json::to_vec(&record).unwrap());
    host.answer("kubeadm version", |_, _| says("v1.20.2\n"));
    host.answer("kubeadm reset", |host, _| {
        for gone in ["/etc/kubernetes/", "/var/lib/etcd/", "/var/lib/kubelet/"] {
            host.files
                .lock()
                .unwrap()
                .retain(|path, _| !path.display().to_string().starts_with(gone));
        }
        for left in [
            "/etc/kubernetes/manifests",
            "/etc/kubernetes/pki",
            "/var/lib/etcd",
            "/var/lib/kubelet",
        ] {
            host.folders.lock().unwrap().insert(left.into());
        }
        says("[reset] Stopping the kubelet service\n")
    });
    host.answer("iptables-save", |host, _| {
        let gone = host
            .commands()
            .iter()
            .any(|command| command.starts_with("iptables-restore"));
        says(if gone {
            "*nat\nCOMMIT\n"
        } else {
            include_str!("testdata/flannel-kube-proxy-1.20.2.save")
        })
    });
    host.answer("iptables-restore --noflush", |_, command| {
        assert!(
            command
                .stdin
                .as_ref()
                .is_some_and(|script| script.starts_with(b"*mangle\n"))
        );
        says("")
    });
    host.answer("ip link delete", |host, command| {
        let link = format!("/sys/class/net/{}", command.argv[3]);
        host.files
            .lock()
            .unwrap()
            .retain(|path, _| !path.starts_with(&link));
        says("")
    });
    host.answer("ip -4 route show", |host, _| {
        let gone = host
            .commands()
            .iter()
            .any(|command| command.starts_with("ip -4 route delete"));
        says(if gone {
            ""
        } else {
            "10.244.1.0/24 via 10.89.0.12 dev eth0 \n"
        })
    });
    host.answer(
        "ip -4 route delete 10.244.1.0/24 via 10.89.0.12 dev eth0",
        |_, _| says(""),
    );
    host.answer("ip -6 route show", |_, _| says(""));
    Arc::new(host)
}

async fn run(host: &Arc<FakeHost>, args: Value) -> Result<Outcome<Done>, StepError> {
    let target: Arc<dyn Target> = FakeTarget::new(host);
    let (context, _told) = Context::detached(Files::default());
    Reset::new(&target)
        .run(serde_json::from_value(args).unwrap(), context)
        .await
}

#[tokio::test]
async fn what_the_cluster_made_goes_and_the_rest_stays() {
    let host = machine();
    let outcome = run(&host, json!({})).await.unwrap();
    assert!(outcome.changed);
    insta::assert_snapshot!(outcome.summary.unwrap(), @"kubeadm reset, 7 files, 2 links, 1 route, 26 chains, 14 rules");
    assert!(
        host.commands()
            .contains(&"kubeadm reset --force --cri-socket /run/x.sock".to_owned())
    );
    assert_eq!(
        host.paths(),
        [
            "/etc/cni/net.d/87-podman.conflist",
            "/sys/class/net/docker0",
            "/sys/class/net/eth0"
        ]
    );
    // Of the empty folders those stay that were there before.
    let folders = host.folders.lock().unwrap().clone();
    assert!(
        folders.iter().all(|folder| folder.ends_with("var/lib/kubelet")),
        "{folders:?}"
    );

    let outcome = run(&host, json!({})).await.unwrap();
    assert!(!outcome.changed, "{:?}", outcome.details);
    assert_eq!(outcome.summary.as_deref(), Some("nothing to reset"));
}

#[tokio::test]
async fn all_can_be_flushed() {
    let host = machine();
    for command in ["iptables -F", "iptables -t", "iptables -X"] {
        host.answer(command, |_, _| says(""));
    }
    run(&host, json!({"flush_all": true})).await.unwrap();
    let commands = host.commands();
    let flushes: Vec<&String> = commands
        .iter()
        .filter(|command| command.starts_with("iptables -"))
        .collect();
    assert_eq!(
        flushes,
        [
            "iptables -F",
            "iptables -t nat -F",
            "iptables -t mangle -F",
            "iptables -X"
        ]
    );
    assert!(
        !commands
            .iter()
            .any(|command| command.starts_with("iptables-restore"))
    );
}

#[tokio::test]
async fn what_is_mounted_or_stuck_is_said_and_kept() {
    let host = machine();
    host.put(
        "/proc/mounts",
        "nfs:/data /var/log/pods/kube-system_x nfs4 rw 0 0\n",
    );
    host.answer("ip link delete br-pods", |_, _| {
        fails("RTNETLINK answers: Operation not permitted\n")
    });
    let error = run(&host, json!({})).await.unwrap_err();
    insta::assert_snapshot!(error, @r"
    not all of the cluster could be removed:
      ip link delete br-pods: RTNETLINK answers: Operation not permitted
      /var/log/pods/kube-system_x is mounted: /var/log/pods is left (umount /var/log/pods/kube-system_x, then reset again)
    ");
    assert!(
        host.paths()
            .contains(&"/var/log/pods/kube-system_x/0.log".to_owned())
    );
    // What a further try needs to know is kept.
    assert!(host.paths().contains(&record::PATH.to_owned()));
}

#[tokio::test]
async fn a_machine_without_a_cluster_is_left_alone() {
    let host = Arc::new(FakeHost::default());
    host.put(
        "/etc/kubernetes/pki/ca.crt",
        "the user's own, for a cluster to come",
    );
    host.put("/etc/cni/net.d/100-crio-bridge.conf", "{}");
    host.put("/root/.kube/config", "another cluster's");
    host.put("/sys/class/net/eth0", "");
    for folder in FOLDERS.iter().filter(|folder| **folder != "/run/flannel") {
        host.folders.lock().unwrap().insert(folder.into());
    }
    let before = host.paths();
    let outcome = run(&host, json!({})).await.unwrap();
    assert!(!outcome.changed, "{:?}", outcome.details);
    assert_eq!(host.paths(), before);
    assert!(
        !host
            .commands()
            .iter()
            .any(|command| command.starts_with("kubeadm"))
    );
}

#[test]
fn the_examples_plan() {
    crate::testing::plan_examples("kubeadm::reset");
}

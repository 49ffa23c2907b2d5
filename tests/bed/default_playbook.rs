//! The default playbook, whole: from a bare node to 200 from httpbin, again without a change, and back.

use std::collections::BTreeMap;

use serde_json::Value;

use super::node::Node;

const RUN: &str = "cd /root/work && psprun kubeadm-psp.rhai --values bed.yaml --events events.jsonl";

/// What a run's events say of each step: its state.
fn states(node: &Node, file: &str) -> BTreeMap<String, String> {
    node.run(&format!("cat /root/work/{file}"))
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("an event is JSON"))
        .filter(|event| event["event"] == "step_finished")
        .map(|event| (word(&event["step"]), word(&event["state"])))
        .collect()
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The state of everything that a run could have written: each object's resourceVersion. Leases, events, endpoints of
/// leader elections and the nodes' heartbeats are the cluster's own doing.
fn versions(node: &Node) -> BTreeMap<String, String> {
    let list = "kubectl api-resources --verbs=list -o name | grep -vE '^(events|leases|endpoints|endpointslices|nodes)\\b' \
                | paste -sd,";
    let objects = node.run(&format!("kubectl get $({list}) -A -o json 2>/dev/null"));
    let objects: Value = serde_json::from_str(&objects).expect("kubectl prints JSON");
    objects["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|object| {
            let meta = &object["metadata"];
            let name = format!(
                "{} {}/{}",
                word(&object["kind"]),
                word(&meta["namespace"]),
                word(&meta["name"])
            );
            (name, word(&meta["resourceVersion"]))
        })
        .collect()
}

/// The same, once the cluster itself has come to rest: the last pods report that they are ready, and so on.
fn settled(node: &Node) -> BTreeMap<String, String> {
    node.run("kubectl wait deployments --all --all-namespaces --for=condition=Available --timeout=180s");
    let mut last = versions(node);
    for _ in 0..30 {
        std::thread::sleep(std::time::Duration::from_secs(4));
        let now = versions(node);
        if now == last {
            return now;
        }
        last = now;
    }
    panic!("the cluster does not come to rest");
}

/// What a reset must give back: files, links, iptables.
fn condition(node: &Node) -> Vec<(&'static str, String)> {
    // Rules and chains of one's own: an empty built-in table is the same as none.
    let tables = "for t in filter nat mangle raw; do iptables-save -t $t 2>/dev/null | grep -E '^-A|^:.* - ' | sed \"s/^/$t /\"; done; true";
    vec![
        (
            "files",
            node.run(
                "find /etc /opt/cni /root /var/lib/kubelet /var/lib/etcd /var/lib/cni /var/lib/dockershim /run/flannel \
                 -not -path '/root/work*' -printf '%p %M %u %l\\n' 2>/dev/null | sort; true",
            ),
        ),
        ("contents", node.run("find /etc -type f -exec sha256sum {} + | sort -k 2")),
        ("links", node.run("ip -o link | cut -d: -f2 | sort")),
        ("routes", node.run("ip route | sort")),
        ("iptables", node.run(tables)),
    ]
}

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn from_a_bare_node_to_a_curl_and_back() {
    let node = Node::up("master");
    let before = condition(&node);

    // The whole post.
    let output = node.run(RUN);
    let first = states(&node, "events.jsonl");
    let bad: Vec<_> = first
        .iter()
        .filter(|(_, state)| !["done", "unchanged"].contains(&state.as_str()))
        .collect();
    assert!(bad.is_empty(), "{bad:?}\n{output}");
    let secrets =
        node.run("kubectl -n kube-system get secrets -o name | grep -o 'bootstrap-token-.*' | cut -d- -f3");
    let events = node.run("cat /root/work/events.jsonl");
    for id in secrets.lines() {
        assert!(
            !events.contains(&format!("{id}.")),
            "the bootstrap token {id}.… is in the events"
        );
    }
    let reply = node.run(
        "ip=$(kubectl -n ingress-nginx get pods -l app.kubernetes.io/name=ingress-nginx -o jsonpath='{.items[0].status.podIP}'); \
         curl -sS -H 'Host: my.httpbin.com' http://$ip/get",
    );
    assert!(reply.contains("my.httpbin.com"), "{reply}");

    // The same again: nothing changes, and nothing is written on the API server.
    let earlier = settled(&node);
    node.run(&RUN.replace("events.jsonl", "again.jsonl"));
    let second = states(&node, "again.jsonl");
    let changed: Vec<_> = second
        .iter()
        .filter(|(_, state)| !["unchanged", "skipped"].contains(&state.as_str()))
        .collect();
    assert!(changed.is_empty(), "{changed:?}");
    let later = versions(&node);
    let written: Vec<_> = later
        .iter()
        .filter(|(name, version)| earlier.get(*name) != Some(*version))
        .collect();
    assert!(written.is_empty(), "{written:?}");
    assert!(
        earlier.len() > 50,
        "there is something to compare: {}",
        earlier.len()
    );

    // And back.
    node.run("psprun reset");
    for ((what, was), (_, is)) in before.iter().zip(condition(&node)) {
        similar_asserts(what, was, &is);
    }
    let again = node.run("cd /root/work && psprun reset --events reset.jsonl; cat reset.jsonl");
    assert!(again.contains(r#""state":"unchanged""#), "{again}");
}

#[track_caller]
fn similar_asserts(what: &str, was: &str, is: &str) {
    let lost: Vec<&str> = was
        .lines()
        .filter(|line| !is.lines().any(|other| other == *line))
        .collect();
    let left: Vec<&str> = is
        .lines()
        .filter(|line| !was.lines().any(|other| other == *line))
        .collect();
    assert!(
        lost.is_empty() && left.is_empty(),
        "{what}: lost {lost:#?}, left {left:#?}"
    );
}

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn a_fork_with_another_pod_network() {
    let node = Node::up("bridged");
    for file in ["bridge.rhai", "bridge.yaml"] {
        node.copy_own(
            &format!("tests/playbooks/cni/{file}"),
            &format!("/root/work/plugins/cni/{file}"),
        );
    }
    node.run(&format!("{RUN} --set cni=bridge"));
    let states = states(&node, "events.jsonl");
    assert_eq!(
        states.get("reply").map(String::as_str),
        Some("unchanged"),
        "{states:?}"
    );
    assert!(node.run("ls /etc/cni/net.d").contains("10-bridge.conflist"));
}

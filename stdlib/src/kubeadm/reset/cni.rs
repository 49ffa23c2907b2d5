//! The CNI configurations of a machine: which are of the cluster, and what links and networks they name.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::kubeadm::config::subnets::Subnet;

/// How the files of well-known pod networks are called: flannel, Calico and Canal (with the kubeconfig that they keep
/// beside), Weave, Cilium, kube-router, Antrea, Multus.
const KNOWN: [&str; 14] = [
    "10-flannel.conflist",
    "10-flannel.conf",
    "10-calico.conflist",
    "calico-kubeconfig",
    "10-canal.conflist",
    "10-weave.conflist",
    "10-weave.conf",
    "05-cilium.conflist",
    "05-cilium.conf",
    "10-kuberouter.conflist",
    "10-kuberouter.conf",
    "10-antrea.conflist",
    "00-multus.conf",
    "multus.d",
];

/// The files that the cluster made, of those that are there: well-known ones, those that the user names, and those that
/// came after the cluster, which are not in `before` or, where nobody looked before, in `newer`, the files that are
/// younger than the cluster's authority.
pub fn of_cluster<'f>(
    files: &'f [String],
    named: &[String],
    before: Option<&BTreeSet<String>>,
    newer: &BTreeSet<String>,
) -> Vec<&'f str> {
    files
        .iter()
        .map(String::as_str)
        .filter(|file| {
            let is_named = named
                .iter()
                .any(|name| name == file || name.rsplit('/').next() == Some(*file));
            let came_after = match before {
                Some(before) => !before.contains(*file),
                None => newer.contains(*file) || KNOWN.contains(file),
            };
            is_named || came_after
        })
        .collect()
}

/// The bridges that a configuration has its plugins make, and the networks from which they give addresses.
pub fn traces(text: &str) -> (Vec<String>, Vec<Subnet>) {
    let mut bridges = Vec::new();
    let mut networks = Vec::new();
    let Ok(config) = serde_json::from_str::<Value>(text) else {
        return (bridges, networks);
    };
    let plugins = match config.get("plugins").and_then(Value::as_array) {
        Some(plugins) => plugins.clone(),
        None => vec![config],
    };
    for plugin in &plugins {
        let kind = plugin.get("type").and_then(Value::as_str);
        if matches!(kind, Some("bridge" | "flannel")) {
            let name = ["/bridge", "/delegate/bridge"]
                .iter()
                .find_map(|path| plugin.pointer(path)?.as_str());
            // The bridge plugin's default.
            bridges.push(name.unwrap_or("cni0").to_owned());
        }
        if let Some(ipam) = plugin.get("ipam") {
            subnets(ipam, &mut networks);
        }
    }
    (bridges, networks)
}

/// `subnet` at any depth: host-local has it at the top and in its ranges.
fn subnets(value: &Value, found: &mut Vec<Subnet>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if key == "subnet" => found.extend(Subnet::parse(text)),
                    value => subnets(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| subnets(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn files_of_others_stay() {
        let files = [
            "10-flannel.conflist",
            "100-crio-bridge.conf",
            "87-podman-bridge.conflist",
            "10-own.conflist",
        ]
        .map(str::to_owned);
        let nothing = set(&[]);
        // psprun looked before: all that is new.
        let before = set(&["100-crio-bridge.conf", "87-podman-bridge.conflist"]);
        assert_eq!(
            of_cluster(&files, &[], Some(&before), &nothing),
            ["10-flannel.conflist", "10-own.conflist"]
        );
        // Nobody looked: well-known ones and young ones.
        assert_eq!(of_cluster(&files, &[], None, &nothing), ["10-flannel.conflist"]);
        assert_eq!(
            of_cluster(&files, &[], None, &set(&["10-own.conflist"])),
            ["10-flannel.conflist", "10-own.conflist"]
        );
        let named = ["/etc/cni/net.d/87-podman-bridge.conflist".to_owned()];
        assert_eq!(
            of_cluster(&files, &named, None, &nothing),
            ["10-flannel.conflist", "87-podman-bridge.conflist"]
        );
    }

    #[test]
    fn bridges_and_networks_are_read() {
        let bridge = r#"{"cniVersion": "0.3.1", "name": "bridge", "plugins": [
            {"type": "bridge", "bridge": "br-pods", "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]]}},
            {"type": "portmap"}]}"#;
        assert_eq!(
            traces(bridge),
            (
                vec!["br-pods".to_owned()],
                vec![Subnet::parse("10.244.0.0/24").unwrap()]
            )
        );
        let flannel =
            r#"{"name": "cbr0", "plugins": [{"type": "flannel", "delegate": {"isDefaultGateway": true}}]}"#;
        assert_eq!(traces(flannel), (vec!["cni0".to_owned()], vec![]));
        assert_eq!(traces("{"), (vec![], vec![]));
    }
}

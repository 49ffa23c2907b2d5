//! The network links that kube-proxy and pod networks make.

use std::collections::BTreeSet;

/// Whole names: CNI's bridge and its friends, flannel's, Calico's, Weave's, kube-router's, Cilium's, kube-proxy's,
/// NodeLocal DNS's.
const NAMES: [&str; 22] = [
    "cni0",
    "cbr0",
    "flannel.1",
    "flannel-v6.1",
    "flannel0",
    "flannel-wg",
    "flannel-wg-v6",
    "vxlan.calico",
    "vxlan-v6.calico",
    "wireguard.cali",
    "wg-v6.cali",
    "weave",
    "datapath",
    "kube-bridge",
    "kube-dummy-if",
    "cilium_host",
    "cilium_net",
    "cilium_vxlan",
    "antrea-gw0",
    "kube-ipvs0",
    "nodelocaldns",
    "dummy-ipvs",
];

/// How others begin: Calico's and Weave's ends of the pods' cables, other VXLANs of flannel.
const PREFIXES: [&str; 4] = ["cali", "vethwe", "flannel.", "vxlan-6784"];

/// The links to delete, of those that are there. A link that was there before the cluster stays.
pub fn of_cluster<'l>(
    links: &'l BTreeSet<String>,
    before: Option<&BTreeSet<String>>,
    bridges: &[String],
    named: &[String],
) -> Vec<&'l str> {
    links
        .iter()
        .map(String::as_str)
        .filter(|link| {
            let known = NAMES.contains(link) || PREFIXES.iter().any(|prefix| link.starts_with(prefix));
            let is_named = named.iter().any(|name| name == link);
            let came_after = before.is_none_or(|before| !before.contains(*link));
            // A bridge that only a CNI configuration knows may be older than the cluster where nobody looked before.
            let bridge = bridges.iter().any(|bridge| bridge == link) && before.is_some();
            is_named || (came_after && (known || bridge))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn links_of_others_stay() {
        let links = set(&[
            "br-pods",
            "cali12345",
            "cni0",
            "docker0",
            "eth0",
            "flannel.1",
            "lo",
        ]);
        assert_eq!(
            of_cluster(&links, None, &["cni0".to_owned(), "br-pods".to_owned()], &[]),
            ["cali12345", "cni0", "flannel.1"]
        );
        let before = set(&["lo", "eth0", "docker0", "cni0"]);
        assert_eq!(
            of_cluster(&links, Some(&before), &["br-pods".to_owned()], &[]),
            ["br-pods", "cali12345", "flannel.1"]
        );
        assert_eq!(
            of_cluster(&links, Some(&before), &[], &["docker0".to_owned()]),
            ["cali12345", "docker0", "flannel.1"]
        );
    }
}

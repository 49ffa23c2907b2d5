//! The pod network: what installs it, for nodes that wait for it.

use serde_json::Value;

use crate::cluster::object::{list, text};

/// Whether a DaemonSet puts the network's configuration on its nodes: it mounts the folder where the kubelet's runtime
/// looks for it.
pub(super) fn installs_it(daemon_set: &Value) -> bool {
    list(daemon_set, "/spec/template/spec/volumes")
        .iter()
        .map(|volume| text(volume, "/hostPath/path"))
        .any(|path| path.starts_with("/etc/cni"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::installs_it;

    #[test]
    fn a_daemon_set_that_mounts_the_folder_installs_the_network() {
        let set = |path: &str| {
            json!({ "spec": { "template": { "spec": { "volumes": [
                { "name": "a", "configMap": { "name": "x" } }, { "name": "b", "hostPath": { "path": path } } ] } } } })
        };
        assert!(installs_it(&set("/etc/cni/net.d")));
        assert!(!installs_it(&set("/lib/modules")));
    }
}

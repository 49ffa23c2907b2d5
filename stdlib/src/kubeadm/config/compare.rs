//! Compares the configuration that a playbook asks for with the one that a cluster was made with.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::extra_args::ExtraArgs;

/// A setting that is not as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `networking.podSubnet`.
    pub path: String,
    /// What the playbook says; `None` when it does not set it.
    pub asked: Option<String>,
    /// What the cluster has.
    pub cluster: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
        write!(
            f,
            "{}: {} in the cluster, {} in the playbook",
            self.path,
            show(&self.cluster),
            show(&self.asked)
        )
    }
}

/// Flags that kubeadm writes into the stored configuration by itself.
const ADDED_BY_KUBEADM: [&str; 1] = ["authorization-mode"];

/// What `asked` sets and `cluster` has otherwise, and flags that `cluster` has and `asked` does not set. Both are the
/// document with the cluster's settings, of one API version. Other settings that `asked` leaves out are kubeadm's
/// defaults and not compared.
pub fn differences(asked: &Map<String, Value>, cluster: &Map<String, Value>) -> Vec<Difference> {
    let mut found = Vec::new();
    walk("", asked, cluster, &mut found);
    found
}

fn walk(path: &str, asked: &Map<String, Value>, cluster: &Map<String, Value>, found: &mut Vec<Difference>) {
    let join = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    let empty = Map::new();
    for (name, asked) in asked {
        if path.is_empty() && (name == "apiVersion" || name == "kind") {
            continue;
        }
        let here = join(name);
        let there = cluster.get(name);
        match (asked, there) {
            _ if holds_flags(name) => compare_flags(&here, Some(asked), there, found),
            (Value::Object(asked), Some(Value::Object(cluster))) => walk(&here, asked, cluster, found),
            (Value::Object(asked), None) => walk(&here, asked, &empty, found),
            (asked, Some(there)) if same(name, asked, there) => {}
            (asked, there) => found.push(Difference {
                path: here,
                asked: Some(show(asked)),
                cluster: there.map(show),
            }),
        }
    }
    for (name, there) in cluster.iter().filter(|(name, _)| !asked.contains_key(*name)) {
        if holds_flags(name) {
            compare_flags(&join(name), None, Some(there), found);
        } else if matches!(&**name, "apiServer" | "controllerManager" | "scheduler")
            && let Some(flags) = there.get("extraArgs")
        {
            compare_flags(&join(&format!("{name}.extraArgs")), None, Some(flags), found);
        }
    }
}

fn holds_flags(name: &str) -> bool {
    matches!(
        name,
        "extraArgs" | "apiServerExtraArgs" | "controllerManagerExtraArgs" | "schedulerExtraArgs"
    )
}

fn compare_flags(path: &str, asked: Option<&Value>, cluster: Option<&Value>, found: &mut Vec<Difference>) {
    let asked = by_name(asked);
    let cluster = by_name(cluster);
    for (name, values) in &asked {
        if cluster.get(name) != Some(values) {
            let there = cluster.get(name).map(|values| values.join(" "));
            found.push(Difference {
                path: format!("{path}.{name}"),
                asked: Some(values.join(" ")),
                cluster: there,
            });
        }
    }
    for (name, values) in &cluster {
        if !asked.contains_key(name) && !ADDED_BY_KUBEADM.contains(&name.as_str()) {
            found.push(Difference {
                path: format!("{path}.{name}"),
                asked: None,
                cluster: Some(values.join(" ")),
            });
        }
    }
}

fn by_name(flags: Option<&Value>) -> BTreeMap<String, Vec<String>> {
    let mut map: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let args = flags
        .and_then(|flags| ExtraArgs::from_json(flags).ok())
        .unwrap_or_default();
    for (name, value) in args.iter() {
        map.entry(name.to_owned()).or_default().push(value.to_owned());
    }
    map
}

fn same(name: &str, asked: &Value, cluster: &Value) -> bool {
    if name == "kubernetesVersion"
        && let (Some(asked), Some(cluster)) = (asked.as_str(), cluster.as_str())
    {
        return asked.trim_start_matches('v') == cluster.trim_start_matches('v');
    }
    asked == cluster
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    /// As kubeadm 1.20.2 stored it for the post's settings.
    fn stored() -> Value {
        json!({
            "apiServer": {
                "extraArgs": {
                    "authorization-mode": "Node,RBAC",
                    "enable-admission-plugins": "NodeRestriction,PodSecurityPolicy",
                },
                "timeoutForControlPlane": "4m0s",
            },
            "apiVersion": "kubeadm.k8s.io/v1beta2",
            "certificatesDir": "/etc/kubernetes/pki",
            "clusterName": "kubernetes",
            "controllerManager": {"extraArgs": {"bind-address": "0.0.0.0"}},
            "dns": {"type": "CoreDNS"},
            "etcd": {"local": {"dataDir": "/var/lib/etcd"}},
            "imageRepository": "k8s.gcr.io",
            "kind": "ClusterConfiguration",
            "kubernetesVersion": "v1.20.2",
            "networking": {"dnsDomain": "cluster.local", "podSubnet": "10.244.0.0/16", "serviceSubnet": "10.96.0.0/12"},
            "scheduler": {},
        })
    }

    fn says(asked: Value) -> String {
        differences(asked.as_object().unwrap(), stored().as_object().unwrap())
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn the_same_settings_do_not_differ() {
        let asked = json!({
            "apiVersion": "kubeadm.k8s.io/v1beta2",
            "kubernetesVersion": "1.20.2",
            "networking": {"podSubnet": "10.244.0.0/16"},
            "apiServer": {"extraArgs": {"enable-admission-plugins": "NodeRestriction,PodSecurityPolicy"}},
            "controllerManager": {"extraArgs": [{"name": "bind-address", "value": "0.0.0.0"}]},
        });
        assert_eq!(says(asked), "");
    }

    #[test]
    fn others_are_named_with_both_values() {
        let asked = json!({
            "kubernetesVersion": "v1.21.0",
            "networking": {"podSubnet": "192.168.0.0/16"},
            "apiServer": {"extraArgs": {"v": "4"}, "certSANs": ["x"]},
            "controlPlaneEndpoint": "lb:6443",
        });
        insta::assert_snapshot!(says(asked), @r#"
        kubernetesVersion: v1.20.2 in the cluster, v1.21.0 in the playbook
        networking.podSubnet: 10.244.0.0/16 in the cluster, 192.168.0.0/16 in the playbook
        apiServer.extraArgs.v: not set in the cluster, 4 in the playbook
        apiServer.extraArgs.enable-admission-plugins: NodeRestriction,PodSecurityPolicy in the cluster, not set in the playbook
        apiServer.certSANs: not set in the cluster, ["x"] in the playbook
        controlPlaneEndpoint: not set in the cluster, lb:6443 in the playbook
        controllerManager.extraArgs.bind-address: 0.0.0.0 in the cluster, not set in the playbook
        "#);
    }
}

//! In which order the objects of a bundle are applied: rank by rank, those of one rank at once.

use serde_json::Value;

/// A place in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Rank {
    /// Hold what follows.
    Namespaces,
    /// Make kinds; the next rank waits until they are established.
    Definitions,
    /// What others refer to: accounts, policies, roles, configuration, storage.
    Foundations,
    /// Everything else.
    Rest,
    /// May refuse or change what comes after them, so they come last.
    Webhooks,
}

impl Rank {
    pub(super) const ALL: [Self; 5] = [
        Self::Namespaces,
        Self::Definitions,
        Self::Foundations,
        Self::Rest,
        Self::Webhooks,
    ];

    /// The rank of an object, by its group and kind.
    pub(super) fn of(object: &Value) -> Self {
        let version = object["apiVersion"].as_str().unwrap_or_default();
        let group = version.split_once('/').map_or("", |(group, _)| group);
        match (group, object["kind"].as_str().unwrap_or_default()) {
            ("", "Namespace") => Self::Namespaces,
            ("apiextensions.k8s.io", "CustomResourceDefinition") => Self::Definitions,
            ("", "ServiceAccount" | "Secret" | "ConfigMap" | "LimitRange" | "ResourceQuota") => {
                Self::Foundations
            }
            ("", "PersistentVolume" | "PersistentVolumeClaim") => Self::Foundations,
            ("policy" | "extensions", "PodSecurityPolicy") => Self::Foundations,
            ("networking.k8s.io" | "extensions", "NetworkPolicy") => Self::Foundations,
            ("networking.k8s.io", "IngressClass") => Self::Foundations,
            ("rbac.authorization.k8s.io" | "scheduling.k8s.io" | "storage.k8s.io" | "node.k8s.io", _) => {
                Self::Foundations
            }
            ("admissionregistration.k8s.io" | "apiregistration.k8s.io", _) => Self::Webhooks,
            _ => Self::Rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn namespaces_first_webhooks_last() {
        let rank = |version: &str, kind: &str| Rank::of(&json!({"apiVersion": version, "kind": kind}));
        let order = [
            rank("v1", "Namespace"),
            rank("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
            rank("policy/v1beta1", "PodSecurityPolicy"),
            rank("apps/v1", "Deployment"),
            rank(
                "admissionregistration.k8s.io/v1",
                "ValidatingWebhookConfiguration",
            ),
        ];
        assert!(order.is_sorted());
        assert_eq!(rank("example.org/v1", "Namespace"), Rank::Rest);
    }
}

//! The versions of kubeadm's configuration file: which kubeadm writes which, and what their documents are called.

/// A version of the API group `kubeadm.k8s.io`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// Up to 1.10: one document, the node's and the token's fields at its top.
    V1alpha1,
    /// 1.11: one document, with `nodeRegistration` and `bootstrapTokens`.
    V1alpha2,
    /// 1.12: InitConfiguration and ClusterConfiguration are two documents.
    V1alpha3,
    /// 1.13 and 1.14: the components have objects of their own (`apiServer.extraArgs`).
    V1beta1,
    /// 1.15 to 1.21: with `certificateKey`.
    V1beta2,
    /// 1.22 to 1.30: with `skipPhases` and `patches`, without `dns.type` and `useHyperKubeImage`.
    V1beta3,
    /// 1.31 and newer: `extraArgs` are lists.
    V1beta4,
}

impl Api {
    /// All of them, oldest first.
    pub const ALL: [Self; 7] = [
        Self::V1alpha1,
        Self::V1alpha2,
        Self::V1alpha3,
        Self::V1beta1,
        Self::V1beta2,
        Self::V1beta3,
        Self::V1beta4,
    ];

    /// What kubeadm 1.`minor` writes itself, and so reads without a warning that it is deprecated.
    ///
    /// Sources: the doc.go of v1beta2 and v1beta4 ("Migration from old kubeadm config versions").
    pub fn of_kubeadm(minor: u64) -> Self {
        match minor {
            ..=10 => Self::V1alpha1,
            11 => Self::V1alpha2,
            12 => Self::V1alpha3,
            13..=14 => Self::V1beta1,
            15..=21 => Self::V1beta2,
            22..=30 => Self::V1beta3,
            _ => Self::V1beta4,
        }
    }

    /// `v1beta2`.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1alpha1 => "v1alpha1",
            Self::V1alpha2 => "v1alpha2",
            Self::V1alpha3 => "v1alpha3",
            Self::V1beta1 => "v1beta1",
            Self::V1beta2 => "v1beta2",
            Self::V1beta3 => "v1beta3",
            Self::V1beta4 => "v1beta4",
        }
    }

    /// `kubeadm.k8s.io/v1beta2`.
    pub fn api_version(self) -> String {
        format!("kubeadm.k8s.io/{}", self.name())
    }

    /// The reverse of [`Api::api_version`].
    pub fn from_api_version(text: &str) -> Option<Self> {
        let name = text.strip_prefix("kubeadm.k8s.io/")?;
        Self::ALL.into_iter().find(|api| api.name() == name)
    }

    /// Whether a cluster's and a node's settings are one document, `MasterConfiguration`.
    pub fn is_one_document(self) -> bool {
        self <= Self::V1alpha2
    }

    /// The document that holds the cluster's settings; also its key in the ConfigMap `kubeadm-config`.
    pub fn cluster_kind(self) -> &'static str {
        if self.is_one_document() {
            "MasterConfiguration"
        } else {
            "ClusterConfiguration"
        }
    }

    /// The document of `kubeadm join`. 1.12 renamed it, together with the other one.
    pub fn join_kind(self) -> &'static str {
        if self.is_one_document() {
            "NodeConfiguration"
        } else {
            "JoinConfiguration"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kubeadm_has_its_api() {
        let table: Vec<String> = (10..=32)
            .map(|minor| format!("1.{minor} {}", Api::of_kubeadm(minor).name()))
            .collect();
        insta::assert_snapshot!(table.join(", "), @"1.10 v1alpha1, 1.11 v1alpha2, 1.12 v1alpha3, 1.13 v1beta1, 1.14 v1beta1, 1.15 v1beta2, 1.16 v1beta2, 1.17 v1beta2, 1.18 v1beta2, 1.19 v1beta2, 1.20 v1beta2, 1.21 v1beta2, 1.22 v1beta3, 1.23 v1beta3, 1.24 v1beta3, 1.25 v1beta3, 1.26 v1beta3, 1.27 v1beta3, 1.28 v1beta3, 1.29 v1beta3, 1.30 v1beta3, 1.31 v1beta4, 1.32 v1beta4");
        for api in Api::ALL {
            assert_eq!(Api::from_api_version(&api.api_version()), Some(api));
        }
    }
}

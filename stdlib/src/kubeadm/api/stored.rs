//! What kubeadm stores in the cluster when it has made it.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api as KubeApi, Client};
use psprun_engine::StepError;
use serde_json::{Map, Value};

use crate::cluster::error::{explain, is_not_found};
use crate::kubeadm::config::api::Api;
use crate::kubeadm::config::documents;
use crate::kubeadm::node::kubeconfig::Kubeconfig;

/// The stored configuration of a cluster.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The version of its API.
    pub api: Api,
    /// The document with the cluster's settings.
    pub cluster: Map<String, Value>,
}

impl Stored {
    /// Reads the ConfigMap `kube-system/kubeadm-config`; `None` when there is none, or none with a configuration.
    ///
    /// # Errors
    /// The API server does not answer, or what is there cannot be read.
    pub async fn read(client: &Client) -> Result<Option<Self>, StepError> {
        let Some(map) = config_map(client, "kube-system", "kubeadm-config").await? else {
            return Ok(None);
        };
        let data = map.data.unwrap_or_default();
        let Some(text) = ["ClusterConfiguration", "MasterConfiguration"]
            .iter()
            .find_map(|key| data.get(*key))
        else {
            return Ok(None);
        };
        Self::parse(text).map(Some)
    }

    fn parse(text: &str) -> Result<Self, StepError> {
        let document = documents::parse("kube-system/kubeadm-config", text)?
            .into_iter()
            .next();
        let Some(Value::Object(cluster)) = document else {
            return Err(StepError::new(
                "psprun::kubeadm::stored",
                "the ConfigMap kube-system/kubeadm-config holds no configuration",
            ));
        };
        let api_version = cluster
            .get("apiVersion")
            .and_then(Value::as_str)
            .unwrap_or_default();
        // A cluster of a kubeadm that is newer than psprun: its fields are compared as those of the newest known one.
        let api = Api::from_api_version(api_version).unwrap_or(Api::V1beta4);
        Ok(Self { api, cluster })
    }

    /// `v1.20.2`.
    pub fn kubernetes_version(&self) -> Option<&str> {
        self.cluster.get("kubernetesVersion").and_then(Value::as_str)
    }
}

/// The endpoint and the authority's hash, as joining nodes read them from `kube-public/cluster-info`; `None` when
/// kubeadm has not come so far.
///
/// # Errors
/// The API server does not answer, or what is there cannot be read.
pub async fn cluster_info(client: &Client) -> Result<Option<(String, Option<String>)>, StepError> {
    let Some(map) = config_map(client, "kube-public", "cluster-info").await? else {
        return Ok(None);
    };
    match map.data.unwrap_or_default().get("kubeconfig") {
        Some(text) => Kubeconfig::of_cluster_info(text).map(Some),
        None => Ok(None),
    }
}

/// Whether kubeadm came to its last phase, the add-ons.
///
/// # Errors
/// The API server does not answer.
pub async fn has_addons(client: &Client, skipped: &[String]) -> Result<bool, StepError> {
    let skips = |name: &str| skipped.iter().any(|phase| phase == "addon" || phase == name);
    if !skips("addon/coredns") && config_map(client, "kube-system", "coredns").await?.is_none() {
        return Ok(false);
    }
    Ok(skips("addon/kube-proxy") || config_map(client, "kube-system", "kube-proxy").await?.is_some())
}

async fn config_map(client: &Client, namespace: &str, name: &str) -> Result<Option<ConfigMap>, StepError> {
    match KubeApi::<ConfigMap>::namespaced(client.clone(), namespace)
        .get(name)
        .await
    {
        Ok(map) => Ok(Some(map)),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(explain(&format!("read ConfigMap {namespace}/{name}"), &error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_stored_configuration_is_read() {
        let stored = Stored::parse(
            "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\nkubernetesVersion: v1.20.2\n",
        )
        .unwrap();
        assert_eq!(
            (stored.api, stored.kubernetes_version()),
            (Api::V1beta2, Some("v1.20.2"))
        );
        let stored =
            Stored::parse("api:\n  advertiseAddress: 10.0.0.1\nkubernetesVersion: v1.11.3\n").unwrap();
        assert_eq!(stored.kubernetes_version(), Some("v1.11.3"));
        assert!(Stored::parse("[]").is_err());
    }
}

//! What a kubeconfig on a machine says of a cluster.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use psprun_engine::StepError;
use serde_json::Value;

use super::ca;
use crate::kubeadm::config::documents;
use crate::target::Host;

/// The cluster of a kubeconfig's current context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubeconfig {
    /// `https://10.89.0.11:6443`.
    pub server: String,
    /// The hash of its authority's public key.
    pub ca_hash: Option<String>,
    /// `system:node:master` in the kubeconfig that `kubeadm init` writes for the kubelet.
    pub user: String,
    /// Whether the user's certificate is a file that the kubelet renews, not one inside the kubeconfig.
    pub certificate_is_file: bool,
}

impl Kubeconfig {
    /// `10.89.0.11:6443`.
    pub fn endpoint(&self) -> String {
        endpoint(&self.server)
    }

    /// Reads the file; `None` when there is none.
    ///
    /// # Errors
    /// It is there and no kubeconfig.
    pub async fn read(host: &dyn Host, path: &str) -> Result<Option<Self>, StepError> {
        let Some(bytes) = host.read(Path::new(path)).await? else {
            return Ok(None);
        };
        let mut config = Self::parse(path, &String::from_utf8_lossy(&bytes))?;
        if let Err(file) = &config.1 {
            // The kubelet's kubeconfig may name the file instead.
            config.0.ca_hash = match host.read(Path::new(file)).await? {
                Some(pem) => Some(ca::public_key_hash(file, &pem)?),
                None => None,
            };
        }
        Ok(Some(config.0))
    }

    /// Reads a text; the error of the second value is the path of the authority's certificate when it is a file.
    fn parse(path: &str, text: &str) -> Result<(Self, Result<(), String>), StepError> {
        let wrong = |why: &str| {
            StepError::new(
                "psprun::kubeadm::kubeconfig",
                format!("{path} is no kubeconfig: {why}"),
            )
        };
        let document = documents::parse(path, text)?
            .into_iter()
            .next()
            .unwrap_or_default();
        let text_at = |pointer: &str| document.pointer(pointer).and_then(Value::as_str);
        let named = |list: &str, name: &str| {
            let items = document.get(list).and_then(Value::as_array);
            items.and_then(|items| {
                items
                    .iter()
                    .find(|item| item.get("name").and_then(Value::as_str) == Some(name))
            })
        };
        let current = text_at("/current-context").ok_or_else(|| wrong("it has no current-context"))?;
        let context = named("contexts", current).ok_or_else(|| wrong("its current context is missing"))?;
        let of_context = |key: &str| {
            context
                .pointer(&format!("/context/{key}"))
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let cluster =
            named("clusters", of_context("cluster")).ok_or_else(|| wrong("its cluster is missing"))?;
        let of_cluster = |key: &str| {
            cluster
                .pointer(&format!("/cluster/{key}"))
                .and_then(Value::as_str)
        };
        let server = of_cluster("server").ok_or_else(|| wrong("it names no server"))?;
        let data = of_cluster("certificate-authority-data").filter(|data| !data.is_empty());
        let ca_hash = match data {
            Some(data) => {
                let pem = STANDARD
                    .decode(data)
                    .map_err(|error| wrong(&format!("certificate-authority-data: {error}")))?;
                Some(ca::public_key_hash(
                    &format!("certificate-authority-data of {path}"),
                    &pem,
                )?)
            }
            None => None,
        };
        let file = of_cluster("certificate-authority").filter(|_| ca_hash.is_none());
        let user = of_context("user");
        let certificate_is_file =
            named("users", user).is_some_and(|user| user.pointer("/user/client-certificate").is_some());
        let config = Self {
            server: server.to_owned(),
            ca_hash,
            user: user.to_owned(),
            certificate_is_file,
        };
        Ok((config, file.map_or(Ok(()), |file| Err(file.to_owned()))))
    }

    /// Reads a kubeconfig that is a text: the one of the ConfigMap `cluster-info`, which has no users.
    ///
    /// # Errors
    /// It has no cluster.
    pub fn of_cluster_info(text: &str) -> Result<(String, Option<String>), StepError> {
        let wrong = || {
            StepError::new(
                "psprun::kubeadm::kubeconfig",
                "the ConfigMap kube-public/cluster-info has no cluster",
            )
        };
        let document = documents::parse("cluster-info", text)?
            .into_iter()
            .next()
            .unwrap_or_default();
        let of_cluster = |key: &str| {
            document
                .pointer(&format!("/clusters/0/cluster/{key}"))
                .and_then(Value::as_str)
        };
        let server = of_cluster("server").ok_or_else(wrong)?;
        let ca_hash = match of_cluster("certificate-authority-data") {
            Some(data) => {
                let pem = STANDARD.decode(data).map_err(|_| wrong())?;
                Some(ca::public_key_hash(
                    "certificate-authority-data of cluster-info",
                    &pem,
                )?)
            }
            None => None,
        };
        Ok((endpoint(server), ca_hash))
    }
}

/// `https://10.89.0.11:6443` to `10.89.0.11:6443`, as `kubeadm join` takes it.
pub fn endpoint(server: &str) -> String {
    let bare = server.split_once("://").map_or(server, |(_, rest)| rest);
    let bare = bare.trim_end_matches('/');
    if bare.rsplit(']').next().is_some_and(|end| end.contains(':')) {
        bare.to_owned()
    } else {
        format!("{bare}:443")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn kubeadms_own_is_read() {
        let ca = STANDARD.encode(include_bytes!("testdata/ca.crt"));
        let text = format!(
            "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {ca}\n    server: https://10.89.0.11:6443\n  \
             name: kubernetes\ncontexts:\n- context:\n    cluster: kubernetes\n    user: system:node:master\n  name: \
             system:node:master@kubernetes\ncurrent-context: system:node:master@kubernetes\nkind: Config\nusers:\n- name: \
             system:node:master\n  user:\n    client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem\n"
        );
        let (config, file) = Kubeconfig::parse("kubelet.conf", &text).unwrap();
        assert_eq!(config.endpoint(), "10.89.0.11:6443");
        assert_eq!(
            config.ca_hash.as_deref(),
            Some(include_str!("testdata/ca.hash").trim())
        );
        assert_eq!(
            (&*config.user, config.certificate_is_file, file),
            ("system:node:master", true, Ok(()))
        );
    }

    #[test]
    fn others_are_refused() {
        for text in [
            "",
            "a: 1",
            "current-context: x",
            "current-context: x\ncontexts: []",
        ] {
            assert!(
                Kubeconfig::parse("x", text)
                    .unwrap_err()
                    .message
                    .starts_with("x is no kubeconfig"),
                "{text}"
            );
        }
    }

    #[test]
    fn endpoints_have_a_port() {
        assert_eq!(endpoint("https://a:6443/"), "a:6443");
        assert_eq!(endpoint("https://[fd00::1]:6443"), "[fd00::1]:6443");
        assert_eq!(endpoint("https://a"), "a:443");
        assert_eq!(endpoint("https://[fd00::1]"), "[fd00::1]:443");
    }
}

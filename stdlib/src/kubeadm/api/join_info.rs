//! What a node needs to join a cluster.

use psprun_engine::Context;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a node needs to join a cluster: `kubeadm::init` and `kubeadm::token` give it, `kubeadm::join` takes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JoinInfo {
    /// The command to run as root on a node; null when there is no valid token. It holds the token.
    #[serde(default)]
    pub command: Option<String>,
    /// Address and port of the API server, e.g. `10.89.0.11:6443`.
    pub endpoint: String,
    /// The token; null when there is no valid one: `kubeadm::token` makes one.
    #[serde(default)]
    pub token: Option<String>,
    /// Hash of the cluster authority's public key, `sha256:…`.
    #[serde(default)]
    pub ca_hash: Option<String>,
    /// Key of the uploaded certificates, for further control-plane nodes; null unless `upload_certs` was asked for.
    #[serde(default)]
    pub certificate_key: Option<String>,
}

impl JoinInfo {
    /// Puts the command together and has its secrets kept out of sight.
    pub fn new(context: &Context, endpoint: String, token: Option<String>, ca_hash: Option<String>) -> Self {
        if let Some(token) = &token {
            context.secret(token);
        }
        let command = token.as_ref().zip(ca_hash.as_ref()).map(|(token, hash)| {
            format!("kubeadm join {endpoint} --token {token} --discovery-token-ca-cert-hash {hash}")
        });
        Self {
            command,
            endpoint,
            token,
            ca_hash,
            certificate_key: None,
        }
    }

    /// The endpoint in the join command that `kubeadm init` prints at its end, on one line or two, the endpoint before
    /// the flags or (in old versions) after the token.
    pub fn printed_endpoint(stdout: &str) -> Option<String> {
        let start = stdout.rfind("kubeadm join ")?;
        let command = stdout[start..].replace("\\\n", " ");
        let line = command.lines().next()?;
        let mut words = line.split_whitespace().skip(2);
        while let Some(word) = words.next() {
            if word == "--token" || word == "--discovery-token-ca-cert-hash" || word == "--certificate-key" {
                words.next();
            } else if !word.starts_with("--") {
                return Some(word.to_owned());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_commands_of_all_versions_are_read() {
        let new = "Then you can join any number of worker nodes by running the following on each as root:\n\n\
                   kubeadm join 10.89.0.11:6443 --token ergtox.00prnqpn3k22kd57 \\\n    \
                   --discovery-token-ca-cert-hash sha256:1b83 \n";
        assert_eq!(
            JoinInfo::printed_endpoint(new).as_deref(),
            Some("10.89.0.11:6443")
        );
        let old = "  kubeadm join --token e.0 10.0.0.1:6443 --discovery-token-ca-cert-hash sha256:1b83\n";
        assert_eq!(JoinInfo::printed_endpoint(old).as_deref(), Some("10.0.0.1:6443"));
        let one_line =
            "  kubeadm join [fd00::1]:6443 --token e.0 --discovery-token-ca-cert-hash sha256:1b83\n";
        assert_eq!(
            JoinInfo::printed_endpoint(one_line).as_deref(),
            Some("[fd00::1]:6443")
        );
        assert_eq!(JoinInfo::printed_endpoint("nothing"), None);
        assert_eq!(JoinInfo::printed_endpoint("kubeadm join \n"), None);
    }
}

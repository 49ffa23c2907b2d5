//! `kubeadm::join`: makes a machine a node of a cluster.

pub mod args;
#[cfg(test)]
mod tests;
mod work;

use std::sync::Arc;

use async_trait::async_trait;
use psprun_engine::{Builtin, Context, Example, Outcome, Runs, Spec, StepError};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use self::args::Args;
use crate::target::Target;

/// The builtin.
pub struct Join {
    target: Arc<dyn Target>,
}

impl Join {
    /// Acts on the machines of this target.
    pub fn new(target: &Arc<dyn Target>) -> Self {
        Self {
            target: target.clone(),
        }
    }
}

/// The node that is there then.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// Name of the node.
    pub node_name: String,
    /// Address and port of the API server that the kubelet talks to.
    pub endpoint: String,
    /// Whether it is a control-plane node.
    pub control_plane: bool,
    /// Version of kubeadm, e.g. `v1.20.2`.
    pub version: String,
    /// The configuration that kubeadm was given, without its secrets.
    pub config: String,
}

#[async_trait]
impl Builtin for Join {
    type Args = Args;
    type Output = Output;

    fn spec(&self) -> Spec {
        Spec::new(
            "kubeadm::join",
            "Makes a machine a node of a cluster with kubeadm, if it is none yet",
        )
        .optionally_on("host")
        .subject("join")
        .graceful()
        .examples(&[
                Example {
                    title: "this machine joins as a worker of another name",
                    script: r##"
let token = param("token", #{ secret: true, default: "abcdef.0123456789abcdef", doc: "the join token" });
kubeadm::join(#{
    endpoint: "10.89.0.11:6443",
    token: token,
    ca_hash: "sha256:1b835e753075d28eaacc10a6f6ee17f6d1d24e6e2bb840fc9575ba3bb400521d",
}, #{ node_name: "worker-1", cri_socket: "/run/containerd/containerd.sock" });
"##,
                    runs: Runs::OnNode,
                },
                Example {
                    title: "a further control-plane node; the key is from an init with upload_certs",
                    script: r##"
let certificate_key = param("certificate_key", #{ secret: true, default: "00ff", doc: "key of the uploaded certificates" });
kubeadm::join(#{
    endpoint: "lb.example:6443",
    token: "abcdef.0123456789abcdef",
    ca_hash: "sha256:1b835e753075d28eaacc10a6f6ee17f6d1d24e6e2bb840fc9575ba3bb400521d",
}, #{ control_plane: true, certificate_key: certificate_key, on_partial: "reset" });
"##,
                    runs: Runs::OnNode,
                },
            ])
    }

    fn describe(&self, args: &Value) -> String {
        let whom = match &args["join"] {
            Value::String(text) => text.clone(),
            join => join["endpoint"].as_str().unwrap_or("a cluster").to_owned(),
        };
        let what = if args["control_plane"] == true {
            " as a control-plane node"
        } else {
            ""
        };
        let name = args["node_name"]
            .as_str()
            .map(|name| format!(" under the name {name}"))
            .unwrap_or_default();
        format!("join the cluster of {whom}{what}{name}")
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Output>, StepError> {
        work::join(&self.target, &args, &context).await
    }
}

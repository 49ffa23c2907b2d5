//! `kubeadm::init`: makes a control plane of a machine.

pub mod args;
mod existing;
mod plan;
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
use super::api::join_info::JoinInfo;
use crate::target::Target;

/// The builtin.
pub struct Init {
    target: Arc<dyn Target>,
}

impl Init {
    /// Acts on the machines of this target.
    pub fn new(target: &Arc<dyn Target>) -> Self {
        Self {
            target: target.clone(),
        }
    }
}

/// The cluster that is there then; builtins such as `apply` take it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// Path of the administrator's kubeconfig.
    pub kubeconfig: String,
    /// The context in it: null for the current one.
    pub context: Option<String>,
    /// Whether this run made it: false when it was up already.
    pub created: bool,
    /// Address and port of the API server, e.g. `10.89.0.11:6443`.
    pub endpoint: String,
    /// Version of the control plane, e.g. `v1.20.2`.
    pub version: String,
    /// Name of the node.
    pub node_name: String,
    /// The configuration that kubeadm was given, without its secrets.
    pub config: String,
    /// What other nodes need to join.
    pub join: JoinInfo,
    /// Where the copy of the kubeconfig is; null when there is none.
    pub copied_to: Option<String>,
}

#[async_trait]
impl Builtin for Init {
    type Args = Args;
    type Output = Output;

    fn spec(&self) -> Spec {
        Spec::new(
            "kubeadm::init",
            "Makes a control plane of a machine with kubeadm, if it is none yet",
        )
        .optionally_on("host")
        .produces("cluster")
        .graceful()
        .examples(&[
            Example {
                title: "a control plane with pod security policies, for flannel",
                script: r##"
let cluster = kubeadm::init(#{
    kubernetes_version: "v1.20.2",
    pod_subnet: "10.244.0.0/16",
    admission_plugins: ["PodSecurityPolicy"],
});
print(`nodes join at ${cluster.join.endpoint}`);
"##,
                runs: Runs::OnNode,
            },
            Example {
                title: "flags, fields of kubeadm's own configuration, and a document for the kubelet",
                script: r##"
let cluster = kubeadm::init(#{
    cri_socket: "/run/containerd/containerd.sock",
    controller_manager_extra_args: #{ "bind-address": "0.0.0.0" },
    config: #{ clusterName: "demo", nodeRegistration: #{ taints: [] } },
    extra_documents: [#{ kind: "KubeletConfiguration", maxPods: 40 }],
    on_partial: "reset",
});
"##,
                runs: Runs::OnNode,
            },
        ])
    }

    fn describe(&self, args: &Value) -> String {
        plan::describe(args)
    }

    fn details(&self, args: &Value) -> Option<String> {
        plan::details(args)
    }

    fn check(&self, args: &Value) -> Result<(), StepError> {
        plan::check(args)
    }

    async fn run(&self, args: Args, context: Context) -> Result<Outcome<Output>, StepError> {
        work::init(&self.target, args, &context).await
    }
}

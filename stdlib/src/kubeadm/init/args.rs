//! What `kubeadm::init` takes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::kubeadm::config::extra_args::ExtraArgs;
use crate::target::HostRef;

/// Arguments of `kubeadm::init`. Those that are left out are kubeadm's own defaults.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Args {
    /// The machine; the one on which psprun runs when left out.
    #[serde(default)]
    pub host: Option<HostRef>,
    /// Version of the control plane, e.g. `v1.20.2`; that of the installed kubeadm when left out. kubeadm 1.N deploys
    /// 1.N and 1.(N-1).
    #[serde(default)]
    pub kubernetes_version: Option<String>,
    /// Network of the pods, e.g. `10.244.0.0/16`; most pod networks need it, and some need this one.
    #[serde(default)]
    pub pod_subnet: Option<String>,
    /// Network of the Services; `10.96.0.0/12` when left out.
    #[serde(default)]
    pub service_subnet: Option<String>,
    /// DNS domain of the Services; `cluster.local` when left out.
    #[serde(default)]
    pub dns_domain: Option<String>,
    /// Name or address, with a port if need be, under which all nodes reach the control plane: a load balancer's for
    /// several control-plane nodes.
    #[serde(default)]
    pub control_plane_endpoint: Option<String>,
    /// Address that this node's API server announces; that of the interface with the default route when left out.
    #[serde(default)]
    pub advertise_address: Option<String>,
    /// Port of this node's API server; 6443 when left out.
    #[serde(default)]
    pub bind_port: Option<u16>,
    /// Socket of the container runtime, e.g. `/run/containerd/containerd.sock`; needed where there are several.
    #[serde(default)]
    pub cri_socket: Option<String>,
    /// Name of the node; the host's name when left out.
    #[serde(default)]
    pub node_name: Option<String>,
    /// Admission plugins to enable besides those that are on by default. NodeRestriction, which such a list would
    /// switch off, is added.
    #[serde(default)]
    pub admission_plugins: Vec<String>,
    /// Flags for the API server, without dashes: a map, or a list of `#{ name: …, value: … }` for repeated ones.
    #[serde(default)]
    pub api_server_extra_args: ExtraArgs,
    /// Flags for the controller manager. `address` is written as `bind-address` from Kubernetes 1.19 on.
    #[serde(default)]
    pub controller_manager_extra_args: ExtraArgs,
    /// Flags for the scheduler. `address` is written as `bind-address` from Kubernetes 1.19 on.
    #[serde(default)]
    pub scheduler_extra_args: ExtraArgs,
    /// Flags for this node's kubelet.
    #[serde(default)]
    pub kubelet_extra_args: ExtraArgs,
    /// More names and addresses for the API server's certificate.
    #[serde(default)]
    pub cert_sans: Vec<String>,
    /// Registry of the control plane's images.
    #[serde(default)]
    pub image_repository: Option<String>,
    /// kubeadm's own feature gates.
    #[serde(default)]
    pub feature_gates: BTreeMap<String, bool>,
    /// More of kubeadm's configuration, under kubeadm's own names: fields of ClusterConfiguration and of
    /// InitConfiguration. A field that this kubeadm does not have is an error.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// Documents for kubelet and kube-proxy (KubeletConfiguration, KubeProxyConfiguration): maps, YAML text, or files.
    #[serde(default)]
    #[schemars(extend("x-psprun-file" = true))]
    pub extra_documents: Vec<Value>,
    /// Preflight checks to ignore, e.g. `["NumCPU", "Swap"]`.
    #[serde(default)]
    pub ignore_preflight_errors: Vec<String>,
    /// Phases to skip, e.g. `["addon/kube-proxy"]`; for kubeadm 1.13 and newer.
    #[serde(default)]
    pub skip_phases: Vec<String>,
    /// How long the join token lives, e.g. `24h`.
    #[serde(default = "default_token_ttl")]
    pub token_ttl: String,
    /// Upload the control plane's certificates, encrypted, so that further control-plane nodes can join with
    /// `kubeadm::join` alone; for kubeadm 1.15 and newer. They are kept for two hours.
    #[serde(default)]
    pub upload_certs: bool,
    /// Copy the kubeconfig to `~/.kube/config` of the user who runs psprun. Another cluster's file there is left alone.
    #[serde(default = "yes")]
    pub copy_kubeconfig: bool,
    /// What to do when a former init broke off half-way: `fail` says so, `reset` does what `kubeadm::reset` does first.
    #[serde(default)]
    pub on_partial: OnPartial,
}

/// What to do with the remains of an init or join that broke off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnPartial {
    /// End with an error that says what is there.
    #[default]
    Fail,
    /// Reset the node, then go on.
    Reset,
}

fn default_token_ttl() -> String {
    "24h".to_owned()
}

fn yes() -> bool {
    true
}

impl Args {
    /// Reads the arguments of a plan, in which what a run gives is `${…}`. Those that cannot hold such a text are set
    /// aside: their names and texts are the second value.
    pub fn of_plan(args: &Value) -> Option<(Self, Vec<(String, String)>)> {
        if let Ok(args) = serde_json::from_value(args.clone()) {
            return Some((args, Vec::new()));
        }
        let mut unknown = Vec::new();
        let mut known = args.as_object()?.clone();
        known.retain(|name, value| {
            let text = match &*value {
                Value::String(text) if text.contains("${") => text.clone(),
                Value::Object(map) if name == "feature_gates" && map.values().any(|v| !v.is_boolean()) => {
                    Value::Object(map.clone()).to_string()
                }
                _ => return true,
            };
            let takes_text = matches!(
                &**name,
                "kubernetes_version"
                    | "pod_subnet"
                    | "service_subnet"
                    | "dns_domain"
                    | "control_plane_endpoint"
                    | "advertise_address"
                    | "cri_socket"
                    | "node_name"
                    | "image_repository"
                    | "token_ttl"
            );
            if !takes_text {
                unknown.push((name.clone(), text));
            }
            takes_text
        });
        Some((serde_json::from_value(Value::Object(known)).ok()?, unknown))
    }
}

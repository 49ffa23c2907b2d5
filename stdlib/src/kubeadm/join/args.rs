//! What `kubeadm::join` takes.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::kubeadm::api::join_info::JoinInfo;
use crate::kubeadm::config::extra_args::ExtraArgs;
use crate::kubeadm::init::args::OnPartial;
use crate::target::HostRef;

/// Arguments of `kubeadm::join`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Args {
    /// The machine; the one on which psprun runs when left out.
    #[serde(default)]
    pub host: Option<HostRef>,
    /// What the cluster says of joining: the `join` of `kubeadm::init`'s output, or the output of `kubeadm::token`.
    pub join: JoinInfo,
    /// Name of the node; the host's name when left out.
    #[serde(default)]
    pub node_name: Option<String>,
    /// Socket of the container runtime, e.g. `/run/containerd/containerd.sock`; needed where there are several.
    #[serde(default)]
    pub cri_socket: Option<String>,
    /// Make the machine a further control-plane node. Needs `upload_certs` at `kubeadm::init`, or certificates that are
    /// there already.
    #[serde(default)]
    pub control_plane: bool,
    /// Address that this node's API server announces, with `control_plane`.
    #[serde(default)]
    pub advertise_address: Option<String>,
    /// Port of this node's API server, with `control_plane`; 6443 when left out.
    #[serde(default)]
    pub bind_port: Option<u16>,
    /// Key of the uploaded certificates, with `control_plane`; the one in `join` when left out.
    #[serde(default)]
    pub certificate_key: Option<String>,
    /// Flags for this node's kubelet.
    #[serde(default)]
    pub kubelet_extra_args: ExtraArgs,
    /// How long to look for the cluster, e.g. `5m`.
    #[serde(default)]
    pub discovery_timeout: Option<String>,
    /// Join without knowing the cluster's authority: whoever answers at the endpoint is believed.
    #[serde(default)]
    pub unsafe_skip_ca_verification: bool,
    /// More of kubeadm's JoinConfiguration, under kubeadm's own names. A field that this kubeadm does not have is an
    /// error.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// Preflight checks to ignore.
    #[serde(default)]
    pub ignore_preflight_errors: Vec<String>,
    /// Phases to skip; for kubeadm 1.14 and newer.
    #[serde(default)]
    pub skip_phases: Vec<String>,
    /// What to do when a former join broke off half-way: `fail` says so, `reset` does what `kubeadm::reset` does first.
    #[serde(default)]
    pub on_partial: OnPartial,
}

//! What is on a machine that a reset has to know before it takes anything away.

use std::collections::BTreeSet;
use std::path::Path;

use psprun_engine::{Context, StepError};

use super::{Options, cni};
use crate::kubeadm::config::subnets::Subnet;
use crate::kubeadm::node::kubeadm::run_quietly;
use crate::kubeadm::node::record::{self, Record};
use crate::kubeadm::node::{paths, state};
use crate::target::Host;

/// What is there.
#[derive(Debug)]
pub struct Found {
    /// What psprun wrote down before the cluster was made.
    pub record: Option<Record>,
    /// Whether there is something for `kubeadm reset`.
    pub for_kubeadm: bool,
    /// The container runtime's socket.
    pub cri_socket: Option<String>,
    /// The pods' networks.
    pub networks: Vec<Subnet>,
    /// Bridges that the cluster's CNI configurations name.
    pub bridges: Vec<String>,
    /// The cluster's CNI configurations, as paths.
    pub cni_files: Vec<String>,
    /// The administrator's kubeconfig.
    pub admin: Option<Vec<u8>>,
}

impl Found {
    /// The links that were there before the cluster, if somebody looked.
    pub fn links_before(&self) -> Option<&BTreeSet<String>> {
        self.record.as_ref().map(|record| &record.before.links)
    }
}

/// Looks.
///
/// # Errors
/// A file cannot be read.
pub async fn look(host: &dyn Host, context: &Context, options: &Options) -> Result<Found, StepError> {
    let record = Record::read(host).await?;
    let mut networks: Vec<Subnet> = Vec::new();
    for text in record.iter().flat_map(|record| &record.networks) {
        networks.extend(Subnet::parse(text));
    }
    networks.extend(networks_of_files(host).await?);

    let files = host.list(Path::new(paths::CNI_CONF)).await?;
    let newer = match &record {
        Some(_) => BTreeSet::new(),
        None if files.is_empty() => BTreeSet::new(),
        None => newer_than_ca(host, context).await?,
    };
    let before = record.as_ref().map(|record| &record.before.cni_files);
    let mut bridges = Vec::new();
    let mut cni_files = Vec::new();
    for file in cni::of_cluster(&files, &options.cni_files, before, &newer) {
        let path = format!("{}/{file}", paths::CNI_CONF);
        // A folder (multus.d) has no content.
        let content = if record::is_folder(host, &path).await? {
            None
        } else {
            host.read(Path::new(&path)).await?
        };
        if let Some(content) = content {
            let (of_file, subnets) = cni::traces(&String::from_utf8_lossy(&content));
            bridges.extend(of_file);
            networks.extend(subnets);
        }
        cni_files.push(path);
    }
    Ok(Found {
        for_kubeadm: is_for_kubeadm(host).await?,
        cri_socket: match &options.cri_socket {
            Some(socket) => Some(socket.clone()),
            None => state::cri_socket(host).await?,
        },
        admin: host.read(Path::new(paths::ADMIN_CONF)).await?,
        record,
        networks,
        bridges,
        cni_files,
    })
}

/// The pods' networks, as the controller manager and flannel know them.
async fn networks_of_files(host: &dyn Host) -> Result<Vec<Subnet>, StepError> {
    let mut found = Vec::new();
    for (path, key) in [
        (
            "/etc/kubernetes/manifests/kube-controller-manager.yaml",
            "--cluster-cidr=",
        ),
        ("/run/flannel/subnet.env", "FLANNEL_NETWORK="),
        ("/run/flannel/subnet.env", "FLANNEL_IPV6_NETWORK="),
    ] {
        let text = host.read(Path::new(path)).await?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let values = text
            .lines()
            .filter_map(|line| line.split_once(key))
            .map(|(_, value)| value.trim().trim_matches('"'));
        found.extend(
            values
                .flat_map(|value| value.split(','))
                .filter_map(Subnet::parse),
        );
    }
    Ok(found)
}

/// Files of the CNI folder that are younger than the cluster's authority; none where there is no `find`.
async fn newer_than_ca(host: &dyn Host, context: &Context) -> Result<BTreeSet<String>, StepError> {
    if host.stat(Path::new(paths::CA_CRT)).await?.is_none() {
        return Ok(BTreeSet::new());
    }
    let argv = [
        "find",
        paths::CNI_CONF,
        "-maxdepth",
        "1",
        "-type",
        "f",
        "-newer",
        paths::CA_CRT,
    ];
    match run_quietly(host, context, &argv).await {
        Ok(finished) => Ok(finished
            .stdout
            .lines()
            .filter_map(|path| path.rsplit('/').next())
            .map(str::to_owned)
            .collect()),
        Err(_) => Ok(BTreeSet::new()),
    }
}

/// Whether kubeadm or a kubelet left anything. A certificate authority alone is the user's own, for a cluster to come.
async fn is_for_kubeadm(host: &dyn Host) -> Result<bool, StepError> {
    for path in [
        paths::ADMIN_CONF,
        paths::KUBELET_CONF,
        paths::BOOTSTRAP_CONF,
        "/etc/kubernetes/controller-manager.conf",
        "/etc/kubernetes/scheduler.conf",
        "/etc/kubernetes/pki/apiserver.crt",
        "/etc/kubernetes/pki/sa.key",
        "/var/lib/etcd/member",
        "/var/lib/kubelet/config.yaml",
        paths::KUBELET_FLAGS,
    ] {
        if host.stat(Path::new(path)).await?.is_some() {
            return Ok(true);
        }
    }
    // Other static pods are the user's own.
    for name in paths::CONTROL_PLANE {
        let path = format!("{}/{name}.yaml", paths::MANIFESTS);
        if host.stat(Path::new(&path)).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

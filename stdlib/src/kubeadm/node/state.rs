//! What is on a machine: nothing, a control plane, a node of another cluster, or the remains of an attempt.

use std::path::Path;

use psprun_engine::StepError;

use super::kubeconfig::Kubeconfig;
use super::paths;
use super::record::Record;
use crate::target::Host;

/// What the files of a machine say.
#[derive(Debug, Clone)]
pub enum OnDisk {
    /// No cluster.
    Nothing,
    /// A control plane.
    ControlPlane {
        /// The administrator's kubeconfig.
        admin: Kubeconfig,
        /// Whether the files say that an init or join broke off.
        broke_off: bool,
    },
    /// A node without a control plane.
    Worker {
        /// The kubelet's kubeconfig.
        kubelet: Kubeconfig,
    },
    /// Remains without a whole kubeconfig.
    Remains {
        /// What is there.
        files: Vec<String>,
    },
}

/// Looks at the files.
///
/// # Errors
/// A file cannot be read.
pub async fn look(host: &dyn Host) -> Result<OnDisk, StepError> {
    let record = Record::read(host).await?;
    let kubelet = Kubeconfig::read(host, paths::KUBELET_CONF).await?;
    if let Some(admin) = Kubeconfig::read(host, paths::ADMIN_CONF).await? {
        // Without a record nobody can tell a cluster that is down from one that was never finished: only where even
        // the kubelet has no kubeconfig kubeadm ended early.
        let broke_off = match &record {
            Some(record) => !record.finished,
            None => kubelet.is_none(),
        };
        return Ok(OnDisk::ControlPlane { admin, broke_off });
    }
    if let Some(kubelet) = kubelet {
        return Ok(OnDisk::Worker { kubelet });
    }
    let mut files = Vec::new();
    if host.stat(Path::new(paths::BOOTSTRAP_CONF)).await?.is_some() {
        files.push(paths::BOOTSTRAP_CONF.to_owned());
    }
    for name in paths::CONTROL_PLANE {
        let path = format!("{}/{name}.yaml", paths::MANIFESTS);
        if host.stat(Path::new(&path)).await?.is_some() {
            files.push(path);
        }
    }
    Ok(if files.is_empty() {
        OnDisk::Nothing
    } else {
        OnDisk::Remains { files }
    })
}

/// The name of this machine's node, as far as its files say it; otherwise the host's name, as kubeadm takes it.
///
/// # Errors
/// A file cannot be read.
pub async fn node_name(host: &dyn Host) -> Result<String, StepError> {
    if let Some(kubelet) = Kubeconfig::read(host, paths::KUBELET_CONF).await?
        && let Some(name) = kubelet.user.strip_prefix("system:node:")
    {
        return Ok(name.to_owned());
    }
    let flags = host
        .read(Path::new(paths::KUBELET_FLAGS))
        .await?
        .unwrap_or_default();
    if let Some(name) = flag(&String::from_utf8_lossy(&flags), "hostname-override") {
        return Ok(name.to_owned());
    }
    let name = host
        .read(Path::new("/proc/sys/kernel/hostname"))
        .await?
        .unwrap_or_default();
    Ok(String::from_utf8_lossy(&name).trim().to_lowercase())
}

/// The container runtime's socket that the kubelet was told of.
///
/// # Errors
/// The file cannot be read.
pub async fn cri_socket(host: &dyn Host) -> Result<Option<String>, StepError> {
    let flags = host
        .read(Path::new(paths::KUBELET_FLAGS))
        .await?
        .unwrap_or_default();
    let flags = String::from_utf8_lossy(&flags);
    Ok(flag(&flags, "container-runtime-endpoint")
        .map(|socket| socket.trim_start_matches("unix://").to_owned()))
}

/// The value of a flag in `KUBELET_KUBEADM_ARGS="--a=1 --b=2"`.
fn flag<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("--{name}="))?;
    rest.split(|c: char| c.is_whitespace() || c == '"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_the_kubelet_are_found() {
        let text = "KUBELET_KUBEADM_ARGS=\"--container-runtime=remote --container-runtime-endpoint=/run/containerd/containerd.sock\"\n";
        assert_eq!(
            flag(text, "container-runtime-endpoint"),
            Some("/run/containerd/containerd.sock")
        );
        assert_eq!(flag(text, "container-runtime"), Some("remote"));
        assert_eq!(flag(text, "hostname-override"), None);
    }
}

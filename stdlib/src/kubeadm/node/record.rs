//! What psprun writes down on a machine before kubeadm changes it: what was there, so that a reset takes away what came
//! after and nothing else; and whether the work came to its end.

use std::collections::BTreeSet;
use std::path::Path;

use psprun_engine::StepError;
use serde::{Deserialize, Serialize};

use super::paths;
use crate::target::{FileKind, Host, WriteOptions};

/// Where it is; a reset removes it.
pub const PATH: &str = "/var/lib/psprun/node.json";

/// The folders that kubeadm, the kubelet, pods and network plugins make, inner ones first.
pub const FOLDERS: [&str; 15] = [
    "/etc/kubernetes/manifests",
    "/etc/kubernetes/pki/etcd",
    "/etc/kubernetes/pki",
    "/etc/kubernetes/tmp",
    "/etc/kubernetes",
    "/etc/cni/net.d",
    "/etc/cni",
    "/var/lib/etcd",
    "/var/lib/kubelet",
    "/var/lib/dockershim",
    "/var/lib/cni",
    "/var/log/pods",
    "/var/log/containers",
    "/run/flannel",
    "/run/kubernetes",
];

/// What was done to a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// `init` or `join`.
    pub by: String,
    /// Whether it came to its end.
    pub finished: bool,
    /// What was there before.
    pub before: Before,
    /// The pods' networks, as far as they are known.
    #[serde(default)]
    pub networks: Vec<String>,
    /// The copies of the kubeconfig that were made.
    #[serde(default)]
    pub copies: Vec<KubeconfigCopy>,
}

/// A copy of the kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubeconfigCopy {
    /// Where it is.
    pub path: String,
    /// The hex SHA-256 of its content: it is removed when it is still the same.
    pub sha256: String,
    /// Whether its folder was made for it.
    pub folder_made: bool,
}

/// What was there before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Those of [`FOLDERS`] that were there.
    pub folders: BTreeSet<String>,
    /// The files of /etc/cni/net.d.
    pub cni_files: BTreeSet<String>,
    /// The network links.
    pub links: BTreeSet<String>,
}

impl Before {
    /// Looks at the machine.
    ///
    /// # Errors
    /// A folder cannot be looked at.
    pub async fn look(host: &dyn Host) -> Result<Self, StepError> {
        let mut folders = BTreeSet::new();
        for folder in FOLDERS {
            if is_folder(host, folder).await? {
                folders.insert(folder.to_owned());
            }
        }
        Ok(Self {
            folders,
            cni_files: host.list(Path::new(paths::CNI_CONF)).await?.into_iter().collect(),
            links: links(host).await?,
        })
    }
}

/// The network links of the machine.
///
/// # Errors
/// They cannot be listed.
pub async fn links(host: &dyn Host) -> Result<BTreeSet<String>, StepError> {
    // `bonding_masters` is a file among the links.
    let names = host.list(Path::new("/sys/class/net")).await?;
    Ok(names
        .into_iter()
        .filter(|name| name != "bonding_masters")
        .collect())
}

/// Whether there is a folder.
///
/// # Errors
/// It cannot be looked at.
pub async fn is_folder(host: &dyn Host, path: &str) -> Result<bool, StepError> {
    Ok(host
        .stat(Path::new(path))
        .await?
        .is_some_and(|stat| stat.kind == FileKind::Folder))
}

impl Record {
    /// Reads it; `None` when psprun did nothing here.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn read(host: &dyn Host) -> Result<Option<Self>, StepError> {
        let Some(bytes) = host.read(Path::new(PATH)).await? else {
            return Ok(None);
        };
        // One that cannot be understood is as good as none: a reset then goes by names alone.
        Ok(serde_json::from_slice(&bytes).ok())
    }

    /// Begins the work `by`. What an older record says of the time before stays true: nothing was reset since.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn begin(host: &dyn Host, by: &str) -> Result<Self, StepError> {
        let mut record = match Self::read(host).await? {
            Some(old) => old,
            None => Self {
                before: Before::look(host).await?,
                ..Self::default()
            },
        };
        record.by = by.to_owned();
        record.finished = false;
        record.write(host).await?;
        Ok(record)
    }

    /// Writes it.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn write(&self, host: &dyn Host) -> Result<(), StepError> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| {
            StepError::new(
                "psprun::kubeadm::record",
                format!("the record is no JSON: {error}"),
            )
        })?;
        let how = WriteOptions {
            mode: Some(0o600),
            owner: None,
        };
        host.write(Path::new(PATH), &text, &how).await
    }

    /// Removes it, with its folder when that is empty then; `false` when there was none.
    ///
    /// # Errors
    /// It cannot be removed.
    pub async fn remove(host: &dyn Host) -> Result<bool, StepError> {
        let there = host.remove(Path::new(PATH)).await?;
        if let Some(folder) = Path::new(PATH).parent()
            && there
            && host.list(folder).await?.is_empty()
        {
            host.remove(folder).await?;
        }
        Ok(there)
    }
}

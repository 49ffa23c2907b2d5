//! The copy of the administrator's kubeconfig for the user who runs psprun, as kubeadm's own words tell people to make.

use std::path::Path;

use psprun_engine::{Context, StepError};
use sha2::{Digest, Sha256};

use super::paths;
use super::record::KubeconfigCopy;
use crate::target::{Host, User, WriteOptions};

/// Where a copy is and whether it was made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Copied {
    /// Written now.
    Made(KubeconfigCopy),
    /// It was there.
    There(String),
    /// Another file is in the place: its path.
    Other(String),
}

/// `~/.kube/config` of the user who called, through sudo or not.
///
/// # Errors
/// The user is not known.
pub async fn place(host: &dyn Host) -> Result<(String, User), StepError> {
    let user = host.user().await?;
    let user = match user.sudo_caller {
        Some(caller) => *caller,
        None => user,
    };
    Ok((format!("{}/.kube/config", user.home.trim_end_matches('/')), user))
}

/// Copies the kubeconfig, mode 0600, unless another one is there.
///
/// # Errors
/// A file cannot be read or written.
pub async fn make(host: &dyn Host) -> Result<Copied, StepError> {
    let Some(admin) = host.read(Path::new(paths::ADMIN_CONF)).await? else {
        return Err(StepError::new(
            "psprun::kubeadm::kubeconfig",
            format!("{} is missing", paths::ADMIN_CONF),
        ));
    };
    let (path, user) = place(host).await?;
    match host.read(Path::new(&path)).await? {
        Some(there) if there == admin => return Ok(Copied::There(path)),
        Some(there) if !there.trim_ascii().is_empty() => return Ok(Copied::Other(path)),
        _ => {}
    }
    let owner = Some(format!("{}:{}", user.uid, user.gid));
    let folder = Path::new(&path).parent().unwrap_or(Path::new("/")).to_owned();
    let is_new = host.stat(&folder).await?.is_none();
    host.write(
        Path::new(&path),
        &admin,
        &WriteOptions {
            mode: Some(0o600),
            owner: owner.clone(),
        },
    )
    .await?;
    if is_new {
        // Made on the way by root: it is the user's, as `mkdir -p $HOME/.kube` would have it.
        host.set_attributes(
            &folder,
            &WriteOptions {
                mode: Some(0o755),
                owner,
            },
        )
        .await?;
    }
    Ok(Copied::Made(KubeconfigCopy {
        path,
        sha256: sha256(&admin),
        folder_made: is_new,
    }))
}

/// The hex SHA-256 of a content.
pub fn sha256(content: &[u8]) -> String {
    Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Tells the user of a file that was left alone.
pub fn tell_of_other(context: &Context, path: &str) {
    context.warn(format!(
        "{path} is left alone, it is of another cluster: use KUBECONFIG={}, or remove the file and run again",
        paths::ADMIN_CONF
    ));
}

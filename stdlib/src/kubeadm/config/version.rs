//! Versions of kubeadm and Kubernetes, and which of the one deploys which of the other.

use psprun_engine::StepError;
use semver::Version;

/// The oldest kubeadm that psprun renders a configuration for.
pub const OLDEST_MINOR: u64 = 10;

/// Reads `v1.20.2` or `1.20.2`.
///
/// # Errors
/// It is no whole version. Labels such as `stable-1` are refused too: kubeadm resolves them on the Internet, and a
/// second run could not tell whether the cluster that is there is the one that is asked for.
pub fn parse(text: &str) -> Result<Version, StepError> {
    let bare = text.trim();
    let bare = bare.strip_prefix('v').unwrap_or(bare);
    let error = |help: &str| {
        StepError::new(
            "psprun::kubeadm::version",
            format!("{text:?} is no version of Kubernetes"),
        )
        .help(help)
    };
    if bare.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(error(
            "labels like stable-1 are looked up on the Internet and mean something else every month: write the \
             version, e.g. v1.20.2, or leave it out to deploy the version of the kubeadm that is installed",
        ));
    }
    let version = Version::parse(bare).map_err(|_| error("write it whole, e.g. v1.20.2"))?;
    if version.major != 1 {
        return Err(error("Kubernetes' versions start with 1."));
    }
    Ok(version)
}

/// `v1.20.2`, as kubeadm writes it.
pub fn show(version: &Version) -> String {
    format!("v{version}")
}

/// Whether this kubeadm deploys this Kubernetes: kubeadm 1.N deploys 1.N and 1.(N-1) (`MinimumControlPlaneVersion` and
/// the check `KubernetesVersion` of its preflight).
///
/// # Errors
/// It does not.
pub fn check_deploys(kubeadm: &Version, kubernetes: &Version) -> Result<(), StepError> {
    let newest = kubeadm.minor;
    let oldest = newest.saturating_sub(1);
    if (oldest..=newest).contains(&kubernetes.minor) {
        return Ok(());
    }
    let direction = if kubernetes.minor > newest {
        "newer"
    } else {
        "older"
    };
    Err(StepError::new(
        "psprun::kubeadm::version_skew",
        format!(
            "kubernetes_version {} is {direction} than what kubeadm {} deploys (1.{oldest} and 1.{newest})",
            show(kubernetes),
            show(kubeadm),
        ),
    )
    .help(format!(
        "install kubeadm, kubelet and kubectl 1.{}, or leave kubernetes_version out to deploy {}",
        kubernetes.minor,
        show(kubeadm),
    )))
}

/// # Errors
/// psprun has no configuration for a kubeadm this old.
pub fn check_supported(kubeadm: &Version) -> Result<(), StepError> {
    if kubeadm.minor >= OLDEST_MINOR {
        return Ok(());
    }
    Err(StepError::new(
        "psprun::kubeadm::version",
        format!(
            "kubeadm {} is older than psprun knows (1.{OLDEST_MINOR})",
            show(kubeadm)
        ),
    )
    .help(format!("install kubeadm 1.{OLDEST_MINOR} or newer")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn reads_versions_and_refuses_labels() {
        assert_eq!(show(&parse("1.20.2").unwrap()), "v1.20.2");
        assert_eq!(show(&parse("v1.20.2-rc.1+x").unwrap()), "v1.20.2-rc.1+x");
        for bad in ["stable-1", "v1.20", "", "v2.0.0", "ci/latest", "1"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_kubeadm_deploys_its_own_minor_and_the_one_before() {
        let kubeadm = parse("v1.20.2").unwrap();
        for (version, works) in [
            ("1.18.20", false),
            ("1.19.0", true),
            ("1.20.15", true),
            ("1.21.0", false),
        ] {
            assert_eq!(
                check_deploys(&kubeadm, &parse(version).unwrap()).is_ok(),
                works,
                "{version}"
            );
        }
        let error = check_deploys(&kubeadm, &parse("1.25.0").unwrap()).unwrap_err();
        insta::assert_snapshot!(format!("{error}\n{}", error.help.clone().unwrap()), @r"
        kubernetes_version v1.25.0 is newer than what kubeadm v1.20.2 deploys (1.19 and 1.20)
        install kubeadm, kubelet and kubectl 1.25, or leave kubernetes_version out to deploy v1.20.2
        ");
    }
}

//! kubeadm, kubelet and kubectl: there, and of one version.

use std::sync::LazyLock;

use psprun_engine::StepError;
use regex::Regex;

use super::look::Look;
use super::report::PreflightOutput;

pub(super) const NAME: &str = "programs";

static VERSION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"v(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?").ok());

pub(super) async fn check(look: &Look<'_>, report: &mut PreflightOutput) -> Result<(), StepError> {
    let (kubeadm, kubelet, kubectl) = futures::join!(
        version_of(look, &["kubeadm", "version", "-o", "short"]),
        version_of(look, &["kubelet", "--version"]),
        // The short form is gone from new versions, and the long one is older than JSON.
        version_of(look, &["kubectl", "version", "--client", "-o", "json"]),
    );
    let versions = [
        ("kubeadm", kubeadm?),
        ("kubelet", kubelet?),
        ("kubectl", kubectl?),
    ];
    let mut good = true;
    for (program, version) in &versions {
        let problem = match version {
            Found::Version(_) => continue,
            Found::Missing => "is not installed",
            Found::Silent => "does not tell its version",
        };
        let message = format!("{program} {problem}");
        good = false;
        if *program == "kubectl" {
            report.warning(
                NAME,
                message,
                "install it for people; psprun itself does not need it",
            );
        } else {
            report.error(
                NAME,
                message,
                "install kubeadm, kubelet and kubectl of one version, e.g. with host::packages",
            );
        }
    }
    let [kubeadm, kubelet, kubectl] = versions.map(|(_, found)| match found {
        Found::Version(version) => Some(version),
        _ => None,
    });
    if let Some(kubeadm) = &kubeadm {
        for (program, other) in [("kubelet", &kubelet), ("kubectl", &kubectl)] {
            let Some(other) = other.as_ref().filter(|other| *other != kubeadm) else {
                continue;
            };
            good = false;
            let message = format!("{program} is {other}, kubeadm {kubeadm}");
            let remedy = format!("install {program} {kubeadm}, and hold the three packages at one version");
            if program == "kubelet" && minor(other) != minor(kubeadm) {
                report.error(NAME, message, remedy);
            } else {
                report.warning(NAME, message, remedy);
            }
        }
        if good {
            report.ok(NAME, format!("kubeadm, kubelet and kubectl {kubeadm}"));
        }
    }
    report.kubeadm_version = kubeadm;
    report.kubelet_version = kubelet;
    report.kubectl_version = kubectl;
    Ok(())
}

enum Found {
    Version(String),
    Missing,
    Silent,
}

async fn version_of(look: &Look<'_>, argv: &[&str]) -> Result<Found, StepError> {
    let Some(finished) = look.run(argv).await? else {
        return Ok(Found::Missing);
    };
    let version = VERSION.as_ref().and_then(|regex| regex.find(&finished.stdout));
    Ok(version.map_or(Found::Silent, |version| {
        Found::Version(version.as_str().to_owned())
    }))
}

/// 20 of `v1.20.2`.
pub(super) fn minor(version: &str) -> Option<u32> {
    version.split('.').nth(1)?.parse().ok()
}

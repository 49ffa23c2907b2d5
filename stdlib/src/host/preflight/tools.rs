//! The programs that kubeadm, the kubelet and kube-proxy call.

use psprun_engine::StepError;

use super::look::Look;
use super::report::PreflightOutput;

pub(super) const NAME: &str = "tools";

/// Without these kubeadm refuses to work (its `InPath` checks that are mandatory).
const NEEDED: [&str; 5] = ["conntrack", "ip", "iptables", "mount", "nsenter"];
/// Without these it warns.
const USEFUL: [&str; 4] = ["ethtool", "socat", "tc", "touch"];

pub(super) async fn check(look: &Look<'_>, report: &mut PreflightOutput) -> Result<(), StepError> {
    let script = "for p in \"$@\"; do command -v \"$p\" >/dev/null || echo \"$p\"; done";
    let argv: Vec<&str> = ["sh", "-c", script, "sh"]
        .into_iter()
        .chain(NEEDED)
        .chain(USEFUL)
        .collect();
    let Some(finished) = look.run(&argv).await? else {
        report.warning(
            NAME,
            "there is no shell to look for programs with",
            "install one as /bin/sh",
        );
        return Ok(());
    };
    let missing = |wanted: &[&str]| {
        let missing: Vec<&str> = finished
            .stdout
            .lines()
            .filter(|name| wanted.contains(name))
            .collect();
        missing.join(", ")
    };
    let (needed, useful) = (missing(&NEEDED), missing(&USEFUL));
    let remedy = "install the packages conntrack, iproute2 (iproute), iptables, util-linux, ethtool, socat as far as they \
                  are missing";
    if !needed.is_empty() {
        report.error(NAME, format!("not found in PATH: {needed}"), remedy);
    }
    if !useful.is_empty() {
        report.warning(NAME, format!("not found in PATH: {useful}"), remedy);
    }
    if needed.is_empty() && useful.is_empty() {
        report.ok(NAME, "all programs that kubeadm calls are there");
    }
    Ok(())
}

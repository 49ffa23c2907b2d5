//! Whether the kernel forwards packets, and lets iptables see those of bridges.

use psprun_engine::StepError;

use super::look::Look;
use super::report::PreflightOutput;

pub(super) const NAME: &str = "ip-forward";
pub(super) const BRIDGE: &str = "bridge-nf";

const FORWARD: &str = "net.ipv4.ip_forward";
const BRIDGE_CALLS: &str = "net.bridge.bridge-nf-call-iptables";

pub(super) async fn check(look: &Look<'_>, report: &mut PreflightOutput) -> Result<(), StepError> {
    let mut repaired = Vec::new();
    if is_on(look, FORWARD).await? == Some(true) {
        report.ok(NAME, "the kernel forwards packets");
    } else {
        match set(look, FORWARD).await? {
            Set::Done => {
                report.fixed(NAME, format!("set {FORWARD} to 1"));
                repaired.push(FORWARD);
            }
            Set::NotTried => report.error(
                NAME,
                "the kernel does not forward packets",
                format!("`sysctl -w {FORWARD}=1`, and a file in /etc/sysctl.d so that it stays"),
            ),
            Set::Failed(why) => report.error(NAME, "the kernel does not forward packets", why),
        }
    }

    let mut bridge = is_on(look, BRIDGE_CALLS).await?;
    let mut failed = None;
    if bridge.is_none() && look.fix {
        match look.repair(&["modprobe", "br_netfilter"]).await {
            Ok(()) => {
                report.fixed(BRIDGE, "loaded the kernel module br_netfilter");
                look.keep("/etc/modules-load.d/psprun-kubernetes.conf", "br_netfilter\n")
                    .await?;
                bridge = is_on(look, BRIDGE_CALLS).await?;
            }
            Err(why) => failed = Some(format!("`modprobe br_netfilter` failed: {why}")),
        }
    }
    match bridge {
        Some(true) => report.ok(BRIDGE, "iptables sees the packets of bridges"),
        None => report.error(
            BRIDGE,
            "the kernel module br_netfilter is not loaded",
            failed.unwrap_or_else(|| {
                "`modprobe br_netfilter`, and a file in /etc/modules-load.d so that it is loaded at boot"
                    .to_owned()
            }),
        ),
        Some(false) => match set(look, BRIDGE_CALLS).await? {
            Set::Done => {
                report.fixed(BRIDGE, format!("set {BRIDGE_CALLS} to 1"));
                repaired.push(BRIDGE_CALLS);
            }
            Set::NotTried => report.error(
                BRIDGE,
                "iptables does not see the packets of bridges",
                format!("`sysctl -w {BRIDGE_CALLS}=1`, and a file in /etc/sysctl.d so that it stays"),
            ),
            Set::Failed(why) => report.error(BRIDGE, "iptables does not see the packets of bridges", why),
        },
    }
    if !repaired.is_empty() {
        let lines: String = repaired.iter().map(|name| format!("{name} = 1\n")).collect();
        look.keep("/etc/sysctl.d/90-psprun-kubernetes.conf", &lines)
            .await?;
    }
    Ok(())
}

enum Set {
    Done,
    NotTried,
    Failed(String),
}

async fn set(look: &Look<'_>, name: &str) -> Result<Set, StepError> {
    if !look.fix {
        return Ok(Set::NotTried);
    }
    // As the shell can: sysctl itself is in a package that need not be there.
    let write = format!("echo 1 > {}", path(name));
    Ok(match look.repair(&["sh", "-c", &write]).await {
        Err(why) => Set::Failed(format!("it cannot be set: {why}")),
        Ok(()) if is_on(look, name).await? == Some(true) => Set::Done,
        Ok(()) => Set::Failed(format!("`{write}` has no effect")),
    })
}

/// Whether a setting is on; `None` when the kernel does not have it.
async fn is_on(look: &Look<'_>, name: &str) -> Result<Option<bool>, StepError> {
    Ok(look.text(&path(name)).await?.map(|value| value.trim() == "1"))
}

fn path(name: &str) -> String {
    format!("/proc/sys/{}", name.replace('.', "/"))
}

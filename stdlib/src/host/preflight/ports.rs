//! The ports that a node's programs listen on.

use psprun_engine::StepError;

use super::look::{Look, Role};
use super::report::PreflightOutput;

pub(super) const NAME: &str = "ports";

const CONTROL_PLANE: [(u16, &str); 6] = [
    (6443, "kube-apiserver"),
    (10250, "kubelet"),
    (10257, "kube-controller-manager"),
    (10259, "kube-scheduler"),
    (2379, "etcd"),
    (2380, "etcd"),
];
const WORKER: [(u16, &str); 1] = [(10250, "kubelet")];

pub(super) async fn check(look: &Look<'_>, report: &mut PreflightOutput) -> Result<(), StepError> {
    report.is_node = look.is_node;
    if look.is_node {
        report.ok(
            NAME,
            "this machine is a node already: its ports are taken by itself",
        );
        return Ok(());
    }
    let wanted: &[(u16, &str)] = match look.role {
        Role::ControlPlane => &CONTROL_PLANE,
        Role::Worker => &WORKER,
    };
    let mut free = true;
    for (port, user) in wanted {
        if look.host.port_taken(*port).await {
            free = false;
            let by = taken_by(look, *port).await?;
            let who = by.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
            report.error(
                NAME,
                format!("port {port}, which {user} needs, is taken{who}"),
                "end what listens there (`ss -ltnp` tells), or reset a cluster that is half there: `kubeadm reset`",
            );
        }
    }
    if free {
        let list: Vec<String> = wanted.iter().map(|(port, _)| port.to_string()).collect();
        report.ok(NAME, format!("free: {}", list.join(", ")));
    }
    Ok(())
}

/// The program that listens on a port, where `ss` is there to tell.
async fn taken_by(look: &Look<'_>, port: u16) -> Result<Option<String>, StepError> {
    let filter = format!("sport = :{port}");
    let told = look.run(&["ss", "-Hltnp", &filter]).await?;
    Ok(told.and_then(|finished| program(&finished.stdout)))
}

/// `etcd (pid 17)` of `… users:(("etcd",pid=17,fd=3))`.
fn program(line: &str) -> Option<String> {
    let (_, users) = line.split_once("users:((\"")?;
    let (name, rest) = users.split_once('"')?;
    let pid = rest.strip_prefix(",pid=")?.split(',').next()?;
    Some(format!("{name} (pid {pid})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_who_listens() {
        let line = "LISTEN 0 4096 127.0.0.1:2379 0.0.0.0:* users:((\"etcd\",pid=17,fd=3))";
        assert_eq!(program(line).as_deref(), Some("etcd (pid 17)"));
        assert_eq!(program("LISTEN 0 5 0.0.0.0:2379 0.0.0.0:*"), None);
    }
}

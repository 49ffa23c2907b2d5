//! The container runtime: which one, and whether it is alive.

use psprun_engine::StepError;

use super::look::Look;
use super::programs::minor;
use super::report::PreflightOutput;

pub(super) const NAME: &str = "runtime";

/// The sockets at their usual places, and the runtimes behind them.
const USUAL: [(&str, &str); 4] = [
    ("/run/containerd/containerd.sock", "containerd"),
    ("/run/crio/crio.sock", "cri-o"),
    ("/run/cri-dockerd.sock", "cri-dockerd"),
    (DOCKER, "docker"),
];
const DOCKER: &str = "/run/docker.sock";
/// Where the kubelet itself spoke CRI for docker, until 1.23.
const DOCKERSHIM: &str = "/var/run/dockershim.sock";
const LAST_WITH_DOCKERSHIM: u32 = 23;

pub(super) async fn check(
    look: &Look<'_>,
    report: &mut PreflightOutput,
    told: Option<&str>,
) -> Result<(), StepError> {
    let kubeadm = report.kubeadm_version.as_deref().and_then(minor);
    let with_dockershim = kubeadm.is_some_and(|minor| minor <= LAST_WITH_DOCKERSHIM);
    let listening = listening(&look.text("/proc/net/unix").await?.unwrap_or_default());
    let alive = |socket: &str| listening.iter().any(|path| path == &plain(socket));
    let form = |socket: &str| {
        if with_dockershim {
            socket.to_owned()
        } else {
            format!("unix://{socket}")
        }
    };

    if let Some(told) = told {
        let socket = plain(told);
        if alive(&socket) || socket == plain(DOCKERSHIM) && alive(DOCKER) {
            let known = USUAL.iter().find(|(usual, _)| *usual == socket);
            let name = known.map_or("the runtime", |(_, name)| name);
            report.ok(NAME, format!("{name} listens at {told}"));
            report.runtime = known.map(|(_, name)| (*name).to_owned());
            report.cri_socket = Some(told.to_owned());
        } else {
            let message = format!("nothing listens at {told}");
            report.error(
                NAME,
                message,
                "start the container runtime, or correct `cri_socket`",
            );
        }
        return Ok(());
    }

    let mut found: Vec<(&str, &str)> = USUAL.into_iter().filter(|(socket, _)| alive(socket)).collect();
    // docker brings a containerd of its own: while the kubelet speaks to docker, kubeadm takes that.
    if let Some(docker) = found.iter().position(|(_, name)| *name == "docker") {
        if with_dockershim {
            report.ok(NAME, "docker is alive");
            report.runtime = Some("docker".to_owned());
            report.cri_socket = Some(DOCKERSHIM.to_owned());
            return Ok(());
        }
        if kubeadm.is_some() && found.len() == 1 {
            report.error(
                NAME,
                "docker is alive, which this Kubernetes does not speak to by itself",
                "install cri-dockerd, or use docker's containerd (take `cri` out of disabled_plugins in its config.toml)",
            );
            return Ok(());
        }
        found.remove(docker);
    }
    match *found.as_slice() {
        [] => {
            let mut there = Vec::new();
            for (socket, name) in USUAL {
                if look.exists(socket).await? {
                    there.push(format!("{name}'s socket {socket} is there, but nobody listens"));
                }
            }
            if there.is_empty() {
                report.error(
                    NAME,
                    "no container runtime listens at a usual place",
                    "install containerd (or cri-o, or docker for Kubernetes before 1.24) and start it; say where with \
                     `cri_socket` if it listens elsewhere",
                );
            } else {
                report.error(
                    NAME,
                    there.join("; "),
                    "start it: `systemctl start containerd`, or crio, docker",
                );
            }
        }
        [(socket, name), ref others @ ..] => {
            report.runtime = Some(name.to_owned());
            report.cri_socket = Some(form(socket));
            if others.is_empty() {
                report.ok(NAME, format!("{name} listens at {socket}"));
            } else {
                let all: Vec<&str> = found.iter().map(|(_, name)| *name).collect();
                report.warning(
                    NAME,
                    format!(
                        "several container runtimes are alive: {}; {name} is taken",
                        all.join(", ")
                    ),
                    "say which with `cri_socket`, here and for kubeadm",
                );
            }
        }
    }
    Ok(())
}

/// A socket's path as the table has it: without a scheme, in `/run`.
fn plain(socket: &str) -> String {
    let path = socket.strip_prefix("unix://").unwrap_or(socket);
    match path.strip_prefix("/var/run/") {
        Some(rest) => format!("/run/{rest}"),
        None => path.to_owned(),
    }
}

/// The paths of `/proc/net/unix` that are listened at: `Num RefCount Protocol Flags Type St Inode Path`, where the flag
/// 0x10000 is that of a listening socket.
fn listening(table: &str) -> Vec<String> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace().skip(3);
            let flags = u32::from_str_radix(fields.next()?, 16).ok()?;
            let path = fields.nth(3)?;
            (flags & 0x10000 != 0).then(|| plain(path))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_sockets_are_told_from_others() {
        let table = "Num       RefCount Protocol Flags    Type St Inode Path\n\
                     000000005fa09b74: 00000002 00000000 00010000 0001 01 21003 /var/run/docker.sock\n\
                     00000000ee0f0b2e: 00000003 00000000 00000000 0001 03 21044 /run/containerd/containerd.sock\n\
                     00000000aa0f0b2e: 00000002 00000000 00000000 0002 01 16015\n";
        assert_eq!(listening(table), ["/run/docker.sock"]);
        assert_eq!(plain("unix:///var/run/crio/crio.sock"), "/run/crio/crio.sock");
    }
}

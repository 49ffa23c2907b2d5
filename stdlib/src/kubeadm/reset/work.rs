//! Takes a cluster away from a machine.

use std::path::Path;

use psprun_engine::{Context, StepError};

use super::found::{self, Found};
use super::{Cleaned, Options, links, routes, tables};
use crate::kubeadm::node::copy::{self, sha256};
use crate::kubeadm::node::record::{self, FOLDERS, Record};
use crate::kubeadm::node::{failure, kubeadm};
use crate::target::{Command, Host};

/// Folders of which all content is the cluster's.
const WHOLE: [&str; 9] = [
    "/etc/kubernetes/tmp",
    "/var/lib/etcd",
    "/var/lib/kubelet",
    "/var/lib/dockershim",
    "/var/lib/cni",
    "/var/log/pods",
    "/var/log/containers",
    "/run/flannel",
    "/run/kubernetes",
];

/// Folders that go when they are empty where nobody looked before the cluster: packages make the others too.
const GO_WHEN_EMPTY: [&str; 6] = [
    "/etc/kubernetes/pki/etcd",
    "/etc/kubernetes/pki",
    "/etc/kubernetes/tmp",
    "/var/lib/etcd",
    "/var/lib/dockershim",
    "/run/flannel",
];

/// Does it all; goes on after a problem, so that a second run has less to do.
///
/// # Errors
/// kubeadm reset fails, the run is stopped, or something cannot be looked at.
pub async fn reset(host: &dyn Host, context: &Context, options: &Options) -> Result<Cleaned, StepError> {
    let found = found::look(host, context, options).await?;
    kubeadm::check_not_stopped(context, "nothing was changed")?;
    let mut cleaned = Cleaned::default();
    if found.for_kubeadm {
        run_kubeadm(host, context, options, &found).await?;
        cleaned.done.kubeadm = true;
    }
    context.progress("removing what the pod network left");
    for path in &found.cni_files {
        if host.remove(Path::new(path)).await? {
            cleaned.done.files.push(path.clone());
        }
    }
    let there = record::links(host).await?;
    if there.contains("kube-ipvs0") {
        tables::clean_ipvs(host, context, &found, &mut cleaned).await;
    }
    if options.flush_all {
        tables::flush_all(host, context, &mut cleaned).await?;
    } else {
        tables::clean_iptables(host, context, &found, &mut cleaned).await?;
    }
    remove_links(host, context, options, &found, &mut cleaned).await?;
    remove_routes(host, context, &found, &mut cleaned).await;
    tables::clean_sets(host, context, &mut cleaned).await;
    tables::clean_nft(host, context, &mut cleaned).await;
    remove_folders(host, &found, &mut cleaned).await?;
    remove_copies(host, &found, &mut cleaned).await?;
    if cleaned.problems.is_empty() {
        // What it says is what a further try needs.
        Record::remove(host).await?;
    }
    Ok(cleaned)
}

async fn run_kubeadm(
    host: &dyn Host,
    context: &Context,
    options: &Options,
    found: &Found,
) -> Result<(), StepError> {
    let version = kubeadm::installed(host, context).await?;
    let mut command = Command::new(["kubeadm", "reset"]);
    // 1.11 and older ask nothing.
    if version.minor >= 12 {
        command.argv.push("--force".to_owned());
    }
    if let Some(socket) = &found.cri_socket {
        let socket = crate::kubeadm::config::render::cri_socket(socket, version.minor);
        command.argv.extend(["--cri-socket".to_owned(), socket]);
    }
    if !options.ignore_preflight_errors.is_empty() {
        command.argv.extend([
            "--ignore-preflight-errors".to_owned(),
            options.ignore_preflight_errors.join(","),
        ]);
    }
    let finished = kubeadm::run_phases(host, context, command).await?;
    if finished.code != 0 {
        return Err(failure::explain("kubeadm reset", &finished, &[]));
    }
    for line in finished
        .stderr
        .lines()
        .filter(|line| line.contains("Failed to") || line.contains("could not be stopped"))
    {
        context.warn(line.trim());
    }
    Ok(())
}

async fn remove_links(
    host: &dyn Host,
    context: &Context,
    options: &Options,
    found: &Found,
    cleaned: &mut Cleaned,
) -> Result<(), StepError> {
    let there = record::links(host).await?;
    let mut doomed: Vec<String> = Vec::new();
    for link in links::of_cluster(&there, found.links_before(), &found.bridges, &options.links) {
        // The pods' ends of the cables may have gone with them, or be left when the runtime forgot them.
        for port in host
            .list(Path::new(&format!("/sys/class/net/{link}/brif")))
            .await?
        {
            if port.starts_with("veth") && found.links_before().is_none_or(|before| !before.contains(&port)) {
                doomed.push(port);
            }
        }
        doomed.push(link.to_owned());
    }
    for link in doomed {
        if cleaned.done.links.contains(&link) {
            continue;
        }
        match tables::try_run(host, context, &["ip", "link", "delete", &link]).await {
            Some(finished) if finished.code == 0 => cleaned.done.links.push(link),
            // It went with its other end.
            Some(finished) if finished.stderr.contains("Cannot find device") => {}
            other => cleaned
                .problems
                .push(format!("ip link delete {link}: {}", tables::why(other))),
        }
    }
    // The kernel's own tunnel, which Calico gives an address, cannot be deleted.
    let tunnel_is_new = found
        .links_before()
        .is_none_or(|before| !before.contains("tunl0"));
    if there.contains("tunl0") && tunnel_is_new {
        let addresses = tables::try_run(host, context, &["ip", "-o", "addr", "show", "dev", "tunl0"]).await;
        if addresses.is_some_and(|shown| !shown.stdout.trim().is_empty()) {
            for argv in [
                ["ip", "addr", "flush", "dev", "tunl0"],
                ["ip", "link", "set", "tunl0", "down"],
            ] {
                tables::try_run(host, context, &argv).await;
            }
            cleaned.done.links.push("tunl0 (its address)".to_owned());
        }
    }
    Ok(())
}

async fn remove_routes(host: &dyn Host, context: &Context, found: &Found, cleaned: &mut Cleaned) {
    for family in ["-4", "-6"] {
        let Some(shown) = tables::try_run(host, context, &["ip", family, "route", "show"]).await else {
            return;
        };
        for route in routes::of_cluster(&shown.stdout, &found.networks) {
            let mut argv = vec!["ip", family, "route", "delete"];
            argv.extend(route.iter().map(String::as_str));
            match tables::try_run(host, context, &argv).await {
                Some(finished) if finished.code == 0 => cleaned.done.routes.push(route.join(" ")),
                other => cleaned
                    .problems
                    .push(format!("{}: {}", argv.join(" "), tables::why(other))),
            }
        }
    }
}

async fn remove_folders(host: &dyn Host, found: &Found, cleaned: &mut Cleaned) -> Result<(), StepError> {
    let mounts = host.read(Path::new("/proc/mounts")).await?.unwrap_or_default();
    let mounts = String::from_utf8_lossy(&mounts).into_owned();
    let is_of_cluster = cleaned.done.kubeadm || found.record.is_some();
    for folder in FOLDERS {
        if !record::is_folder(host, folder).await? {
            continue;
        }
        let names = host.list(Path::new(folder)).await?;
        // Where another program uses CNI, its leases are there too.
        let others_use_it =
            folder == "/var/lib/cni" && !host.list(Path::new("/etc/cni/net.d")).await?.is_empty();
        let may_be_emptied = WHOLE.contains(&folder)
            && !others_use_it
            && (is_of_cluster || folder == "/run/flannel" || folder == "/var/lib/cni");
        if may_be_emptied && !names.is_empty() {
            if let Some(mount) = mount_below(&mounts, folder) {
                // What is mounted there is somebody's data.
                cleaned.problems.push(format!(
                    "{mount} is mounted: {folder} is left (umount {mount}, then reset again)"
                ));
                continue;
            }
            for name in &names {
                host.remove(Path::new(&format!("{folder}/{name}"))).await?;
            }
        }
        let is_empty = names.is_empty() || may_be_emptied;
        let is_new = match &found.record {
            Some(record) => !record.before.folders.contains(folder),
            None => folder == "/run/flannel" || (cleaned.done.kubeadm && GO_WHEN_EMPTY.contains(&folder)),
        };
        let goes = is_empty && is_new && mount_at(&mounts, folder).is_none();
        if goes && host.remove(Path::new(folder)).await? {
            cleaned.done.files.push(folder.to_owned());
        } else if may_be_emptied && !names.is_empty() {
            cleaned.done.files.push(format!("{folder}/*"));
        }
    }
    Ok(())
}

/// Mount points are written with `\040` for a blank; none of ours has one.
fn mount_points(mounts: &str) -> impl Iterator<Item = &str> {
    mounts.lines().filter_map(|line| line.split(' ').nth(1))
}

fn mount_below<'m>(mounts: &'m str, folder: &str) -> Option<&'m str> {
    mount_points(mounts).find(|point| {
        point
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
    })
}

fn mount_at<'m>(mounts: &'m str, folder: &str) -> Option<&'m str> {
    mount_points(mounts).find(|point| *point == folder)
}

/// Removes copies of this cluster's kubeconfig: those that psprun made and nobody changed, and one that equals it.
async fn remove_copies(host: &dyn Host, found: &Found, cleaned: &mut Cleaned) -> Result<(), StepError> {
    let (usual, _) = copy::place(host).await?;
    let made = found.record.iter().flat_map(|record| record.copies.clone());
    let mut copies: Vec<(String, String, bool)> = made
        .map(|copy| (copy.path, copy.sha256, copy.folder_made))
        .collect();
    if let Some(admin) = &found.admin
        && !copies.iter().any(|(path, ..)| *path == usual)
    {
        copies.push((usual, sha256(admin), false));
    }
    for (path, hash, folder_made) in copies {
        let there = host.read(Path::new(&path)).await?;
        if there.is_none_or(|content| sha256(&content) != hash) {
            continue;
        }
        host.remove(Path::new(&path)).await?;
        cleaned.done.files.push(path.clone());
        if let Some(folder) = Path::new(&path).parent()
            && folder_made
        {
            // kubectl keeps what it learned of a server beside.
            let rest = host.list(folder).await?;
            if rest.iter().all(|name| name == "cache" || name == "http-cache") {
                host.remove(folder).await?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_seen() {
        let mounts = "tmpfs /var/lib/kubelet/pods/x/volumes tmpfs rw 0 0\n/dev/a /var/lib/etcd ext4 rw 0 0\n";
        assert_eq!(
            mount_below(mounts, "/var/lib/kubelet"),
            Some("/var/lib/kubelet/pods/x/volumes")
        );
        assert_eq!(mount_below(mounts, "/var/lib/etcd"), None);
        assert_eq!(mount_below(mounts, "/var/lib/kube"), None);
        assert_eq!(mount_at(mounts, "/var/lib/etcd"), Some("/var/lib/etcd"));
    }
}

//! Why a command could not be started, and what to do about it.

use std::io::ErrorKind;
use std::path::Path;

use psprun_engine::StepError;
use rustix::io::Errno;

use super::supervise::folders;
use crate::target::Command;

/// Tells apart the many things that the system calls `No such file or directory` and `Permission denied`.
pub(super) fn start_error(command: &Command, error: &std::io::Error) -> StepError {
    let program = command.argv.first().map_or("", String::as_str);
    if let Some(folder) = &command.cwd {
        let path = Path::new(folder);
        if !path.is_dir() {
            let what = if path.exists() {
                "is no folder"
            } else {
                "does not exist"
            };
            return StepError::new(
                "psprun::host::cwd",
                format!("`{program}` cannot run in {folder}: it {what}"),
            )
            .help("make the folder in an earlier step, or correct `cwd`");
        }
    }
    let is_path = program.contains('/');
    match error.kind() {
        ErrorKind::NotFound if is_path && Path::new(program).exists() => StepError::new(
            "psprun::host::interpreter",
            format!("{program} is there, but what is to interpret or load it is not"),
        )
        .help("look at its first line (`#!…`); for a binary, it may be built for another libc or another architecture"),
        // The system also says so when it may not look into one of PATH's folders.
        ErrorKind::NotFound | ErrorKind::PermissionDenied if !is_path && !is_in_path(program, command) => {
            missing(program, is_path)
        }
        ErrorKind::NotFound => missing(program, is_path),
        ErrorKind::PermissionDenied => StepError::new(
            "psprun::host::not_executable",
            format!("cannot run `{program}`: permission denied"),
        )
        .help(format!(
            "make it executable (`chmod +x {program}`), or run psprun as root if only root may run it; \
             a folder on its path may also be mounted noexec"
        )),
        ErrorKind::InvalidInput => StepError::new(
            "psprun::host::bad_argument",
            format!("cannot run `{program}`: an argument or a variable has a NUL byte in it"),
        )
        .help("give binary data through `stdin` or a file"),
        ErrorKind::ArgumentListTooLong => StepError::new(
            "psprun::host::too_long",
            format!("cannot run `{program}`: its arguments and environment are too long for the system"),
        )
        .help("give the data through `stdin` or a file"),
        _ if error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) => StepError::new(
            "psprun::host::not_a_program",
            format!("cannot run `{program}`: it is no program that this machine knows"),
        )
        .help("a script needs a first line such as `#!/bin/sh`; a binary must be built for this architecture"),
        ErrorKind::WouldBlock | ErrorKind::OutOfMemory => StepError::new(
            "psprun::host::exhausted",
            format!("cannot run `{program}`: the machine has no room for another process ({error})"),
        )
        .help("run fewer steps at once (`--jobs`), or raise the limit on processes and memory")
        .heals(),
        _ => {
            let failed = StepError::new("psprun::host::start", format!("cannot run `{program}`: {error}"));
            // Too many open files: some will be closed by and by.
            if [Errno::MFILE, Errno::NFILE]
                .iter()
                .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
            {
                failed
                    .help("run fewer steps at once (`--jobs`), or raise the limit on open files")
                    .heals()
            } else {
                failed
            }
        }
    }
}

fn missing(program: &str, is_path: bool) -> StepError {
    let place = if is_path {
        "there is no such file"
    } else {
        "it is in no folder of PATH"
    };
    StepError::new(
        "psprun::host::missing_program",
        format!("cannot run `{program}`: {place}"),
    )
    .help(where_from(program))
}

/// Whether a folder of PATH has a file of this name, be it executable or not.
fn is_in_path(program: &str, command: &Command) -> bool {
    folders(command).any(|folder| folder.join(program).exists())
}

/// Where a missing program comes from.
fn where_from(program: &str) -> String {
    let name = program.rsplit('/').next().unwrap_or(program);
    let package = match name {
        "kubeadm" | "kubelet" | "kubectl" => {
            return format!(
                "install {name}: host::packages([\"kubeadm\", \"kubelet\", \"kubectl\"]) with the Kubernetes package \
                 repository set up (https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/)"
            );
        }
        "crictl" => "cri-tools",
        "containerd" | "ctr" => "containerd (or containerd.io)",
        "docker" | "dockerd" => "docker.io (or docker-ce)",
        "crio" | "crio-status" => "cri-o",
        "ip" | "ss" | "bridge" | "tc" => "iproute2 (iproute on Fedora and RHEL)",
        "iptables" | "iptables-save" | "iptables-restore" | "ip6tables" => "iptables",
        "modprobe" | "lsmod" | "depmod" => "kmod",
        "sysctl" | "ps" | "pgrep" | "pkill" => "procps (procps-ng on Fedora and RHEL)",
        "swapon" | "swapoff" | "mount" | "umount" | "nsenter" => "util-linux",
        "nft" => "nftables",
        "conntrack" | "ethtool" | "socat" | "ipset" | "ipvsadm" | "openssl" | "curl" | "jq" | "git"
        | "tar" | "sudo" | "bash" | "python3" | "make" | "rsync" | "unzip" => name,
        "systemctl" | "journalctl" => {
            return "this machine does not run systemd: use the commands of its own service manager"
                .to_owned();
        }
        "apt-get" | "apt-mark" | "dpkg" | "dpkg-query" => {
            return "this is no Debian or Ubuntu: its packages have other tools".to_owned();
        }
        "dnf" | "yum" | "rpm" => {
            return "this is no Fedora or RHEL: its packages have other tools".to_owned();
        }
        "helm" => {
            return "install helm: https://helm.sh/docs/intro/install/".to_owned();
        }
        "cd" | "export" | "source" | "." | "set" | "ulimit" | "umask" | "alias" => {
            return format!(
                "`{name}` is a word of the shell, no program: give the command as one string, `host::run(\"{name} …\")`"
            );
        }
        _ if name.contains(' ') => {
            return "a list is program and arguments, each on its own: give a whole command line as one string instead"
                .to_owned();
        }
        _ => return format!("install the package that has `{name}`, or give the whole path"),
    };
    format!("install the package {package}, e.g. with host::packages")
}

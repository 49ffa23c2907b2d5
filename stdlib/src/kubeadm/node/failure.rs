//! Why a kubeadm command failed: the phase it died in, what it said, and what usually is behind it.

use psprun_engine::StepError;
use regex::Regex;

use super::phases;
use crate::target::Finished;

/// What kubeadm says, and what to do. The first that is found counts.
const CAUSES: &[(&str, &str)] = &[
    (
        "unknown flag",
        "correct the flag where the playbook gives it (api_server_extra_args and the like): this version of the component does not know it",
    ),
    (
        "is in use",
        "another program has a port that Kubernetes needs: end it (ss -ltnp shows it); if it is an older cluster, kubeadm::reset first",
    ),
    (
        "already exists",
        "there are remains of an older cluster: kubeadm::reset first",
    ),
    (
        "is not empty",
        "there are remains of an older cluster: kubeadm::reset first",
    ),
    (
        "swap",
        "turn swap off: swapoff -a, and take it out of /etc/fstab; host::preflight(#{ fix: true }) does both",
    ),
    (
        "ip_forward",
        "let the kernel forward: sysctl -w net.ipv4.ip_forward=1; host::preflight(#{ fix: true }) does it and keeps it",
    ),
    (
        "bridge-nf-call",
        "load br_netfilter and set net.bridge.bridge-nf-call-iptables=1; host::preflight(#{ fix: true }) does both",
    ),
    ("is not running as root", "run psprun with sudo"),
    (
        "ImagePull",
        "the images cannot be pulled: look at the network and at image_repository, or load them beforehand (kubeadm config images list names them)",
    ),
    (
        "failed to pull image",
        "the images cannot be pulled: look at the network and at image_repository, or load them beforehand",
    ),
    (
        "number of available CPUs",
        "Kubernetes wants two CPUs: give the machine more, or ignore_preflight_errors: [\"NumCPU\"]",
    ),
    (
        "container runtime is not running",
        "start the container runtime, e.g. systemctl start containerd, and give its socket as cri_socket",
    ),
    (
        "multiple CRI",
        "there are several container runtimes: give the socket of one as cri_socket",
    ),
    (
        "multiple CRI sockets",
        "there are several container runtimes: give the socket of one as cri_socket",
    ),
    (
        "not found in system path",
        "install the program that is named, e.g. with host::packages",
    ),
    (
        "kubelet version is higher",
        "the kubelet must not be newer than the control plane: deploy its version, or install an older kubelet",
    ),
    (
        "token id",
        "the join token is not known to the cluster or has expired: make a new one with kubeadm::token",
    ),
    (
        "could not find a JWS signature",
        "the join token is not known to the cluster or has expired: make a new one with kubeadm::token",
    ),
    (
        "none of the public keys",
        "the cluster at this address is another one than the join data is of",
    ),
    (
        "cluster CA found in cluster-info ConfigMap is invalid",
        "the cluster at this address is another one than the join data is of",
    ),
    (
        "no default routes found",
        "the machine has no default route: give advertise_address",
    ),
    (
        "The kubelet is not running",
        "look at the kubelet: systemctl status kubelet, journalctl -xeu kubelet; frequent causes are swap, the cgroup driver, and a container runtime that does not answer",
    ),
    (
        "timed out waiting for the condition",
        "a component did not start: crictl ps -a shows the containers, journalctl -u kubelet what the kubelet says; a flag that it does not take ends a component at once",
    ),
];

/// How many lines of output an error shows.
const LINES: usize = 6;

/// Whether nothing was changed on the machine: kubeadm ended in its checks.
pub fn was_preflight(finished: &Finished) -> bool {
    died_in(finished).is_some_and(|phase| phase == "preflight")
        || !preflight_errors(&finished.stderr).is_empty()
}

/// Explains why `kubeadm init`, `join` or `reset` ended with an error. `more` is what else was found out on the machine.
pub fn explain(what: &str, finished: &Finished, more: &[String]) -> StepError {
    let checks = preflight_errors(&finished.stderr);
    // What the machine says goes before kubeadm's guesses.
    let all = format!("{}\n{}\n{}", more.join("\n"), finished.stderr, finished.stdout);
    if !checks.is_empty() {
        let list: String = checks
            .iter()
            .map(|(check, text)| format!("\n  {check}: {text}"))
            .collect();
        let mut help: Vec<&str> = Vec::new();
        for (check, text) in &checks {
            if let Some(remedy) = cause(&format!("{check} {text}"))
                && !help.contains(&remedy)
            {
                help.push(remedy);
            }
        }
        let only_images = checks.iter().all(|(check, _)| check == "ImagePull");
        let error = StepError::new(
            "psprun::kubeadm::preflight",
            format!("{what}: kubeadm's checks refuse this machine:{list}"),
        );
        let error = if help.is_empty() {
            let names: Vec<String> = checks.iter().map(|(check, _)| format!("{check:?}")).collect();
            error.help(format!(
                "mend it, or, if you know better, ignore_preflight_errors: [{}]",
                names.join(", ")
            ))
        } else {
            error.help(help.join("\n"))
        };
        // A registry may come back; the machine is as it was.
        return if only_images { error.heals() } else { error };
    }

    let phase = died_in(finished);
    let mut message = match phase {
        Some(phase) => format!("{what} failed in its phase {phase}"),
        None => format!("{what} ended with status {}", finished.code),
    };
    if let Some(reason) = reason(&finished.stderr) {
        message = format!("{message}: {reason}");
    }
    for line in more {
        message.push_str("\n  ");
        message.push_str(line);
    }
    let said = last_lines(&finished.stderr, &finished.stdout);
    if !said.is_empty() {
        message.push_str("\n  kubeadm said last:");
        for line in said {
            message.push_str("\n    ");
            message.push_str(&line);
        }
    }
    let error = StepError::new("psprun::kubeadm::failed", message);
    match cause(&all) {
        Some(remedy) => error.help(format!(
            "{remedy}\nbefore the next try: kubeadm::reset, or on_partial: \"reset\""
        )),
        None => error.help("before the next try: kubeadm::reset, or on_partial: \"reset\""),
    }
}

/// The checks that failed: `[ERROR Port-6443]: Port 6443 is in use`.
fn preflight_errors(stderr: &str) -> Vec<(String, String)> {
    let Ok(pattern) = Regex::new(r"^\s*\[ERROR ([^\]]+)\]:\s*(.*)$") else {
        return Vec::new();
    };
    let mut found: Vec<(String, String)> = Vec::new();
    for line in stderr.lines() {
        if let Some(parts) = pattern.captures(line) {
            found.push((parts[1].to_owned(), parts[2].trim().to_owned()));
        }
    }
    found
}

/// The phase that kubeadm names (1.13 and newer), else that of its last line of progress.
fn died_in(finished: &Finished) -> Option<&str> {
    let named = finished
        .stderr
        .lines()
        .find_map(|line| line.split_once("error execution phase ").map(|(_, rest)| rest));
    match named {
        Some(rest) => rest.split(':').next().map(str::trim),
        None => phases::last_phase(&finished.stdout),
    }
}

fn reason(stderr: &str) -> Option<&str> {
    let line = stderr
        .lines()
        .find(|line| line.contains("error execution phase "))?;
    let (_, rest) = line.split_once("error execution phase ")?;
    let (_, reason) = rest.split_once(": ")?;
    Some(reason.trim()).filter(|reason| !reason.is_empty())
}

fn cause(text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase();
    CAUSES
        .iter()
        .find(|(sign, _)| lower.contains(&sign.to_lowercase()))
        .map(|(_, remedy)| *remedy)
}

fn last_lines(stderr: &str, stdout: &str) -> Vec<String> {
    // kubeadm's own advice follows, fifteen lines of it.
    let stdout = stdout
        .split("This error is likely caused by")
        .next()
        .unwrap_or_default();
    let is_said = |line: &&str| {
        !line.is_empty()
            && !line.starts_with("To see the stack trace")
            && !line.contains("error execution phase ")
    };
    let lines: Vec<&str> = stdout
        .lines()
        .chain(stderr.lines())
        .map(str::trim)
        .filter(is_said)
        .collect();
    let start = lines.len().saturating_sub(LINES);
    lines[start..].iter().map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn says(stdout: &str, stderr: &str) -> String {
        let finished = Finished {
            code: 1,
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
        };
        let error = explain("kubeadm init", &finished, &[]);
        format!("[{}] {error}\nhelp: {}", error.code, error.help.clone().unwrap())
    }

    #[test]
    fn failed_checks_are_listed() {
        // kubeadm 1.20.2, a second init.
        let stderr = "error execution phase preflight: [preflight] Some fatal errors occurred:\n\
                      \t[ERROR Port-6443]: Port 6443 is in use\n\
                      \t[ERROR FileAvailable--etc-kubernetes-manifests-etcd.yaml]: /etc/kubernetes/manifests/etcd.yaml already exists\n\
                      \t[ERROR Swap]: running with swap on is not supported. Please disable swap\n\
                      [preflight] If you know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`\n\
                      To see the stack trace of this error execute with --v=5 or higher\n";
        insta::assert_snapshot!(says("[init] Using Kubernetes version: v1.20.2\n", stderr), @r"
        [psprun::kubeadm::preflight] kubeadm init: kubeadm's checks refuse this machine:
          Port-6443: Port 6443 is in use
          FileAvailable--etc-kubernetes-manifests-etcd.yaml: /etc/kubernetes/manifests/etcd.yaml already exists
          Swap: running with swap on is not supported. Please disable swap
        help: another program has a port that Kubernetes needs: end it (ss -ltnp shows it); if it is an older cluster, kubeadm::reset first
        there are remains of an older cluster: kubeadm::reset first
        turn swap off: swapoff -a, and take it out of /etc/fstab; host::preflight(#{ fix: true }) does both
        ");
        let finished = Finished {
            code: 1,
            stdout: String::new(),
            stderr: stderr.to_owned(),
        };
        assert!(was_preflight(&finished));
    }

    #[test]
    fn a_control_plane_that_does_not_come_up() {
        // kubeadm 1.20.2 without a kubelet.
        let stdout = "[etcd] Creating static Pod manifest for local etcd in \"/etc/kubernetes/manifests\"\n\
                      [wait-control-plane] Waiting for the kubelet to boot up the control plane as static Pods from directory \"/etc/kubernetes/manifests\". This can take up to 4m0s\n\
                      [kubelet-check] Initial timeout of 40s passed.\n\n\
                      \tUnfortunately, an error has occurred:\n\t\ttimed out waiting for the condition\n\n\
                      \tThis error is likely caused by:\n\t\t- The kubelet is not running\n";
        let stderr = "\t[WARNING Service-Kubelet]: kubelet service is not enabled, please run 'systemctl enable kubelet.service'\n\
                      error execution phase wait-control-plane: couldn't initialize a Kubernetes cluster\n\
                      To see the stack trace of this error execute with --v=5 or higher\n";
        insta::assert_snapshot!(says(stdout, stderr), @r#"
        [psprun::kubeadm::failed] kubeadm init failed in its phase wait-control-plane: couldn't initialize a Kubernetes cluster
          kubeadm said last:
            [etcd] Creating static Pod manifest for local etcd in "/etc/kubernetes/manifests"
            [wait-control-plane] Waiting for the kubelet to boot up the control plane as static Pods from directory "/etc/kubernetes/manifests". This can take up to 4m0s
            [kubelet-check] Initial timeout of 40s passed.
            Unfortunately, an error has occurred:
            timed out waiting for the condition
            [WARNING Service-Kubelet]: kubelet service is not enabled, please run 'systemctl enable kubelet.service'
        help: look at the kubelet: systemctl status kubelet, journalctl -xeu kubelet; frequent causes are swap, the cgroup driver, and a container runtime that does not answer
        before the next try: kubeadm::reset, or on_partial: "reset"
        "#);
    }

    #[test]
    fn an_old_kubeadm_names_no_phase() {
        let error = says(
            "[preflight] running\n[certificates] Generated ca certificate and key.\n",
            "disk full\n",
        );
        assert!(
            error.starts_with("[psprun::kubeadm::failed] kubeadm init failed in its phase certificates"),
            "{error}"
        );
        assert!(says("", "").starts_with("[psprun::kubeadm::failed] kubeadm init ended with status 1"));
    }
}

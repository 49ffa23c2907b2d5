//! What a machine can tell of a control plane that did not come up: components that end again and again, the kubelet's
//! last errors.

use std::path::Path;

use psprun_engine::{Context, StepError};

use super::kubeadm::run_quietly;
use super::paths::CONTROL_PLANE;
use crate::target::Host;

/// Where the kubelet has containers log to.
const POD_LOGS: &str = "/var/log/pods";

/// How many lines each source gives.
const LINES: usize = 3;

/// Reads the components' logs, and asks systemd and the journal; what is not there says nothing.
pub async fn gather(host: &dyn Host, context: &Context) -> Vec<String> {
    let mut found = components(host).await.unwrap_or_default();
    let ask = async |argv: &[&str]| {
        let finished = run_quietly(host, context, argv).await.ok();
        finished.map(|finished| finished.stdout).unwrap_or_default()
    };
    let state = ask(&["systemctl", "is-active", "kubelet"]).await;
    if !state.trim().is_empty() && state.trim() != "active" {
        found.push(format!("the kubelet is {}", state.trim()));
    }
    // Where a component has said why it ends, the kubelet's complaints are of the consequences.
    if found.is_empty() {
        let journal = ask(&[
            "journalctl",
            "-u",
            "kubelet",
            "-n",
            "200",
            "--no-pager",
            "-o",
            "cat",
        ])
        .await;
        found.extend(
            last_errors(&journal)
                .into_iter()
                .map(|line| format!("kubelet: {line}")),
        );
    }
    found
}

/// What the components said last that were started more than once.
async fn components(host: &dyn Host) -> Result<Vec<String>, StepError> {
    let mut found = Vec::new();
    let pods = host.list(Path::new(POD_LOGS)).await?;
    for program in CONTROL_PLANE {
        let start = format!("kube-system_{program}-");
        let mut last: Option<(u32, String)> = None;
        for pod in pods.iter().filter(|pod| pod.starts_with(&start)) {
            let folder = format!("{POD_LOGS}/{pod}/{program}");
            for file in host.list(Path::new(&folder)).await? {
                let Some(number) = file.strip_suffix(".log").and_then(|number| number.parse().ok()) else {
                    continue;
                };
                if last.as_ref().is_none_or(|(highest, _)| number > *highest) {
                    last = Some((number, format!("{folder}/{file}")));
                }
            }
        }
        let Some((restarts, path)) = last else { continue };
        let log = host.read(Path::new(&path)).await?.unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let messages: Vec<String> = log.lines().map(message).collect();
        let text = messages.join("\n");
        let mut errors: Vec<String> = last_errors(&text).into_iter().map(str::to_owned).collect();
        if restarts == 0 {
            // It runs, or is in its first try: only its own last word counts.
            errors.retain(|line| line.starts_with("Error:"));
        } else if errors.is_empty() {
            errors.extend(messages.into_iter().rev().find(|line| !line.is_empty()));
        }
        let times = if restarts == 0 {
            String::new()
        } else {
            format!(" (started {} times)", restarts + 1)
        };
        found.extend(errors.into_iter().map(|line| format!("{program}{times}: {line}")));
    }
    Ok(found)
}

/// The program's own words in a line of a container's log: of containerd and CRI-O (`TIME stderr F WORDS`), or of docker
/// (`{"log":"WORDS\n",…}`).
fn message(line: &str) -> String {
    if let Ok(json) = serde_json::from_str::<serde_json::Value>(line)
        && let Some(words) = json["log"].as_str()
    {
        return words.trim_end().to_owned();
    }
    let mut parts = line.splitn(4, ' ');
    match (parts.nth(1), parts.next(), parts.next()) {
        (Some("stdout" | "stderr"), Some("F" | "P"), Some(words)) => words.to_owned(),
        _ => line.to_owned(),
    }
}

/// The last lines that are errors: klog's E and F, cobra's `Error:`, a panic.
fn last_errors(log: &str) -> Vec<&str> {
    let is_error = |line: &&str| {
        let mut characters = line.chars();
        let klog = matches!(characters.next(), Some('E' | 'F'))
            && characters.next().is_some_and(|c| c.is_ascii_digit());
        klog || line.starts_with("Error:")
            || line.starts_with("panic:")
            || line.contains("failed to run Kubelet")
    };
    let mut errors: Vec<&str> = log.lines().map(str::trim).filter(is_error).collect();
    errors.dedup();
    // What ends a program is its last word, whatever it complained of before.
    if let Some(last) = errors
        .iter()
        .rposition(|line| line.starts_with("Error:") || line.starts_with("panic:"))
    {
        return vec![errors[last]];
    }
    let start = errors.len().saturating_sub(LINES);
    errors.split_off(start)
}

#[cfg(test)]
mod tests {
    use psprun_engine::plan::Files;

    use super::*;
    use crate::kubeadm::node::fake::FakeHost;

    #[test]
    fn errors_are_found() {
        let journal = "I1124 1 server.go:416] Version\nF1124 2 server.go:269] failed to run Kubelet: kubelet cgroup driver\n";
        assert_eq!(
            last_errors(journal),
            ["F1124 2 server.go:269] failed to run Kubelet: kubelet cgroup driver"]
        );
        assert_eq!(
            last_errors("E1124 a\nError: unknown flag: --x\nE1124 b\n"),
            ["Error: unknown flag: --x"]
        );
        assert!(last_errors("").is_empty());
        assert_eq!(
            message("2026-11-24T09:28:55.574Z stderr F Error: unknown flag: --x"),
            "Error: unknown flag: --x"
        );
        assert_eq!(
            message(r#"{"log":"Error: unknown flag: --x\n","stream":"stderr"}"#),
            "Error: unknown flag: --x"
        );
        assert_eq!(message("something else"), "something else");
    }

    #[tokio::test]
    async fn a_component_that_ends_says_why() {
        let host = FakeHost::default();
        let pod = "/var/log/pods/kube-system_kube-apiserver-ka_b559/kube-apiserver";
        host.put(&format!("{pod}/1.log"), "2026-11-24T09:28:35Z stderr F old\n");
        host.put(
            &format!("{pod}/2.log"),
            "2026-11-24T09:28:55Z stderr F Error: unknown flag: --no-such-flag\n",
        );
        host.put(
            "/var/log/pods/kube-system_etcd-ka_c799/etcd/0.log",
            "2026-11-24T09:28:55Z stderr F E1124 slow disk\n",
        );
        let (context, _told) = Context::detached(Files::default());
        assert_eq!(
            gather(&host, &context).await,
            ["kube-apiserver (started 3 times): Error: unknown flag: --no-such-flag"]
        );
    }
}

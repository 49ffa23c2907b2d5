//! What a machine can tell of a control plane that did not come up: the kubelet's last errors, containers that ended.

use psprun_engine::Context;

use super::kubeadm::run_quietly;
use crate::target::Host;

/// How many lines each source gives.
const LINES: usize = 3;

/// Asks systemd, the kubelet's journal and the container runtime; what is not there says nothing.
pub async fn gather(host: &dyn Host, context: &Context, cri_socket: Option<&str>) -> Vec<String> {
    let mut found = Vec::new();
    let ask = async |argv: &[&str]| {
        let finished = run_quietly(host, context, argv).await.ok();
        finished.map(|finished| finished.stdout).unwrap_or_default()
    };
    let state = ask(&["systemctl", "is-active", "kubelet"]).await;
    if !state.trim().is_empty() && state.trim() != "active" {
        found.push(format!("the kubelet is {}", state.trim()));
    }
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
    for line in last_errors(&journal) {
        found.push(format!("kubelet: {line}"));
    }
    let mut crictl = vec!["crictl"];
    let endpoint = cri_socket.map(|socket| format!("unix://{}", socket.trim_start_matches("unix://")));
    if let Some(endpoint) = &endpoint {
        crictl.extend(["--runtime-endpoint", endpoint]);
    }
    let containers = ask(&[&crictl[..], &["ps", "-a"]].concat()).await;
    for (id, name) in ended(&containers).into_iter().take(2) {
        found.push(format!("container {name} has ended"));
        let logs = run_quietly(
            host,
            context,
            &[&crictl[..], &["logs", "--tail", "3", &id]].concat(),
        )
        .await;
        if let Ok(logs) = logs {
            let text = format!("{}{}", logs.stdout, logs.stderr);
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
            let start = lines.len().saturating_sub(LINES);
            found.extend(
                lines[start..]
                    .iter()
                    .map(|line| format!("{name}: {}", line.trim())),
            );
        }
    }
    found
}

/// The last lines of a journal that are errors: klog's E and F, and cobra's `Error:`.
fn last_errors(journal: &str) -> Vec<&str> {
    let is_error = |line: &&str| {
        let mut characters = line.chars();
        let klog = matches!(characters.next(), Some('E' | 'F'))
            && characters.next().is_some_and(|c| c.is_ascii_digit());
        klog || line.starts_with("Error:")
            || line.contains("failed to run Kubelet")
            || line.contains("unknown flag")
    };
    let mut errors: Vec<&str> = journal.lines().map(str::trim).filter(is_error).collect();
    errors.dedup();
    let start = errors.len().saturating_sub(LINES);
    errors.split_off(start)
}

/// Control-plane containers that have ended, in the table of `crictl ps -a`: their ids and names.
fn ended(table: &str) -> Vec<(String, String)> {
    const PROGRAMS: [&str; 4] = [
        "kube-apiserver",
        "etcd",
        "kube-controller-manager",
        "kube-scheduler",
    ];
    let rows = table.lines().filter(|line| line.contains("Exited"));
    rows.filter_map(|row| {
        let words: Vec<&str> = row.split_whitespace().collect();
        let name = PROGRAMS.iter().find(|program| words.contains(program))?;
        Some((words.first()?.to_string(), (*name).to_owned()))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubelets_errors_are_found() {
        let journal = "I1124 1 server.go:416] Version\nF1124 2 server.go:269] failed to run Kubelet: misconfiguration: kubelet cgroup driver\nError: unknown flag: --x\nEverything fine\n";
        assert_eq!(last_errors(journal).len(), 2);
        assert!(last_errors("").is_empty());
    }

    #[test]
    fn ended_containers_are_found() {
        let table = "CONTAINER           IMAGE               CREATED             STATE               NAME                      ATTEMPT             POD ID\n\
                     83f22b985f975       a8c2fdb8bf76e       10 seconds ago      Exited              kube-apiserver            3                   a1\n\
                     9b3dbf623e388       a27166429d98e       2 minutes ago       Running             kube-controller-manager   0                   a2\n";
        assert_eq!(
            ended(table),
            [("83f22b985f975".to_owned(), "kube-apiserver".to_owned())]
        );
    }
}

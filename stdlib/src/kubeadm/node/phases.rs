//! What kubeadm is doing, from the lines that it prints.

/// The phase and the words of a line such as `[certs] Generating "ca" certificate and key`; lines without a phase are
/// no progress.
pub fn progress(line: &str) -> Option<String> {
    let (phase, text) = line.trim().strip_prefix('[')?.split_once(']')?;
    let text = text.trim_start_matches(':').trim();
    let is_phase = phase
        .chars()
        .all(|c| c.is_ascii_lowercase() || c == '-' || c == '/');
    if phase.is_empty() || !is_phase || text.is_empty() {
        return None;
    }
    Some(format!("{phase}: {text}"))
}

/// The phase of the last line that has one.
pub fn last_phase(output: &str) -> Option<&str> {
    output.lines().rev().find_map(|line| {
        let (phase, _) = line.trim().strip_prefix('[')?.split_once(']')?;
        (!phase.is_empty() && phase.chars().all(|c| c.is_ascii_lowercase() || c == '-')).then_some(phase)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_a_phase_are_progress() {
        assert_eq!(
            progress("[certs] Generating \"ca\" certificate and key").as_deref(),
            Some("certs: Generating \"ca\" certificate and key")
        );
        assert_eq!(
            progress("[control-plane] Using manifest folder").as_deref(),
            Some("control-plane: Using manifest folder")
        );
        for line in [
            "",
            "kubeadm join 10.89.0.11:6443",
            "  [WARNING Service-Kubelet]: x",
            "[]",
            "[certs]",
            "[certs",
        ] {
            assert_eq!(progress(line), None, "{line}");
        }
        assert_eq!(
            last_phase("[certs] a\n[etcd] b\nx\n\t[ERROR X]: y\n"),
            Some("etcd")
        );
        assert_eq!(last_phase(""), None);
    }
}

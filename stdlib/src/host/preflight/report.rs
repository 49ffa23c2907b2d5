//! What the checks found.

use std::fmt;

use psprun_engine::StepError;
use schemars::JsonSchema;
use serde::Serialize;

/// What the checks found, and what they learnt of the machine.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(in crate::host) struct PreflightOutput {
    /// One or more for each check, in order.
    pub(super) findings: Vec<Finding>,
    /// kubeadm's version, e.g. `v1.20.2`; null when it is not there.
    pub(super) kubeadm_version: Option<String>,
    /// The kubelet's version; null when it is not there.
    pub(super) kubelet_version: Option<String>,
    /// kubectl's version; null when it is not there.
    pub(super) kubectl_version: Option<String>,
    /// Whether the kernel enforces AppArmor profiles.
    pub(super) apparmor: bool,
    /// The system.
    pub(super) os: Os,
    /// The container runtime's socket, in the form that this kubeadm takes; null when none is alive.
    pub(super) cri_socket: Option<String>,
    /// The container runtime: `containerd`, `docker`, `cri-o`, `cri-dockerd`; null when none is alive.
    pub(super) runtime: Option<String>,
    /// The runtime's cgroup driver, `systemd` or `cgroupfs`; null when it is not known.
    pub(super) cgroup_driver: Option<String>,
    /// The version of the kernel's control groups: 1 or 2.
    pub(super) cgroup_version: u32,
    /// How many CPUs psprun may use.
    pub(super) cpus: u32,
    /// The memory in MiB.
    pub(super) memory_mb: u64,
    /// Whether the machine is a node of a cluster already.
    pub(super) is_node: bool,
}

/// The system.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(in crate::host) struct Os {
    /// `debian`, `ubuntu`, `fedora`, …
    pub(super) id: String,
    /// Its name for people.
    pub(super) name: String,
    /// Its version, e.g. `12`; empty when it has none.
    pub(super) version: String,
    /// The kernel's version.
    pub(super) kernel: String,
}

/// What a check found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::host) struct Finding {
    /// The check's name, for `ignore`.
    pub(super) check: &'static str,
    /// `ok`, `warning` or `error`.
    pub(super) severity: Severity,
    /// What was found.
    pub(super) message: String,
    /// What to do about it; null when nothing is to be done.
    pub(super) remedy: Option<String>,
    /// Whether it was repaired just now.
    pub(super) fixed: bool,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::host) enum Severity {
    /// As it should be.
    Ok,
    /// It may matter.
    Warning,
    /// It does not work so.
    Error,
}

impl PreflightOutput {
    /// All is well.
    pub(super) fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Severity::Ok, message.into(), None, false);
    }

    /// It was not well, and was repaired.
    pub(super) fn fixed(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Severity::Ok, message.into(), None, true);
    }

    /// It may matter.
    pub(super) fn warning(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(
            check,
            Severity::Warning,
            message.into(),
            Some(remedy.into()),
            false,
        );
    }

    /// It does not work so.
    pub(super) fn error(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(check, Severity::Error, message.into(), Some(remedy.into()), false);
    }

    fn add(
        &mut self,
        check: &'static str,
        severity: Severity,
        message: String,
        remedy: Option<String>,
        fixed: bool,
    ) {
        self.findings.push(Finding {
            check,
            severity,
            message,
            remedy,
            fixed,
        });
    }

    /// Makes warnings of the errors of these checks.
    pub(super) fn ignore(&mut self, checks: &[String]) {
        for finding in &mut self.findings {
            if finding.severity == Severity::Error && checks.iter().any(|name| name == finding.check) {
                finding.severity = Severity::Warning;
                finding.message += " (ignored)";
            }
        }
    }

    /// The step's error, when there are errors.
    pub(super) fn failure(&self) -> Option<StepError> {
        let errors: Vec<&Finding> = self
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        if errors.is_empty() {
            return None;
        }
        let list: String = errors.iter().map(|finding| format!("\n  {finding}")).collect();
        let mut names: Vec<String> = errors
            .iter()
            .map(|finding| format!("{:?}", finding.check))
            .collect();
        names.dedup();
        Some(
            StepError::new(
                "psprun::host::preflight",
                format!("this machine cannot become a node as it is:{list}"),
            )
            .help(format!(
                "mend it as each line says; `fix: true` repairs what is safe to repair; `ignore: [{}]` goes on all the same",
                names.join(", ")
            ))
            .output(self),
        )
    }

    /// All findings, a line each.
    pub(super) fn show(&self) -> String {
        let lines: Vec<String> = self
            .findings
            .iter()
            .map(|finding| {
                let mark = match finding.severity {
                    Severity::Ok if finding.fixed => "fixed",
                    Severity::Ok => "ok",
                    Severity::Warning => "warning",
                    Severity::Error => "error",
                };
                format!("{mark:7} {finding}")
            })
            .collect();
        lines.join("\n")
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, ": {remedy}"),
            None => Ok(()),
        }
    }
}

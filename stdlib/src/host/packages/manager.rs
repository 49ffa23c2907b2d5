//! What a package manager can do, and how its commands are run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use psprun_engine::{Context, StepError};

use super::wanted::Wanted;
use crate::host::command_line::last_words;
use crate::target::{Command, Finished, Host, LineSink};

/// A package manager.
#[async_trait]
pub(super) trait Manager: Send + Sync {
    /// `apt`, `dnf`.
    fn name(&self) -> &'static str;

    /// The versions of those of these packages that are installed.
    async fn installed(&self, names: &[&str]) -> Result<BTreeMap<String, String>, StepError>;

    /// Installs packages that are not there, or there at another version.
    async fn install(
        &self,
        wanted: &[&Wanted],
        installed: &BTreeMap<String, String>,
    ) -> Result<(), StepError>;

    /// The names of the packages whose versions are kept.
    async fn held(&self) -> Result<BTreeSet<String>, StepError>;

    /// Keeps the versions of these packages.
    async fn hold(&self, names: &[&str]) -> Result<(), StepError>;
}

/// Runs the commands of package managers.
pub(super) struct Tools<'a> {
    pub(super) host: &'a dyn Host,
    pub(super) context: &'a Context,
}

impl Tools<'_> {
    /// Runs a command that only looks; any exit status is an answer.
    pub(super) async fn look(&self, argv: &[&str]) -> Result<Finished, StepError> {
        let quiet: LineSink = Arc::new(|_, _| {});
        self.run(argv, quiet).await
    }

    /// Runs a command that changes something: its output is shown, its failure is not yet an error.
    pub(super) async fn act(&self, argv: &[&str]) -> Result<Finished, StepError> {
        let context = self.context.clone();
        self.run(argv, Arc::new(move |stream, line| context.line(stream, line)))
            .await
    }

    async fn run(&self, argv: &[&str], output: LineSink) -> Result<Finished, StepError> {
        let mut command = Command::new(argv.iter().copied());
        // Nobody is there to answer questions, and the answers are parsed.
        command.env = [
            ("DEBIAN_FRONTEND", "noninteractive"),
            ("NEEDRESTART_SUSPEND", "1"),
            ("LC_ALL", "C"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        self.host.run(command, output, self.context.cancellation()).await
    }
}

/// The error of a command that failed.
pub(super) fn failed(code: &'static str, what: &str, finished: &Finished) -> StepError {
    StepError::new(
        code,
        format!(
            "{what} (exit status {}){}",
            finished.code,
            match last_words(&finished.stdout, &finished.stderr) {
                words if words.is_empty() => words,
                words => format!(":{words}"),
            }
        ),
    )
    .output(serde_json::json!({
        "code": finished.code,
        "stdout": finished.stdout,
        "stderr": finished.stderr,
    }))
}

/// The error for packages that no repository has: which versions there are.
pub(super) fn not_available(wanted: &Wanted, versions: &[String], update: &str) -> StepError {
    const SHOWN: usize = 8;
    let message = if versions.is_empty() {
        format!("no repository of this machine has a package {}", wanted.name)
    } else {
        let mut list = versions
            .iter()
            .take(SHOWN)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        if versions.len() > SHOWN {
            list += &format!(" and {} more", versions.len() - SHOWN);
        }
        format!("no repository of this machine has {wanted}; there is {list}")
    };
    let is_kubernetes = matches!(
        &*wanted.name,
        "kubeadm" | "kubelet" | "kubectl" | "cri-tools" | "kubernetes-cni"
    );
    StepError::new("psprun::packages::not_available", message).help(if is_kubernetes {
        "each minor version of Kubernetes has a repository of its own: add the right one first (see \
         https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/)"
            .to_owned()
    } else {
        format!("add the repository that has it first; `{update}` has just been run")
    })
}

//! How the checks look at the machine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use psprun_engine::{Context, StepError};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::target::{Command, Finished, Host, LineSink};

/// What the machine is to become.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::host) enum Role {
    /// A control plane.
    #[default]
    ControlPlane,
    /// A node that joins.
    Worker,
}

/// The machine, and what is asked.
pub(super) struct Look<'a> {
    pub(super) host: &'a dyn Host,
    context: &'a Context,
    /// Repair what is safe; never without being root.
    pub(super) fix: bool,
    pub(super) role: Role,
    /// Whether the machine is a node already: its ports are taken by itself then.
    pub(super) is_node: bool,
}

impl<'a> Look<'a> {
    pub(super) async fn new(
        host: &'a dyn Host,
        context: &'a Context,
        fix: bool,
        role: Role,
    ) -> Result<Self, StepError> {
        let mut look = Self {
            host,
            context,
            fix: fix && host.user().await?.uid == 0,
            role,
            is_node: false,
        };
        for kubeconfig in ["/etc/kubernetes/admin.conf", "/etc/kubernetes/kubelet.conf"] {
            look.is_node |= look.exists(kubeconfig).await?;
        }
        Ok(look)
    }

    /// A file's content as text; `None` when there is none.
    pub(super) async fn text(&self, path: &str) -> Result<Option<String>, StepError> {
        let content = self.host.read(Path::new(path)).await?;
        Ok(content.map(|content| String::from_utf8_lossy(&content).into_owned()))
    }

    pub(super) async fn exists(&self, path: &str) -> Result<bool, StepError> {
        Ok(self.host.stat(Path::new(path)).await?.is_some())
    }

    /// Runs a short command; `None` when it cannot be run at all.
    pub(super) async fn run(&self, argv: &[&str]) -> Result<Option<Finished>, StepError> {
        let command = Command {
            timeout: Some(Duration::from_secs(30)),
            ..Command::new(argv.iter().copied())
        };
        let quiet: LineSink = Arc::new(|_, _| {});
        match self.host.run(command, quiet, self.context.cancellation()).await {
            Ok(finished) => Ok(Some(finished)),
            Err(error) if self.context.is_cancelled() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Runs a repair; why it failed, if it did.
    pub(super) async fn repair(&self, argv: &[&str]) -> Result<(), String> {
        self.context.progress(format!("running {}", argv.join(" ")));
        match self.run(argv).await {
            Ok(Some(finished)) if finished.code == 0 => Ok(()),
            Ok(Some(finished)) => Err(finished.stderr.trim().to_owned()),
            Ok(None) => Err(format!("{} cannot be run", argv[0])),
            Err(error) => Err(error.message),
        }
    }

    /// Writes a file of a repair, unless it says so already.
    pub(super) async fn keep(&self, path: &str, content: &str) -> Result<(), StepError> {
        if self.text(path).await?.as_deref() == Some(content) {
            return Ok(());
        }
        self.host
            .write(
                Path::new(path),
                content.as_bytes(),
                &crate::target::WriteOptions::default(),
            )
            .await
    }
}

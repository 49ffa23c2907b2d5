//! A real API server for tests: the bed's (`tests/cluster`), whose folder `tests/run` names in `PSPRUN_BED`.
//!
//! Tests that use it are marked `#[ignore = "needs the real cluster: tests/run"]`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use psprun_engine::plan::Files;
use psprun_engine::{Builtin, Context, Outcome, StepError};
use serde_json::{Value, json};

use crate::target::Target;
use crate::target::live::LiveTarget;

/// A kube-apiserver 1.20.2 with its etcd, in a folder of its own; gone when it is dropped.
pub(crate) struct ApiServer {
    folder: tempfile::TempDir,
    pub(crate) target: Arc<dyn Target>,
}

impl ApiServer {
    /// Starts one and waits until it is ready (about 3 s). `flags` are kube-apiserver's.
    pub(crate) fn up(flags: &[&str]) -> Self {
        let server = Self {
            folder: tempfile::tempdir().unwrap(),
            target: LiveTarget::new(),
        };
        let port = free_port().to_string();
        let path = server.path().display().to_string();
        let mut words = vec!["up", &path, &port];
        words.extend(flags);
        bed(&words);
        server
    }

    /// Kills the API server as a crash would; etcd keeps the data.
    pub(crate) fn stop(&self) {
        bed(&["stop", &self.path().display().to_string()]);
    }

    /// Starts it again on the same data.
    pub(crate) fn start(&self) {
        bed(&["start", &self.path().display().to_string()]);
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The argument `cluster` of builtins.
    pub(crate) fn cluster(&self) -> Value {
        json!({ "kubeconfig": self.path().join("kubeconfig") })
    }

    /// A client of its own, past psprun.
    pub(crate) async fn client(&self) -> kube::Client {
        let cluster = serde_json::from_value(self.cluster()).unwrap();
        self.target.cluster(&cluster).await.unwrap()
    }

    /// What kubectl 1.20.2 prints.
    pub(crate) fn kubectl(&self, words: &[&str]) -> String {
        let kubectl = binary("kubectl");
        let output = Command::new(kubectl)
            .arg("--kubeconfig")
            .arg(self.path().join("kubeconfig"))
            .args(words)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "kubectl {words:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    /// The changes that the audit log has, of clients other than the server itself: `patch /api/v1/namespaces/x`.
    pub(crate) fn writes(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.path().join("audit.log")).unwrap_or_default();
        log.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|entry| entry["user"]["username"] == "admin" && entry["stage"] == "ResponseComplete")
            .map(|entry| {
                format!(
                    "{} {}",
                    entry["verb"].as_str().unwrap(),
                    entry["requestURI"].as_str().unwrap()
                )
            })
            .collect()
    }

    /// Runs a builtin with the arguments of a playbook, given this cluster.
    pub(crate) async fn run<B: Builtin>(
        &self,
        builtin: &B,
        args: Value,
        files: Files,
    ) -> (Result<Outcome<Value>, StepError>, Vec<String>) {
        let (context, mut told) = Context::detached(files);
        let mut args = args;
        args["cluster"] = self.cluster();
        let args = serde_json::from_value(args).unwrap();
        let result = builtin.run(args, context.clone()).await;
        drop(context);
        let mut lines = Vec::new();
        while let Some(line) = told.recv().await {
            lines.push(line);
        }
        let result = result.map(|outcome| {
            let mut json = Outcome::new(serde_json::to_value(outcome.output).unwrap(), outcome.changed);
            json.summary = outcome.summary;
            json.details = outcome.details;
            json
        });
        (result, lines)
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        bed(&["down", &self.path().display().to_string()]);
    }
}

/// A program of Kubernetes 1.20.2.
pub(crate) fn binary(name: &str) -> PathBuf {
    let script = format!(
        ". {}/lib/common.sh; echo \"$kubernetes_bin\"",
        bed_folder().display()
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim()).join(name)
}

fn bed_folder() -> PathBuf {
    let folder = std::env::var_os("PSPRUN_BED").map(PathBuf::from);
    folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cluster"))
}

fn bed(words: &[&str]) {
    let output = Command::new(bed_folder().join("kubernetes/apiserver"))
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "apiserver {words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A port that is free, and so is the one of its etcd, 7000 above.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 20_000 + (std::process::id() % 500) as u16 * 10;
    loop {
        let port = base + NEXT.fetch_add(1, Ordering::Relaxed);
        let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if is_free(port) && is_free(port + 7000) {
            return port;
        }
    }
}

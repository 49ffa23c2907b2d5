//! `apply`: order, rewriting, checks, conflicts, pruning, patience, speed.

mod changes;
mod load;
mod versions;
mod wrong;

use psprun_engine::event::Failure;
use serde_json::Value;

use super::bench::{Bench, Run, Step};
use crate::support::apiserver::ApiServer;

/// A server and a bench on it.
struct Cluster {
    server: ApiServer,
    bench: Bench,
}

impl Cluster {
    fn up() -> Self {
        let server = ApiServer::start(&[]);
        let bench = Bench::new(server.kubeconfig());
        Self { server, bench }
    }

    /// Applies a manifest's text; `options` is a map of the script.
    fn apply(&self, text: &str, options: &str) -> Run {
        self.bench
            .run(&format!("let done = cluster.apply({}, {options});", quoted(text)))
    }

    fn good(&self, text: &str, options: &str) -> Applied {
        Applied(self.apply(text, options))
    }

    fn bad(&self, text: &str, options: &str) -> Failure {
        self.apply(text, options).failure("done").clone()
    }

    fn kubectl(&self, words: &[&str]) -> String {
        let mut command = std::process::Command::new(self.server.binary("kubectl"));
        let output = command
            .arg("--kubeconfig")
            .arg(self.server.kubeconfig())
            .args(words)
            .output()
            .expect("kubectl starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "kubectl {words:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }
}

/// A run whose step `done` ended well.
struct Applied(Run);

impl std::ops::Deref for Applied {
    type Target = Step;

    fn deref(&self) -> &Step {
        self.0.good("done")
    }
}

/// A string of the script.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

const NOTHING: [String; 0] = [];

fn deployment(image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  selector: {{matchLabels: {{a: b}}}}\n  template:\n    \
         metadata: {{labels: {{a: b}}}}\n    spec:\n      containers:\n      - name: web\n        image: {image}\n"
    )
}

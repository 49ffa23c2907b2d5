//! A real kube-apiserver with its etcd, on loopback: the bed's, in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

/// Ports of this process' servers; the bed's own default is another.
static NEXT_PORT: AtomicU16 = AtomicU16::new(17301);

/// A running server; it and its etcd end with it.
pub struct ApiServer {
    folder: TempDir,
}

impl ApiServer {
    /// Starts one, which takes about 3 s. `flags` are kube-apiserver's.
    ///
    /// # Panics
    /// It does not start, or `PSPRUN_BED` does not name the bed (`tests/cluster`).
    pub fn start(flags: &[&str]) -> Self {
        let server = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        let port = NEXT_PORT.fetch_add(1, Ordering::Relaxed).to_string();
        let folder = server.folder.path().display().to_string();
        let mut args = vec!["up", &folder, &port];
        args.extend(flags);
        server.call(&args);
        server
    }

    /// Kills the server alone, as a crash would; etcd keeps the data.
    pub fn kill(&self) {
        self.call(&["stop", &self.folder.path().display().to_string()]);
    }

    /// Starts a killed server again.
    pub fn revive(&self) {
        self.call(&["start", &self.folder.path().display().to_string()]);
    }

    /// The kubeconfig of its administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A program of the Kubernetes that the bed has built, e.g. `kube-controller-manager`.
    pub fn binary(&self, name: &str) -> PathBuf {
        let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let cache = set("KUBERNETES_CACHE").unwrap_or_else(|| {
            let caches =
                set("XDG_CACHE_HOME").unwrap_or_else(|| set("HOME").unwrap_or_default().join(".cache"));
            caches.join("psprun/kubernetes-1.20.2")
        });
        cache.join("bin").join(name)
    }

    /// The changes that it was asked for since its start, one line each: verb and path.
    pub fn writes(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.folder.path().join("audit.log")).unwrap_or_default();
        log.lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|entry| entry["stage"] == "ResponseComplete" && entry["user"]["username"] == "admin")
            .map(|entry| {
                let word = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
                format!("{} {}", word("verb"), word("requestURI"))
            })
            .collect()
    }

    fn call(&self, args: &[&str]) {
        if let Err(why) = call(args) {
            panic!("apiserver {args:?}: {why}");
        }
    }
}

fn call(args: &[&str]) -> Result<(), String> {
    let bed = std::env::var("PSPRUN_BED").map_err(|_| "PSPRUN_BED names no bed: run tests/run")?;
    let output = Command::new(Path::new(&bed).join("kubernetes/apiserver"))
        .args(args)
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        // A test that failed must not fail twice.
        let _ = call(&["down", &self.folder.path().display().to_string()]);
    }
}

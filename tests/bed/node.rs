//! A node of the bed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The playbooks and modules of this checkout.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What a kubeadm configuration needs in the bed: kube-proxy must not write host-wide settings, and the kubelet looks
/// again soon, so that static pods appear in seconds.
const VALUES: &str = r#"
extra_documents:
- apiVersion: kubeproxy.config.k8s.io/v1alpha1
  kind: KubeProxyConfiguration
  conntrack: {maxPerCore: 0}
- apiVersion: kubelet.config.k8s.io/v1beta1
  kind: KubeletConfiguration
  syncFrequency: 5s
"#;

/// A node that is up, with psprun on it; it goes down with this value.
pub struct Node {
    bed: PathBuf,
    name: &'static str,
}

impl Node {
    /// A fresh node with the control plane's images and psprun, and a copy of the default playbook in /root/work.
    pub fn up(name: &'static str) -> Self {
        let bed = PathBuf::from(std::env::var_os("PSPRUN_BED").expect("run tests/run: it sets the bed up"));
        // What a test that was killed may have left.
        if Command::new(bed.join("node"))
            .arg("list")
            .output()
            .is_ok_and(|list| starts_a_line(&list, name))
        {
            good(Command::new(bed.join("node")).args(["down", name]));
        }
        let node = Self { bed, name };
        node.node(["up", name]);
        node.node(["load", name]);
        node.copy(env!("CARGO_BIN_EXE_psprun"), "/opt/bed/bin/psprun");
        node.run("psprun fork kubeadm-psp /root/work");
        node.write("/root/work/bed.yaml", VALUES);
        node
    }

    fn node<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Output {
        good(Command::new(self.bed.join("node")).args(words))
    }

    /// Puts a file or folder of this machine on the node.
    pub fn copy(&self, source: impl AsRef<Path>, target: &str) {
        let source = source.as_ref().display().to_string();
        self.node(["copy", self.name, &source, target]);
    }

    /// Puts a file of this checkout on the node.
    pub fn copy_own(&self, source: &str, target: &str) {
        self.copy(Path::new(ROOT).join(source), target);
    }

    /// Writes a file on the node.
    pub fn write(&self, path: &str, content: &str) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), content).expect("it can be written");
        self.copy(file.path(), path);
    }

    /// A command line on the node.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(self.bed.join("node"));
        command
            .args(["exec", self.name, "sh", "-c", line])
            .stdin(Stdio::null());
        command
    }

    /// Runs a command line to its end, whatever that is.
    pub fn try_run(&self, line: &str) -> Output {
        self.command(line).output().expect("the bed's scripts start")
    }

    /// Runs a command line that must succeed; gives what it wrote to standard output.
    #[track_caller]
    pub fn run(&self, line: &str) -> String {
        let output = good(&mut self.command(line));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts a command line.
    pub fn start(&self, line: &str) -> Child {
        self.command(line)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the bed's scripts start")
    }

    /// Sends a signal to the process of the node whose command line matches.
    pub fn signal(&self, signal: &str, pattern: &str) {
        let pid = String::from_utf8_lossy(&self.node(["pid", self.name, pattern]).stdout)
            .trim()
            .to_owned();
        good(Command::new("kill").args(["-s", signal, &pid]));
    }

    /// Waits until a command line succeeds.
    #[track_caller]
    pub fn wait_for(&self, line: &str, limit: Duration) {
        let start = Instant::now();
        while !self.try_run(line).status.success() {
            assert!(start.elapsed() < limit, "not within {limit:?}: {line}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Command lines of the node's processes but for the bed's own.
    pub fn processes(&self) -> Vec<String> {
        self.run("ps -eo args --no-headers")
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seen = self.try_run(
                "kubectl get nodes,pods -A -o wide; kubectl get events -A --field-selector type=Warning | tail -n 20; \
                 tail -n 20 /var/log/kubelet.log",
            );
            eprintln!("{}", String::from_utf8_lossy(&seen.stdout));
        }
        let _ = Command::new(self.bed.join("node"))
            .args(["down", self.name])
            .output();
    }
}

fn starts_a_line(output: &Output, word: &str) -> bool {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .any(|line| line.split(' ').next() == Some(word))
}

#[track_caller]
fn good(command: &mut Command) -> Output {
    let output = command.output().expect("it starts");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

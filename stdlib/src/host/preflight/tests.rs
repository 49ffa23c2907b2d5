#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use psprun_engine::plan::Files;
use serde_json::json;

use super::*;
use crate::target::{
    Cancel, ClusterRef, Command, FileKind, FileStat, Finished, Host, Http, LineSink, User, WriteOptions,
};

/// A machine that can become a node, in memory.
struct Machine {
    files: Mutex<BTreeMap<String, String>>,
    commands: BTreeMap<&'static str, Finished>,
    ran: Mutex<Vec<String>>,
    taken: Vec<u16>,
    uid: u32,
}

fn says(stdout: &str) -> Finished {
    Finished {
        code: 0,
        stdout: stdout.to_owned(),
        stderr: String::new(),
    }
}

const UNIX: &str = "Num RefCount Protocol Flags Type St Inode Path\n";
const CONTAINERD: &str = "0: 00000002 00000000 00010000 0001 01 1 /run/containerd/containerd.sock\n";
const DOCKER: &str = "0: 00000002 00000000 00010000 0001 01 1 /var/run/docker.sock\n";

impl Machine {
    fn good() -> Self {
        let files = [
            (
                "/etc/os-release",
                "ID=debian\nPRETTY_NAME=\"Debian 12\"\nVERSION_ID=\"12\"\n",
            ),
            ("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n"),
            ("/proc/swaps", "Filename Type Size Used Priority\n"),
            ("/proc/sys/net/ipv4/ip_forward", "1\n"),
            ("/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n"),
            ("/proc/net/unix", &format!("{UNIX}{CONTAINERD}")),
            ("/proc/self/status", "Cpus_allowed_list:\t0-3\n"),
            ("/proc/meminfo", "MemTotal:        4096000 kB\n"),
            ("/sys/module/apparmor/parameters/enabled", "Y\n"),
            ("/sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n"),
            ("/etc/containerd/config.toml", "SystemdCgroup = false\n"),
        ];
        let commands = [
            ("kubeadm", says("v1.20.2\n")),
            ("kubelet", says("Kubernetes v1.20.2\n")),
            (
                "kubectl",
                says("{\"clientVersion\": {\"gitVersion\": \"v1.20.2\"}}"),
            ),
            ("sh", says("")),
        ];
        Self {
            files: Mutex::new(
                files
                    .map(|(path, text)| (path.to_owned(), text.to_owned()))
                    .into(),
            ),
            commands: commands.into(),
            ran: Mutex::default(),
            taken: Vec::new(),
            uid: 0,
        }
    }

    fn put(self, path: &str, text: &str) -> Self {
        self.files
            .lock()
            .unwrap()
            .insert(path.to_owned(), text.to_owned());
        self
    }

    fn without(self, path: &str) -> Self {
        self.files.lock().unwrap().remove(path);
        self
    }

    fn answer(mut self, program: &'static str, finished: Option<Finished>) -> Self {
        self.commands.remove(program);
        self.commands.extend(finished.map(|finished| (program, finished)));
        self
    }
}

#[async_trait]
impl Host for Machine {
    async fn run(&self, command: Command, _: LineSink, _: Cancel) -> Result<Finished, StepError> {
        let line = command.argv.join(" ");
        self.ran.lock().unwrap().push(line.clone());
        let set = |path: &str, text: &str| {
            self.files
                .lock()
                .unwrap()
                .insert(path.to_owned(), text.to_owned())
        };
        if let Some(path) = line.strip_prefix("sh -c echo 1 > ") {
            set(path, "1\n");
        } else if line == "modprobe br_netfilter" {
            set("/proc/sys/net/bridge/bridge-nf-call-iptables", "0\n");
        } else if line == "swapoff -a" {
            set("/proc/swaps", "Filename\n");
        }
        let known = self.commands.get(&*command.argv[0]).cloned();
        known.ok_or_else(|| StepError::new("psprun::host::missing_program", "not there"))
    }

    async fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, StepError> {
        Ok(self
            .files
            .lock()
            .unwrap()
            .get(path.to_str().unwrap())
            .map(|text| text.clone().into_bytes()))
    }

    async fn write(&self, path: &Path, content: &[u8], _: &WriteOptions) -> Result<(), StepError> {
        let text = String::from_utf8(content.to_owned()).unwrap();
        self.files
            .lock()
            .unwrap()
            .insert(path.display().to_string(), text);
        Ok(())
    }

    async fn stat(&self, path: &Path) -> Result<Option<FileStat>, StepError> {
        Ok(self.read(path).await?.map(|_| FileStat {
            kind: FileKind::File,
            size: 0,
            mode: 0,
            uid: 0,
            gid: 0,
            user: String::new(),
            group: String::new(),
        }))
    }

    async fn list(&self, _: &Path) -> Result<Vec<String>, StepError> {
        panic!("not needed")
    }

    async fn remove(&self, _: &Path) -> Result<bool, StepError> {
        panic!("nothing is removed")
    }

    async fn set_attributes(&self, _: &Path, _: &WriteOptions) -> Result<(), StepError> {
        panic!("not needed")
    }

    async fn user(&self) -> Result<User, StepError> {
        Ok(User {
            name: if self.uid == 0 { "root" } else { "joe" }.to_owned(),
            uid: self.uid,
            gid: 0,
            home: "/root".to_owned(),
            sudo_caller: None,
        })
    }

    async fn port_taken(&self, port: u16) -> bool {
        self.taken.contains(&port)
    }
}

struct Here(Arc<Machine>);

#[async_trait]
impl Target for Here {
    fn host(&self, _: Option<&HostRef>) -> Result<Arc<dyn Host>, StepError> {
        Ok(self.0.clone())
    }

    async fn cluster(&self, _: &ClusterRef) -> Result<kube::Client, StepError> {
        panic!("not needed")
    }

    fn http(&self) -> Arc<dyn Http> {
        panic!("not needed")
    }
}

async fn look_at(
    machine: Machine,
    args: Value,
) -> (Arc<Machine>, Result<Outcome<PreflightOutput>, StepError>) {
    let machine = Arc::new(machine);
    let (context, _told) = Context::detached(Files::default());
    let builtin = Preflight(Arc::new(Here(machine.clone())));
    builtin.check(&args).unwrap();
    let result = builtin.run(serde_json::from_value(args).unwrap(), context).await;
    (machine, result)
}

async fn refused(machine: Machine) -> String {
    look_at(machine, json!({})).await.1.unwrap_err().message
}

#[tokio::test]
async fn a_good_machine_passes_and_is_known() {
    let (_, result) = look_at(Machine::good(), json!({})).await;
    let outcome = result.unwrap();
    assert!(!outcome.changed);
    assert_eq!(outcome.summary.unwrap(), "ready for kubeadm v1.20.2");
    let output = serde_json::to_value(outcome.output).unwrap();
    assert_eq!(output["kubeadm_version"], "v1.20.2");
    assert_eq!(
        output["os"],
        json!({"id": "debian", "name": "Debian 12", "version": "12", "kernel": "6.1.0-18-amd64"})
    );
    assert_eq!(output["cri_socket"], "/run/containerd/containerd.sock");
    assert_eq!(output["cgroup_driver"], "cgroupfs");
    assert_eq!((&output["cpus"], &output["memory_mb"]), (&json!(4), &json!(4000)));
    assert_eq!(output["apparmor"], true);
    assert!(
        output["findings"]
            .as_array()
            .unwrap()
            .iter()
            .all(|finding| finding["severity"] == "ok")
    );
    let names: Vec<&str> = output["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["check"].as_str().unwrap())
        .collect();
    assert_eq!(names, CHECKS);
}

#[tokio::test]
async fn each_fault_is_an_error_with_its_remedy() {
    let mut poor = Machine::good()
        .put("/proc/swaps", "Filename\n/dev/sda2 partition 2097148 0 -2\n")
        .put("/proc/sys/net/ipv4/ip_forward", "0\n")
        .without("/proc/sys/net/bridge/bridge-nf-call-iptables")
        .put("/proc/net/unix", UNIX)
        .put("/proc/self/status", "Cpus_allowed_list:\t0\n")
        .put("/proc/meminfo", "MemTotal: 1024000 kB\n")
        .put("/sys/fs/cgroup/cgroup.controllers", "cpu\n")
        .put("/proc/sys/kernel/osrelease", "2.6.32\n")
        .answer("kubeadm", None)
        .answer("sh", Some(says("conntrack\nsocat\n")));
    poor.taken = vec![6443];
    poor.uid = 1000;
    let (machine, result) = look_at(poor, json!({"fix": true})).await;
    let error = result.unwrap_err();
    let lines: Vec<&str> = error.message.lines().collect();
    let expected = [
        "this machine cannot become a node as it is:",
        "  user: psprun runs as joe, and kubeadm needs root: run it with `sudo psprun …`",
        "  os: the kernel 2.6.32 is older than 3.10: ",
        "  programs: kubeadm is not installed: install kubeadm",
        "  tools: not found in PATH: conntrack: install",
        "  swap: swap is on: /dev/sda2, 2047 MiB: turn it off with `swapoff -a`",
        "  ip-forward: the kernel does not forward packets: `sysctl",
        "  bridge-nf: the kernel module br_netfilter is not loaded: `modprobe",
        "  runtime: no container runtime listens at a usual place: install",
        "  ports: port 6443, which kube-apiserver needs, is taken: end",
        "  cpus: 1 CPU, and a control plane wants 2: give",
        "  memory: 1000 MiB of memory, and a control plane wants 1700: give",
        "  cgroups: the kernel does not account memory to control groups: boot",
    ];
    assert_eq!(lines.len(), expected.len(), "{}", error.message);
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
    assert!(error.help.unwrap().contains("ignore: [\"user\", \"os\", "));
    // Who is not root repairs nothing.
    assert!(
        !machine
            .ran
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains("echo 1") || line.contains("swapoff"))
    );
}

#[tokio::test]
async fn what_is_safe_is_repaired_and_kept() {
    let machine = Machine::good()
        .put("/proc/swaps", "Filename\n/dev/sda2 partition 2097148 0 -2\n")
        .put("/etc/fstab", "/dev/sda2 none swap sw 0 0\n")
        .put("/proc/sys/net/ipv4/ip_forward", "0\n")
        .without("/proc/sys/net/bridge/bridge-nf-call-iptables")
        .answer("swapoff", Some(says("")))
        .answer("modprobe", Some(says("")));
    let (machine, result) = look_at(machine, json!({"fix": true})).await;
    let outcome = result.unwrap();
    assert!(outcome.changed);
    assert_eq!(
        outcome.summary.unwrap(),
        "ready for kubeadm v1.20.2, 4 repaired, 1 warning"
    );
    assert!(
        outcome
            .details
            .unwrap()
            .contains("fixed   swap: turned swap off with `swapoff -a` (/dev/sda2, 2047 MiB)")
    );
    let files = machine.files.lock().unwrap();
    assert_eq!(
        files["/etc/sysctl.d/90-psprun-kubernetes.conf"],
        "net.ipv4.ip_forward = 1\nnet.bridge.bridge-nf-call-iptables = 1\n"
    );
    assert_eq!(
        files["/etc/modules-load.d/psprun-kubernetes.conf"],
        "br_netfilter\n"
    );
}

#[tokio::test]
async fn what_is_ignored_is_a_warning_that_says_so() {
    let machine = Machine::good().put("/proc/self/status", "Cpus_allowed_list:\t0\n");
    let (_, result) = look_at(machine, json!({"ignore": ["cpus"]})).await;
    let finding = result
        .unwrap()
        .output
        .findings
        .into_iter()
        .find(|finding| finding.check == "cpus")
        .unwrap();
    assert_eq!(finding.severity, Severity::Warning);
    assert!(finding.message.ends_with("(ignored)"));
    let wrong = Preflight(Arc::new(Here(Arc::new(Machine::good()))))
        .check(&json!({"ignore": ["cpu"]}))
        .unwrap_err();
    assert_eq!(wrong.help.unwrap(), "did you mean `cpus`?");
}

#[tokio::test]
async fn a_node_that_is_up_passes_again() {
    let mut machine = Machine::good().put("/etc/kubernetes/admin.conf", "");
    machine.taken = vec![6443, 10250, 10257, 10259, 2379, 2380];
    let output = look_at(machine, json!({})).await.1.unwrap().output;
    assert!(output.is_node);
}

#[tokio::test]
async fn versions_that_differ_are_told() {
    let kubelet =
        |version: &str| Machine::good().answer("kubelet", Some(says(&format!("Kubernetes {version}\n"))));
    assert!(
        refused(kubelet("v1.21.0"))
            .await
            .contains("kubelet is v1.21.0, kubeadm v1.20.2")
    );
    let output = look_at(kubelet("v1.20.9"), json!({})).await.1.unwrap().output;
    assert!(
        output
            .findings
            .iter()
            .any(|finding| finding.severity == Severity::Warning && finding.check == "programs")
    );
    let output = look_at(Machine::good().answer("kubectl", None), json!({}))
        .await
        .1
        .unwrap()
        .output;
    assert_eq!(output.kubectl_version, None);
    assert!(
        refused(kubelet("v1.18.9").put("/x", ""))
            .await
            .contains("version 2, which a kubelet 1.18 does not know")
    );
}

#[tokio::test]
async fn docker_is_taken_by_old_kubeadms_only() {
    let docker = |version: &'static str| {
        Machine::good()
            .put("/proc/net/unix", &format!("{UNIX}{DOCKER}{CONTAINERD}"))
            .answer("kubeadm", Some(says(version)))
            .answer("kubelet", Some(says(version)))
            .answer("kubectl", Some(says(version)))
            .answer("docker", Some(says("systemd\n")))
    };
    let output = look_at(docker("v1.20.2"), json!({})).await.1.unwrap().output;
    assert_eq!(output.cri_socket.as_deref(), Some("/var/run/dockershim.sock"));
    assert_eq!(output.cgroup_driver.as_deref(), Some("systemd"));
    let output = look_at(docker("v1.24.0"), json!({})).await.1.unwrap().output;
    assert_eq!(
        output.cri_socket.as_deref(),
        Some("unix:///run/containerd/containerd.sock")
    );
    // containerd with cgroupfs and a kubelet that would take systemd.
    assert!(
        output
            .findings
            .iter()
            .any(|finding| finding.check == "cgroup-driver" && finding.severity == Severity::Warning)
    );
    let alone = docker("v1.24.0").put("/proc/net/unix", &format!("{UNIX}{DOCKER}"));
    assert!(
        refused(alone)
            .await
            .contains("which this Kubernetes does not speak to by itself")
    );
}

#[tokio::test]
async fn a_socket_that_is_told_must_be_alive() {
    let args = json!({"cri_socket": "unix:///var/run/containerd/containerd.sock"});
    let output = look_at(Machine::good(), args).await.1.unwrap().output;
    assert_eq!(output.runtime.as_deref(), Some("containerd"));
    let error = look_at(Machine::good(), json!({"cri_socket": "/run/x.sock"}))
        .await
        .1
        .unwrap_err();
    assert!(error.message.contains("nothing listens at /run/x.sock"));
    let dead = Machine::good()
        .put("/proc/net/unix", UNIX)
        .put("/run/containerd/containerd.sock", "");
    assert!(
        refused(dead)
            .await
            .contains("containerd's socket /run/containerd/containerd.sock is there, but nobody listens")
    );
}

#[tokio::test]
async fn a_worker_may_be_small() {
    let mut machine = Machine::good()
        .put("/proc/self/status", "Cpus_allowed_list:\t0\n")
        .put("/proc/meminfo", "MemTotal: 1024000 kB\n");
    machine.taken = vec![6443];
    look_at(machine, json!({"role": "worker"})).await.1.unwrap();
}

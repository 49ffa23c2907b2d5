//! What the tests of several groups share.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::process::Command;
use std::sync::Arc;

use psprun_engine::script::{Planner, Playbook, Values};
use psprun_engine::{Plan, Registry};

use crate::target::Target;
use crate::target::live::LiveTarget;

/// The plan of a playbook that has all the builtins on the live target.
pub(crate) fn plan(script: &str) -> Plan {
    plan_on(script, &LiveTarget::new())
}

/// The plan of a playbook that has all the builtins on a target.
pub(crate) fn plan_on(script: &str, target: &Arc<dyn Target>) -> Plan {
    let mut registry = Registry::new();
    crate::register(&mut registry, target);
    let playbook = Playbook {
        name: "test.rhai".into(),
        script: script.to_owned(),
        folder: None,
    };
    match Planner::new(Arc::new(registry)).plan(&playbook, &Values::new()) {
        Ok(plan) => plan,
        Err(problems) => panic!(
            "{script}\n{}",
            problems
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        ),
    }
}

/// Plans the examples of the builtins whose names start with a prefix.
pub(crate) fn plan_examples(prefix: &str) {
    let mut registry = Registry::new();
    crate::register(&mut registry, &LiveTarget::new());
    for doc in registry
        .builtins()
        .filter(|doc| doc.spec.name.starts_with(prefix))
    {
        assert!(
            doc.spec.examples.len() >= 2,
            "{} has too few examples",
            doc.spec.name
        );
        for example in doc.spec.examples {
            let plan = plan(example.script);
            assert!(!plan.is_empty(), "{}", example.title);
        }
    }
}

/// A full disk, read-only and mounted files, an installed package: such a test runs itself again in a mount namespace of
/// its own. `false` outside of it, and where the machine does not let it.
pub(crate) fn in_own_mounts(test: &str) -> bool {
    const INSIDE: &str = "PSPRUN_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let can = || {
        Command::new("unshare")
            .args(["-m", "true"])
            .status()
            .is_ok_and(|status| status.success())
    };
    if !rustix::process::geteuid().is_root() || !can() {
        return false;
    }
    let output = Command::new("unshare")
        .args(["-m", "--propagation", "private"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
    false
}

/// Calls `mount`.
pub(crate) fn mount(arguments: &[&str]) {
    assert!(Command::new("mount").args(arguments).status().unwrap().success());
}

/// A server for HTTPS, with a certificate for `localhost` that an authority of its own has signed.
pub(crate) mod tls {
    use std::process::{Command, Stdio};

    use tokio::process::{Child, Command as AsyncCommand};

    /// `openssl s_server`, which answers every request with 200.
    pub(crate) struct Server {
        pub(crate) port: u16,
        /// The authority's certificate in PEM.
        pub(crate) ca: String,
        _process: Child,
        _folder: tempfile::TempDir,
    }

    impl Server {
        pub(crate) async fn start() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let openssl = |line: &str| {
                let output = Command::new("openssl")
                    .args(line.split(' '))
                    .current_dir(folder.path())
                    .output()
                    .unwrap();
                assert!(
                    output.status.success(),
                    "{}",
                    String::from_utf8_lossy(&output.stderr)
                );
            };
            std::fs::write(
                folder.path().join("leaf"),
                "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n",
            )
            .unwrap();
            let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
            openssl(&format!(
                "req -x509 {key} -keyout ca.key -out ca.crt -subj /CN=test-ca -days 2"
            ));
            openssl(&format!("req {key} -keyout key -out csr -subj /CN=localhost"));
            openssl(
                "x509 -req -in csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile leaf -days 2 -out crt",
            );
            let port = std::net::TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let process = AsyncCommand::new("openssl")
                .args([
                    "s_server",
                    "-quiet",
                    "-www",
                    "-key",
                    "key",
                    "-cert",
                    "crt",
                    "-accept",
                    &port.to_string(),
                ])
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            for _ in 0..200 {
                if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            Self {
                port,
                ca: std::fs::read_to_string(folder.path().join("ca.crt")).unwrap(),
                _process: process,
                _folder: folder,
            }
        }
    }
}

//! Ctrl-C and its kin.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Psprun, wait_until};

/// A command that can be told from all others of this machine, by how long it sleeps.
fn sleeper(seconds: &str) -> String {
    format!("touch started; sleep {seconds} & sleep {seconds}; wait")
}

fn runs(seconds: &str) -> bool {
    let found = Command::new("pgrep")
        .args(["-f", &format!("^sleep {seconds}$")])
        .output();
    found.expect("pgrep starts").status.success()
}

#[test]
fn the_first_stops_gently() {
    for (signal, seconds) in [("INT", "6001"), ("TERM", "6002"), ("HUP", "6003")] {
        let script = format!(
            "let long = sh(\"{}\");\nlet next = sh(\"touch next\").after(long);\nlet tidy = sh(\"touch tidy\").after(long).finally();\n",
            sleeper(seconds)
        );
        let running = Psprun::new().playbook(&script).start();
        running.wait_for("started");
        wait_until("its command runs", || runs(seconds));
        running.signal(signal);
        let told = running.finish();
        assert_eq!(told.code, Some(130), "{signal}: {}", told.all());
        assert!(!runs(seconds), "{signal}: a process is left");
        assert!(told.path("tidy").exists(), "{signal}: `finally` steps run");
        assert!(!told.path("next").exists(), "{signal}: nothing more starts");
        if signal == "INT" {
            insta::assert_snapshot!(told.all());
        }
    }
}

#[test]
fn the_second_stops_at_once() {
    // It ignores TERM: only KILL ends it.
    let script = "let deaf = sh(\"trap '' TERM; touch started; while :; do sleep 0.05; done\");\nlet tidy = sh(\"touch tidy\").after(deaf).finally();\n";
    let running = Psprun::new().playbook(script).start();
    running.wait_for("started");
    let start = Instant::now();
    running.signal("INT");
    running.wait_for_text("interrupted");
    running.signal("INT");
    let told = running.finish();
    assert_eq!(told.code, Some(130), "{}", told.all());
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "the grace is 10 s: {:?}",
        start.elapsed()
    );
    assert!(told.stderr.contains("stopping at once"), "{}", told.stderr);
    let folder = told.path("").display().to_string();
    wait_until("no process is left in the folder", || !works_in(&folder));
}

/// Whether some process has this folder as its own.
fn works_in(folder: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    let processes = std::fs::read_dir("/proc").expect("a /proc");
    processes
        .flatten()
        .filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok())
        .any(|cwd| cwd.to_string_lossy() == folder)
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let script = "let long = sh(\"touch started; while ! test -e go; do sleep 0.02; done\");\n";
    let psprun = Psprun::new().playbook(script);
    let told = psprun.shell(
        "trap '' HUP; \"$(type -P bash)\" -c true; psprun playbook.rhai & p=$!; \
         while ! test -e started; do sleep 0.02; done; pkill -HUP -P $p; kill -HUP $p; sleep 0.1; touch go; wait $p",
    );
    assert_eq!(told.code, Some(0), "{}", told.all());
}

#[test]
fn a_terminal_s_ctrl_c_reaches_no_command_before_psprun() {
    // Ctrl-C goes to the terminal's whole foreground group; commands run in groups of their own.
    let script = "let long = sh(\"trap 'touch got-int' INT; touch started; sleep 6010 & wait\");\n";
    let psprun = Psprun::new().playbook(script);
    let told = psprun.shell(
        "set -m; psprun playbook.rhai & p=$!; while ! test -e started; do sleep 0.02; done; kill -INT -- -$p; wait $p",
    );
    assert_eq!(told.code, Some(130), "{}", told.all());
    assert!(!told.path("got-int").exists());
    assert!(!runs("6010"));
}

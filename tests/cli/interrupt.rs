//! Ctrl-C and its kin.

use std::time::{Duration, Instant};

use crate::support::{Psprun, wait_until};

const LONG: &str = r#"
let long = sh("touch started; sleep 600 & sleep 600; wait");
let next = sh("touch next").after(long);
let tidy = sh("touch tidy").after(long).finally();
"#;

#[test]
fn the_first_stops_gently() {
    for signal in ["INT", "TERM", "HUP"] {
        let running = Psprun::new().playbook(LONG).start();
        running.wait_for("started");
        running.signal(signal);
        let told = running.finish();
        assert_eq!(told.code, Some(130), "{signal}: {}", told.all());
        assert!(!told.works(), "{signal}: a process is left");
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
    wait_until("no process is left", || !told.works());
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let script = "let long = sh(\"touch started; while ! test -e go; do sleep 0.02; done\");\n";
    let psprun = Psprun::new().playbook(script);
    let told = psprun.shell(
        "trap '' HUP; psprun playbook.rhai & p=$!; \
         while ! test -e started; do sleep 0.02; done; pkill -HUP -P $p; kill -HUP $p; sleep 0.1; touch go; wait $p",
    );
    assert_eq!(told.code, Some(0), "{}", told.all());
}

#[test]
fn a_terminal_s_ctrl_c_reaches_no_command_before_psprun() {
    // Ctrl-C goes to the terminal's whole foreground group; commands run in groups of their own.
    let script = "let long = sh(\"trap 'touch got-int' INT; touch started; sleep 600 & wait\");\n";
    let psprun = Psprun::new().playbook(script);
    let told = psprun.shell(
        "set -m; psprun playbook.rhai & p=$!; while ! test -e started; do sleep 0.02; done; kill -INT -- -$p; wait $p",
    );
    assert_eq!(told.code, Some(130), "{}", told.all());
    assert!(!told.path("got-int").exists());
    assert!(!told.works(), "a process is left");
}

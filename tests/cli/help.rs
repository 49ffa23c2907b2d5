//! Help, version, completions and manual pages.

use crate::support::Psprun;

const VERBS: [&str; 8] = [
    "run",
    "graph",
    "params",
    "playbooks",
    "fork",
    "builtins",
    "completions",
    "man",
];

#[test]
fn the_program() {
    insta::assert_snapshot!(Psprun::new().args(["--help"]).run().all());
}

#[test]
fn every_verb() {
    for verb in VERBS {
        let help = Psprun::new().args([verb, "--help"]).run();
        insta::assert_snapshot!(format!("help_{verb}"), help.all());
        let same = Psprun::new().args(["help", verb]).run();
        assert_eq!(same.stdout, help.stdout, "{verb}");
    }
}

#[test]
fn no_word_at_all_is_wrong_usage_and_shows_the_help() {
    let nothing = Psprun::new().run();
    assert_eq!(nothing.code, Some(2));
    assert_eq!(nothing.stdout, "");
    assert!(
        nothing.stderr.contains("Usage: psprun <PLAYBOOK>"),
        "{}",
        nothing.stderr
    );
}

#[test]
fn the_version() {
    let version = Psprun::new().args(["--version"]).run();
    assert_eq!(
        version.all(),
        format!("exit 0\n--- stdout\npsprun {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = Psprun::new().args(["completions", shell]).run();
        assert_eq!(script.code, Some(0), "{shell}: {}", script.stderr);
        for word in ["graph", "kubeadm", "dry-run"]
            .iter()
            .filter(|word| **word != "kubeadm")
        {
            assert!(script.stdout.contains(word), "{shell} knows {word}");
        }
    }
    let wrong = Psprun::new().args(["completions", "bsh"]).run();
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("'bash'"), "{}", wrong.stderr);
}

#[test]
fn bash_accepts_its_completions() {
    let checked = Psprun::new().shell("psprun completions bash | bash -n");
    assert_eq!(checked.all(), "exit 0\n");
}

#[test]
fn manual_pages() {
    let page = Psprun::new().args(["man"]).run();
    assert_eq!(page.code, Some(0));
    for part in [".TH psprun 1", "\\-\\-dry\\-run", "psprun\\-graph(1)"] {
        assert!(page.stdout.contains(part), "{part}: {}", page.stdout);
    }
    let written = Psprun::new().args(["man", "--dir", "pages"]).run();
    assert_eq!(written.all(), "exit 0\n");
    for verb in VERBS {
        let page = written.read(&format!("pages/psprun-{verb}.1"));
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
    assert!(written.path("pages/psprun.1").exists());
    insta::assert_snapshot!(Psprun::new().args(["man", "grpah"]).run().all());
}

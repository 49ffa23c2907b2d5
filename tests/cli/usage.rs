//! What is wrong on the command line is told so that it can be mended, and exits with 2.

use crate::support::Psprun;

const GOOD: &str =
    "let one = check(\"one\", || true).tags([\"quick\"]);\nlet two = check(\"two\", || true).after(one);\n";

#[test]
fn a_verb_misspelt() {
    insta::assert_snapshot!(Psprun::new().args(["grahp", "x.rhai"]).run().all());
}

#[test]
fn a_playbook_misspelt() {
    let psprun = Psprun::new()
        .file("deploy.rhai", GOOD)
        .file("playbooks/cluster.rhai", GOOD);
    insta::assert_snapshot!(psprun.args(["deplyo.rhai"]).run().all());
}

#[test]
fn a_playbook_in_another_folder() {
    let psprun = Psprun::new().file("playbooks/cluster.rhai", GOOD);
    let told = psprun.args(["graph", "cluster"]).run();
    assert!(
        told.stderr.contains("did you mean `playbooks/cluster.rhai`?"),
        "{}",
        told.stderr
    );
}

#[test]
fn a_folder_is_no_playbook() {
    let psprun = Psprun::new().file("mine/deploy.rhai", GOOD);
    insta::assert_snapshot!(psprun.args(["mine"]).run().all());
}

#[test]
fn an_unknown_option() {
    insta::assert_snapshot!(Psprun::new().playbook(GOOD).args(["--dryrun"]).run().all());
}

#[test]
fn an_unknown_step() {
    insta::assert_snapshot!(Psprun::new().playbook(GOOD).args(["--target", "tow"]).run().all());
}

#[test]
fn an_unknown_tag() {
    insta::assert_snapshot!(
        Psprun::new()
            .playbook(GOOD)
            .args(["--skip", "tag:qiuck"])
            .run()
            .all()
    );
}

#[test]
fn an_unknown_format() {
    let told = Psprun::new().args(["graph", "x.rhai", "--format", "dto"]).run();
    assert_eq!(told.code, Some(2));
    assert!(told.stderr.contains("dot, mermaid"), "{}", told.stderr);
}

#[test]
fn a_value_without_a_name() {
    insta::assert_snapshot!(Psprun::new().playbook(GOOD).args(["--set", "three"]).run().all());
}

#[test]
fn no_jobs_at_all() {
    let told = Psprun::new().playbook(GOOD).args(["--jobs", "0"]).run();
    assert_eq!(told.code, Some(2));
    assert!(told.stderr.contains("0 is not in 1.."), "{}", told.stderr);
}

#[test]
fn events_that_cannot_be_written_stop_the_run_before_it_starts() {
    let script = "sh(\"touch ran\");";
    let told = Psprun::new()
        .playbook(script)
        .args(["--events", "missing/run.jsonl"])
        .run();
    insta::assert_snapshot!(told.all());
    assert!(!told.path("ran").exists());
}

#[test]
fn a_playbook_that_cannot_be_read() {
    let psprun = Psprun::new();
    std::fs::write(psprun.folder().join("latin1.rhai"), b"// \xe9\n").expect("it can be written");
    insta::assert_snapshot!(psprun.args(["latin1.rhai"]).run().all());
}

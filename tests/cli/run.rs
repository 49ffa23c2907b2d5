//! Runs from end to end: what is told, and the exit status.

use crate::support::Psprun;

const MIXED: &str = r#"// Something of everything.
let prepare = sh("echo preparing; echo ready", #{ changes: false });
let made = sh("echo made > made", #{ creates: "made" }).after(prepare);
let probe = sh("exit 7").after(prepare).allow_failure();
let broken = sh("echo first; echo oops >&2; exit 3").after(made);
let late = sh("echo never").after(broken);
let later = check("never", || late.code == 0);
let off = sh("echo off").when(|| false);
"#;

#[test]
fn all_is_well() {
    let script = "let a = sh(\"echo a\");\nlet b = check(\"it said a\", || a.stdout == \"a\");\n";
    insta::assert_snapshot!(Psprun::new().playbook(script).run().all());
}

#[test]
fn a_fan_out_unfolds() {
    let script = "let found = sh(\"echo a b c\", #{ changes: false });\nlet words = found.map(|it| it.stdout.split(\" \"));\nlet all = for_each(words, |word| sh(`echo ${word}`));\n";
    let told = Psprun::new().playbook(script).args(["--jobs", "1"]).run();
    assert_eq!(told.code, Some(0));
    insta::assert_snapshot!(told.all());
}

#[test]
fn a_playbook_can_be_a_program() {
    let script = "#!/usr/bin/env psprun\nlet a = sh(\"echo a\");\nlet b = oops();\n";
    let told = Psprun::new().playbook(script).run();
    assert_eq!(told.code, Some(2));
    assert!(told.stderr.contains("playbook.rhai:3:9"), "{}", told.stderr);
    let told = Psprun::new().playbook(&script.replace("oops()", "1")).run();
    assert_eq!(told.code, Some(0), "{}", told.stderr);
}

#[test]
fn the_verb_may_be_said() {
    let script = "check(\"x\", || true);";
    let said = Psprun::new().args(["run"]).playbook(script).run();
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""));
    assert_eq!(said.all(), Psprun::new().playbook(script).run().all());
}

#[test]
fn something_of_everything() {
    let told = Psprun::new().playbook(MIXED).args(["--jobs", "1"]).run();
    assert_eq!(told.code, Some(1));
    insta::assert_snapshot!(told.all());
}

#[test]
fn something_of_everything_verbose() {
    insta::assert_snapshot!(
        Psprun::new()
            .playbook(MIXED)
            .args(["--jobs", "1", "-v"])
            .run()
            .all()
    );
}

#[test]
fn something_of_everything_quiet() {
    insta::assert_snapshot!(
        Psprun::new()
            .playbook(MIXED)
            .args(["--jobs", "1", "-q"])
            .run()
            .all()
    );
}

#[test]
fn quiet_and_well_is_silent() {
    let told = Psprun::new()
        .playbook("check(\"x\", || true);")
        .args(["-q"])
        .run();
    assert_eq!(told.all(), "exit 0\n");
}

#[test]
fn a_check_that_fails() {
    let script = "let a = sh(\"echo 41\");\ncheck(\"the answer\", || a.stdout == \"42\");\n";
    let told = Psprun::new().playbook(script).run();
    assert_eq!(told.code, Some(1));
    insta::assert_snapshot!(told.all());
}

#[test]
fn a_dry_run_touches_nothing() {
    let told = Psprun::new()
        .playbook("sh(\"touch made\");")
        .args(["--dry-run"])
        .run();
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    assert!(told.stdout.contains("run touch made"), "{}", told.stdout);
    assert!(!told.path("made").exists());
}

#[test]
fn a_rehearsal_is_a_dry_run_until_it_is_there() {
    let psprun = Psprun::new().playbook("sh(\"touch made\");");
    let told = psprun.again().args(["playbook.rhai", "--rehearse"]).run();
    assert_eq!(told.code, Some(0));
    assert_eq!(
        told.stderr,
        "psprun: rehearsal is not there yet; this is the dry run instead\n"
    );
    let dry = psprun.again().args(["playbook.rhai", "--dry-run"]).run();
    assert_eq!(told.stdout, dry.stdout);
    assert!(!told.path("made").exists());
}

#[test]
fn a_choice_of_steps() {
    let script = "let a = sh(\"touch a\");\nlet b = sh(\"touch b\").after(a).tags([\"slow\"]);\nlet c = sh(\"touch c\").after(b);\nlet d = sh(\"touch d\");\n";
    let ran = |args: &[&str]| {
        let done = Psprun::new().playbook(script).args(args.iter().copied()).run();
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        ["a", "b", "c", "d"]
            .into_iter()
            .filter(|name| done.path(name).exists())
            .collect::<String>()
    };
    assert_eq!(ran(&[]), "abcd");
    assert_eq!(ran(&["--target", "b"]), "ab");
    assert_eq!(ran(&["--target", "b", "--target", "d"]), "abd");
    assert_eq!(ran(&["--from", "c"]), "cd");
    assert_eq!(ran(&["--skip", "d"]), "abc");
}

#[test]
fn fail_fast_starts_nothing_more() {
    let script = "let bad = sh(\"exit 1\");\nlet other = sh(\"sleep 0.3; touch one\");\nlet next = sh(\"touch two\").after(other);\n";
    let slow = Psprun::new().playbook(script).run();
    assert!(slow.path("two").exists());
    let fast = Psprun::new().playbook(script).args(["--fail-fast"]).run();
    assert_eq!(fast.code, Some(1));
    assert!(!fast.path("two").exists(), "{}", fast.stderr);
}

#[test]
fn an_unplannable_playbook_shows_every_error_with_its_line() {
    let script = "let a = check(\"a\", || true);\nlet b = check(\"b\", || true).after(a);\na.after(b);\n";
    let told = Psprun::new().playbook(script).run();
    assert_eq!(told.code, Some(2));
    insta::assert_snapshot!(told.all());
}

#[test]
fn a_syntax_error_names_file_line_and_column() {
    let told = Psprun::new()
        .playbook("let a = 1;\nlet b = ;\n")
        .args(["--dry-run"])
        .run();
    assert_eq!(told.code, Some(2));
    insta::assert_snapshot!(told.all());
}

#[test]
fn retries_and_warnings_are_told() {
    let script = "let n = sh(\"echo x >> tries; test $(wc -l < tries) -ge 2\").retries(#{ count: 2, initial: \"10ms\" });\n";
    insta::assert_snapshot!(Psprun::new().playbook(script).run().all());
}

#[test]
fn secrets_are_masked_everywhere() {
    let script = "let token = param(\"token\", #{ secret: true, type: \"string\", doc: \"x\" });\nlet a = sh(\"echo it is $T; echo $T >&2; exit 1\", #{ env: #{ T: token } });\n";
    for more in [&["-v"][..], &["--events", "-"][..], &["--dry-run"][..], &[][..]] {
        let told = Psprun::new()
            .playbook(script)
            .args(["--set", "token=hush-hush"])
            .args(more.iter().copied())
            .run();
        assert!(!told.all().contains("hush-hush"), "{more:?}: {}", told.all());
    }
}

//! Where output goes, and what when it cannot go there; colours; narrow terminals.

use crate::support::Psprun;

const SCRIPT: &str = "let a = check(\"a\", || true);\nlet b = check(\"b\", || 1 == 2).after(a);\n";
const GOOD: &str = "let a = sh(\"touch ran\");\n";

#[test]
fn a_closed_pipe_is_no_error() {
    for line in [
        "psprun builtins",
        "psprun graph playbook.rhai",
        "psprun --help",
        "psprun builtins -o json",
    ] {
        // `true` reads nothing and is gone at once.
        let told = Psprun::new().playbook(GOOD).shell(&format!("{line} | true"));
        assert_eq!(told.all(), "exit 0\n", "{line}");
    }
}

#[test]
fn closed_streams_are_no_panic() {
    for streams in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let told = Psprun::new()
            .playbook(GOOD)
            .shell(&format!("psprun playbook.rhai {streams}"));
        assert_eq!(told.code, Some(0), "{streams}: {}", told.all());
        assert!(told.path("ran").exists(), "{streams}");
        let told = Psprun::new()
            .playbook(GOOD)
            .shell(&format!("psprun graph playbook.rhai {streams}"));
        assert_eq!(told.code, Some(0), "{streams}: {}", told.all());
    }
}

#[test]
fn a_full_disk_on_standard_output() {
    let told = Psprun::new()
        .playbook(GOOD)
        .shell("psprun graph playbook.rhai > /dev/full");
    insta::assert_snapshot!(told.all());
}

#[test]
fn data_on_standard_output_and_nothing_else() {
    let told = Psprun::new().playbook(SCRIPT).run();
    assert_eq!(told.stdout, "");
    let told = Psprun::new()
        .args(["graph"])
        .playbook(SCRIPT)
        .args(["-o", "json"])
        .run();
    assert_eq!(told.stderr, "");
    serde_json::from_str::<serde_json::Value>(&told.stdout).expect("JSON");
}

#[test]
fn events_go_to_a_file_or_to_standard_output() {
    let told = Psprun::new()
        .playbook(SCRIPT)
        .args(["--events", "run.jsonl"])
        .run();
    assert_eq!(told.stdout, "");
    assert!(told.read("run.jsonl").ends_with("\n"));
    let told = Psprun::new().playbook(SCRIPT).args(["--events", "-"]).run();
    for line in told.stdout.lines() {
        serde_json::from_str::<psprun_engine::Event>(line).expect("an event");
    }
    assert!(
        told.stderr.contains("2 steps in"),
        "people are told as ever: {}",
        told.stderr
    );
}

#[test]
fn a_full_disk_for_events_fails_the_run_but_does_not_end_it() {
    let told = Psprun::new().playbook(GOOD).args(["--events", "/dev/full"]).run();
    insta::assert_snapshot!(told.all());
    assert!(told.path("ran").exists());
}

#[test]
fn a_reader_of_events_that_goes_away_does_not_end_the_run() {
    let told = Psprun::new()
        .playbook(GOOD)
        .shell("psprun playbook.rhai --events - | true");
    assert!(told.path("ran").exists());
    assert!(matches!(told.code, Some(0 | 1)), "{}", told.all());
    assert!(!told.stderr.contains("internal error"), "{}", told.stderr);
}

#[test]
fn colours_on_a_terminal_only_and_only_if_wanted() {
    let coloured = |psprun: Psprun| psprun.run().all().contains("\x1b[3");
    let on_terminal = || Psprun::new().columns(80).playbook(SCRIPT);
    let in_a_log = || Psprun::new().playbook(SCRIPT);
    assert!(coloured(on_terminal()));
    assert!(!coloured(on_terminal().env("NO_COLOR", "1")));
    assert!(coloured(on_terminal().env("NO_COLOR", "")));
    assert!(!coloured(on_terminal().args(["--no-color"])));
    assert!(!coloured(on_terminal().args(["--color", "never"])));
    assert!(!coloured(on_terminal().env("TERM", "dumb")));
    assert!(!coloured(in_a_log()));
    assert!(coloured(in_a_log().args(["--color", "always"])));
    assert!(coloured(in_a_log().args(["--color=always"]).env("NO_COLOR", "1")));
}

#[test]
fn errors_of_usage_obey_too() {
    let coloured = |args: &[&str]| {
        Psprun::new()
            .columns(80)
            .args(args.iter().copied())
            .run()
            .all()
            .contains("\x1b[")
    };
    assert!(coloured(&["graph", "--frmat"]));
    assert!(!coloured(&["graph", "--frmat", "--no-color"]));
    assert!(!coloured(&["nothing", "--color", "never"]));
}

#[test]
fn forty_columns() {
    let script = "let a_rather_long_name_for_a_step = sh(\"echo a line that is longer than forty columns are; exit 1\");\n";
    let told = Psprun::new()
        .columns(40)
        .playbook(script)
        .args(["--no-color"])
        .run();
    for line in told.stdout.lines().map(|line| line.trim_end_matches('\r')) {
        assert!(line.chars().count() <= 40, "{line:?}");
    }
    insta::assert_snapshot!(told.all().replace('\r', ""));
}

#[test]
fn the_graph_and_the_help_fit_forty_columns() {
    for args in [
        &["graph", "playbook.rhai"][..],
        &["--help"][..],
        &["params", "playbook.rhai"][..],
        &["builtins"][..],
    ] {
        let psprun = Psprun::new().columns(40).file("playbook.rhai", "let size = param(\"size\", \"small\", \"how big it is, which matters to those who pay for it\");\nlet a = sh(\"echo a line that is longer than forty columns are\");\n");
        let told = psprun.args(args.iter().copied()).args(["--no-color"]).run();
        for line in told.stdout.lines().map(|line| line.trim_end_matches('\r')) {
            // What cannot be broken may be longer: an example, a usage line.
            let unbreakable = args[0] == "--help" && line.starts_with("  psprun");
            assert!(line.chars().count() <= 40 || unbreakable, "{args:?}: {line:?}");
        }
    }
}

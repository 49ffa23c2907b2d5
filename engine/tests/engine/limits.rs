//! A hostile playbook ends in a clear error, soon and without much memory.

use super::support::script;

#[test]
fn hostile_playbooks() {
    let deep = format!("let x = {}1{};", "(".repeat(5000), ")".repeat(5000));
    let hostile = [
        "loop {}",
        "let s = \"a\"; loop { s += s; }",
        "let a = [1]; loop { a += a; }",
        "let m = #{}; let i = 0; loop { i += 1; m[`k${i}`] = i; }",
        "fn f(x) { f(x + 1) } f(0);",
        "fn f(x) { g(x) } fn g(x) { f(x) } f(0);",
        deep.as_str(),
        "let s = \"a\"; for i in 0..30 { s += s; } echo(s);",
        "let l = []; for i in 0..1000000000 { l.push(echo(i)); }",
    ];
    let mut shown = String::new();
    for text in hostile {
        let problems = script(text).problems();
        let text: String = text.chars().take(60).collect();
        shown.push_str(&format!("{text}\n{problems}\n"));
    }
    insta::assert_snapshot!(shown);
}

/// Each turn copies the whole list: few operations, much work. Which limit comes first depends on the machine.
#[test]
fn work_that_grows_at_each_turn() {
    let problems = script("let a = []; loop { a = [a]; }").problems();
    assert!(problems.contains("[psprun::plan::limit]"), "{problems}");
}

#[test]
fn nothing_of_the_world_is_there_while_planning() {
    for text in [
        "sleep(1);",
        "timestamp();",
        "eval(\"1\");",
        "open_file(\"/etc/passwd\");",
        "env(\"HOME\");",
        "rand();",
    ] {
        script(text).problems();
    }
}

//! Names are stable identities.

use super::support::script;

fn names(text: &str) -> Vec<String> {
    script(text)
        .good()
        .steps()
        .map(|(_, step)| step.name.to_string())
        .collect()
}

#[test]
fn from_variables_numbers_and_loops() {
    assert_eq!(
        names(
            r#"
            let first = echo(1);
            echo(2);
            for i in 0..3 { echo(i); }
            let list = []; for i in 0..2 { list.push(echo(i)); }
            let both = sequence([echo(1), fail("x"), echo(2)]);
            echo(9).named("nine");
            for x in ["a", "b"] { echo(x).named("each"); }
            echo(10);
            "#
        ),
        [
            "first",
            "echo-1",
            "echo-2.0",
            "echo-2.1",
            "echo-2.2",
            "list.0",
            "list.1",
            "both.echo",
            "both.fail",
            "both.echo-2",
            "nine",
            "each.0",
            "each.1",
            "echo-3"
        ]
    );
}

#[test]
fn a_number_that_is_taken_is_passed_over() {
    assert_eq!(
        names("echo(1); echo(2).named(\"echo-2\"); echo(3);"),
        ["echo-1", "echo-2", "echo-3"]
    );
}

#[test]
fn the_same_playbook_plans_the_same() {
    let text = "let a = echo(1); let b = echo(a); for i in 0..50 { echo([a, b, i]).after(b); }";
    let shown = |plan: psprun_engine::Plan| {
        plan.steps()
            .map(|(id, step)| format!("{} {} {:?}\n", step.name, plan.describe(id), plan.needs(id)))
            .collect::<String>()
    };
    assert_eq!(shown(script(text).good()), shown(script(text).good()));
}

//! `for_each` over what only the run knows.

use serde_json::json;

use super::support::script;

#[test]
fn unfolds_into_steps() {
    let run = script(
        r#"
        let c = cluster();
        let names = echo(["a", "b"]);
        let all = for_each(names, |name| {
            let made = echo(`ns ${name}`);
            c.apply("x: 1\ny: 2", #{ namespace: name }).after(made)
        });
        let after = echo(all[1].namespace);
        "#,
    );
    let (result, events) = run.run();
    assert!(result.ok(), "{events}");
    insta::assert_snapshot!(events);
    let outputs = run.outputs();
    assert_eq!(outputs["after"], json!("b"));
    assert_eq!(outputs["all"][0]["cluster"], json!("/k"));
}

#[test]
fn names_of_single_and_explicit_steps() {
    let (_, events) = script("let l = echo([1, 2]); for_each(l, |n| echo(n)).named(\"one\"); for_each(l, |n| { echo(n).named(\"first\"); echo(n) }).named(\"two\");").run();
    for name in [
        "one.0",
        "one.1",
        "two.0.first",
        "two.0.echo",
        "two.1.first",
        "two.1.echo",
    ] {
        assert!(events.contains(&format!("{name} started")), "{name}: {events}");
    }
}

#[test]
fn fan_out_in_fan_out() {
    let outputs =
        script("let l = echo([[1, 2], [3]]); let all = for_each(l, |row| for_each(row, |n| echo(n * 2)));")
            .outputs();
    assert_eq!(outputs["all"], json!([[2, 4], [6]]));
}

#[test]
fn empty_and_failing() {
    let outputs = script("let l = echo([]); let all = for_each(l, |n| echo(n));").outputs();
    assert_eq!(outputs["all"], json!([]));
    let (result, events) = script("let l = echo([1, 2]); let all = for_each(l, |n| { if n == 2 { fail(\"two\") } else { echo(n) } }); echo(all);").run();
    assert!(!result.ok());
    insta::assert_snapshot!(events);
    let (result, _) = script("let l = echo(3); for_each(l, |n| echo(n));").run();
    insta::assert_snapshot!(result.failures[0].1.message, @"`for_each` needs a list, and this is `3`");
}

#[test]
fn over_a_known_list_too() {
    let outputs = script("let all = for_each([1, 2], |n| echo(n));").outputs();
    assert_eq!(outputs["all"], json!([1, 2]));
}

//! What looks at results is called when they are there.

use serde_json::json;

use super::support::script;

#[test]
fn map_when_until_check() {
    let outputs = script(
        r#"
        let r = echo(#{ status: 200, items: [#{ ip: "10.0.0.1" }] });
        let ip = r.items[0].ip;
        let url = echo(`http://${ip}/get`);
        let doubled = r.status.map(|s| s * 2);
        let joined = echo("at " + ip);
        let last = echo(r.items[-1].ip);
        check("it is fine", || r.status == 200 && r.items[0].ip == "10.0.0.1");
        echo("yes").when(|| r.status == 200).named("yes");
        echo("no").when(|| r.status == 404).named("no");
        let third = count().until(|n| n >= 3).retries(#{ count: 5, initial: "1ms" });
        "#,
    )
    .outputs();
    assert_eq!(outputs["url"], json!("http://10.0.0.1/get"));
    assert_eq!(outputs["doubled"], json!(400));
    assert_eq!(outputs["joined"], json!("at 10.0.0.1"));
    assert_eq!(outputs["last"], json!("10.0.0.1"));
    assert_eq!(outputs["yes"], json!("yes"));
    assert_eq!(outputs["no"], json!(null));
    assert_eq!(outputs["third"], json!(3));
}

#[test]
fn captured_variables_are_copied_at_the_call() {
    let outputs = script(
        r#"
        let list = [];
        for i in 0..3 { let one = echo(i); list.push(one.map(|v| v * 10 + i)); }
        let a = 1;
        let b = echo(0).map(|v| v + a);
        a = 2;
        "#,
    )
    .outputs();
    assert_eq!(
        [&outputs["list.0"], &outputs["list.1"], &outputs["list.2"]],
        [&json!(0), &json!(11), &json!(22)]
    );
    assert_eq!(outputs["b"], json!(1));
}

#[test]
fn a_closure_that_a_module_makes_finds_its_functions() {
    let outputs = script("import \"m\" as m;\nlet r = echo(5);\nlet d = m::double(r);\nlet s = m::apply(r, |v| v + m::ONE);")
        .file(
            "plugins/m.rhai",
            "export const ONE = 1;\nfn twice(x) { x * 2 }\nfn double(handle) { handle.map(|v| twice(v)) }\nfn apply(h, f) { h.map(f) }",
        )
        .outputs();
    assert_eq!(outputs["d"], json!(10));
    assert_eq!(outputs["s"], json!(6));
}

#[test]
fn captures_are_dependencies() {
    let plan =
        script("let a = echo(1); let b = echo(`x`); let c = check(\"c\", || a == 1 && `${b}` == \"x\");")
            .good();
    let c = plan.find("c").unwrap();
    let needs: Vec<&str> = plan
        .needs(c)
        .iter()
        .map(|(id, _)| &*plan.graph[*id].name)
        .collect();
    assert_eq!(needs, ["a", "b"]);
}

#[test]
fn a_failed_check_shows_what_it_saw() {
    let (result, _) = script(
        r#"
        let r = echo(#{ status: 503, headers: #{ "x-y": "z" } });
        let limit = 300;
        check("it answers", || r.status < limit && r.headers["x-y"] == "z");
        "#,
    )
    .run();
    insta::assert_snapshot!(result.failures[0].1.message, @r#"
    check failed: it answers
      r.status         = 503
      limit            = 300
      r.headers["x-y"] = "z"
    "#);
}

#[test]
fn errors_in_closures_have_a_place() {
    let (result, _) = script("let r = echo(#{ status: 1 });\ncheck(\"c\", || r.stats == 1);\nr.map(|v| v.nope);\nr.map(|v| { throw \"bad\" });\necho(1).when(|| r.status);").run();
    let shown: String = result
        .failures
        .iter()
        .map(|(name, failure)| {
            format!(
                "{name} [{}] {} ({})\n",
                failure.code,
                failure.message,
                failure.file.clone().unwrap_or_default()
            )
        })
        .collect();
    insta::assert_snapshot!(shown);
}

#[test]
fn pure_functions_lift() {
    let outputs = script("let known = text::shout(\"a\"); let r = echo(\"b\"); let later = text::shout(r); let both = echo([known, later]);").outputs();
    assert_eq!(outputs["both"], json!(["A", "B"]));
}

#[test]
fn a_reading_that_leads_nowhere_says_what_is_there() {
    let (result, _) = script("let r = echo(#{ items: [#{ name: \"a\" }] });\necho(r.items[0].nme);\necho(r.items[3]);\necho(r.items.x);").run();
    let shown: String = result
        .failures
        .iter()
        .map(|(name, failure)| format!("{name}: {}\n", failure.message))
        .collect();
    insta::assert_snapshot!(shown);
}

#[test]
fn a_closure_may_look_at_the_variable_of_its_own_call() {
    let outputs = script("let c = cluster(); let a = c.apply(\"x: 1\\n\").when(|| c.version == \"v1.20.2\"); let m = c.version.map(|v| v + c.kubeconfig).when(|| c.version != \"\");").outputs();
    assert_eq!(outputs["a"]["cluster"], json!("/k"));
    assert_eq!(outputs["m"], json!("v1.20.2/k"));
    let problems =
        script("fn f(c) { c.apply(\"x: 1\\n\").when(|| c.version == \"\") } let c = cluster(); f(c);")
            .problems();
    assert!(problems.contains("[psprun::plan::own_closure]"), "{problems}");
}

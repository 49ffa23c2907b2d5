//! Everything that a playbook can get wrong says what, where, why, and what to do.

use insta::assert_snapshot;

use super::support::script;

#[test]
fn looking_too_early() {
    let looks = [
        r#"let r = echo(1); if r == 1 { echo(2); }"#,
        r#"let r = echo(1); if r.status > 200 { echo(2); }"#,
        r#"let r = echo(1); if r { echo(2); }"#,
        r#"let r = echo(1); if !r { echo(2); }"#,
        r#"let r = echo(1); while r { echo(2); }"#,
        r#"let r = echo(1); let x = r + 1;"#,
        r#"let r = echo([1]); for x in r { echo(x); }"#,
        r#"let r = echo(1); switch r { 1 => echo(2), _ => echo(3) };"#,
        r#"let r = echo(1); switch r.status { 1 => echo(2), _ => echo(3) };"#,
        r#"fn pick(x) { switch x { 1 => 2, _ => 3 } } let r = echo(1); pick(r);"#,
        r#"fn pick(x) { x ?? 3 } let r = echo(1); pick(r);"#,
        r#"let r = echo(1); let x = r ?? 3;"#,
        r#"let r = echo(1); let x = r.status ?? 3;"#,
        r#"let r = echo(1); let n = `${r}`.len();"#,
        r#"let r = echo(1); let n = `${r}`.len;"#,
        r#"let r = echo(1); if `http://${r}/` == "http://x/" { echo(2); }"#,
        r#"let r = echo(1); if `http://${r}/`.contains("x") { echo(2); }"#,
        r#"let r = echo(1); let p = `${r}`.split("/");"#,
        r#"let r = echo(1); let p = `${r}`; let c = p[0]; echo(c);"#,
        r#"let r = echo(1); let found = r in [1, 2];"#,
        r#"let r = echo(1); let found = [1, 2].contains(r);"#,
        r#"let r = echo(1); let n = r.len();"#,
        r#"let r = echo(1); try { if r == 1 { } } catch { }"#,
        r#"let r = echo(1); echo(2).timeout(`${r}s`);"#,
        r#"let r = echo("x"); import `mod/${r}` as m;"#,
        r#"let r = echo("x"); let m = #{}; m[`${r}`] = 1; echo(m);"#,
    ];
    let shown: String = looks
        .iter()
        .map(|text| format!("{text}\n{}\n", script(text).problems()))
        .collect();
    assert_snapshot!(shown);
}

#[test]
fn wrong_calls() {
    let calls = [
        "ecko(1);",
        "echo();",
        "echo(1, 2);",
        "echo(1, #{ sy: \"x\" });",
        "echo(1, #{ say: 3 });",
        "echo(1, #{ words: -1 });",
        "echo(1, #{ words: \"three\" });",
        "echo(1, #{ value: 2 });",
        "count(3);",
        "count(#{ good_at: 1.5 });",
        "let c = cluster(); c.aply(\"x\");",
        "let c = cluster(); c.wait_for_godot(1);",
        "let e = echo(1); e.apply(\"x.yaml\");",
        "let c = cluster(); c.kubeconfig.apply(\"x.yaml\");",
        "apply(\"x.yaml\");",
        "let c = cluster(); c.apply(\"nope.yaml\");",
        "let c = cluster(); c.apply(\"../../etc/passwd\");",
        "let c = cluster(); c.apply(\"\");",
        "echo(1).after(2);",
        "echo(1).aftr(echo(2));",
        "echo(1).when(true);",
        "echo(1).retries(\"many\");",
        "echo(1).retries(#{ cout: 2 });",
        "echo(1).timeout(\"soon\");",
        "echo(1).named(\"a b\");",
        "echo(1, #{ when: || 1 == 1, tags: 3 });",
        "echo(sequence([echo(1)]));",
        "sequence([1]);",
        "echo(1..3);",
        "let r = echo(1); echo(2).when(|| echo(3));\nlet x = unknown;",
        "text::shout(1);",
        "text::shuot(\"a\");",
        "import \"nope\" as x;",
        "import \"/etc/passwd\" as x;",
        "import \"../x\" as x;",
        "file(\"nope.txt\");",
        "throw \"no such luck\";",
        "eval(\"1\");",
        "timestamp();",
        "let a = #{}; a.b.c;",
    ];
    let shown: String = calls
        .iter()
        .map(|text| format!("{text}\n{}\n", script(text).problems()))
        .collect();
    assert_snapshot!(shown);
}

#[test]
fn syntax() {
    let texts = [
        "let x = ;",
        "echo(1",
        "let x = 1\nlet y = 2;",
        "let match = 1;",
        "echo(\"abc);",
        "fn f( {}",
    ];
    let shown: String = texts
        .iter()
        .map(|text| format!("{text}\n{}\n", script(text).problems()))
        .collect();
    assert_snapshot!(shown);
}

#[test]
fn cycles_are_all_reported() {
    let text = r#"
let a = echo(1);
let b = echo(a);
a.after(b);
let c = echo(3);
let d = echo(4).after(c);
let e = echo(5).after(d);
c.after(e);
let f = echo(6);
f.after(f);
"#;
    assert_snapshot!(script(text).problems());
}

#[test]
fn same_names() {
    assert_snapshot!(
        script("echo(1).named(\"a\");\necho(2).named(\"a\");\nlet b = echo(3);\necho(4).named(\"b\");")
            .problems()
    );
}

#[test]
fn errors_in_modules_and_functions_have_their_own_place() {
    let broken = script("import \"cni/x\" as cni;\nlet c = cluster();\ncni::install(c);")
        .file("plugins/cni/x.rhai", "fn install(cluster) {\n    helper(cluster)\n}\nfn helper(cluster) {\n    cluster.apply(\"x.yaml\", #{ namspace: \"a\" })\n}")
        .file("plugins/cni/x.yaml", "a: 1");
    assert_snapshot!(broken.problems());
    let syntax = script("import \"cni/x\" as cni;")
        .file("plugins/cni/x.rhai", "fn install(cluster) {\n    let = 3;\n}");
    assert_snapshot!(syntax.problems());
    let itself = script("import \"a\" as a;")
        .file("plugins/a.rhai", "import \"b\" as b;")
        .file("plugins/b.rhai", "import \"a\" as a;");
    assert_snapshot!(itself.problems());
}

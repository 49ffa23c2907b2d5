//! Reading manifests, and writing them back.

#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Finding, Manifest, to_yaml, to_yaml_documents};

fn values(text: &str) -> Vec<Value> {
    let manifest = Manifest::read("x.yaml", text).unwrap();
    manifest
        .documents
        .into_iter()
        .map(|document| document.value)
        .collect()
}

fn error(text: &str) -> String {
    match Manifest::read("x.yaml", text) {
        Ok(manifest) => format!("no error: {:?}", manifest.documents),
        Err(error) => error.to_string(),
    }
}

#[test]
fn reads_documents_with_their_lines() {
    let manifest = Manifest::read(
        "x.yaml",
        "# a comment\n---\na: 1\n---\n# nothing\n---\nb: [x, 'yes', 0644]\n",
    )
    .unwrap();
    let found: Vec<_> = manifest
        .documents
        .iter()
        .map(|d| (d.value.clone(), d.origin.index, d.origin.show()))
        .collect();
    assert_eq!(
        found,
        [
            (json!({"a": 1}), 0, "x.yaml:3".to_owned()),
            (json!({"b": ["x", "yes", 420]}), 2, "x.yaml:7".to_owned())
        ]
    );
    let findings: Vec<String> = manifest.findings.iter().map(Finding::to_string).collect();
    assert_eq!(findings, ["x.yaml:4:1: this document is empty"]);
}

#[test]
fn the_last_of_two_keys_counts_and_both_are_told() {
    let manifest = Manifest::read(
        "psp.yaml",
        "spec:\n  runAsUser:\n    rule: MustRunAs\n  x: 1\n  runAsUser: {rule: RunAsAny}\n",
    )
    .unwrap();
    assert_eq!(
        manifest.documents[0].value,
        json!({"spec": {"runAsUser": {"rule": "RunAsAny"}, "x": 1}})
    );
    assert_eq!(
        manifest.findings[0].to_string(),
        "psp.yaml:5:3: `runAsUser` is written twice: line 2 says {rule: `MustRunAs`}, line 5 says {rule: `RunAsAny`}; \
         the last one counts"
    );
}

#[test]
fn the_values_of_a_secret_are_not_told() {
    let text = "items:\n- kind: Secret\n  data: {a: b25l, a: dHdv}\n- kind: X\n  data: {a: b25l, a: dHdv}\n";
    let findings = Manifest::read("x.yaml", text).unwrap().findings;
    assert_eq!(
        findings[0].message,
        "`a` is written twice, on lines 3 and 3; the last one counts"
    );
    assert!(findings[1].message.contains("b25l"));
}

#[test]
fn tells_of_words_that_are_booleans() {
    let manifest = Manifest::read("x.yaml", "on: yes\nq: 'no'\nt: true").unwrap();
    assert_eq!(
        manifest.documents[0].value,
        json!({"true": true, "q": "no", "t": true})
    );
    assert_eq!(manifest.findings.len(), 2);
    assert_eq!(manifest.findings[1].at, "x.yaml:1:5");
}

#[test]
fn takes_lists_apart() {
    let manifest = Manifest::read(
        "x.yaml",
        "apiVersion: v1\nkind: List\nitems:\n- kind: A\n- kind: B\n  data:\n    x: y\n---\nkind: PodList\napiVersion: v1\nitems: [{metadata: {}}]",
    )
    .unwrap();
    let found: Vec<_> = manifest
        .documents
        .iter()
        .map(|d| (d.value["kind"].clone(), d.origin.show()))
        .collect();
    assert_eq!(
        found,
        [
            (json!("A"), "x.yaml:4".to_owned()),
            (json!("B"), "x.yaml:5".to_owned()),
            (json!("Pod"), "x.yaml:11".to_owned())
        ]
    );
    assert_eq!(manifest.documents[1].origin.place_of("data.x"), "x.yaml:7:5");
}

#[test]
fn finds_the_place_of_a_field() {
    let text = "a: 1\n---\nspec:\n  containers:\n  - name: x\n    image: y\nmetadata:\n  annotations:\n    a.b/c: d\n";
    let manifest = Manifest::read("x.yaml", text).unwrap();
    let origin = &manifest.documents[1].origin;
    assert_eq!(origin.place_of("spec.containers[0].image"), "x.yaml:6:5");
    assert_eq!(origin.place_of(".spec.containers[0].ports[0]"), "x.yaml:5:5");
    assert_eq!(origin.place_of("metadata.annotations[a.b/c]"), "x.yaml:9:5");
    assert_eq!(
        origin.place_of(".spec.containers[name=\"x\"].image"),
        "x.yaml:6:5"
    );
}

#[test]
fn aliases_and_merges_are_followed() {
    let text =
        "base: &base {a: 1, b: 2}\nthis: {<<: *base, b: 3}\nlist: [*base]\nboth: {<<: [{c: 4}, *base], a: 0}";
    assert_eq!(
        values(text),
        [
            json!({"base": {"a": 1, "b": 2}, "this": {"b": 3, "a": 1}, "list": [{"a": 1, "b": 2}],
            "both": {"a": 0, "c": 4, "b": 2}})
        ]
    );
}

#[test]
fn reads_json_too() {
    assert_eq!(
        values("{\"a\": [1, 2.5, \"\\/\\ud83d\\ude00\"]}"),
        [json!({"a": [1, 2.5, "/😀"]})]
    );
    assert_eq!(
        values("{\n\t\"a\": 1,\n\t\"b\": {\n\t\t\"c\": null\n\t}\n}\n{\"d\": 2}"),
        [json!({"a": 1, "b": {"c": null}}), json!({"d": 2})]
    );
}

#[test]
fn odd_line_ends_and_marks_are_read() {
    assert_eq!(
        values("\u{feff}a: 1\r\n---\r\nb: |\r\n  x\r\n  y\r\n"),
        [json!({"a": 1}), json!({"b": "x\ny\n"})]
    );
    assert_eq!(values(""), Vec::<Value>::new());
    assert_eq!(values("---\n# nothing\n---\n"), Vec::<Value>::new());
    assert_eq!(
        values("a: 1\n...\n---\nb: 2\n"),
        [json!({"a": 1}), json!({"b": 2})]
    );
}

#[test]
fn errors_say_where_and_what_to_do() {
    assert_eq!(
        error("a: 1\nb:\n\tc: 2\n"),
        "x.yaml:3:1: a tab indents this line (YAML is indented with blanks: replace the tab)"
    );
    assert_eq!(
        error("a: 1\n--\nb: 2\n"),
        "x.yaml:2:1: `--` does not separate documents (write `---`, three dashes)"
    );
    assert_eq!(
        error("--\na: 1\n---\nb: 2\n"),
        "x.yaml:1:1: `--` does not separate documents (write `---`, three dashes)"
    );
    let indentation = "look at the indentation and the `:` of this line and the one above";
    for (text, place, message, help) in [
        (
            "a:\n  b: 1\n c: 2\n",
            "3:2",
            "did not find expected key",
            indentation,
        ),
        ("a: b: c\n", "1:5", "mapping values are not allowed", indentation),
        (
            "a: 1\n b: 2\n",
            "2:3",
            "mapping values are not allowed",
            indentation,
        ),
        ("- a\nb: c\n", "2:1", "did not find expected '-'", indentation),
        (
            "a: [1, 2\nb: 3\n",
            "2:2",
            "illegal placement of ':'",
            "is a `[` or `{` above not closed?",
        ),
        (
            "a: 'x\n",
            "1:4",
            "unexpected end of stream",
            "is a quote not closed?",
        ),
        (
            "a: {{ value }}\n",
            "1:5",
            "cannot be a key",
            "a template that was not filled in",
        ),
        (
            "a: *nope\n",
            "1:4",
            "unknown anchor",
            "quote a value that begins with `*`",
        ),
        ("a: @x\n", "1:4", "unexpected character", "quote it"),
        (
            "<<<<<<< HEAD\na: 1\n=======\na: 2\n",
            "2:2",
            "mapping values",
            "an unfinished merge of git",
        ),
        (
            "<!DOCTYPE html>\n<body style='a: b'>\n",
            "2:15",
            "mapping values",
            "like an HTML page",
        ),
    ] {
        let error = error(text);
        assert!(error.starts_with(&format!("x.yaml:{place}: ")), "{error}");
        assert!(error.contains(message) && error.contains(help), "{error}");
    }
    assert_eq!(
        Manifest::read_bytes("x.yaml", b"a: 1\nb: \xff\n")
            .unwrap_err()
            .to_string(),
        "x.yaml:2:1: it is no UTF-8 text"
    );
}

#[test]
fn hostile_texts_end_soon() {
    let deep = "[".repeat(100_000);
    assert!(error(&deep).contains("nested deeper"), "{}", error(&deep));
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        bomb.push_str(&format!(
            "a{i}: &a{i} [{}]\n",
            vec![format!("*a{}", i - 1); 10].join(", ")
        ));
    }
    assert!(error(&bomb).contains("millions of values"), "{}", error(&bomb));
    let mut chain = String::from("- &a0 []\n");
    for i in 1..200 {
        chain.push_str(&format!("- &a{i} [*a{}]\n", i - 1));
    }
    assert!(error(&chain).contains("nested deeper"), "{}", error(&chain));
    assert!(
        error("a: &a [*a]").contains("x.yaml:1:"),
        "{}",
        error("a: &a [*a]")
    );
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1_000_000i32..1_000_000).prop_map(|n| Value::from(f64::from(n) / 64.0 + 0.001)),
        "\\PC{0,12}".prop_map(Value::from),
        "[ab '\"\u{7f}\u{85}\u{2028}\u{2029}\u{feff}\u{1}]{0,6}".prop_map(Value::from),
        "[ \t\n\r:#\\-'\"a0|>&*!%@`{}\\[\\],?~]{0,8}".prop_map(Value::from),
        "(yes|no|on|off|y|n|Yes|NULL|~|0644|0x1f|1_000|1e3|\\.5|1\\.|08|2001-01-01|<<|=|0o7|\\.inf|\\.nan|--|---|\\.\\.\\.|-0|\\+1)"
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map("([a-z./]{1,8}|yes|on|0644|<<|~|\\PC{0,4})", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(value in json()) {
        let text = to_yaml(&value).unwrap();
        let read = Manifest::read("x.yaml", &text).unwrap();
        let read: Vec<Value> = read.documents.into_iter().map(|document| document.value).collect();
        if value.is_null() || value["kind"].is_string() {
            return Ok(());
        }
        prop_assert_eq!(read, vec![value], "{}", text);
    }

    #[test]
    fn documents_stay_apart(values in prop::collection::vec(json().prop_map(|value| json!({ "value": value })), 0..5)) {
        let text = to_yaml_documents(&values).unwrap();
        let read = Manifest::read("x.yaml", &text).unwrap();
        let read: Vec<Value> = read.documents.into_iter().map(|document| document.value).collect();
        prop_assert_eq!(read, values, "{}", text);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[ab:\\- \n\t'\"{}\\[\\],&*!|>#%@0-9<.~?]{0,60}") {
        let _ = Manifest::read("x.yaml", &text);
    }
}

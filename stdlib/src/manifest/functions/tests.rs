//! The examples of all functions, through a script; what functions refuse; laws.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use psprun_engine::{Function, Registry};
use serde_json::{Value, json};

fn functions() -> Vec<Function> {
    let mut registry = Registry::new();
    super::register(&mut registry);
    registry.functions().copied().collect()
}

fn call(name: &str, args: &[Value]) -> Result<Value, String> {
    let function = functions()
        .into_iter()
        .find(|function| function.name == name)
        .unwrap();
    let mut args = args.to_vec();
    args.resize(function.params.len(), Value::Null);
    (function.call)(&args)
}

#[test]
fn the_examples_give_what_they_say() {
    for function in functions() {
        let script = format!("host::run([\"echo\", to_json({})]);", function.example);
        let plan = crate::testing::plan(&script);
        let (id, _) = plan.steps().next().unwrap();
        let shown = plan.shown_args(id)["command"][1].clone();
        let given: Value = serde_json::from_str(shown.as_str().unwrap()).unwrap();
        assert_eq!(
            given,
            serde_json::from_str::<Value>(function.gives).unwrap(),
            "{}",
            function.name
        );
    }
}

#[test]
fn what_is_wrong_is_named() {
    let two = json!([{"kind": "Deployment", "metadata": {"name": "a"}}, {"kind": "Service", "metadata": {"name": "b"}}]);
    for (name, args, message) in [
        ("manifest::parse", vec![json!("a: [")], "text:2:1: "),
        (
            "manifest::parse",
            vec![json!("- a\n")],
            "a document is a list, not a map",
        ),
        (
            "manifest::set",
            vec![two.clone(), json!("a.b"), json!(1), json!("Deploymnt")],
            "did you mean `Deployment`?",
        ),
        (
            "manifest::set",
            vec![two.clone(), json!("a.b"), json!(1), json!("Service"), json!("x")],
            "there is Deployment a, Service b",
        ),
        (
            "manifest::set",
            vec![json!(3), json!("a"), json!(1)],
            "not the number 3",
        ),
        (
            "manifest::append",
            vec![two.clone(), json!("kind"), json!(1)],
            "Deployment a: at the path stands a text, not a list",
        ),
        (
            "manifest::json_patch",
            vec![two.clone(), json!([{"op": "remove", "path": "/x"}])],
            "Deployment a: ",
        ),
        (
            "manifest::merge",
            vec![two, json!("x")],
            "`patch` has to be a map",
        ),
        (
            "manifest::drop_lines",
            vec![json!("x"), json!("(")],
            "`(` is no regular expression: unclosed group",
        ),
        ("from_yaml", vec![json!("a: 1\n---\nb: 2\n")], "2 documents"),
        ("base64_decode", vec![json!("*")], "no base64"),
        (
            "semver_compare",
            vec![json!("latest"), json!("1")],
            "`latest` is no version",
        ),
    ] {
        let error = call(name, &args).unwrap_err();
        assert!(error.contains(message), "{name}: {error}");
    }
}

#[test]
fn lines_are_dropped_from_text_and_from_objects() {
    let text = "args:\n- /controller\n- --publish-service=$(NS)/x\n- --b\n";
    let dropped = call("manifest::drop_lines", &[json!(text), json!("--publish-service")]).unwrap();
    assert_eq!(dropped, json!("args:\n- /controller\n- --b\n"));
    let parsed = call("manifest::parse", &[json!(text)]).unwrap();
    let dropped = call("manifest::drop_lines", &[parsed, json!("--publish-service")]).unwrap();
    assert_eq!(dropped, json!([{"args": ["/controller", "--b"]}]));
    let config = json!({"data": {"conf": "a=1\nb=2\n"}});
    assert_eq!(
        call("manifest::drop_lines", &[config, json!("^b")]).unwrap(),
        json!({"data": {"conf": "a=1\n"}})
    );
}

#[test]
fn annotations_go_from_templates_too() {
    let object = json!({"metadata": {"annotations": {"apparmor.x": "1"}}, "spec": {"template": {"metadata": {"annotations": {
        "container.apparmor.security/x": "1", "keep": "1"}}}}});
    assert_eq!(
        call("manifest::without_annotations", &[object, json!("apparmor")]).unwrap(),
        json!({"metadata": {}, "spec": {"template": {"metadata": {"annotations": {"keep": "1"}}}}})
    );
}

fn objects() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z0-9:. ]{0,6}".prop_map(Value::from)
    ];
    let value = leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    let object = ("[A-C]", "[a-c]", value)
        .prop_map(|(kind, name, spec)| json!({"kind": kind, "metadata": {"name": name}, "spec": spec}));
    prop::collection::vec(object, 0..5).prop_map(Value::from)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_emitted_is_parsed(objects in objects()) {
        let text = call("manifest::emit", std::slice::from_ref(&objects)).unwrap();
        prop_assert_eq!(call("manifest::parse", &[text]).unwrap(), objects);
    }

    #[test]
    fn every_object_is_selected_or_not(objects in objects(), kind in "[A-C]", name in "[a-c]") {
        let args = [objects.clone(), kind.into(), name.into()];
        let count = |name| call(name, &args).unwrap().as_array().unwrap().len();
        prop_assert_eq!(count("manifest::select") + count("manifest::without"), objects.as_array().unwrap().len());
    }

    #[test]
    fn what_is_set_is_there_and_setting_it_again_changes_nothing(objects in objects(), value in any::<i32>()) {
        let set = |objects: Value| call("manifest::set", &[objects, json!("status.x[\"a.b\"]"), value.into()]).unwrap();
        let once = set(objects);
        for object in once.as_array().unwrap() {
            prop_assert_eq!(&object["status"]["x"]["a.b"], &Value::from(value));
        }
        prop_assert_eq!(set(once.clone()), once);
    }

    #[test]
    fn merging_twice_is_merging_once(objects in objects(), patch in objects()) {
        let patch = patch.as_array().unwrap().first().cloned().unwrap_or_else(|| json!({}));
        let merge = |objects: Value| call("manifest::merge", &[objects, patch.clone()]).unwrap();
        let once = merge(objects);
        prop_assert_eq!(merge(once.clone()), once);
    }

    #[test]
    fn base64_goes_forth_and_back(text in "\\PC{0,20}") {
        let encoded = call("base64_encode", &[text.clone().into()]).unwrap();
        prop_assert_eq!(call("base64_decode", &[encoded]).unwrap(), Value::from(text));
    }

    #[test]
    fn dropping_lines_twice_is_dropping_once(text in "[ab\n]{0,30}") {
        let drop = |text: Value| call("manifest::drop_lines", &[text, json!("^a")]).unwrap();
        let once = drop(text.into());
        prop_assert_eq!(drop(once.clone()), once);
    }
}

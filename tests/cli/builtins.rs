//! `psprun builtins`.

use crate::support::Psprun;

#[test]
fn the_list_has_the_engine_s_own_and_the_library_s() {
    let told = Psprun::new().args(["builtins"]).run();
    for name in ["check", "for_each", "host::run"] {
        assert!(
            told.stdout.lines().any(|line| line.starts_with(name)),
            "{name}: {}",
            told.stdout
        );
    }
}

#[test]
fn one_by_its_name_or_its_alias() {
    let by_name = Psprun::new().args(["builtins", "host::run"]).run();
    assert!(by_name.stdout.contains("(required)"), "{}", by_name.stdout);
    let by_alias = Psprun::new().args(["builtins", "sh"]).run();
    assert_eq!(by_name.all(), by_alias.all());
}

#[test]
fn a_name_misspelt() {
    let told = Psprun::new().args(["builtins", "chekc"]).run();
    assert_eq!(told.code, Some(2));
    assert!(told.stderr.contains("did you mean `check`?"), "{}", told.stderr);
}

#[test]
fn every_argument_is_documented() {
    let told = Psprun::new().args(["builtins", "-o", "json"]).run();
    let all: serde_json::Value = serde_json::from_str(&told.stdout).expect("JSON");
    for builtin in all["builtins"].as_array().expect("a list") {
        for argument in builtin["arguments"].as_array().expect("a list") {
            assert_ne!(argument["doc"], "", "{}: {}", builtin["name"], argument["name"]);
            assert_ne!(argument["type"], "", "{}: {}", builtin["name"], argument["name"]);
        }
        let examples = builtin["examples"].as_array().expect("a list");
        assert!(
            examples.len() >= 2,
            "{} has {} examples",
            builtin["name"],
            examples.len()
        );
    }
}

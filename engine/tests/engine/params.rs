//! Parameters and their values.

use insta::assert_snapshot;
use serde_json::json;

use super::support::script;

const DECLARED: &str = r#"
let cni = param("cni", #{ default: "flannel", choices: ["flannel", "calico"], doc: "pod network" });
let count = param("count", 3, "how many");
let ratio = param("ratio", #{ type: "float", default: 0.5, min: 0, max: 1 });
let on = param("on", true);
let names = param("names", ["a"]);
let version = param("version", #{ type: "string", pattern: "v1\\.[0-9]+", default: "v1.20" });
let all = echo([cni, count, ratio, on, names, version]);
"#;

#[test]
fn values_are_read_as_the_type_says() {
    let outputs = script(DECLARED)
        .set("cni", "calico")
        .set("count", "7")
        .set("ratio", "1")
        .set("on", "false")
        .set("names", "x, y")
        .set("version", "v1.19")
        .outputs();
    assert_eq!(
        outputs["all"],
        json!(["calico", 7, 1.0, false, ["x", "y"], "v1.19"])
    );
    assert_eq!(
        script(DECLARED).outputs()["all"],
        json!(["flannel", 3, 0.5, true, ["a"], "v1.20"])
    );
}

#[test]
fn wrong_values() {
    let wrong = [
        ("cni", json!("flanel")),
        ("count", json!("many")),
        ("count", json!([1])),
        ("ratio", json!("1.5")),
        ("on", json!("maybe")),
        ("version", json!("1.20")),
        ("verson", json!("v1.20")),
    ];
    let shown: String = wrong
        .iter()
        .map(|(name, value)| {
            format!(
                "{name}={value}\n{}\n",
                script(DECLARED).set(name, value.clone()).problems()
            )
        })
        .collect();
    assert_snapshot!(shown);
}

#[test]
fn wrong_declarations() {
    let wrong = [
        "param(\"x\");",
        "param(\"x\", #{ type: \"strin\" });",
        "param(\"x\", #{ defalt: 1 });",
        "param(\"x\", #{ default: \"c\", choices: [\"a\"] });",
        "param(\"x\", #{ pattern: \"(\", default: \"a\" });",
        "param(\"x\", 1); param(\"x\", 2);",
    ];
    let shown: String = wrong
        .iter()
        .map(|text| format!("{text}\n{}\n", script(text).problems()))
        .collect();
    assert_snapshot!(shown);
}

#[test]
fn listed_without_values() {
    let params =
        script("let a = param(\"a\", #{ doc: \"needed\" });\nlet b = param(\"b\", 1, \"given\"); echo(a);")
            .params()
            .unwrap();
    assert_eq!(
        params
            .iter()
            .map(|p| (p.name.as_str(), p.default.is_some()))
            .collect::<Vec<_>>(),
        [("a", false), ("b", true)]
    );
}

#[test]
fn secrets_are_masked_everywhere() {
    let secret = script(
        "let token = param(\"token\", #{ secret: true });
         let e = echo(`Bearer ${token}`, #{ say: `token is ${token}` });
         fail(`no: ${token}`).allow_failure();",
    )
    .set("token", "s3cr3t-value");
    let plan = secret.good();
    assert_eq!(
        plan.describe(plan.find("e").unwrap()),
        "Bearer *** say=token is ***"
    );
    let (_, events) = secret.run();
    assert!(!events.contains("s3cr3t"), "{events}");
    assert!(events.contains("e | token is ***"), "{events}");
    assert!(events.contains("no: ***"), "{events}");
}

//! `psprun params`, `--set` and `--values`.

use crate::support::Psprun;

const SCRIPT: &str = r#"
let who = param("who", "world", "whom to greet");
let size = param("size", #{ "default": "small", choices: ["small", "large"], doc: "how big" });
let replicas = param("replicas", #{ type: "int", "default": 2, min: 1, max: 5, doc: "how many" });
let token = param("token", #{ "default": "hush-hush", secret: true, doc: "for the registry" });
let ports = param("ports", [80, 443], "where it listens");
check(`hello ${who}, ${replicas} ${size}`, || true).named("greet");
"#;

const REQUIRED: &str =
    "let region = param(\"region\", #{ type: \"string\", doc: \"where\" });\ncheck(region, || true);\n";

#[test]
fn a_table() {
    let psprun = Psprun::new().file("p.rhai", SCRIPT);
    insta::assert_snapshot!(psprun.args(["params", "p.rhai"]).run().all());
}

#[test]
fn a_table_with_values_in_force() {
    let psprun = Psprun::new()
        .file("p.rhai", SCRIPT)
        .file("v.yaml", "who: you\nports: [8080]\n");
    let told = psprun
        .args(["params", "p.rhai", "--values", "v.yaml", "--set", "replicas=3"])
        .run();
    insta::assert_snapshot!(told.all());
}

#[test]
fn json_with_the_secret_masked() {
    let told = Psprun::new()
        .file("p.rhai", SCRIPT)
        .args(["params", "p.rhai", "-o", "json"])
        .run();
    assert!(!told.stdout.contains("hush-hush"), "{}", told.stdout);
    insta::assert_snapshot!(told.all());
}

#[test]
fn a_required_one() {
    let psprun = Psprun::new().file("p.rhai", REQUIRED);
    insta::assert_snapshot!(psprun.again().args(["params", "p.rhai"]).run().all());
    insta::assert_snapshot!(psprun.again().args(["p.rhai", "--dry-run"]).run().all());
    let given = psprun.again().args(["p.rhai", "--set", "region=north"]).run();
    assert_eq!(given.code, Some(0), "{}", given.stderr);
}

#[test]
fn none_at_all() {
    let told = Psprun::new()
        .file("p.rhai", "check(\"x\", || true);")
        .args(["params", "p.rhai"])
        .run();
    assert_eq!(told.all(), "exit 0\n--- stdout\np.rhai has no parameters\n");
}

#[test]
fn values_reach_the_playbook_and_set_wins() {
    let psprun = Psprun::new()
        .playbook(SCRIPT)
        .file("v.yaml", "who: you\nreplicas: 4\nsize: large\n");
    let told = psprun
        .args(["--values", "v.yaml", "--set", "who=me", "--dry-run"])
        .run();
    assert!(
        told.stdout.contains("hello me, 4 large"),
        "{}{}",
        told.stdout,
        told.stderr
    );
}

#[test]
fn wrong_ones_are_told() {
    for (name, set) in [
        ("unknown", "whoo=x"),
        ("type", "replicas=many"),
        ("range", "replicas=9"),
        ("choice", "size=huge"),
    ] {
        let told = Psprun::new().playbook(SCRIPT).args(["--set", set]).run();
        insta::assert_snapshot!(format!("wrong_{name}"), told.all());
    }
}

#[test]
fn a_values_file_that_is_no_yaml() {
    let psprun = Psprun::new()
        .playbook(SCRIPT)
        .file("v.yaml", "who: you\n\treplicas: 4\n");
    insta::assert_snapshot!(psprun.args(["--values", "v.yaml"]).run().all());
}

#[test]
fn a_values_file_that_is_no_map() {
    let psprun = Psprun::new().playbook(SCRIPT).file("v.yaml", "- who\n- you\n");
    insta::assert_snapshot!(psprun.args(["--values", "v.yaml"]).run().all());
}

#[test]
fn a_values_file_that_is_not_there() {
    insta::assert_snapshot!(
        Psprun::new()
            .playbook(SCRIPT)
            .args(["--values", "v.yaml"])
            .run()
            .all()
    );
}

//! Manifests mean what kubectl 1.20.2 makes of them: the same texts, read by both.

use psprun_stdlib::manifest::Manifest;
use serde_json::Value;

use super::bench::Bench;
use crate::support::apiserver::ApiServer;

const DEFINITION: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Thing, plural: things}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

/// Scalars and structures on which readers of YAML differ. Left out: integers above 2^63, which kubectl makes floats.
const VALUES: &[&str] = &[
    "y",
    "Y",
    "yes",
    "Yes",
    "YES",
    "yEs",
    "n",
    "no",
    "No",
    "on",
    "On",
    "ON",
    "off",
    "OFF",
    "true",
    "True",
    "TRUE",
    "tRue",
    "false",
    "~",
    "null",
    "Null",
    "NULL",
    "nULL",
    "''",
    "'yes'",
    "\"0644\"",
    "0644",
    "0o644",
    "0O644",
    "-0644",
    "08",
    "09.5",
    "0",
    "-0",
    "+0",
    "+5",
    "-5",
    "1_000",
    "1__0",
    "_1",
    "1_",
    "0x1f",
    "0X1F",
    "-0x1f",
    "0xg",
    "0b11",
    "0B11",
    "-0b11",
    "0b2",
    "1.5",
    "1.",
    ".5",
    "-.5",
    "+.5",
    ".",
    "..",
    "1e3",
    "1E3",
    "1e+3",
    "1e-3",
    "1e",
    "e3",
    "1.10",
    "1.2.3",
    "1:30",
    "1:30:00",
    "2001-01-01",
    "2001-1-1",
    "2001-01-01T00:00:00Z",
    "2001-01-01 00:00:00",
    "20010101",
    "100m",
    "1Gi",
    "v1",
    "-",
    "--",
    "- - a",
    "=",
    "a=b",
    "18446744073709551616",
    "-9223372036854775808",
    "1.0",
    "100000000000000000000.0",
    "123456.789",
    "a b",
    "a: b",
    "{a: yes, 1: 2, on: x, 0644: y}",
    "[yes, 'no', 0o7]",
    "!!str yes",
    "!!int \"5\"",
    "!!float 5",
    "!!bool yes",
    "!!str 0644",
    "|\n    a\n    b",
    ">-\n    a\n    b",
    "\"a\\nb\\u00e9\"",
    "'it''s'",
    "{a: 1, a: 2}",
    "&x {a: 1}",
    "{<<: {a: 1}, b: 2}",
    "{b: 2, <<: {a: 1}}",
    "[a, ]",
    "{}",
    "[]",
    "{a: }",
    "# comment",
    "a # comment",
    "a#b",
    "'%x'",
    "a\n    b",
    "?x",
    ":x",
    "x:",
    "é",
];

/// One file with a document for each value, and kubectl's view of it, by name.
fn by_kubectl(server: &ApiServer, values: &[&str]) -> Vec<(String, Option<Value>)> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.yaml");
    values
        .iter()
        .enumerate()
        .map(|(index, value)| {
            let text = document(index, value);
            std::fs::write(&file, &text).expect("it can be written");
            let output = std::process::Command::new(server.binary("kubectl"))
                .arg("--kubeconfig")
                .arg(server.kubeconfig())
                .args([
                    "create",
                    "--dry-run=client",
                    "--validate=false",
                    "-o",
                    "json",
                    "-f",
                ])
                .arg(&file)
                .output()
                .expect("kubectl starts");
            let object: Option<Value> = serde_json::from_slice(&output.stdout).ok();
            (text, object.map(|mut object| object["spec"].take()))
        })
        .collect()
}

fn document(index: usize, value: &str) -> String {
    format!(
        "apiVersion: example.org/v1\nkind: Thing\nmetadata: {{name: t-{index}, namespace: default}}\nspec:\n  v: {value}\n"
    )
}

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn manifests_are_read_as_kubectl_reads_them() {
    let server = ApiServer::start(&[]);
    let bench = Bench::new(server.kubeconfig());
    bench
        .run(&format!("let done = cluster.apply({});", Value::from(DEFINITION)))
        .good("done");
    let mut wrong = Vec::new();
    for (text, expected) in by_kubectl(&server, VALUES) {
        let ours = Manifest::read("x.yaml", &text)
            .ok()
            .map(|manifest| manifest.documents[0].value["spec"].clone());
        if ours != expected {
            wrong.push(format!(
                "{}kubectl {expected:?}\nours {ours:?}",
                text.lines().skip(4).collect::<Vec<_>>().join("\n")
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        VALUES.len(),
        wrong.join("\n\n")
    );
}

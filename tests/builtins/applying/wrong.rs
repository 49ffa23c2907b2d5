//! What is wrong with a manifest, and what is odd about it.

use psprun_engine::event::Failure;

use super::{Cluster, NOTHING, deployment};

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn what_is_wrong_is_said_before_anything_is_written() {
    let cluster = Cluster::up();
    let writes = cluster.server.writes().len();
    let good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n---\n";
    let place = |error: &Failure| error.file.clone().unwrap_or_default();
    let help = |error: &Failure| error.help.clone().unwrap_or_default();

    let error = cluster.bad(
        &format!("{good}apiVersion: apps/v1\nkind: Deploymnt\nmetadata: {{name: a}}\n"),
        "#{}",
    );
    assert_eq!(error.code, "psprun::apply::unknown_kind");
    assert_eq!(
        error.message,
        "cannot apply Deploymnt a: the API server (v1.20.2) has no kind `Deploymnt` in `apps/v1`"
    );
    assert_eq!(
        (help(&error).as_str(), place(&error).as_str()),
        ("did you mean `Deployment`?", "inline:6:1")
    );
    let error = cluster.bad("apiVersion: v1\nkind: Deployment\nmetadata: {name: a}\n", "#{}");
    assert!(
        help(&error).starts_with("it has Deployment in apps/v1"),
        "{error:?}"
    );
    let error = cluster.bad(
        "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: a}\n",
        "#{}",
    );
    assert!(help(&error).contains("CustomResourceDefinition"), "{error:?}");

    let typos = deployment("x")
        .replace("spec:\n  selector", "spec:\n  replikas: 1\n  selector")
        .replace("        image", "        imagePullPolcy: Never\n        image");
    let error = cluster.bad(&format!("{good}{typos}"), "#{}");
    assert_eq!(
        (error.code.as_str(), place(&error).as_str()),
        ("psprun::apply::unknown_field", "inline:9:3")
    );
    assert_eq!(help(&error), "did you mean `replicas`?");
    assert_eq!(
        error.message,
        "Deployment default/web has no field `spec.replikas`\nand inline:16:9: Deployment default/web has no field \
         `spec.template.spec.containers[0].imagePullPolcy` (did you mean `imagePullPolicy`?)"
    );

    let error = cluster.bad(
        &format!("{good}apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: b, namespace: nope}}\n"),
        "#{}",
    );
    assert_eq!(error.code, "psprun::cluster::no_namespace");
    assert_eq!(
        error.message,
        "cannot apply ConfigMap nope/b: there is no namespace `nope`"
    );
    assert_eq!(place(&error), "inline:7:21");
    assert_eq!(
        cluster.bad("# nothing\n---\n", "#{}").code,
        "psprun::apply::empty"
    );
    assert_eq!(cluster.server.writes()[writes..], NOTHING);

    // With `warn` it is applied without these fields.
    let warned = cluster.good(&typos, "#{ validate: \"warn\" }");
    assert_eq!(warned.summary, "1 created");
    let told = "inline:5:3: Deployment has no field `spec.replikas`: it is left out";
    assert!(
        warned.0.told.iter().any(|line| line.contains(told)),
        "{:?}",
        warned.0.told
    );
    // What only the server can find wrong has its place, too.
    let error = cluster.bad(
        &typos
            .replace("replikas: 1", "replicas: many")
            .replace("imagePullPolcy: Never", "env: []"),
        "#{}",
    );
    assert_eq!(
        (error.code.as_str(), place(&error).as_str()),
        ("psprun::cluster::invalid", "inline:5:3"),
        "{}",
        error.message
    );
    let error = cluster.bad(
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports:\n  - port: 99999\n",
        "#{}",
    );
    assert_eq!(
        (error.code.as_str(), place(&error).as_str()),
        ("psprun::cluster::invalid", "inline:6:5"),
        "{}",
        error.message
    );
}

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn oddities_are_told() {
    let cluster = Cluster::up();
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, uid: x}\ndata: {k: one}\ndata: {k: two}\n---\n# nothing\n---\n\
                apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n";
    let done = cluster.good(text, "#{}");
    assert_eq!(done.summary, "2 created");
    for wanted in [
        "warning: inline:5:1: `data` is written twice",
        "warning: inline:6:1: this document is empty",
        "was exported from a cluster",
        "ConfigMap default/b is in the bundle twice, at inline:9 and inline:13: the last one counts",
    ] {
        assert!(
            done.0.told.iter().any(|line| line.contains(wanted)),
            "{wanted}: {:#?}",
            done.0.told
        );
    }
    assert_eq!(
        cluster.kubectl(&["get", "configmap", "a", "-o", "jsonpath={.data.k}"]),
        "two"
    );
}

//! What apply changes, and what it leaves alone.

use std::path::Path;

use super::{Applied, Cluster, NOTHING, deployment, quoted};

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn the_projects_own_manifests_are_applied_once_and_then_left_alone() {
    let cluster = Cluster::up();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = |mode: &str| {
        format!(
            "let demo = cluster.namespace(\"demo\");
            let done = cluster.apply([\"manifests\", {}, {}], #{{ namespace: \"demo\", force: true{mode} }}).after(demo);",
            quoted(&root.join("plugins/cni/flannel.yaml").display().to_string()),
            quoted(&root.join("tests/playbooks/cni").display().to_string()),
        )
    };
    for mode in ["", ", server_side: false"] {
        let run = |script: &str| Applied(cluster.bench.run_in(&root.join("playbooks"), script));
        let first = run(&script(mode));
        assert!(
            !first.summary.contains("unchanged") || !mode.is_empty(),
            "{}",
            first.summary
        );
        let writes = cluster.server.writes().len();
        let again = run(&script(mode));
        assert!(
            again.summary.ends_with(" unchanged") && !again.summary.contains(','),
            "{}\n{}",
            again.summary,
            again.details
        );
        assert_eq!(cluster.server.writes()[writes..], NOTHING);
    }
}

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn a_change_is_shown_and_told_truly() {
    let cluster = Cluster::up();
    let first = cluster.good(&deployment("one"), "#{}");
    assert_eq!(
        (first.summary.as_str(), first.details.as_str()),
        ("1 created", "+ Deployment default/web\n")
    );
    let second = cluster.good(&deployment("two"), "#{}");
    assert_eq!(second.summary, "1 changed");
    assert!(
        second.details.contains("-      - image: one") && second.details.contains("+      - image: two"),
        "{}",
        second.details
    );
    let object = &second.output["objects"][0];
    assert_eq!(object["action"], "changed");
    assert_ne!(
        object["resource_version"],
        first.output["objects"][0]["resource_version"]
    );
    let third = cluster.good(&deployment("two"), "#{}");
    assert_eq!(third.summary, "1 unchanged");
    assert_eq!(
        third.output["objects"][0]["resource_version"],
        object["resource_version"]
    );

    // Somebody else's change of our field is undone only by force.
    cluster.kubectl(&["set", "image", "deployment/web", "web=three"]);
    let error = cluster.bad(&deployment("two"), "#{}");
    assert_eq!(error.code, "psprun::apply::conflict");
    assert!(
        error.message.contains("image belongs to kubectl"),
        "{}",
        error.message
    );
    assert_eq!(error.file.as_deref(), Some("inline:11:9"));
    assert_eq!(
        cluster.good(&deployment("two"), "#{ force: true }").summary,
        "1 changed"
    );

    // A field that is no longer in the manifest goes.
    cluster.good(
        &deployment("two").replace("spec:\n  selector", "spec:\n  minReadySeconds: 5\n  selector"),
        "#{}",
    );
    let without = cluster.good(&deployment("two"), "#{}");
    assert!(
        without.details.contains("-  minReadySeconds: 5"),
        "{}",
        without.details
    );
}

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn secrets_show_no_values() {
    let cluster = Cluster::up();
    let secret = |value: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{a: {value}}}\ntype: Opaque\n"
        )
    };
    cluster.good(&secret("first-value"), "#{}");
    let changed = cluster.good(&secret("second-value"), "#{}");
    assert_eq!(changed.summary, "1 changed");
    let shown = format!("{} {} {:?}", changed.details, changed.output, changed.0.told);
    for value in [
        "first-value",
        "second-value",
        "Zmlyc3QtdmFsdWU=",
        "c2Vjb25kLXZhbHVl",
    ] {
        assert!(!shown.contains(value), "{shown}");
    }
    assert_eq!(
        cluster.good(&secret("second-value"), "#{}").summary,
        "1 unchanged"
    );
}

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn what_a_bundle_no_longer_has_is_pruned() {
    let cluster = Cluster::up();
    let maps = |names: &[&str], mode: &str| {
        let objects: Vec<String> = names
            .iter()
            .map(|name| {
                format!("#{{ apiVersion: \"v1\", kind: \"ConfigMap\", metadata: #{{ name: \"{name}\" }} }}")
            })
            .collect();
        Applied(cluster.bench.run(&format!(
            "let done = cluster.apply([{}], #{{ prune: \"some\"{mode} }});",
            objects.join(", ")
        )))
    };
    for mode in ["", ", server_side: false"] {
        assert_eq!(maps(&["a", "b", "c"], mode).summary, "3 created");
        let second = maps(&["a", "d"], mode);
        assert_eq!(second.summary, "1 created, 1 unchanged, 2 pruned");
        assert!(
            second.details.contains("- ConfigMap default/b\n"),
            "{}",
            second.details
        );
        assert_eq!(
            cluster.kubectl(&["get", "configmaps", "-o", "name"]),
            "configmap/a\nconfigmap/d\nconfigmap/psprun-some\n"
        );
        let writes = cluster.server.writes().len();
        assert_eq!(maps(&["a", "d"], mode).summary, "2 unchanged");
        assert_eq!(cluster.server.writes()[writes..], NOTHING);
        cluster.kubectl(&["delete", "configmap", "a", "d", "psprun-some"]);
    }
}

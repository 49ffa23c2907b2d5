//! `psprun playbooks` and `psprun fork`.

use crate::support::Psprun;

/// The bundled playbooks, as `psprun playbooks` lists them.
fn bundled() -> Vec<String> {
    let listed = Psprun::new().args(["playbooks", "-o", "json"]).run();
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let names = listed.as_array().expect("a list").iter();
    names
        .map(|playbook| playbook["name"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn every_bundled_playbook_says_what_it_does() {
    let listed = Psprun::new().args(["playbooks", "-o", "json"]).run();
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).expect("JSON");
    for playbook in listed.as_array().expect("a list") {
        assert_ne!(playbook["summary"], "", "{playbook}");
    }
}

#[test]
fn a_fork_plans_as_the_bundled_one_does() {
    for name in bundled() {
        let psprun = Psprun::new();
        let forked = psprun.again().args(["fork", &name, "mine"]).run();
        assert_eq!(forked.code, Some(0), "{}", forked.stderr);
        assert!(
            forked
                .stderr
                .contains(&format!("psprun mine/{name}.rhai --dry-run")),
            "{}",
            forked.stderr
        );
        let graph = |playbook: &str| psprun.again().args(["graph", playbook, "-o", "mermaid"]).run();
        let (own, bundled) = (graph(&format!("mine/{name}.rhai")), graph(&name));
        assert_eq!(own.code, bundled.code, "{}", own.stderr);
        assert_eq!(own.stdout.lines().count(), bundled.stdout.lines().count());
    }
}

#[test]
fn a_fork_is_refused_where_something_is() {
    let Some(name) = bundled().into_iter().next() else {
        return;
    };
    let psprun = Psprun::new().file("mine/notes.txt", "mine");
    let refused = psprun.again().args(["fork", &name, "mine"]).run();
    assert_eq!(refused.code, Some(2));
    for part in ["the folder `mine` is not empty", "--force"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    assert!(!refused.path(&format!("mine/{name}.rhai")).exists());
    let forced = psprun.again().args(["fork", &name, "mine", "--force"]).run();
    assert_eq!(forced.code, Some(0), "{}", forced.stderr);
    assert_eq!(forced.read("mine/notes.txt"), "mine");
    assert!(forced.path(&format!("mine/{name}.rhai")).exists());
}

#[test]
fn a_fork_of_nothing() {
    let told = Psprun::new().args(["fork", "kubeadm-pps", "mine"]).run();
    assert_eq!(told.code, Some(2));
    assert!(
        told.stderr.contains("there is no bundled playbook `kubeadm-pps`"),
        "{}",
        told.stderr
    );
    assert!(!told.path("mine").exists());
}

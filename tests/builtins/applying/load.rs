//! A thousand objects: how long they take, and what happens when the server goes away meanwhile.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Applied, Cluster};

/// So many ConfigMaps: in a folder with the file `many.yaml`, and as values.
fn config_maps(count: usize) -> (tempfile::TempDir, Vec<Value>) {
    let object = |i: usize| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c-{i}")}, "data": {"key": format!("value {i}")}});
    let objects: Vec<Value> = (0..count).map(object).collect();
    let text: String = objects.iter().map(|object| format!("---\n{object}\n")).collect();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("many.yaml"), text).expect("it can be written");
    (folder, objects)
}

const MANY: &str = "let done = cluster.apply(\"many.yaml\");";

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn a_server_that_is_killed_midway_is_waited_for() {
    let cluster = Cluster::up();
    let (folder, _) = config_maps(1000);
    let run = cluster.bench.start_in(Some(folder.path()), MANY);
    // Some are written by then, some under way.
    while cluster.server.writes().len() < 100 {
        std::thread::sleep(Duration::from_millis(5));
    }
    cluster.server.kill();
    std::thread::sleep(Duration::from_secs(8));
    cluster.server.revive();
    let run = Applied(cluster.bench.runtime.block_on(run).expect("no panic"));
    assert_eq!(run.summary, "1000 created");
    assert!(
        run.0.told.iter().any(|line| line.contains("trying again")),
        "{:?}",
        run.0.told
    );
    assert_eq!(
        cluster
            .kubectl(&["get", "configmaps", "-o", "name"])
            .lines()
            .count(),
        1000
    );
    assert_eq!(
        Applied(cluster.bench.run_in(folder.path(), MANY)).summary,
        "1000 unchanged"
    );
}

#[test]
#[ignore = "needs the real cluster: tests/run"]
fn a_thousand_objects_are_as_fast_as_a_bare_client() {
    let cluster = Cluster::up();
    let (folder, objects) = config_maps(1000);
    cluster.kubectl(&["create", "namespace", "bare"]);
    // The first requests pay for the server's start.
    cluster.good(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: first}\n",
        "#{}",
    );
    let mut lines = Vec::new();
    for _ in 0..3 {
        for namespace in ["default", "bare"] {
            cluster.kubectl(&[
                "delete",
                "configmaps",
                "--all",
                "--wait=false",
                "--namespace",
                namespace,
            ]);
        }
        let posts = cluster
            .bench
            .runtime
            .block_on(bare(&cluster.bench.client, &objects, true));
        cluster.kubectl(&[
            "delete",
            "configmaps",
            "--all",
            "--wait=false",
            "--namespace",
            "bare",
        ]);
        let patches = cluster
            .bench
            .runtime
            .block_on(bare(&cluster.bench.client, &objects, false));
        let run = Applied(cluster.bench.run_in(folder.path(), MANY));
        assert_eq!(run.summary, "1000 created");
        let again = Applied(cluster.bench.run_in(folder.path(), MANY));
        assert_eq!(again.summary, "1000 unchanged");
        lines.push(format!(
            "bare create {posts:?}, bare apply {patches:?}, apply {:?}, ratio {:.2}, again {:?}",
            run.took,
            run.took.as_secs_f64() / patches.as_secs_f64(),
            again.took
        ));
    }
    // Seen with --nocapture; `benches/` has the figures that count.
    println!("{}", lines.join("\n"));
}

/// What a bare client needs for the objects: 32 at once, each created or applied by the server.
async fn bare(client: &kube::Client, objects: &[Value], create: bool) -> Duration {
    use kube::core::params::{Patch, PatchParams, PostParams};
    let begin = Instant::now();
    let collection = kube::core::Request::new("/api/v1/namespaces/bare/configmaps");
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..32 {
        let (client, collection) = (client.clone(), collection.clone());
        let share: Vec<Value> = objects.iter().skip(worker).step_by(32).cloned().collect();
        workers.spawn(async move {
            for object in share {
                let name = object["metadata"]["name"].as_str().expect("a name");
                let request = if create {
                    collection.create(&PostParams::default(), object.to_string().into_bytes())
                } else {
                    collection.patch(name, &PatchParams::apply("bare"), &Patch::Apply(&object))
                };
                let answer = client.request::<Value>(request.expect("a request")).await;
                answer.expect("it goes well");
            }
        });
    }
    workers.join_all().await;
    begin.elapsed()
}

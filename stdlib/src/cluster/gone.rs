//! Waits until objects are gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use psprun_engine::plan::show_duration;
use psprun_engine::{Context, StepError};
use serde_json::Value;

use super::object;
use super::requests::Requests;
use super::scope::Scope;
use super::watch::{Change, watch};
use crate::target::Target;

/// Waits, by watch, until each of these objects (by uid) is gone.
///
/// # Errors
/// One is still there after `timeout`: what holds it.
pub(crate) async fn wait_until_gone(
    requests: &Requests,
    target: &Arc<dyn Target>,
    context: &Context,
    scope: &Scope,
    objects: &[Value],
    timeout: Duration,
) -> Result<(), StepError> {
    let mut left: BTreeMap<String, Value> = objects
        .iter()
        .map(|object| (object::uid(object).to_owned(), object.clone()))
        .collect();
    let mut changes = watch(requests.client(), target, scope.clone());
    let mut end = target.sleep(timeout);
    while !left.is_empty() {
        let change = tokio::select! {
            change = changes.next() => change,
            () = &mut end => return Err(still_there(&left, timeout)),
        };
        match change {
            Some(Ok(Change::Listed(now))) => {
                left.retain(|uid, _| now.iter().any(|object| object::uid(object) == uid))
            }
            Some(Ok(Change::Deleted(object))) => {
                left.remove(object::uid(&object));
            }
            Some(Ok(Change::Applied(object))) => {
                if let Some(known) = left.get_mut(object::uid(&object)) {
                    *known = object;
                }
            }
            Some(Ok(Change::Away(why))) => context.progress(why),
            Some(Err(error)) => return Err(error),
            None => break,
        }
        if let Some(first) = left.values().next() {
            context.progress(match left.len() {
                1 => format!("waiting for {} to be gone", object::show(first)),
                count => format!(
                    "waiting for {count} objects to be gone, {} among them",
                    object::show(first)
                ),
            });
        }
    }
    Ok(())
}

fn still_there(left: &BTreeMap<String, Value>, timeout: Duration) -> StepError {
    let mut lines: Vec<String> = left
        .values()
        .take(5)
        .map(|object| format!("  {}", held(object)))
        .collect();
    if left.len() > 5 {
        lines.push(format!("  and {} more", left.len() - 5));
    }
    let count = match left.len() {
        1 => "an object is".to_owned(),
        count => format!("{count} objects are"),
    };
    StepError::new(
        "psprun::delete::timeout",
        format!(
            "{count} still there {} after the deletion\n{}",
            show_duration(timeout),
            lines.join("\n")
        ),
    )
    .help("an object with finalizers goes when their controllers have taken them away: is the controller running?")
}

/// An object, and what keeps it.
fn held(object: &Value) -> String {
    let mut text = object::show(object);
    let finalizers: Vec<&str> = object::list(object, "/metadata/finalizers")
        .iter()
        .chain(object::list(object, "/spec/finalizers"))
        .filter_map(Value::as_str)
        .collect();
    if !finalizers.is_empty() {
        text.push_str(&format!(": finalizers {}", finalizers.join(", ")));
    } else if let Some(node) = object.pointer("/spec/nodeName").and_then(Value::as_str) {
        text.push_str(&format!(": the kubelet of {node} has not ended it"));
    }
    // A namespace says what is left in it.
    for condition in object::list(object, "/status/conditions") {
        let kind = object::text(condition, "/type");
        if kind.starts_with("Namespace") && condition["status"] == "True" {
            text.push_str(&format!("\n    {}", object::text(condition, "/message")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_holds_an_object_is_said() {
        let config = json!({ "kind": "ConfigMap", "metadata": { "name": "a", "namespace": "b", "finalizers": ["x/y"] } });
        assert_eq!(held(&config), "configmap b/a: finalizers x/y");
        let pod = json!({ "kind": "Pod", "metadata": { "name": "a", "namespace": "b" }, "spec": { "nodeName": "n" } });
        assert_eq!(held(&pod), "pod b/a: the kubelet of n has not ended it");
        let namespace = json!({ "kind": "Namespace", "metadata": { "name": "b" }, "spec": { "finalizers": ["kubernetes"] },
            "status": { "conditions": [{ "type": "NamespaceContentRemaining", "status": "True",
                "message": "Some resources are remaining: pods. has 1 resource instances" }] } });
        assert_eq!(
            held(&namespace),
            "namespace b: finalizers kubernetes\n    Some resources are remaining: pods. has 1 resource instances"
        );
    }
}

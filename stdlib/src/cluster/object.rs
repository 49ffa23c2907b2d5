//! Reading objects: they are JSON as the server sent them, so that nothing of them is lost.

use psprun_engine::Context;
use serde_json::Value;

/// `metadata.name`.
pub(crate) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// `metadata.namespace`; absent for an object without one.
pub(crate) fn namespace(object: &Value) -> Option<&str> {
    object["metadata"]["namespace"].as_str()
}

/// `metadata.uid`.
pub(crate) fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

/// `metadata.resourceVersion`.
pub(crate) fn resource_version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default()
}

/// The kind, as the object says.
pub(crate) fn kind(object: &Value) -> &str {
    object["kind"].as_str().unwrap_or_default()
}

/// Whether its deletion has begun.
pub(crate) fn is_terminating(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// `kube-system/coredns-x`, or `master` for an object without a namespace.
pub(crate) fn full_name(object: &Value) -> String {
    match namespace(object) {
        Some(namespace) => format!("{namespace}/{}", name(object)),
        None => name(object).to_owned(),
    }
}

/// `pod kube-system/coredns-x`.
pub(crate) fn show(object: &Value) -> String {
    format!("{} {}", kind(object).to_lowercase(), full_name(object))
}

/// A string somewhere in the object; empty when there is none.
pub(crate) fn text<'o>(object: &'o Value, pointer: &str) -> &'o str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A number somewhere in the object; 0 when there is none.
pub(crate) fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

/// A list somewhere in the object; empty when there is none.
pub(crate) fn list<'o>(object: &'o Value, pointer: &str) -> &'o [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The condition of this type in `status.conditions`.
pub(crate) fn condition<'o>(object: &'o Value, kind: &str) -> Option<&'o Value> {
    list(object, "/status/conditions")
        .iter()
        .find(|condition| condition["type"] == kind)
}

/// A condition's reason and message, whichever are there: `KubeletNotReady: network plugin is not ready`.
pub(crate) fn why(condition: &Value) -> String {
    match (text(condition, "/reason"), text(condition, "/message").trim()) {
        ("", "") => "no reason given".to_owned(),
        (reason, "") => reason.to_owned(),
        ("", message) => message.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

/// The owner that controls the object: its kind and name.
pub(crate) fn controller(object: &Value) -> Option<(&str, &str)> {
    list(object, "/metadata/ownerReferences")
        .iter()
        .find(|owner| owner["controller"] == true)
        .map(|owner| (text(owner, "/kind"), text(owner, "/name")))
}

/// Keeps a Secret's values out of events and reports. Values that stand in for public ones everywhere (the namespace
/// and the certificates in a service account's token) are left alone: to mask them would tear up unrelated text.
pub(crate) fn keep_secret(context: &Context, object: &Value) {
    if kind(object) != "Secret" {
        return;
    }
    use base64::Engine as _;
    const PUBLIC: [&str; 4] = ["namespace", "ca.crt", "tls.crt", "username"];
    for (key, value) in object["data"].as_object().into_iter().flatten() {
        if PUBLIC.contains(&key.as_str()) {
            continue;
        }
        let Some(encoded) = value.as_str() else { continue };
        context.secret(encoded);
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded);
        if let Some(plain) = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
            context.secret(&plain);
        }
    }
    // The same values once more, as `kubectl apply` wrote them.
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
    if let Some(applied) = annotations
        .and_then(|annotations| annotations.get("kubectl.kubernetes.io/last-applied-configuration"))
        .and_then(Value::as_str)
        .and_then(|text| serde_json::from_str::<Value>(text).ok())
    {
        for field in ["data", "stringData"] {
            for (key, value) in applied[field].as_object().into_iter().flatten() {
                if let Some(value) = value.as_str()
                    && !PUBLIC.contains(&key.as_str())
                {
                    context.secret(value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_named() {
        let pod = json!({ "kind": "Pod", "metadata": { "name": "a", "namespace": "b" } });
        assert_eq!(show(&pod), "pod b/a");
        assert_eq!(
            show(&json!({ "kind": "Node", "metadata": { "name": "n" } })),
            "node n"
        );
        assert_eq!(show(&Value::Null), " ");
    }

    #[test]
    fn a_condition_says_why() {
        assert_eq!(why(&json!({ "reason": "A", "message": "b" })), "A: b");
        assert_eq!(why(&json!({ "message": "b" })), "b");
        assert_eq!(why(&json!({})), "no reason given");
    }

    #[tokio::test]
    async fn secrets_are_masked_but_public_values_are_not() {
        let (context, _told) = Context::detached(Default::default());
        let object = json!({ "kind": "Secret", "data": { "token": "czNjcjN0LXRva2Vu", "namespace": "a3ViZS1zeXN0ZW0=" } });
        keep_secret(&context, &object);
        assert!(context.holds_secret("s3cr3t-token") && context.holds_secret("czNjcjN0LXRva2Vu"));
        assert!(!context.holds_secret("kube-system"));
    }
}

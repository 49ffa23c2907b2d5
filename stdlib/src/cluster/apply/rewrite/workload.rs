//! Deployments, DaemonSets, ReplicaSets and StatefulSets between extensions, the betas of apps, and apps/v1.
//!
//! apps/v1 and v1beta2 want a selector, which the older versions took from the template's labels, and have other
//! defaults: they are written out, so that the object means the same.

use serde_json::{Value, json};

use super::{Move, set_default};

pub(super) fn convert(object: &mut Value, way: &Move) -> Result<(), String> {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let labels = object.pointer("/spec/template/metadata/labels").cloned();
    let Some(spec) = object.get_mut("spec").filter(|spec| spec.is_object()) else {
        return Ok(());
    };
    if is_old(way.from) {
        set_selector(spec, labels)?;
        match (kind.as_str(), way.from) {
            ("DaemonSet", _) => set_default(spec, "updateStrategy", json!({"type": "OnDelete"})),
            ("StatefulSet", _) => set_default(spec, "updateStrategy", json!({"type": "OnDelete"})),
            ("Deployment", "extensions/v1beta1") => {
                // 2^31-1: no limit, and no deadline.
                set_default(spec, "revisionHistoryLimit", json!(i32::MAX));
                set_default(spec, "progressDeadlineSeconds", json!(i32::MAX));
                set_rolling_update(spec, &json!(1));
            }
            ("Deployment", _) => {
                set_default(spec, "revisionHistoryLimit", json!(2));
                set_rolling_update(spec, &json!("25%"));
            }
            _ => {}
        }
    }
    if let Some(spec) = spec.as_object_mut()
        && !is_old(way.to)
    {
        spec.remove("rollbackTo");
        spec.remove("templateGeneration");
    }
    Ok(())
}

fn is_old(version: &str) -> bool {
    matches!(version, "extensions/v1beta1" | "apps/v1beta1")
}

fn set_selector(spec: &mut Value, labels: Option<Value>) -> Result<(), String> {
    let has_selector = spec["selector"]
        .as_object()
        .is_some_and(|selector| !selector.is_empty());
    if has_selector {
        return Ok(());
    }
    match labels {
        Some(labels) if labels.as_object().is_some_and(|labels| !labels.is_empty()) => {
            set_default(spec, "selector", json!({}));
            spec["selector"] = json!({ "matchLabels": labels });
            Ok(())
        }
        _ => Err("it has neither a selector nor labels in its template".into()),
    }
}

fn set_rolling_update(spec: &mut Value, limit: &Value) {
    set_default(spec, "strategy", json!({"type": "RollingUpdate"}));
    let strategy = &mut spec["strategy"];
    if strategy["type"] == "RollingUpdate" || strategy.get("type").is_none() {
        set_default(strategy, "rollingUpdate", json!({}));
        let rolling = &mut strategy["rollingUpdate"];
        set_default(rolling, "maxUnavailable", limit.clone());
        set_default(rolling, "maxSurge", limit.clone());
    }
}

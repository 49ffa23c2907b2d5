//! Webhook configurations between admissionregistration.k8s.io/v1beta1 and v1, which has other defaults.

use serde_json::{Value, json};

use super::{Move, list_mut, set_default};

pub(super) fn convert(object: &mut Value, way: &Move) -> Result<(), String> {
    if way.to == "admissionregistration.k8s.io/v1" {
        for webhook in list_mut(object, "/webhooks") {
            let name = webhook["name"].as_str().unwrap_or_default().to_owned();
            if !matches!(webhook["sideEffects"].as_str(), Some("None" | "NoneOnDryRun")) {
                return Err(format!(
                    "the webhook `{name}` does not say that it is without side effects (`sideEffects: None`), which v1 wants"
                ));
            }
            set_default(webhook, "admissionReviewVersions", json!(["v1beta1"]));
            set_default(webhook, "failurePolicy", json!("Ignore"));
            set_default(webhook, "matchPolicy", json!("Exact"));
            set_default(webhook, "timeoutSeconds", json!(30));
        }
    } else {
        for webhook in list_mut(object, "/webhooks") {
            let speaks_beta = webhook["admissionReviewVersions"]
                .as_array()
                .is_none_or(|versions| versions.contains(&json!("v1beta1")));
            if !speaks_beta {
                return Err("the webhook does not understand reviews of v1beta1, the only ones that this server sends".into());
            }
            set_default(webhook, "failurePolicy", json!("Fail"));
            set_default(webhook, "matchPolicy", json!("Equivalent"));
            set_default(webhook, "timeoutSeconds", json!(10));
        }
    }
    Ok(())
}

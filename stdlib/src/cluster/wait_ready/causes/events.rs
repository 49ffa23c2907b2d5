//! What the events say of objects that are not ready, when the time is up.

use serde_json::Value;

use crate::cluster::object::{number, text};

/// An event in a line: `FailedMount (12 times): MountVolume.SetUp failed …`.
pub(in super::super) fn show(event: &Value) -> String {
    let count = number(event, "/count").max(number(event, "/series/count"));
    let times = if count > 1 {
        format!(" ({count} times)")
    } else {
        String::new()
    };
    format!(
        "{}{times}: {}",
        text(event, "/reason"),
        text(event, "/message").trim()
    )
}

/// The latest warning about an object.
pub(in super::super) fn latest<'e>(
    events: &'e [Value],
    kind: &str,
    namespace: Option<&str>,
    name: &str,
) -> Option<&'e Value> {
    events
        .iter()
        .filter(|event| event["type"] == "Warning")
        .filter(|event| {
            text(event, "/involvedObject/kind") == kind && text(event, "/involvedObject/name") == name
        })
        .filter(|event| {
            namespace.is_none_or(|namespace| text(event, "/involvedObject/namespace") == namespace)
        })
        .max_by_key(|event| time(event))
}

/// When it happened last; RFC 3339 texts of UTC sort by time.
fn time(event: &Value) -> &str {
    [
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/eventTime",
        "/metadata/creationTimestamp",
    ]
    .into_iter()
    .map(|place| text(event, place))
    .find(|time| !time.is_empty())
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_latest_warning_is_told() {
        let event = |kind: &str, reason: &str, time: &str, count: i64| {
            json!({ "type": kind, "reason": reason, "message": "m", "count": count, "lastTimestamp": time,
                "involvedObject": { "kind": "Pod", "namespace": "n", "name": "p" } })
        };
        let events = [
            event("Warning", "FailedScheduling", "2026-11-24T06:12:48Z", 12),
            event("Warning", "FailedMount", "2026-11-24T06:12:49Z", 1),
            event("Normal", "Scheduled", "2026-11-24T06:12:50Z", 1),
        ];
        let shown = latest(&events, "Pod", Some("n"), "p").map(show);
        assert_eq!(shown.as_deref(), Some("FailedMount: m"));
        assert_eq!(show(&events[0]), "FailedScheduling (12 times): m");
        assert_eq!(latest(&events, "Pod", Some("other"), "p"), None);
    }
}

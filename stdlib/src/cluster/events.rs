//! Events of the cluster: reading them. They come in two forms: with a count, and since 1.19 as a series.

use serde_json::Value;

use super::object::{number, text};

/// How often it happened.
pub(crate) fn count(event: &Value) -> i64 {
    number(event, "/count").max(number(event, "/series/count")).max(1)
}

/// When it happened last, RFC 3339. Texts of UTC sort by time.
pub(crate) fn last_time(event: &Value) -> &str {
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

/// An event in a line: `FailedMount (12 times): MountVolume.SetUp failed …`.
pub(crate) fn show(event: &Value) -> String {
    let times = match count(event) {
        1 => String::new(),
        count => format!(" ({count} times)"),
    };
    format!(
        "{}{times}: {}",
        text(event, "/reason"),
        text(event, "/message").trim()
    )
}

/// The latest warning about an object.
pub(crate) fn latest_warning<'e>(
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
        .max_by_key(|event| last_time(event))
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
        let shown = latest_warning(&events, "Pod", Some("n"), "p").map(show);
        assert_eq!(shown.as_deref(), Some("FailedMount: m"));
        assert_eq!(show(&events[0]), "FailedScheduling (12 times): m");
        assert_eq!(latest_warning(&events, "Pod", Some("other"), "p"), None);
        let series = json!({ "series": { "count": 3, "lastObservedTime": "2026-11-24T06:12:51.000000Z" } });
        assert_eq!(
            (count(&series), last_time(&series)),
            (3, "2026-11-24T06:12:51.000000Z")
        );
    }
}

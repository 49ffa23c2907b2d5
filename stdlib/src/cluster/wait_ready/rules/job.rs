//! A Job is ready when it is complete; one that failed stays so.

use serde_json::Value;

use super::{Certain, Verdict};
use crate::cluster::object::{self, number};

pub(super) fn judge(job: &Value) -> Verdict {
    let is_true = |kind| object::condition(job, kind).filter(|condition| condition["status"] == "True");
    if is_true("Complete").is_some() {
        return Verdict::Ready;
    }
    if let Some(failed) = is_true("Failed") {
        return Verdict::stuck(
            format!("it failed: {}", object::why(failed)),
            Certain::AtOnce,
            Some(
                "its pods' logs say why; a Job that failed is not tried again: delete it, then apply it anew",
            ),
        );
    }
    if job.pointer("/spec/suspend") == Some(&Value::Bool(true)) {
        return Verdict::waiting("it is suspended");
    }
    let wanted = job
        .pointer("/spec/completions")
        .and_then(Value::as_i64)
        .unwrap_or(1);
    let done = number(job, "/status/succeeded");
    let mut text = format!("{done} of {wanted} completions");
    match number(job, "/status/failed") {
        0 => {}
        failed => text.push_str(&format!(", {failed} pods failed")),
    }
    Verdict::Waiting(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{verdict, words};
    use super::*;

    #[test]
    fn a_job_is_ready_when_it_is_complete() {
        let job = |status: Value| json!({ "kind": "Job", "metadata": {}, "spec": { "completions": 2 }, "status": status });
        let condition = |kind: &str| json!({ "conditions": [{ "type": kind, "status": "True", "reason": "BackoffLimitExceeded" }] });
        assert_eq!(verdict("batch", &job(condition("Complete"))), Verdict::Ready);
        let failed = verdict("batch", &job(condition("Failed")));
        assert_eq!(words(&failed), "it failed: BackoffLimitExceeded");
        assert!(matches!(failed, Verdict::Stuck(stuck) if stuck.certain == Certain::AtOnce));
        let under_way = job(json!({ "succeeded": 1, "failed": 2 }));
        assert_eq!(
            words(&verdict("batch", &under_way)),
            "1 of 2 completions, 2 pods failed"
        );
    }
}

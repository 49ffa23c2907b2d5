//! A claim is ready when it is bound; a volume when it is there to be bound, or bound.

use serde_json::Value;

use super::{Certain, Verdict};
use crate::cluster::object::text;

pub(super) fn judge_claim(claim: &Value) -> Verdict {
    match text(claim, "/status/phase") {
        "Bound" => Verdict::Ready,
        "Lost" => Verdict::stuck(
            format!("its volume {:?} is gone", text(claim, "/spec/volumeName")),
            Certain::AtOnce,
            Some("a claim that lost its volume does not get another: delete it, then apply it anew"),
        ),
        "" => Verdict::waiting("no controller has looked at it yet"),
        phase => Verdict::Waiting(phase.to_owned()),
    }
}

pub(super) fn judge_volume(volume: &Value) -> Verdict {
    match text(volume, "/status/phase") {
        "Available" | "Bound" => Verdict::Ready,
        "Failed" => {
            let why = format!("Failed: {}", text(volume, "/status/message"));
            Verdict::stuck(why, Certain::WhenFresh, None)
        }
        "" => Verdict::waiting("no controller has looked at it yet"),
        phase => Verdict::Waiting(phase.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::words;
    use super::*;

    #[test]
    fn claims_and_volumes_by_their_phase() {
        let at = |phase: &str| json!({ "spec": { "volumeName": "v" }, "status": { "phase": phase } });
        assert_eq!(judge_claim(&at("Bound")), Verdict::Ready);
        assert_eq!(words(&judge_claim(&at("Pending"))), "Pending");
        assert_eq!(words(&judge_claim(&at("Lost"))), "its volume \"v\" is gone");
        assert_eq!(judge_volume(&at("Available")), Verdict::Ready);
        assert_eq!(words(&judge_volume(&at("Released"))), "Released");
        assert!(matches!(judge_volume(&at("Failed")), Verdict::Stuck(_)));
    }
}

//! A CRD is ready when its kind is served.

use serde_json::Value;

use super::{Certain, Verdict};
use crate::cluster::object;

pub(super) fn judge(definition: &Value) -> Verdict {
    if let Some(names) = object::condition(definition, "NamesAccepted")
        && names["status"] == "False"
    {
        return Verdict::stuck(
            object::why(names),
            Certain::WhenFresh,
            Some("another CRD has one of its names already: delete one of the two"),
        );
    }
    match object::condition(definition, "Established") {
        Some(established) if established["status"] == "True" => Verdict::Ready,
        Some(established) => Verdict::Waiting(object::why(established)),
        None => Verdict::waiting("it is not established yet"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{verdict, words};
    use super::*;

    #[test]
    fn a_definition_is_ready_when_it_is_established() {
        let definition = |conditions: Value| json!({ "kind": "CustomResourceDefinition", "metadata": { "name": "x" }, "status": { "conditions": conditions } });
        let group = "apiextensions.k8s.io";
        let good = definition(json!([
            { "type": "NamesAccepted", "status": "True" }, { "type": "Established", "status": "True" } ]));
        assert_eq!(verdict(group, &good), Verdict::Ready);
        let taken = definition(json!([
            { "type": "NamesAccepted", "status": "False", "reason": "KindConflict", "message": "\"Foo\" is already in use" } ]));
        assert_eq!(
            words(&verdict(group, &taken)),
            "KindConflict: \"Foo\" is already in use"
        );
        assert_eq!(
            words(&verdict(group, &definition(json!([])))),
            "it is not established yet"
        );
    }
}

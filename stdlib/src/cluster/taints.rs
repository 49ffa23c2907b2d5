//! Taints of nodes: what `taint` and `untaint` share.

use std::fmt;

use futures::FutureExt;
use psprun_engine::StepError;
use serde_json::{Map, Value, json};

use super::object;
use super::requests::{Patch, Requests, each};
use super::scope::Scope;
use super::selector::Selector;
use super::words::Words;

/// How many nodes are changed at once.
const AT_ONCE: usize = 8;

/// How often a node that was changed by another meanwhile is read and changed again.
const ATTEMPTS: usize = 20;

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// A taint of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taint {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) effect: String,
}

impl Taint {
    /// Reads `key=value:Effect` or `key:Effect`.
    ///
    /// # Errors
    /// Says what is missing.
    pub(crate) fn parse(text: &str) -> Result<Self, StepError> {
        let error = |what: String| {
            StepError::new("psprun::taint::form", what)
                .help("write `key=value:NoSchedule` or `key:NoExecute`")
        };
        let (word, effect) = text
            .rsplit_once(':')
            .ok_or_else(|| error(format!("the taint {text:?} has no effect")))?;
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        Self::new(key, value, effect)
    }

    fn new(key: &str, value: &str, effect: &str) -> Result<Self, StepError> {
        if !EFFECTS.contains(&effect) {
            let close = psprun_engine::diagnostic::did_you_mean(effect, EFFECTS);
            let help = match close {
                Some(close) => format!("did you mean {close}?"),
                None => format!("effects are {}", EFFECTS.join(", ")),
            };
            return Err(StepError::new(
                "psprun::taint::effect",
                format!("{effect:?} is no effect of a taint"),
            )
            .help(help));
        }
        if key.is_empty() {
            return Err(StepError::new("psprun::taint::form", "a taint without a key"));
        }
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
            effect: effect.to_owned(),
        })
    }

    /// One taint or a list, each as text or as a map with `key`, `value` and `effect`.
    ///
    /// # Errors
    /// Says what is wrong with which.
    pub(crate) fn parse_all(taints: &Value) -> Result<Vec<Self>, StepError> {
        match taints {
            Value::Array(items) if !items.is_empty() => items.iter().map(Self::parse_one).collect(),
            Value::Array(_) => Err(StepError::new(
                "psprun::taint::form",
                "the list of taints is empty",
            )),
            one => Ok(vec![Self::parse_one(one)?]),
        }
    }

    fn parse_one(taint: &Value) -> Result<Self, StepError> {
        match taint {
            Value::String(text) => Self::parse(text),
            Value::Object(_) => Self::new(
                object::text(taint, "/key"),
                object::text(taint, "/value"),
                object::text(taint, "/effect"),
            ),
            other => Err(
                StepError::new("psprun::taint::form", format!("{other} is no taint"))
                    .help("write `key=value:NoSchedule`, or a map with `key`, `value` and `effect`"),
            ),
        }
    }

    fn of(taint: &Value) -> Self {
        Self {
            key: object::text(taint, "/key").to_owned(),
            value: object::text(taint, "/value").to_owned(),
            effect: object::text(taint, "/effect").to_owned(),
        }
    }

    fn to_value(&self) -> Value {
        let mut map = Map::new();
        map.insert("key".to_owned(), self.key.clone().into());
        if !self.value.is_empty() {
            map.insert("value".to_owned(), self.value.clone().into());
        }
        map.insert("effect".to_owned(), self.effect.clone().into());
        Value::Object(map)
    }
}

impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if !self.value.is_empty() {
            write!(f, "={}", self.value)?;
        }
        write!(f, ":{}", self.effect)
    }
}

/// The taints of a node.
pub(crate) fn of_node(node: &Value) -> Vec<Taint> {
    object::list(node, "/spec/taints").iter().map(Taint::of).collect()
}

/// The list with a taint added, or put in the place of one with the same key and effect; `None` when it is there.
pub(crate) fn with(taints: &[Value], taint: &Taint) -> Option<Vec<Value>> {
    let mut all = taints.to_vec();
    let same = |old: &Value| old["key"] == *taint.key && old["effect"] == *taint.effect;
    match all.iter_mut().find(|old| same(old)) {
        Some(old) if Taint::of(old) == *taint => return None,
        Some(old) => *old = taint.to_value(),
        None => all.push(taint.to_value()),
    }
    Some(all)
}

/// A node whose taints were looked at.
pub(crate) struct Tainted {
    pub(crate) node: Value,
    /// What was added or removed.
    pub(crate) changed: Vec<Taint>,
}

/// Changes the taints of all nodes of a scope. `edit` gives the new list and what changed, `None` when nothing is to
/// do. A node that was changed by another meanwhile is read again: no taint that somebody else set is lost.
pub(crate) async fn edit(
    requests: &Requests,
    scope: &Scope,
    edit: impl Fn(&[Value]) -> Option<(Vec<Value>, Vec<Taint>)> + Sync,
) -> Result<Vec<Tainted>, StepError> {
    let nodes = requests.find(scope).await?;
    let edit = &edit;
    let edited = each(nodes, AT_ONCE, |node| {
        edit_node(requests, scope, node, edit).boxed()
    })
    .await?;
    Ok(edited.into_iter().flatten().collect())
}

async fn edit_node(
    requests: &Requests,
    scope: &Scope,
    mut node: Value,
    edit: &(impl Fn(&[Value]) -> Option<(Vec<Value>, Vec<Taint>)> + Sync),
) -> Result<Option<Tainted>, StepError> {
    let name = object::name(&node).to_owned();
    for _ in 0..ATTEMPTS {
        let Some((taints, changed)) = edit(object::list(&node, "/spec/taints")) else {
            return Ok(Some(Tainted {
                node,
                changed: Vec::new(),
            }));
        };
        let taints = if taints.is_empty() {
            Value::Null
        } else {
            Value::from(taints)
        };
        // The version makes the server refuse the patch if the node was changed since it was read.
        let patch = Patch::Merge(json!({
            "metadata": { "resourceVersion": object::resource_version(&node) },
            "spec": { "taints": taints },
        }));
        let patched = requests
            .patch(&scope.kind, &node, &patch, None, |status| status.code == 409)
            .await?;
        if let Some(node) = patched {
            return Ok(Some(Tainted { node, changed }));
        }
        match requests.get(&scope.kind, None, &name).await? {
            Some(now) => node = now,
            // It left the cluster meanwhile.
            None => return Ok(None),
        }
    }
    Err(StepError::new(
        "psprun::taint::contended",
        format!("cannot change the taints of node {name}: another changes it all the time"),
    )
    .heals())
}

/// The nodes that the subject means: `"all"`, a name, a list of names, or a selector.
///
/// # Errors
/// The selector is none.
pub(crate) fn nodes(scope: Scope, subject: &Words) -> Result<Scope, StepError> {
    match &subject.0[..] {
        [] => Err(StepError::new("psprun::taint::nodes", "no nodes are given")
            .help("give \"all\", a node's name, a list of names, or a label selector")),
        [all] if all == "all" => Ok(scope),
        // No name has one of these in it.
        [text] if text.contains(['=', '!', '(', '/']) => {
            let selector =
                Selector::parse(text).map_err(|error| StepError::new("psprun::taint::nodes", error))?;
            Ok(scope.selected(Some(&selector)))
        }
        names => Ok(scope.named(names)),
    }
}

/// `nodes with role=db`, `node master`, `all nodes`, for the graph.
pub(crate) fn show_nodes(args: &Value) -> String {
    match args.get("nodes") {
        Some(Value::String(all)) if all == "all" => "all nodes".to_owned(),
        Some(Value::String(selector)) if selector.contains('=') => format!("nodes with {selector}"),
        Some(Value::String(name)) => format!("node {name}"),
        Some(names) => format!("nodes {}", psprun_engine::builtin::show_short(names)),
        None => "nodes".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::testing::kind;
    use super::*;

    #[test]
    fn taints_are_read_and_shown() {
        for text in ["a=b:NoSchedule", "node-role.kubernetes.io/master:NoExecute"] {
            assert_eq!(Taint::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Taint::parse("a=:NoSchedule").unwrap().to_string(), "a:NoSchedule");
        let error = Taint::parse("a:noschedule").unwrap_err();
        assert_eq!(error.message, "\"noschedule\" is no effect of a taint");
        assert!(Taint::parse("a").unwrap_err().message.contains("has no effect"));
        assert!(Taint::parse(":NoSchedule").is_err());
        let many = json!(["a:NoSchedule", { "key": "b", "value": "c", "effect": "NoExecute" }]);
        assert_eq!(Taint::parse_all(&many).unwrap()[1].to_string(), "b=c:NoExecute");
        assert!(Taint::parse_all(&json!([])).is_err() && Taint::parse_all(&json!([1])).is_err());
    }

    #[test]
    fn a_taint_takes_the_place_of_one_with_its_key_and_effect() {
        let old = [json!({ "key": "a", "value": "1", "effect": "NoSchedule", "timeAdded": "t" })];
        assert_eq!(with(&old, &Taint::parse("a=1:NoSchedule").unwrap()), None);
        assert_eq!(
            with(&old, &Taint::parse("a=2:NoSchedule").unwrap()).unwrap(),
            [json!({ "key": "a", "value": "2", "effect": "NoSchedule" })]
        );
        assert_eq!(
            with(&old, &Taint::parse("a=1:NoExecute").unwrap()).unwrap().len(),
            2
        );
    }

    #[test]
    fn nodes_are_named_selected_or_all() {
        let shown = |words: &[&str]| {
            let words = Words(words.iter().map(|word| (*word).to_owned()).collect());
            nodes(Scope::all(kind("", "v1", "Node", false), None), &words)
                .unwrap()
                .show()
        };
        assert_eq!(shown(&["all"]), "nodes");
        assert_eq!(shown(&["master"]), "node master");
        assert_eq!(shown(&["a", "b"]), "nodes a, b");
        assert_eq!(
            shown(&["node-role.kubernetes.io/master="]),
            "nodes with node-role.kubernetes.io/master="
        );
    }
}

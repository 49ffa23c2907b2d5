//! Which steps of a plan a run takes: `--target`, `--skip`, `--from`.

use petgraph::Direction;

use super::{EdgeKind, Plan, StepId};
use crate::diagnostic::did_you_mean;

/// The choice that a user made on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these steps and what they need; all when empty.
    pub targets: Vec<String>,
    /// Not these steps (`name` or `tag:word`).
    pub skip: Vec<String>,
    /// Not what comes before this step, but for those steps whose output is needed.
    pub from: Option<String>,
}

/// A word of a selection that names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SelectionError {
    /// What was asked for and what there is.
    pub message: String,
}

impl Selection {
    /// For every step, in the plan's order: `None` when it runs, or why it does not.
    ///
    /// # Errors
    /// A name or tag that the plan does not have.
    pub fn apply(&self, plan: &Plan) -> Result<Vec<Option<String>>, SelectionError> {
        let mut left_out: Vec<Option<String>> = vec![None; plan.len()];
        if !self.targets.is_empty() {
            let mut wanted = vec![false; plan.len()];
            for target in &self.targets {
                mark_back(plan, find(plan, target)?, &mut wanted, |_| true);
            }
            for (id, _) in plan.steps() {
                if !wanted[id.index()] {
                    left_out[id.index()] = Some("not needed by the target".to_owned());
                }
            }
        }
        if let Some(from) = &self.from {
            let start = find(plan, from)?;
            let mut before = vec![false; plan.len()];
            mark_back(plan, start, &mut before, |_| true);
            before[start.index()] = false;
            // Whatever runs needs the outputs that it reads, and those steps need theirs.
            let mut needed = vec![false; plan.len()];
            for (id, _) in plan.steps() {
                if !before[id.index()] && left_out[id.index()].is_none() {
                    mark_back(plan, id, &mut needed, |kind| matches!(kind, EdgeKind::Data(_)));
                }
            }
            for (id, _) in plan.steps() {
                if before[id.index()] && !needed[id.index()] {
                    left_out[id.index()] = Some(format!("comes before `{from}`"));
                }
            }
        }
        for word in &self.skip {
            if let Some(tag) = word.strip_prefix("tag:") {
                let tagged: Vec<StepId> = plan
                    .steps()
                    .filter(|(_, step)| {
                        step.modifiers()
                            .is_some_and(|m| m.tags.iter().any(|t| &**t == tag))
                    })
                    .map(|(id, _)| id)
                    .collect();
                if tagged.is_empty() {
                    return Err(unknown_tag(plan, tag));
                }
                for id in tagged {
                    left_out[id.index()] = Some(format!("--skip tag:{tag}"));
                }
            } else {
                left_out[find(plan, word)?.index()] = Some(format!("--skip {word}"));
            }
        }
        Ok(left_out)
    }
}

fn find(plan: &Plan, name: &str) -> Result<StepId, SelectionError> {
    plan.find(name).ok_or_else(|| {
        let names: Vec<&str> = plan.steps().map(|(_, step)| &*step.name).collect();
        let mut message = format!("the playbook has no step `{name}`");
        if let Some(meant) = did_you_mean(name, names.iter().copied()) {
            message.push_str(&format!("; did you mean `{meant}`?"));
        }
        message.push_str(&format!("\n  steps: {}", names.join(", ")));
        SelectionError { message }
    })
}

fn unknown_tag(plan: &Plan, tag: &str) -> SelectionError {
    let mut tags: Vec<&str> = plan
        .steps()
        .filter_map(|(_, step)| step.modifiers())
        .flat_map(|m| m.tags.iter().map(|t| &**t))
        .collect();
    tags.sort_unstable();
    tags.dedup();
    let known = if tags.is_empty() {
        "no step has a tag".to_owned()
    } else {
        format!("tags: {}", tags.join(", "))
    };
    SelectionError {
        message: format!("no step has the tag `{tag}`\n  {known}"),
    }
}

fn mark_back(plan: &Plan, start: StepId, marked: &mut [bool], follow: impl Fn(&EdgeKind) -> bool) {
    use petgraph::visit::EdgeRef;
    let mut stack = vec![start];
    while let Some(id) = stack.pop() {
        if std::mem::replace(&mut marked[id.index()], true) {
            continue;
        }
        stack.extend(
            plan.graph
                .edges_directed(id, Direction::Incoming)
                .filter(|edge| follow(&edge.weight().kind))
                .map(|edge| edge.source()),
        );
    }
}

//! What a run's length was made of.

use std::collections::HashMap;
use std::sync::Arc;

use psprun_engine::State;
use psprun_engine::plan::{Plan, StepId};

use super::Ended;

/// What each step waits for.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    pub(super) needs: HashMap<Arc<str>, Vec<Arc<str>>>,
}

impl Timeline {
    /// The plan's edges.
    pub fn of(plan: &Plan) -> Self {
        let name = |id: StepId| plan.graph[id].name.clone();
        let needs = plan
            .steps()
            .map(|(id, step)| {
                let needs = plan.needs(id).into_iter().map(|(other, _)| name(other)).collect();
                (step.name.clone(), needs)
            })
            .collect();
        Self { needs }
    }

    /// From the step that ended last, back to whatever it waited for longest; in the order of the run.
    pub(super) fn chain<'s>(&self, steps: &'s [Ended]) -> Vec<&'s Ended> {
        let ran = |step: &&Ended| matches!(step.state, State::Done | State::Unchanged | State::Failed);
        let by_name: HashMap<&str, &Ended> =
            steps.iter().filter(ran).map(|step| (&*step.name, step)).collect();
        let mut chain = Vec::new();
        let mut here = by_name
            .values()
            .copied()
            .max_by_key(|step| (step.at_ms, step.place));
        while let Some(step) = here {
            chain.push(step);
            let needs = self.needs.get(&step.name).into_iter().flatten();
            here = needs
                .filter_map(|name| by_name.get(&**name).copied())
                .max_by_key(|step| (step.at_ms, step.place));
        }
        chain.reverse();
        chain
    }
}

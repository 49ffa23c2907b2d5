//! What a call of a builtin returns while the plan is made.

use std::sync::Arc;

use crate::plan::{Key, Path, StepId};

/// Stands for a step's future output, or for a part of it.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    /// Which plan the step belongs to: a fan-out makes plans of its own.
    pub(crate) plan: u64,
    pub(crate) step: StepId,
    pub(crate) path: Path,
}

impl Handle {
    /// A handle on the part that `key` leads to.
    pub(crate) fn join(&self, key: Key) -> Self {
        let path: Path = self.path.iter().cloned().chain([key]).collect();
        Self { path, ..self.clone() }
    }

    /// Whether it stands for the step itself.
    pub(crate) fn is_whole(&self) -> bool {
        self.path.is_empty()
    }
}

/// Several steps in an order of their own: what `sequence` and `parallel` return.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) plan: u64,
    /// All steps in it.
    pub(crate) members: Arc<[StepId]>,
    /// Those with nothing of the group before them.
    pub(crate) first: Arc<[StepId]>,
    /// Those with nothing of the group after them.
    pub(crate) last: Arc<[StepId]>,
}

//! One execution of a plan.

mod attempts;
mod dispatcher;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use self::dispatcher::Dispatcher;
use crate::event::{Consumer, Counts, Failure};
use crate::plan::{Plan, Selection, SelectionError};

/// How a plan is run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// How many steps may run at once.
    pub jobs: usize,
    /// The first failure lets nothing more start.
    pub fail_fast: bool,
    /// Which steps run.
    pub selection: Selection,
    /// How long a cancelled step has to end by itself.
    pub grace: Duration,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            jobs: 32,
            fail_fast: false,
            selection: Selection::default(),
            grace: Duration::from_secs(10),
        }
    }
}

/// Stops a run from outside.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    pub(crate) gently: CancellationToken,
    pub(crate) at_once: CancellationToken,
}

impl Interrupt {
    /// The first call stops the run gently (nothing more starts, what runs is cancelled, `finally` steps run), the
    /// second one at once.
    pub fn interrupt(&self) {
        if self.gently.is_cancelled() {
            self.at_once.cancel();
        } else {
            self.gently.cancel();
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct RunResult {
    /// How many steps ended how.
    pub counts: Counts,
    /// The failures that were not allowed: the step's name, and why.
    pub failures: Vec<(std::sync::Arc<str>, Failure)>,
    /// Whether the run was interrupted.
    pub interrupted: bool,
    /// Each step's output in the order of the plan; null for one that has none.
    pub outputs: Vec<std::sync::Arc<serde_json::Value>>,
}

impl RunResult {
    /// Whether all that ran went well.
    pub fn ok(&self) -> bool {
        self.failures.is_empty() && !self.interrupted
    }
}

/// Runs a plan to its end. Must be called on a multi-threaded tokio runtime.
///
/// # Errors
/// The selection names a step or a tag that the plan does not have; nothing ran then.
pub async fn run(
    plan: &Plan,
    options: &RunOptions,
    interrupt: &Interrupt,
    consumers: Vec<Box<dyn Consumer>>,
) -> Result<RunResult, SelectionError> {
    let left_out = options.selection.apply(plan)?;
    Ok(Dispatcher::new(options, interrupt, consumers)
        .run(plan, left_out)
        .await)
}

//! Everything that happens in a run, in one total order.
//!
//! Reporters, `--events` and the journal are consumers of these events and of nothing else. The JSON form is
//! documented in `docs/events.md`; [`VERSION`] changes when a reader of the former one could misread the new one.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diagnostic::Location;

/// The version of the JSON form.
pub const VERSION: u32 = 1;

/// One thing that happened.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Position in the order, from 0, without gaps.
    pub seq: u64,
    /// Milliseconds since the run started.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What can happen.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The first event of a run.
    RunStarted {
        /// [`VERSION`].
        version: u32,
        /// The playbook's path as it was given.
        playbook: Arc<str>,
        /// How many steps the plan has.
        steps: usize,
        /// Wall clock at the start, RFC 3339.
        started: String,
    },
    /// A step began its first attempt.
    StepStarted {
        /// The step's name.
        step: Arc<str>,
        /// The builtin's name.
        builtin: Cow<'static, str>,
    },
    /// A line of a command's output.
    StepLine {
        /// The step's name.
        step: Arc<str>,
        /// Which of the command's streams.
        stream: Stream,
        /// The line, without its end.
        line: String,
    },
    /// What a step is doing now, in a few words.
    StepProgress {
        /// The step's name.
        step: Arc<str>,
        /// The words.
        text: String,
    },
    /// Something that the user should know and that did not stop the step.
    StepWarning {
        /// The step's name.
        step: Arc<str>,
        /// The words.
        text: String,
    },
    /// An attempt failed or its result was not what `until` asks for, and another follows.
    StepRetrying {
        /// The step's name.
        step: Arc<str>,
        /// The attempt that has ended, from 1.
        attempt: u32,
        /// How many there are at most.
        attempts: u32,
        /// Why.
        reason: String,
        /// The pause before the next attempt, in milliseconds.
        wait_ms: u64,
    },
    /// A fan-out became steps of its own.
    StepUnfolded {
        /// The step's name.
        step: Arc<str>,
        /// The names of the new steps.
        into: Vec<Arc<str>>,
    },
    /// A step came to its end; the last event of that step.
    StepFinished {
        /// The step's name.
        step: Arc<str>,
        /// `done`, `unchanged`, `failed`, `skipped` or `cancelled`.
        state: State,
        /// Milliseconds from its start to its end; 0 for one that never started.
        took_ms: u64,
        /// How many attempts it took.
        #[serde(default, skip_serializing_if = "is_zero")]
        attempts: u32,
        /// What it did, or why it was skipped, in a few words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary: Option<String>,
        /// Lines of a diff or the like.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        details: Option<String>,
        /// The output, secrets masked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Arc<Value>>,
        /// Why it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Box<Failure>>,
    },
    /// The run was asked to stop.
    RunInterrupted {
        /// Whether at once (a second time), without waiting for what runs.
        at_once: bool,
    },
    /// The last event of a run.
    RunFinished {
        /// Whether no step failed and none was cancelled.
        ok: bool,
        /// Milliseconds since the start.
        took_ms: u64,
        /// How many steps ended how.
        counts: Counts,
    },
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Why a step failed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// A stable code of the kind `psprun::apply::conflict`.
    pub code: String,
    /// What went wrong.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Where in a file that the step used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The call in the playbook.
    pub at: Location,
    /// Whether the failure is allowed and does not fail the run.
    #[serde(default)]
    pub allowed: bool,
    /// A panic, a broken assumption: a fault of the program, not of the playbook or the world.
    #[serde(default)]
    pub internal: bool,
}

/// A command's output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Where a step stands: always exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for other steps.
    Pending,
    /// It could start and waits for a free job or a lock.
    Ready,
    /// It runs.
    Running,
    /// It ended and changed something.
    Done,
    /// It ended and all was as it should be.
    Unchanged,
    /// It failed.
    Failed,
    /// It did not run: its condition, a selection, or what it needs.
    Skipped,
    /// It was running, or about to, when the run was interrupted.
    Cancelled,
}

impl State {
    /// Whether the step has come to its end.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Ready | Self::Running)
    }

    /// Whether the step ran to a good end.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Done | Self::Unchanged)
    }
}

/// How many steps ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Ended, with a change.
    pub done: usize,
    /// Ended, without one.
    pub unchanged: usize,
    /// Failed.
    pub failed: usize,
    /// Failed, and were allowed to.
    pub allowed_failures: usize,
    /// Did not run.
    pub skipped: usize,
    /// Were stopped.
    pub cancelled: usize,
}

/// Takes events, in order, one at a time. Called on the dispatcher's thread: a slow consumer slows the run.
pub trait Consumer: Send {
    /// Takes the next event.
    fn event(&mut self, event: &Event);
}

impl<F: FnMut(&Event) + Send> Consumer for F {
    fn event(&mut self, event: &Event) {
        self(event);
    }
}

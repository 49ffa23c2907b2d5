//! What a running step is given besides its arguments.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::builtin::{Outcome, StepError, Unfold};
use crate::event::Stream;
use crate::plan::Files;
use crate::script::{Captures, Closures, Outer};
use crate::secrets::Secrets;

/// A running step's line to the engine: progress, secrets, cancellation, the playbook's files, closures.
///
/// Cheap to clone; safe to send to other tasks of the same step.
#[derive(Clone)]
pub struct Context {
    pub(crate) step: u32,
    pub(crate) attempt: u32,
    pub(crate) name: Arc<str>,
    pub(crate) shared: Arc<Shared>,
    /// The values that the step's closures captured.
    pub(crate) captures: Captures,
    /// For a fan-out: outputs of the steps that its closure calls builtins on.
    pub(crate) outer: Outer,
}

/// What all steps of a plan share in a run.
pub(crate) struct Shared {
    pub(crate) notes: UnboundedSender<Message>,
    pub(crate) cancel: CancellationToken,
    pub(crate) files: Arc<Files>,
    pub(crate) closures: Arc<Closures>,
    pub(crate) secrets: Arc<Secrets>,
}

/// What comes to the dispatcher from the steps that run.
pub(crate) enum Message {
    /// A step tells something.
    Note(u32, Note),
    /// A step's work has ended.
    Ended(u32, Ended),
}

/// How a step's work ended.
pub(crate) struct Ended {
    pub(crate) result: Result<Outcome, Stop>,
    pub(crate) attempts: u32,
}

/// Why a step's work gave no outcome.
pub(crate) enum Stop {
    Failed(StepError),
    Panicked(String),
    Cancelled,
}

/// What a running step tells while it runs.
#[derive(Debug)]
pub(crate) enum Note {
    Retrying {
        attempt: u32,
        attempts: u32,
        reason: String,
        wait_ms: u64,
    },
    Line(Stream, String),
    Progress(String),
    Warning(String),
}

impl Context {
    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Says in a few words what the step is doing now: `waiting for 2 of 3 pods`.
    pub fn progress(&self, text: impl Into<String>) {
        self.note(Note::Progress(text.into()));
    }

    /// Passes on a line of a command's output.
    pub fn line(&self, stream: Stream, text: impl Into<String>) {
        self.note(Note::Line(stream, text.into()));
    }

    /// Tells of something that does not stop the step but that the user should know.
    pub fn warn(&self, text: impl Into<String>) {
        self.note(Note::Warning(text.into()));
    }

    /// Keeps a value out of every event, log and report from now on. Values shorter than four characters are not
    /// masked, since masking them would tear up unrelated text.
    pub fn secret(&self, value: &str) {
        self.shared.secrets.add(value);
    }

    /// Whether a text holds a secret: it must not become a command's argument, where `ps` shows it.
    pub fn holds_secret(&self, text: &str) -> bool {
        self.shared.secrets.found_in(text)
    }

    /// Ends when the run is cancelled. A graceful builtin ends its work soon after (it kills its process).
    pub async fn cancelled(&self) {
        self.shared.cancel.cancelled().await;
    }

    /// Whether the run is cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancel.is_cancelled()
    }

    /// The playbook's files that its steps name, as they were when the plan was made.
    pub fn files(&self) -> &Files {
        &self.shared.files
    }

    /// Calls a closure that was given as an argument (see [`crate::script::Closure`]).
    ///
    /// # Errors
    /// What the closure threw, with its position.
    pub fn call(&self, closure: &crate::script::Closure, args: Vec<Value>) -> Result<Value, StepError> {
        self.shared.closures.call(closure, &self.captures, &args)
    }

    /// What a closure read of the variables that it captured, with the values that it saw.
    pub(crate) fn seen(&self, closure: &crate::script::Closure) -> Vec<(String, String)> {
        self.shared.closures.seen(closure, &self.captures)
    }

    /// The plan of a fan-out over these items.
    pub(crate) fn unfold(
        &self,
        closure: &crate::script::Closure,
        items: &[Value],
    ) -> Result<Unfold, StepError> {
        crate::script::unfold(
            &self.shared.closures,
            closure,
            &self.captures,
            &self.outer,
            items,
            &self.name,
            &self.shared.secrets,
        )
    }

    /// The step's name.
    pub fn step(&self) -> &str {
        &self.name
    }

    fn note(&self, note: Note) {
        // A run that has ended no longer listens.
        let _ = self.shared.notes.send(Message::Note(self.step, note));
    }
}

impl Context {
    /// A context outside any run, to test a builtin: the second value receives what the step tells, as text.
    pub fn detached(files: Files) -> (Self, tokio::sync::mpsc::UnboundedReceiver<String>) {
        let (notes, mut from_step) = tokio::sync::mpsc::unbounded_channel();
        let (texts, told) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(message) = from_step.recv().await {
                let Message::Note(_, note) = message else { continue };
                let text = match note {
                    Note::Line(Stream::Stdout, line) => format!("stdout: {line}"),
                    Note::Line(Stream::Stderr, line) => format!("stderr: {line}"),
                    Note::Progress(text) => format!("progress: {text}"),
                    Note::Warning(text) => format!("warning: {text}"),
                    Note::Retrying { reason, .. } => format!("retrying: {reason}"),
                };
                if texts.send(text).is_err() {
                    break;
                }
            }
        });
        let shared = Shared {
            notes,
            cancel: CancellationToken::new(),
            files: Arc::new(files),
            closures: Arc::default(),
            secrets: Arc::default(),
        };
        let context = Self {
            step: 0,
            attempt: 1,
            name: Arc::from("test"),
            shared: Arc::new(shared),
            captures: Captures::default(),
            outer: Outer::default(),
        };
        (context, told)
    }

    /// The token behind [`Context::cancelled`], for ports that take one.
    pub fn cancellation(&self) -> CancellationToken {
        self.shared.cancel.clone()
    }
}

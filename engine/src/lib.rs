//! An embedded workflow engine: a Rhai playbook evaluates to a graph of steps, and the graph runs.
//!
//! The engine knows no Kubernetes and no machine. What steps do is in [`Builtin`]s, which a program registers in a
//! [`Registry`]; see `examples/embed.rs`.

pub mod builtin;
mod builtins;
mod context;
pub mod diagnostic;
pub mod event;
pub mod graph;
pub mod plan;
mod registry;
pub mod run;
pub mod script;
pub mod secrets;

pub use builtin::{Builtin, Example, Outcome, Receiver, Runs, Spec, StepError};
pub use context::Context;
pub use diagnostic::{Diagnostic, Location};
pub use event::{Consumer, Event, EventKind, State, Stream};
pub use plan::Plan;
pub use registry::{BuiltinDoc, Function, Registry};

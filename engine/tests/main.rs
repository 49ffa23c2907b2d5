//! The engine by playbooks: a script in, a graph, events or diagnostics out.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod engine;

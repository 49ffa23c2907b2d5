//! One file a verb.

pub mod builtins;
pub mod completions;
pub mod fork;
pub mod graph;
pub mod man;
pub mod params;
pub mod playbooks;
pub mod run;

use clap::ValueEnum;

/// For lists that programs may read, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// A value as JSON, indented.
pub fn to_json(value: &impl serde::Serialize) -> String {
    // Our own types and JSON values: there is nothing that could fail.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

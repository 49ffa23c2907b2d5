//! A plan as a drawing: one file a format. Adding one is a file and a line in [`FORMATS`].

mod dot;
mod json;
mod layout;
mod mermaid;
mod style;
mod svg;
mod text;
mod tree;
mod view;

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::plan::Plan;

/// A way to draw a plan.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// What `--format` takes.
    pub name: &'static str,
    /// What it is for, a few words.
    pub summary: &'static str,
    /// Draws; the same plan and options give the same bytes. The text ends with a newline.
    pub render: fn(&Plan, &Options) -> String,
}

/// All formats; the first is the one for people.
pub const FORMATS: &[Format] = &[
    tree::FORMAT,
    dot::FORMAT,
    mermaid::FORMAT,
    json::FORMAT,
    svg::FORMAT,
];

/// What a drawing depends on besides the plan.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many columns a text for people may take.
    pub width: usize,
    /// Whether a text for people has colours, as ANSI codes.
    pub color: bool,
    /// Whether a drawing for people shows what steps say in several lines, e.g. a config file that will be written.
    /// `json` always does.
    pub details: bool,
    /// Which steps are left out of the run, and why; [`crate::plan::Selection::apply`] gives it.
    pub selection: Option<Vec<Option<String>>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            width: 80,
            color: false,
            details: false,
            selection: None,
        }
    }
}

/// The format of this name.
///
/// # Errors
/// There is none: says which there are, and which may have been meant.
pub fn find(name: &str) -> Result<&'static Format, Diagnostic> {
    FORMATS.iter().find(|format| format.name == name).ok_or_else(|| {
        let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
        let mut message = format!("there is no graph format `{name}`");
        if let Some(meant) = did_you_mean(name, names.iter().copied()) {
            message.push_str(&format!("; did you mean `{meant}`?"));
        }
        Diagnostic::new("psprun::graph::format", message).help(format!("formats: {}", names.join(", ")))
    })
}

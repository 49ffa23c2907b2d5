//! The pure functions of playbooks: on manifests, texts and versions.
//!
//! A function is called while the plan is made when its arguments are known, and is a step when they are not.

mod lines;
mod objects;
mod path;
mod text;
mod version;

use psprun_engine::Registry;
use serde_json::Value;

/// Registers all of them.
pub(super) fn register(registry: &mut Registry) {
    for function in [objects::ALL, lines::ALL, text::ALL, version::ALL]
        .into_iter()
        .flatten()
    {
        registry.add_function(*function);
    }
}

/// The text in an argument.
fn text_of<'v>(args: &'v [Value], index: usize, name: &str) -> Result<&'v str, String> {
    match args.get(index) {
        Some(Value::String(text)) => Ok(text),
        other => Err(format!(
            "`{name}` has to be a text, not {}",
            kind_of(other.unwrap_or(&Value::Null))
        )),
    }
}

/// The text in an argument that may be left out.
fn optional_text<'v>(args: &'v [Value], index: usize, name: &str) -> Result<Option<&'v str>, String> {
    match args.get(index) {
        None | Some(Value::Null) => Ok(None),
        _ => text_of(args, index, name).map(Some),
    }
}

/// A value's kind in a few words, for messages.
fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "a text".into(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a map".into(),
    }
}

/// A pattern, compiled.
fn pattern(text: &str) -> Result<regex::Regex, String> {
    regex::Regex::new(text).map_err(|error| {
        // The first lines draw the pattern; the last says what is wrong.
        let why = error.to_string();
        format!(
            "`{text}` is no regular expression: {}",
            why.lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ")
        )
    })
}

#[cfg(test)]
mod tests;

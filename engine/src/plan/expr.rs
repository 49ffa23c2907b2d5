//! Arguments before a run: values, and places where a step's future output goes.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::StepId;

/// An argument as the plan knows it.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// Known now.
    Value(Value),
    /// Read from a step's output when that step is done.
    Ref(Reference),
    /// A string with such readings inside.
    Text(Vec<Piece>),
    /// A list of which some items are not known yet.
    List(Vec<Expr>),
    /// A map of which some values are not known yet.
    Map(Vec<(Arc<str>, Expr)>),
}

/// A part of a [`Expr::Text`].
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Known now.
    Text(String),
    /// Read from a step's output.
    Ref(Reference),
}

/// `controller.items[0].status.podIP`: a step, and the way into its output.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Whose output.
    pub step: StepId,
    /// The way into it.
    pub path: Path,
}

/// A way into an output; cheap to clone.
pub type Path = Arc<[Key]>;

/// One turn of a way into an output.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// A map's key.
    Name(Arc<str>),
    /// A list's index; negative ones count from the end.
    Index(i64),
}

/// A path as a playbook would write it, after the handle's name: `.items[0].status.podIP`, `["kubernetes.io/psp"]`.
pub fn show_path(path: &[Key]) -> String {
    let mut text = String::new();
    for key in path {
        match key {
            Key::Name(name) if is_plain(name) => {
                text.push('.');
                text.push_str(name);
            }
            Key::Name(name) => text.push_str(&format!("[{name:?}]")),
            Key::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Why a path leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NoSuchPath {
    /// What was looked for and what is there instead.
    pub message: String,
}

/// Follows a path into a value.
///
/// # Errors
/// Says where the way ends and what is there.
pub fn follow<'v>(value: &'v Value, path: &[Key]) -> Result<&'v Value, NoSuchPath> {
    let mut here = value;
    for (depth, key) in path.iter().enumerate() {
        let next = match (key, here) {
            (Key::Name(name), Value::Object(map)) => map.get(&**name),
            (Key::Index(index), Value::Array(items)) => {
                let index = if *index < 0 {
                    *index + items.len() as i64
                } else {
                    *index
                };
                usize::try_from(index).ok().and_then(|index| items.get(index))
            }
            _ => None,
        };
        here = next.ok_or_else(|| NoSuchPath {
            message: nowhere(here, &path[..depth], key),
        })?;
    }
    Ok(here)
}

fn nowhere(here: &Value, way: &[Key], key: &Key) -> String {
    let whole = if way.is_empty() {
        "the output".to_owned()
    } else {
        format!("`{}`", show_path(way))
    };
    let wanted = show_path(std::slice::from_ref(key));
    match here {
        Value::Object(map) => {
            let keys: Vec<&str> = map.keys().map(String::as_str).collect();
            let mut message = format!("{whole} has no `{}`", wanted.trim_start_matches('.'));
            if let Key::Name(name) = key
                && let Some(meant) = crate::diagnostic::did_you_mean(name, keys.iter().copied())
            {
                message.push_str(&format!("; did you mean `{meant}`?"));
            }
            let shown = keys.iter().take(12).copied().collect::<Vec<_>>().join(", ");
            message.push_str(&format!(
                " (it has: {}{})",
                shown,
                if keys.len() > 12 { ", …" } else { "" }
            ));
            message
        }
        Value::Array(items) => format!("{whole} is a list of {}: no `{wanted}` in it", items.len()),
        Value::Null => format!("{whole} is null: no `{wanted}` in it"),
        other => format!(
            "{whole} is `{}`: no `{wanted}` in it",
            crate::builtin::show_short(other)
        ),
    }
}

impl Expr {
    /// Whether all is known.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Value(_))
    }

    /// Calls `f` with every reading of a step's output.
    pub fn references<'a>(&'a self, f: &mut dyn FnMut(&'a Reference)) {
        match self {
            Self::Value(_) => {}
            Self::Ref(reference) => f(reference),
            Self::Text(pieces) => {
                for piece in pieces {
                    if let Piece::Ref(reference) = piece {
                        f(reference);
                    }
                }
            }
            Self::List(items) => items.iter().for_each(|item| item.references(f)),
            Self::Map(entries) => entries.iter().for_each(|(_, item)| item.references(f)),
        }
    }

    /// The value, with `read` answering for each reading of a step's output.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn resolve<E>(&self, read: &mut dyn FnMut(&Reference) -> Result<Value, E>) -> Result<Value, E> {
        Ok(match self {
            Self::Value(value) => value.clone(),
            Self::Ref(reference) => read(reference)?,
            Self::Text(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(known) => text.push_str(known),
                        Piece::Ref(reference) => match read(reference)? {
                            Value::String(part) => text.push_str(&part),
                            other => text.push_str(&other.to_string()),
                        },
                    }
                }
                Value::String(text)
            }
            Self::List(items) => Value::Array(
                items
                    .iter()
                    .map(|item| item.resolve(read))
                    .collect::<Result<_, _>>()?,
            ),
            Self::Map(entries) => {
                let mut map = Map::new();
                for (key, item) in entries {
                    map.insert((**key).to_owned(), item.resolve(read)?);
                }
                Value::Object(map)
            }
        })
    }
}

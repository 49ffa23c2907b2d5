//! Values of the script become arguments of a step: handles become readings, and readings become edges.

use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map, NativeCallContext};
use serde_json::Value;

use super::builder::Builder;
use super::closure;
use super::convert::to_json;
use super::handle::{Group, Handle};
use super::token::{Cut, cut, has_token};
use crate::diagnostic::{Diagnostic, Location};
use crate::plan::{Expr, Piece, Reference, StepId, follow};

/// Takes in one argument of a step.
pub(crate) struct Intake<'a, 'c> {
    pub(crate) builder: &'a mut Builder,
    pub(crate) context: &'a NativeCallContext<'c>,
    pub(crate) step: StepId,
    pub(crate) at: &'a Location,
}

impl Intake<'_, '_> {
    pub(crate) fn take(&mut self, value: Dynamic) -> Result<Expr, Diagnostic> {
        if let Some(text) = value.read_lock::<ImmutableString>() {
            if has_token(&text) {
                return self.text(&text);
            }
            return Ok(Expr::Value(Value::String(text.as_str().to_owned())));
        }
        if let Some(handle) = value.read_lock::<Handle>() {
            return self.reference(&handle);
        }
        if value.is::<Array>() {
            let items: Array = value.flatten().cast();
            let items = items
                .into_iter()
                .map(|item| self.take(item))
                .collect::<Result<Vec<_>, _>>()?;
            return Ok(if items.iter().all(Expr::is_known) {
                Expr::Value(items.into_iter().filter_map(into_value).collect())
            } else {
                Expr::List(items)
            });
        }
        if value.is::<Map>() {
            let map: Map = value.flatten().cast();
            let entries = map
                .into_iter()
                .map(|(key, item)| {
                    if has_token(&key) {
                        return Err(Diagnostic::new(
                            "psprun::plan::early_look",
                            "a map's key must be known while the plan is made",
                        )
                        .help("make the map in a closure: `value.map(|v| #{ … })`"));
                    }
                    Ok((key.as_str().into(), self.take(item)?))
                })
                .collect::<Result<Vec<(std::sync::Arc<str>, Expr)>, _>>()?;
            return Ok(if entries.iter().all(|(_, item)| item.is_known()) {
                Expr::Value(Value::Object(
                    entries
                        .into_iter()
                        .filter_map(|(key, item)| Some(((*key).to_owned(), into_value(item)?)))
                        .collect(),
                ))
            } else {
                Expr::Map(entries)
            });
        }
        if value.is::<FnPtr>() {
            let function: FnPtr = value.flatten().cast();
            let closure = closure::take(self, function)?;
            return Ok(Expr::Value(serde_json::json!({ "$closure": closure.id })));
        }
        if value.is::<Group>() {
            return Err(Diagnostic::new(
                "psprun::plan::group_as_value",
                "a group of steps has no output of its own",
            )
            .help("use the handle of one of its steps, or give the group to `.after(…)`"));
        }
        if value
            .as_char()
            .is_ok_and(|c| has_token(c.encode_utf8(&mut [0; 4])))
        {
            return Err(torn());
        }
        to_json(&value).map(Expr::Value).map_err(|what| {
            Diagnostic::new("psprun::plan::no_value", format!("{what} cannot be an argument"))
        })
    }

    /// Reads from a step's output, and depends on it.
    pub(crate) fn reference(&mut self, handle: &Handle) -> Result<Expr, Diagnostic> {
        if handle.plan != self.builder.id {
            let output = self
                .builder
                .outer
                .get(&(handle.plan, handle.step))
                .cloned()
                .ok_or_else(|| {
                    Diagnostic::new("psprun::plan::outer_step", "this handle belongs to another plan")
                })?;
            return follow(&output, &handle.path)
                .map(|value| Expr::Value(value.clone()))
                .map_err(|error| Diagnostic::new("psprun::plan::no_path", error.to_string()));
        }
        self.builder
            .data_edge(handle.step, self.step, &handle.path, self.at);
        Ok(Expr::Ref(Reference {
            step: handle.step,
            path: handle.path.clone(),
        }))
    }

    fn text(&mut self, text: &str) -> Result<Expr, Diagnostic> {
        let mut pieces = Vec::new();
        for piece in cut(text) {
            match piece {
                Cut::Text(known) => pieces.push(Piece::Text(known.to_owned())),
                Cut::Token(number) => {
                    let Some(reference) = self.builder.tokens.get(number).cloned() else {
                        return Err(torn());
                    };
                    self.builder
                        .data_edge(reference.step, self.step, &reference.path, self.at);
                    pieces.push(Piece::Ref(reference));
                }
                Cut::Torn => return Err(torn()),
            }
        }
        Ok(Expr::Text(pieces))
    }
}

fn torn() -> Diagnostic {
    Diagnostic::new(
        "psprun::plan::early_look",
        "a text with a result in it was taken apart before the result is known",
    )
    .help("take it apart in a closure: `value.map(|text| …)`")
}

pub(crate) fn into_value(expr: Expr) -> Option<Value> {
    match expr {
        Expr::Value(value) => Some(value),
        _ => None,
    }
}

//! `sequence([…])` and `parallel([…])`.

use rhai::{Array, Dynamic, Engine};

use super::builder::{self, Builder};
use super::handle::{Group, Handle};
use crate::diagnostic::{Diagnostic, Location};
use crate::plan::StepId;

/// Registers the two functions.
pub(crate) fn register(engine: &mut Engine) {
    let list = [std::any::TypeId::of::<Array>()];
    engine.register_raw_fn("sequence", list, |context, args| {
        let items = args[0].flatten_clone().cast::<Array>();
        builder::with(&context, |builder, at| combine(builder, at, &items, true))
    });
    engine.register_raw_fn("parallel", list, |context, args| {
        let items = args[0].flatten_clone().cast::<Array>();
        builder::with(&context, |builder, at| combine(builder, at, &items, false))
    });
}

fn combine(builder: &mut Builder, at: &Location, items: &Array, chained: bool) -> Result<Group, Diagnostic> {
    let parts = items
        .iter()
        .map(|item| part(builder, item))
        .collect::<Result<Vec<Group>, _>>()?;
    let parts: Vec<Group> = parts
        .into_iter()
        .filter(|part| !part.members.is_empty())
        .collect();
    if chained {
        for pair in parts.windows(2) {
            for before in pair[0].last.iter() {
                for after in pair[1].first.iter() {
                    builder.order_edge(*before, *after, at);
                }
            }
        }
    }
    let all = |pick: fn(&Group) -> &[StepId]| {
        parts
            .iter()
            .flat_map(|part| pick(part).to_vec())
            .collect::<Vec<_>>()
    };
    let (first, last) = if chained {
        (
            parts.first().map(|part| part.first.to_vec()).unwrap_or_default(),
            parts.last().map(|part| part.last.to_vec()).unwrap_or_default(),
        )
    } else {
        (all(|part| &part.first), all(|part| &part.last))
    };
    Ok(Group {
        plan: builder.id,
        members: all(|part| &part.members).into(),
        first: first.into(),
        last: last.into(),
    })
}

/// A handle, a group or a list (whose items run side by side) as a group.
fn part(builder: &mut Builder, item: &Dynamic) -> Result<Group, Diagnostic> {
    if let Some(handle) = item.read_lock::<Handle>() {
        let step = [builder.step_of(&handle)?];
        return Ok(Group {
            plan: builder.id,
            members: step.into(),
            first: step.into(),
            last: step.into(),
        });
    }
    if let Some(group) = item.read_lock::<Group>() {
        return Ok(group.clone());
    }
    if let Some(items) = item.read_lock::<Array>() {
        let at = Location::new("", 0, 0);
        return combine(builder, &at, &items, false);
    }
    Err(Diagnostic::new(
        "psprun::plan::no_step",
        format!(
            "this is a {}, not a step",
            super::errors::plain_type(item.type_name())
        ),
    )
    .help("give handles, groups, or lists of these"))
}

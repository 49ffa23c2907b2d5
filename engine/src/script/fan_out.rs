//! `for_each(handle, |item| …)`: the closure makes a plan for each item when the run knows them.

use std::collections::HashMap;
use std::sync::Arc;

use rhai::Dynamic;
use serde_json::Value;

use super::builder::{self, Builder};
use super::closure::{Captures, Closure, Closures};
use super::handle::Handle;
use super::planner::finish;
use crate::builtin::{StepError, Unfold};
use crate::plan::{Expr, Piece, Reference, StepId, check_cycles};
use crate::secrets::Secrets;

/// The outputs of steps of outer plans that a fan-out's closure may still use as receivers, by plan and step.
pub(crate) type Outer = Arc<HashMap<(u64, StepId), Arc<Value>>>;

/// Makes the plan of a fan-out: the steps of all items, named after the fan-out (`name.0`, `name.1.apply`).
pub(crate) fn unfold(
    closures: &Closures,
    closure: &Closure,
    captures: &Captures,
    outer: &Outer,
    items: &[Value],
    name: &str,
    secrets: &Arc<Secrets>,
) -> Result<Unfold, StepError> {
    let (Some(engine), Some(sources)) = (closures.engine(), closures.sources()) else {
        return Err(StepError::new(
            "psprun::for_each::no_engine",
            "this plan has no script engine",
        ));
    };
    let mut builder = Builder::new(sources.clone(), Default::default(), secrets.clone());
    builder.outer = (**outer).clone();
    let (mut builder, results) = builder::evaluate(builder, || {
        let mut results = Vec::new();
        for item in items {
            let value = closures.call_planning(closure, captures, std::slice::from_ref(item))?;
            results.push((value, builder::count_steps()));
        }
        Ok::<_, StepError>(results)
    });
    let results = results?;
    if let Some(problem) = builder.problems.first() {
        return Err(StepError::new(problem.code, problem.to_string()));
    }
    let mut start = 0;
    let mut parts = Vec::new();
    for (index, (value, end)) in results.iter().enumerate() {
        name_steps(&mut builder, start..*end, &format!("{name}.{index}"));
        start = *end;
        parts.push(result(&builder, value)?);
    }
    let plan = finish(builder, engine.clone(), sources.clone(), Arc::from(name));
    if let Some(cycle) = check_cycles(&plan).first() {
        return Err(StepError::new(cycle.code, cycle.to_string()));
    }
    let result = if parts.iter().all(Expr::is_known) {
        Expr::Value(parts.into_iter().filter_map(super::intake::into_value).collect())
    } else {
        Expr::List(parts)
    };
    Ok(Unfold { plan, result })
}

/// What the closure returned for an item, as a reading of the new plan's outputs.
fn result(builder: &Builder, value: &Dynamic) -> Result<Expr, StepError> {
    if let Some(handle) = value.read_lock::<Handle>() {
        if handle.plan == builder.id {
            return Ok(Expr::Ref(Reference {
                step: handle.step,
                path: handle.path.clone(),
            }));
        }
        return Ok(Expr::Value(Value::Null));
    }
    if let Some(text) = value.read_lock::<rhai::ImmutableString>()
        && super::token::has_token(&text)
    {
        let pieces = super::token::cut(&text)
            .into_iter()
            .map(|piece| match piece {
                super::token::Cut::Text(known) => Piece::Text(known.to_owned()),
                super::token::Cut::Token(number) => builder
                    .tokens
                    .get(number)
                    .cloned()
                    .map_or(Piece::Text(String::new()), Piece::Ref),
                super::token::Cut::Torn => Piece::Text(String::new()),
            })
            .collect();
        return Ok(Expr::Text(pieces));
    }
    if let Some(map) = value.read_lock::<rhai::Map>() {
        let entries = map
            .iter()
            .map(|(key, item)| Ok((Arc::from(key.as_str()), result(builder, item)?)))
            .collect::<Result<Vec<_>, StepError>>()?;
        return Ok(Expr::Map(entries));
    }
    if let Some(items) = value.read_lock::<rhai::Array>() {
        return items
            .iter()
            .map(|item| result(builder, item))
            .collect::<Result<_, _>>()
            .map(Expr::List);
    }
    // A group, or nothing: the item has no output.
    Ok(Expr::Value(super::convert::to_json(value).unwrap_or_default()))
}

fn name_steps(builder: &mut Builder, range: std::ops::Range<usize>, base: &str) {
    let alone = range.len() == 1;
    let mut used: HashMap<String, usize> = HashMap::new();
    for index in range {
        let id = StepId::new(index);
        let own = match builder.explicit_names.get(&id) {
            Some(name) => name.to_string(),
            None if alone => {
                builder.graph[id].name = Arc::from(base);
                continue;
            }
            None => builder.graph[id]
                .builtin()
                .rsplit("::")
                .next()
                .unwrap_or_default()
                .to_owned(),
        };
        let times = used.entry(own.clone()).or_default();
        *times += 1;
        builder.graph[id].name = match *times {
            1 => format!("{base}.{own}").into(),
            times => format!("{base}.{own}-{times}").into(),
        };
    }
}

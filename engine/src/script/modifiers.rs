//! What every step takes: as methods of its handle, and among the options of a call.

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use rhai::{Array, Dynamic, Engine, FnPtr, ImmutableString, Map, NativeCallContext};

use super::builder;
use super::closure::{self, Closure};
use super::functions::Calling;
use super::handle::{Group, Handle};
use super::intake::Intake;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::plan::{Retries, StepId, parse_duration};

/// The modifiers by name.
pub(crate) const NAMES: [&str; 10] = [
    "after",
    "when",
    "until",
    "retries",
    "timeout",
    "named",
    "tags",
    "finally",
    "allow_failure",
    "locks",
];

/// Registers the methods of handles and groups.
pub(crate) fn register(engine: &mut Engine) {
    let any = TypeId::of::<Dynamic>();
    for receiver in [
        TypeId::of::<Handle>(),
        TypeId::of::<Group>(),
        TypeId::of::<Array>(),
    ] {
        for name in NAMES {
            // On a plain list only the order makes sense: `[a, b].after(c)`.
            if receiver == TypeId::of::<Array>() && name != "after" {
                continue;
            }
            if matches!(name, "finally" | "allow_failure") {
                engine.register_raw_fn(name, [receiver], move |context, args| {
                    method(&context, args[0], name, Dynamic::TRUE)
                });
            }
            engine.register_raw_fn(name, [receiver, any], move |context, args| {
                let value = std::mem::take(args[1]);
                method(&context, args[0], name, value)
            });
        }
    }
}

fn method(
    context: &NativeCallContext,
    receiver: &Dynamic,
    name: &str,
    value: Dynamic,
) -> builder::Raised<Dynamic> {
    builder::with(context, |builder, at| {
        let steps = if name == "after" {
            first_steps(builder, receiver)?
        } else {
            all_steps(builder, receiver)?
        };
        if name == "named" && steps.len() > 1 {
            return Err(
                Diagnostic::new("psprun::plan::name_of_group", "a group has no name of its own")
                    .help("name its steps, or give the group a variable: its steps are named after that"),
            );
        }
        let calling = &mut Calling { builder, context, at };
        for step in steps {
            set(calling, step, name, value.clone())?;
        }
        Ok(receiver.clone())
    })
}

/// The steps of a handle, a group or a list that wait for nothing else of it.
fn first_steps(builder: &builder::Builder, value: &Dynamic) -> Result<Vec<StepId>, Diagnostic> {
    steps(builder, value, &|group| group.first.to_vec())
}

fn all_steps(builder: &builder::Builder, value: &Dynamic) -> Result<Vec<StepId>, Diagnostic> {
    steps(builder, value, &|group| group.members.to_vec())
}

/// The steps of a handle, a group or a list that nothing else of it waits for.
pub(crate) fn last_steps(builder: &builder::Builder, value: &Dynamic) -> Result<Vec<StepId>, Diagnostic> {
    steps(builder, value, &|group| group.last.to_vec())
}

fn steps(
    builder: &builder::Builder,
    value: &Dynamic,
    of_group: &dyn Fn(&Group) -> Vec<StepId>,
) -> Result<Vec<StepId>, Diagnostic> {
    if let Some(handle) = value.read_lock::<Handle>() {
        return builder.step_of(&handle).map(|step| vec![step]);
    }
    if let Some(group) = value.read_lock::<Group>() {
        return if group.plan == builder.id {
            Ok(of_group(&group))
        } else {
            Err(Diagnostic::new(
                "psprun::plan::outer_step",
                "this group belongs to another plan",
            ))
        };
    }
    if let Some(items) = value.read_lock::<Array>() {
        let mut all = Vec::new();
        for item in items.iter() {
            all.extend(steps(builder, item, of_group)?);
        }
        return Ok(all);
    }
    Err(Diagnostic::new(
        "psprun::plan::no_step",
        format!(
            "this is a {}, not a step",
            super::errors::plain_type(value.type_name())
        ),
    )
    .help("give the handle that a builtin returned, or a list of handles"))
}

/// Sets one modifier of one step.
pub(crate) fn set(calling: &mut Calling, step: StepId, name: &str, value: Dynamic) -> Result<(), Diagnostic> {
    match name {
        "after" => {
            for before in last_steps(calling.builder, &value)? {
                calling.builder.order_edge(before, step, calling.at);
            }
        }
        "when" | "until" => {
            let closure = closure(calling, step, name, value)?;
            let modifiers = calling.builder.modifiers(step);
            let place = if name == "when" {
                &mut modifiers.when
            } else {
                &mut modifiers.until
            };
            if place.replace(closure).is_some() {
                return Err(Diagnostic::new(
                    "psprun::plan::modifier_twice",
                    format!("`{name}` is given twice"),
                )
                .help("put both conditions into one closure: `|| a && b`"));
            }
        }
        "retries" => {
            let retries = retries(&value)?;
            calling.builder.modifiers(step).retries = Some(retries);
        }
        "timeout" => {
            let timeout = duration(&value, "timeout")?;
            calling.builder.modifiers(step).timeout = Some(timeout);
        }
        "named" => {
            let name = text(&value, "named")?;
            if !is_name(&name) {
                return Err(Diagnostic::new(
                    "psprun::plan::name",
                    format!("`{name}` cannot be a step's name"),
                )
                .help("a name has letters, digits, `_`, `-` and `.`, and starts with a letter or digit"));
            }
            calling.builder.explicit_names.insert(step, name.as_str().into());
        }
        "tags" => {
            let tags = words(&value, "tags")?;
            calling.builder.modifiers(step).tags.extend(tags);
        }
        "locks" => {
            let locks = words(&value, "locks")?;
            let modifiers = calling.builder.modifiers(step);
            modifiers.locks.extend(locks);
            modifiers.locks.sort();
            modifiers.locks.dedup();
        }
        "finally" => calling.builder.modifiers(step).finally = flag(&value, "finally")?,
        "allow_failure" => calling.builder.modifiers(step).allow_failure = flag(&value, "allow_failure")?,
        other => {
            let help = match did_you_mean(other, NAMES) {
                Some(meant) => format!("did you mean `{meant}`? every step takes {}", NAMES.join(", ")),
                None => format!("every step takes {}", NAMES.join(", ")),
            };
            return Err(Diagnostic::new(
                "psprun::plan::unknown_argument",
                format!("there is no option `{other}`"),
            )
            .help(help));
        }
    }
    Ok(())
}

fn closure(calling: &mut Calling, step: StepId, name: &str, value: Dynamic) -> Result<Closure, Diagnostic> {
    if !value.is::<FnPtr>() {
        let mut problem = Diagnostic::new("psprun::plan::argument_type", format!("`{name}` needs a closure"));
        problem.help = Some(if name == "when" {
            "write `.when(|| reply.status == 200)`; for a value that is known now use `if`".to_owned()
        } else {
            "write `.until(|out| out.status == 200)`".to_owned()
        });
        return Err(problem);
    }
    let mut intake = Intake {
        builder: calling.builder,
        context: calling.context,
        step,
        at: calling.at,
    };
    closure::take(&mut intake, value.flatten().cast())
}

/// `3`, or `#{ count: 5, initial: "1s", factor: 2.0, cap: "30s", jitter: 0.1 }`.
fn retries(value: &Dynamic) -> Result<Retries, Diagnostic> {
    if let Ok(count) = value.as_int() {
        return Ok(Retries::new(count_of(count)?));
    }
    let Some(map) = value.read_lock::<Map>() else {
        return Err(wrong(
            "retries",
            "a number, or a map: `#{ count: 5, initial: \"1s\", factor: 2.0, cap: \"30s\", jitter: 0.1 }`",
        ));
    };
    let mut retries = Retries::new(3);
    for (key, value) in map.iter() {
        let number = || value.as_float().or_else(|_| value.as_int().map(|n| n as f64));
        match key.as_str() {
            "count" => {
                retries.count = count_of(value.as_int().map_err(|_| wrong("count", "a whole number"))?)?
            }
            "initial" => retries.initial = duration(value, "initial")?,
            "cap" => retries.cap = duration(value, "cap")?,
            "factor" => {
                retries.factor = number()
                    .ok()
                    .filter(|factor| (1.0..=100.0).contains(factor))
                    .ok_or_else(|| wrong("factor", "a number from 1 to 100"))?;
            }
            "jitter" => {
                retries.jitter = number()
                    .ok()
                    .filter(|jitter| (0.0..=1.0).contains(jitter))
                    .ok_or_else(|| wrong("jitter", "a number from 0 to 1"))?;
            }
            other => {
                let known = ["count", "initial", "factor", "cap", "jitter"];
                let help = match did_you_mean(other, known) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("there are {}", known.join(", ")),
                };
                return Err(Diagnostic::new(
                    "psprun::plan::unknown_argument",
                    format!("`retries` has no `{other}`"),
                )
                .help(help));
            }
        }
    }
    Ok(retries)
}

fn count_of(count: i64) -> Result<u32, Diagnostic> {
    u32::try_from(count)
        .ok()
        .filter(|count| *count <= 10_000)
        .ok_or_else(|| wrong("retries", "from 0 to 10000"))
}

fn wrong(name: &str, what: &str) -> Diagnostic {
    Diagnostic::new("psprun::plan::argument_type", format!("`{name}` must be {what}"))
}

fn duration(value: &Dynamic, name: &str) -> Result<Duration, Diagnostic> {
    let text = text(value, name)?;
    parse_duration(&text)
        .map_err(|error| Diagnostic::new("psprun::plan::argument_type", format!("`{name}`: {error}")))
}

fn text(value: &Dynamic, name: &str) -> Result<String, Diagnostic> {
    match value.read_lock::<ImmutableString>() {
        Some(text) if super::token::has_token(&text) => Err(super::look::early_look(&format!("`{name}`"))),
        Some(text) => Ok(text.to_string()),
        None if value.is::<Handle>() => Err(super::look::early_look(&format!("`{name}`"))),
        None => Err(wrong(name, "a text")),
    }
}

fn words(value: &Dynamic, name: &str) -> Result<Vec<Arc<str>>, Diagnostic> {
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(|item| text(item, name).map(Arc::from)).collect();
    }
    text(value, name).map(|word| vec![Arc::from(word)])
}

fn flag(value: &Dynamic, name: &str) -> Result<bool, Diagnostic> {
    value.as_bool().map_err(|_| wrong(name, "true or false"))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}
